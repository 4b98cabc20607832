"""An HTTP server on loopback, a thread for each connection. Knows nothing of what it serves."""

import sys
import threading
from http.server import ThreadingHTTPServer


class Server(ThreadingHTTPServer):
    """Serves with `handler`, a class, to which `members` are given; until it is stopped."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, handler, **members):
        super().__init__(("127.0.0.1", 0), type("Handler", (handler,), members))

    def start(self):
        """Serves from now on."""
        threading.Thread(target=self.serve_forever, args=[0.02], daemon=True).start()

    def stop(self):
        """Serves no more; must have been started."""
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        """A client that went away is nobody's fault; anything else is shown."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)
