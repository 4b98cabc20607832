"""A stand-in for Lambda: starts a function, hands it invocations by the runtime API, and looks at what it costs.

Knows: the runtime API, and how to ask the kernel for a process's time and memory. Must not know: what a function does.

All is done in one thread without a server's machinery, so that little stands between an event and the clock.
"""

import os
import select
import signal
import socket
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

API = "/2018-06-01/runtime"
NEXT = f"{API}/invocation/next"
ARN = "arn:aws:lambda:eu-west-1:111122223333:function:reconcile"
PATIENCE = 60.0


class FunctionFailed(Exception):
    """The function answered an error, or none in time, or ended."""


@dataclass
class Request:
    """What the function sent, and when all of it was here."""

    connection: socket.socket
    method: str
    path: str
    body: bytes
    at: int


class Function:
    """A running function, to be used with `with`. `command` starts it, in `folder`, with just that environment."""

    def __init__(self, command, environment, folder, memory_mib=256):
        self._command = [str(word) for word in command]
        self._folder = Path(folder)
        self._listener = socket.create_server(("127.0.0.1", 0))
        host, port = self._listener.getsockname()
        self._environment = {
            "AWS_LAMBDA_RUNTIME_API": f"{host}:{port}",
            "AWS_LAMBDA_FUNCTION_NAME": "reconcile",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(memory_mib),
            "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/reconcile",
            "AWS_LAMBDA_LOG_STREAM_NAME": "here",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_EC2_METADATA_DISABLED": "true",
            "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "TZ": ":UTC",
            "HOME": str(self._folder),
            **environment,
        }
        self._connections = {}
        self._poll = None
        self._pid = None
        self.started_ns = None

    def __enter__(self):
        """Starts it, and waits for its first poll; `started_ns` is how long that took."""
        write = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        to_files = [
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(self._folder / "stdout"), write, 0o600),
            (os.POSIX_SPAWN_OPEN, 2, str(self._folder / "stderr"), write, 0o600),
        ]
        begun = time.perf_counter_ns()
        self._pid = os.posix_spawn(self._command[0], self._command, self._environment, file_actions=to_files)
        try:
            self._wait_for_poll()
        except BaseException:
            self.__exit__()
            raise
        self.started_ns = self._poll.at - begun
        return self

    def __exit__(self, *_):
        if self._pid is not None:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            self._pid = None
        for connection in [*self._connections, self._listener]:
            connection.close()
        self._connections = {}

    def invoke(self, event):
        """Hands over an event (JSON, as bytes); returns the answer's bytes and the nanoseconds that it took."""
        deadline = int((time.time() + 180) * 1000)
        head = (
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            f"Lambda-Runtime-Aws-Request-Id: {uuid.uuid4()}\r\nLambda-Runtime-Deadline-Ms: {deadline}\r\n"
            f"Lambda-Runtime-Invoked-Function-Arn: {ARN}\r\n"
            "Lambda-Runtime-Trace-Id: Root=1-00000000-000000000000000000000000;Sampled=0\r\n"
            f"Content-Length: {len(event)}\r\n\r\n"
        ).encode()
        poll, self._poll = self._poll, None
        begun = time.perf_counter_ns()
        poll.connection.sendall(head + event)
        answer = self._read()
        if not answer.path.endswith("/response"):
            raise FunctionFailed(f"{answer.path}: {answer.body[:2000]!r}\n{self.output()}")
        self._accept(answer)
        self._wait_for_poll()
        return answer.body, answer.at - begun

    def cpu_ns(self):
        """CPU time of the process so far, threads that ended included, once it has come to rest."""
        clock = (~self._pid << 3) | 2  # what clock_getcpuclockid(3) makes of a pid
        before = -1
        while (now := time.clock_gettime_ns(clock)) != before:
            before = now
            time.sleep(0.0005)
        return now

    def peak_memory_bytes(self):
        """The most memory that was resident."""
        for line in Path(f"/proc/{self._pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        raise FunctionFailed(f"the process is gone\n{self.output()}")

    def output(self):
        """The end of what the function wrote."""
        return "".join((self._folder / name).read_text(errors="replace")[-4000:] for name in ("stdout", "stderr"))

    def _wait_for_poll(self):
        request = self._read()
        if (request.method, request.path) != ("GET", NEXT):
            raise FunctionFailed(f"{request.method} {request.path}: {request.body[:2000]!r}\n{self.output()}")
        self._poll = request

    def _accept(self, request):
        body = b'{"status":"OK"}'
        head = f"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        request.connection.sendall(head.encode() + body)

    def _read(self):
        """The next request on any connection."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            ready, _, _ = select.select([self._listener, *self._connections], [], [], 1.0)
            for connection in ready:
                if connection is self._listener:
                    accepted, _ = connection.accept()
                    accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self._connections[accepted] = b""
                elif request := self._advance(connection):
                    return request
            if not ready and os.waitpid(self._pid, os.WNOHANG)[0]:
                self._pid = None
                raise FunctionFailed(f"the function ended\n{self.output()}")
        raise FunctionFailed(f"the function said nothing for {PATIENCE:.0f} s\n{self.output()}")

    def _advance(self, connection):
        """Reads what there is; returns a request once all of it came."""
        received = connection.recv(1 << 18)
        at = time.perf_counter_ns()
        if not received:
            del self._connections[connection]
            connection.close()
            return None
        self._connections[connection] += received
        head, found, rest = self._connections[connection].partition(b"\r\n\r\n")
        if not found:
            return None
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = _body(headers, rest)
        if body is None:
            return None
        self._connections[connection] = b""
        method, path, _ = first.split(" ")
        return Request(connection, method, path, body, at)


def _body(headers, received):
    """A request's body; None if it is not all here."""
    if headers.get("transfer-encoding", "").lower() != "chunked":
        length = int(headers.get("content-length", 0))
        return received[:length] if len(received) >= length else None
    body = b""
    while True:
        size, found, received = received.partition(b"\r\n")
        if not found:
            return None
        length = int(size.split(b";")[0], 16)
        if len(received) < length + 2:
            return None
        if not length:
            return body
        body, received = body + received[:length], received[length + 2 :]
