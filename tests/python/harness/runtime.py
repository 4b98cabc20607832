"""Lambda without Lambda: starts a `bootstrap`, hands it invocations by the runtime API, and takes its answers.

Knows the runtime API, and how to ask the kernel for the process's memory. Knows nothing of what the function does.
"""

import json
import queue
import shutil
import subprocess
import tempfile
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from .loopback import Server
from .processes import end_group, quiet_environment

API = "/2018-06-01/runtime"
NAME = "reconcile"
ACCOUNT = "111122223333"
REGION = "eu-west-1"


class FunctionFailed(AssertionError):
    """The function answered an error, or none in time, or ended; `kind` is its errorType, if it had one."""

    def __init__(self, kind, message):
        super().__init__(f"{kind}: {message}")
        self.kind = kind
        self.message = message


class Runtime:
    """A running function. `environment` comes on top of what Lambda sets."""

    def __init__(self, bootstrap, environment, memory_mib=128):
        self._bootstrap = Path(bootstrap).resolve()
        self._environment = environment
        self._memory_mib = memory_mib
        self._invocations = queue.Queue()
        self._answers = queue.Queue()
        self._stopped = threading.Event()
        self._process = None
        self._folder = None
        self._server = None

    def __enter__(self):
        try:
            self._start()
            return self
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_):
        self.stop()

    def _start(self):
        self._folder = Path(tempfile.mkdtemp(prefix="ecs-sidecar-runtime-"))
        self._server = Server(_Handler, runtime=self)
        self._server.start()
        with open(self._folder / "stdout", "wb") as out, open(self._folder / "stderr", "wb") as err:
            self._process = subprocess.Popen(
                [str(self._bootstrap)],
                env=quiet_environment(**self._lambda_variables(), **self._environment),
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    def _lambda_variables(self):
        return {
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._server.server_port}",
            "AWS_LAMBDA_FUNCTION_NAME": NAME,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self._memory_mib),
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{NAME}",
            "AWS_LAMBDA_LOG_STREAM_NAME": "here",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",  # nothing but loopback is asked for credentials
            "LAMBDA_TASK_ROOT": str(self._bootstrap.parent),
            "_HANDLER": "bootstrap",
            "HOME": str(self._folder),
            "TZ": ":UTC",
        }

    def stop(self):
        """Ends the function; may be called again."""
        self._stopped.set()
        process, self._process = self._process, None
        if process is not None:
            end_group(process)
        server, self._server = self._server, None
        if server is not None:
            server.stop()
        folder, self._folder = self._folder, None
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def invoke(self, event, timeout=120.0):
        """Hands over an event and returns the answer. After `timeout` seconds the function is ended, as Lambda does."""
        request_id = str(uuid.uuid4())
        deadline = time.monotonic() + timeout
        self._invocations.put((request_id, json.dumps(event).encode(), int((time.time() + timeout) * 1000)))
        while time.monotonic() < deadline:
            try:
                answered, failed, content = self._answers.get(timeout=0.05)
            except queue.Empty:
                if self._process.poll() is not None:
                    raise FunctionFailed("Runtime.ExitError", self.output()[-2000:]) from None
                continue
            if answered not in (request_id, None):
                continue  # the answer to an invocation that somebody gave up
            if failed:
                raise FunctionFailed(content.get("errorType"), content.get("errorMessage"))
            return content
        log = self.output()
        self.stop()
        raise FunctionFailed("Sandbox.Timedout", f"no answer in {timeout:.0f} s\n{log[-2000:]}")

    def output(self):
        """All that the function wrote to stdout and stderr, in this order."""
        return "".join((self._folder / name).read_text(errors="replace") for name in ("stdout", "stderr"))

    def log_lines(self):
        """The lines on stdout that are JSON, parsed, oldest first."""
        lines = (self._folder / "stdout").read_text(errors="replace").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def reset_peak_memory(self):
        """From now on the peak is that of what comes; it begins with what is in use."""
        Path(f"/proc/{self._process.pid}/clear_refs").write_text("5")

    def peak_memory_mib(self):
        """The most memory that was resident since the start, or since the peak was reset."""
        for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
        raise FunctionFailed("Runtime.ExitError", "the process is gone")

    # What the runtime API's handler asks for.

    def next_invocation(self):
        """The next invocation, once there is one; None when all is over."""
        while not self._stopped.is_set():
            try:
                return self._invocations.get(timeout=0.1)
            except queue.Empty:
                continue
        return None

    def answer(self, request_id, failed, content):
        """Takes what the function says of an invocation, or of its own start, where there is no id."""
        self._answers.put((request_id, failed, content))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    runtime = None

    def do_GET(self):
        if self.path != f"{API}/invocation/next":
            return self._answer(404)
        invocation = self.runtime.next_invocation()
        if invocation is None:
            self.close_connection = True
            return None
        request_id, event, until = invocation
        headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": request_id,
            "Lambda-Runtime-Deadline-Ms": str(until),
            "Lambda-Runtime-Invoked-Function-Arn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{NAME}",
            "Lambda-Runtime-Trace-Id": f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]};Sampled=0",
        }
        return self._answer(200, headers, event)

    def do_POST(self):
        content = json.loads(self._body() or b"null")
        parts = self.path.removeprefix(f"{API}/").split("/")
        if parts == ["init", "error"]:
            self.runtime.answer(None, True, content)
        elif len(parts) == 3 and parts[0] == "invocation" and parts[2] in ("response", "error"):
            self.runtime.answer(parts[1], parts[2] == "error", content)
        else:
            return self._answer(404)
        return self._answer(202, {"Content-Type": "application/json"}, b'{"status":"OK"}')

    def _body(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _answer(self, status, headers=None, body=b""):
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass
