"""The least that runs a handler in Lambda: the runtime API over one kept connection, by the standard library alone."""

import http.client
import json
import os
import sys


class Context:
    """Of an invocation."""

    def __init__(self, headers):
        self.aws_request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        self.deadline_ms = int(headers["Lambda-Runtime-Deadline-Ms"])


def main():
    from reconcile import handler

    api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    while True:
        api.request("GET", "/2018-06-01/runtime/invocation/next")
        event = api.getresponse()
        context = Context(event.headers)
        try:
            answer, kind = handler(json.loads(event.read()), context), "response"
        except Exception as error:
            answer, kind = {"errorType": type(error).__name__, "errorMessage": str(error)}, "error"
        path = f"/2018-06-01/runtime/invocation/{context.aws_request_id}/{kind}"
        api.request("POST", path, json.dumps(answer), {"Content-Type": "application/json"})
        api.getresponse().read()


if __name__ == "__main__":
    sys.exit(main())
