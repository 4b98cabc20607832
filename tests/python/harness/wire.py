"""The wire between the function and the emulator: it tells what was called, and can be made to fail.

A proxy on loopback. The deployed function has it as its endpoint; everybody else speaks to the emulator itself. Answers of
ECS are put right on their way (see corrections). ECR's come from `ecs-fake`, since the emulator knows no pull-through cache;
it only says whether the function may call.
"""

import http.client
import json
import re
import threading
import urllib.parse
from collections import deque
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from botocore import xform_name

from .corrections import PREFIX, REFUSAL, Corrections
from .services import Services


class Call(NamedTuple):
    """One call of a function: `RegisterTaskDefinition` and its parameters; of which service, and with whose access key."""

    action: str
    parameters: dict
    service: str = ""
    key: str = ""


ECR = "AmazonEC2ContainerRegistry_V20150921."


class Wire:
    """Passes every call on to `ministack`, those to ECR then to `ecr` (see ecs_fake), and notes it in `calls`."""

    def __init__(self, ministack, ecr):
        self._ministack = ministack
        self.ecr = ecr
        self._upstream = urllib.parse.urlsplit(ministack.endpoint)
        self._faults = deque()
        self.calls = []
        self.refused = []  # those for which IAM has no permission
        # The host that callers signed for, where a proxy before this one has put in another one.
        self.signed_for = None
        self.corrections = Corrections()
        self.services = Services(ministack.client("ecs"))
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def of_family(self, family, since=0):
        """Actions on task definitions of that family, in their order."""
        return [call.action for call in self.calls[since:] if family_in(call) == family]

    @contextmanager
    def interfering(self, interfere):
        """While inside: `interfere(call)` before each call. It may do something and return None, or return
        "lose" (the call is made, its answer never comes) or "refuse" (the call is not made: a server's error)."""
        self._faults.append(interfere)
        try:
            yield
        finally:
            self._faults.remove(interfere)

    def _handler(wire):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # headers and body together: in two packets the second waits for the first one's receipt

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                call = _call(self.headers, body)
                wire.calls.append(call)
                fault = next((f for f in [interfere(call) for interfere in list(wire._faults)] if f), None)
                if fault == "refuse":
                    refusal = json.dumps({"__type": "ServerException", "message": "refused"}).encode()
                    return self._answer(500, {}, refusal)
                target = self.headers.get("X-Amz-Target", "")
                # In other Regions services are as the emulator has them.
                services = wire.services if wire.is_here(self.headers) else None
                if services and target.startswith(PREFIX) and (refusal := services.refusal(call)):
                    return self._answer(400, {}, refusal)
                status, headers, answer = wire._forward(self.command, self.path, self.headers, body)
                if status != 200 and b"AccessDenied" in answer:
                    wire.refused.append(call)
                if status == 200 and target.startswith(PREFIX):
                    status, answer = wire._correct(call, answer, services)
                if target.startswith(ECR) and b"AccessDenied" not in answer:
                    headers = {"Content-Type": self.headers["Content-Type"]}
                    status, answer = wire.ecr.call("ecr", target, body, headers["Content-Type"])
                if fault == "lose":
                    self.close_connection = True
                    self.connection.close()
                    return None
                return self._answer(status, headers, answer)

            do_GET = do_PUT = do_DELETE = do_POST

            def _answer(self, status, headers, answer):
                self.send_response(status)
                for name, value in headers.items():
                    if name.lower() not in ("content-length", "connection", "transfer-encoding", "date", "server"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        return Handler

    def is_here(self, headers):
        """Whether a request is signed for the Region of the stack."""
        return f"/{self._ministack.region}/" in headers.get("Authorization", "")

    def _correct(self, call, answer, services):
        def ask(action, parameters):
            answer = getattr(self._ministack.client("ecs"), xform_name(action))(**parameters)
            return json.loads(json.dumps(answer, default=lambda time: time.timestamp()))

        corrected = self.corrections.apply(call, json.loads(answer), ask)
        if corrected is None:
            return 400, REFUSAL
        return 200, json.dumps(services.apply(call, corrected) if services else corrected).encode()

    def _forward(self, method, path, headers, body):
        upstream = http.client.HTTPConnection(self._upstream.hostname, self._upstream.port, timeout=30)
        try:
            kept = {k: v for k, v in headers.items() if k.lower() not in ("connection", "host")}
            upstream.request(method, path, body, {**kept, "Host": self.signed_for or headers["Host"]})
            answer = upstream.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            upstream.close()


def _call(headers, body):
    # Credential=<key>/<day>/<region>/<service>/aws4_request
    signed = re.search(r"Credential=(\w+)/\d+/[\w-]+/([\w-]+)/", headers.get("Authorization", ""))
    key, service = signed.groups() if signed else ("", "")
    if target := headers.get("X-Amz-Target"):
        return Call(target.rsplit(".", 1)[1], json.loads(body or b"{}"), service, key)
    # IAM speaks the older protocol, with forms.
    form = dict(urllib.parse.parse_qsl(body.decode(errors="replace")))
    return Call(form.get("Action", "?"), form, service, key)


def family_in(call):
    """The family that a call on task definitions is about, or an empty text."""
    parameters = call.parameters
    name = parameters.get("family") or parameters.get("familyPrefix") or parameters.get("taskDefinition") or ""
    return name.rsplit("/", 1)[-1].split(":")[0]
