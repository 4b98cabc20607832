"""What a sidecar listens on, at the port that an app expects it. Knows nothing of what comes in."""

import errno
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import NamedTuple

from .waiting import NeverHappened, until

HOST = "127.0.0.1"


class Request(NamedTuple):
    """An HTTP request that was received."""

    path: str
    content_type: str
    body: bytes


@contextmanager
def udp(port=0):
    """A UDP socket that is bound to `port` of loopback, or to a free one."""
    listener = _bound(lambda: _udp_socket(port), f"UDP {HOST}:{port}")
    with listener:
        yield listener


@contextmanager
def http(port):
    """An HTTP server on `port` of loopback that accepts every POST; gives the list of what has come."""
    received = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append(Request(self.path, self.headers["Content-Type"], body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = _bound(lambda: HTTPServer((HOST, port), Handler), f"TCP {HOST}:{port}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield received
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _udp_socket(port):
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        listener.bind((HOST, port))
    except OSError:
        listener.close()
        raise
    return listener


def _bound(bind, what):
    """Another run of the tests has such a port for a second; another program has it for good."""

    def attempt():
        try:
            return bind()
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return None

    try:
        return until(attempt, what, seconds=30)
    except NeverHappened:
        raise NeverHappened(f"{what} is taken by another program, and the app's tracer expects the sidecar there") from None
