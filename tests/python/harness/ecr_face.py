"""ECR before a pull-through cache: its API, and the registry's, on loopback.

As ECR does, it fills the cache by a pull by tag only: a manifest that is asked for by digest and is not there is not
found. What is there is what lies in the registries' folders. Layers may be redirected, as ECR does to S3, to where an
Authorization header is refused. The log of all requests lies in `requests`, that of blobs in `deliveries`; `fail`
orders what is to go wrong.

Not as ECR does: it never remembers that a tag was looked at lately but asks the upstream each time; whoever has a
layer's last byte may rely on its being stored.
"""

import base64
import http.client
import secrets
import threading
import time
import urllib.parse
from collections import Counter

from .blob_delivery import Fetching
from .ecr_calls import CallRefused, Calls
from .ecr_state import Ecr
from .face_http import Handler
from .faults import BROKEN, Faults
from .images import MANIFEST_TYPES
from .loopback import Server
from .service_model import ServiceModel

LARGEST_MANIFEST = 4 << 20


class EcrFace(Calls):
    """ECR in front of `registries`. `url` is the endpoint of its API and of the registry."""

    def __init__(self, registries, redirects=True):
        super().__init__(Ecr(registries))
        self.registries = registries
        self.redirects = redirects
        self.requests = []
        self.deliveries = []
        self.faults = Faults()
        self.stopped = threading.Event()
        self.fetching = Fetching()
        self.model = ServiceModel("ecr")
        self._pulling = threading.Lock()
        self._tokens = set()
        self._expired = set()
        self._signatures = set()
        self._server = Server(Handler, face=self)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        # Another host by its name, as S3 is to ECR: a login is not for it.
        self.layers_url = f"http://localhost:{self._server.server_port}/layers"

    def __enter__(self):
        self._server.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self._server.stop()

    def fail(self, matcher, times=1, how=BROKEN):
        """Orders a fault; see faults. `matcher` is a part of "METHOD path", or is called with method and path."""
        return self.faults.order(matcher, times, how)

    def expire_tokens(self):
        """No token that was given out is good any more."""
        self._expired |= self._tokens
        self._tokens.clear()

    def secrets(self):
        """All that nobody may see in a log: tokens, as they are and as they travel, and signatures."""
        tokens = self._tokens | self._expired
        encoded = {base64.b64encode(f"AWS:{token}".encode()).decode() for token in tokens}
        return tokens | encoded | self._signatures

    def pulls(self):
        """How often each blob was sent, be it in part."""
        return Counter(delivery.digest for delivery in self.deliveries)

    def statuses(self, part):
        """Statuses of the requests with `part` in "METHOD path", in their order."""
        return [request.status for request in self.requests if part in f"{request.method} {request.path}"]

    def GetAuthorizationToken(self, _parameters):
        token = secrets.token_urlsafe(24)
        self._tokens.add(token)
        datum = {
            "authorizationToken": base64.b64encode(f"AWS:{token}".encode()).decode(),
            "expiresAt": time.time() + 12 * 3600,
            "proxyEndpoint": self.url,
        }
        return {"authorizationData": [datum]}

    def admits(self, authorization):
        """Whether an Authorization header is good."""
        scheme, _, encoded = (authorization or "").partition(" ")
        try:
            user, _, token = base64.b64decode(encoded, validate=True).decode().partition(":")
        except ValueError:
            return False
        return scheme.lower() == "basic" and user == "AWS" and token in self._tokens

    def sign(self):
        """What a redirect's target wants to see."""
        signature = secrets.token_urlsafe(16)
        self._signatures.add(signature)
        return signature

    def signed(self, signature):
        """Whether it came from us."""
        return signature in self._signatures

    def pull(self, repository, tag):
        """Fills the cache: the manifest of a tag, and all that it lists. There is a repository afterwards."""
        place = self.ecr.place(repository)
        if not place.pulls_through:
            return
        with self._pulling:  # one after the other, since the cache writes its links anew each time
            if _ask("GET", place.registry, place, "manifests", tag) is None:
                return
            for child in place.manifest(tag).children():
                _ask("GET", place.registry, place, "manifests", child)
        self.ecr.add_repository(repository)

    def blob_length(self, place, digest):
        """Length of a blob that is there, or that the cache could fetch; else None."""
        if file := place.blob(digest):
            return file.stat().st_size
        # Not of the cache: asked for the length alone, it fetches all of it.
        upstream = self.registries.upstream
        return _ask("HEAD", upstream, place, "blobs", digest) if place.pulls_through and upstream.runs else None

    def judged(self, operation, parameters):
        """Status and content of the answer to a call, the service model being the judge of question and answer."""
        if not self.knows(operation):
            return 400, {"__type": "UnknownOperationException", "message": f"{operation} is not known here"}
        try:
            if objections := self.model.objections_to_request(operation, parameters):
                raise CallRefused("InvalidParameterException", objections)
            status, answer = 200, self.answer(operation, parameters)
            wrong = self.model.objections_to_answer(operation, answer)
        except CallRefused as refused:
            status, answer = 400, {"__type": refused.code, "message": str(refused)}
            known = refused.code in self.model.errors(operation)
            wrong = [] if known else [f"{operation} has no error {refused.code}"]
        if wrong:
            return 500, {"__type": "ServerException", "message": f"the face is wrong: {wrong}"}
        return status, answer


def _ask(method, registry, place, kind, reference):
    """Asks a registry for something, or the cache to fetch it; the length of it, or None if it is not to be had."""
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(registry.url).netloc, timeout=60)
    try:
        headers = {"Accept": ", ".join(MANIFEST_TYPES)}
        connection.request(method, f"/v2/{place.name}/{kind}/{reference}", headers=headers)
        answer = connection.getresponse()
        answer.read(LARGEST_MANIFEST)
        return int(answer.headers["Content-Length"]) if answer.status == 200 else None
    finally:
        connection.close()
