"""How ECR's face looks over HTTP: its API, the registry, and where layers are redirected to.

Knows paths, headers and statuses. What is there and what may be had is the face's to say.
"""

import json
import re
import secrets
import socket
import urllib.parse
from http.server import BaseHTTPRequestHandler
from typing import NamedTuple

from .blob_delivery import opened, send
from .faults import Corrupt, Cut, Refusal, Status

TARGET = "AmazonEC2ContainerRegistry_V20150921."
REGISTRY_PATH = re.compile(r"/v2/(?P<repository>.+)/(?P<kind>manifests|blobs)/(?P<reference>[^/]+)")
LAYER_PATH = re.compile(r"/layers/(?P<repository>.+)/(?P<digest>[^/]+)")


class Request(NamedTuple):
    """A request that was answered. The path of a call of ECR's API is `/` and its operation."""

    method: str
    path: str
    status: int


class Handler(BaseHTTPRequestHandler):
    """One connection to a face; `face` is set by whoever serves."""

    face = None
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 60

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        operation = self.headers.get("X-Amz-Target", "").removeprefix(TARGET)
        self.shown = f"/{operation}"
        fault = self.face.faults.refusal("POST", self.shown)
        if isinstance(fault, Refusal):
            status, answer = fault.status, {"__type": fault.code, "message": fault.message}
        elif isinstance(fault, Status):
            code = "ThrottlingException" if fault.status == 429 else "ServerException"
            status, answer = fault.status, {"__type": code, "message": fault.message}
        else:
            status, answer = self.face.judged(operation, json.loads(body or b"{}"))
        headers = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-RequestId": secrets.token_hex(16)}
        self._answer(status, headers, json.dumps(answer).encode())

    def do_GET(self):
        address = urllib.parse.urlsplit(self.path)
        self.shown = path = urllib.parse.unquote(address.path)
        fault = self.face.faults.refusal(self.command, path)
        if fault:
            self._refuse(fault.status, fault.code, fault.message, getattr(fault, "retry_after", None))
        elif layer := LAYER_PATH.fullmatch(path):
            self._layer(layer["repository"], layer["digest"], urllib.parse.parse_qs(address.query))
        elif not self.face.admits(self.headers.get("Authorization")):
            self._refuse(401, "UNAUTHORIZED", "Not Authorized")
        elif path == "/v2/":
            self._answer(200, {"Content-Type": "application/json"}, b"{}")
        elif asked := REGISTRY_PATH.fullmatch(path):
            answer = self._manifest if asked["kind"] == "manifests" else self._blob
            answer(asked["repository"], asked["reference"])
        else:
            self._refuse(404, "UNSUPPORTED", f"there is no {path}")

    do_HEAD = do_GET

    def _manifest(self, repository, reference):
        if ":" not in reference:
            self.face.pull(repository, reference)
        if repository not in self.face.ecr.repositories:
            return self._no_repository(repository)
        found = self.face.ecr.place(repository).manifest(reference)
        if found is None:
            return self._refuse(404, "MANIFEST_UNKNOWN", "Requested image not found")
        accepted = ",".join(self.headers.get_all("Accept") or [])
        if found.media_type not in accepted and "*/*" not in accepted:
            return self._refuse(404, "MANIFEST_UNKNOWN", f"{found.media_type} found, but the client takes no such")
        headers = {"Content-Type": found.media_type, "Docker-Content-Digest": found.digest}
        return self._answer(200, headers, found.body)

    def _blob(self, repository, digest):
        if repository not in self.face.ecr.repositories:
            return self._no_repository(repository)
        place = self.face.ecr.place(repository)
        length = self.face.blob_length(place, digest)
        if length is None:
            return self._refuse(404, "BLOB_UNKNOWN", "blob unknown to registry")
        if self.command == "HEAD":
            return self._start_blob(digest, length)
        if not self.face.redirects:
            return self._send(place, digest)
        target = f"{self.face.layers_url}/{repository}/{digest}?X-Amz-Signature={self.face.sign()}"
        return self._answer(307, {"Location": target})

    def _layer(self, repository, digest, query):
        if "Authorization" in self.headers:
            return self._refuse(400, "InvalidArgument", "Only one auth mechanism allowed")
        if not self.face.signed(query.get("X-Amz-Signature", [""])[0]):
            return self._refuse(403, "SignatureDoesNotMatch", "The signature is not ours")
        return self._send(self.face.ecr.place(repository), digest)

    def _send(self, place, digest):
        fault = self.face.faults.of_delivery(self.command, self.shown)
        upstream, spoiled = self.face.registries.upstream, isinstance(fault, Cut | Corrupt)
        with opened(place, upstream, digest, spoiled, self.face.fetching) as source:
            if source is None:
                return self._refuse(404, "BLOB_UNKNOWN", "blob unknown to registry")
            self._start_blob(digest, source.length)
            for delivery in send(source, place, digest, fault, self.wfile.write, self.face.stopped):
                self.face.deliveries.append(delivery)
                if delivery.sent < source.length:
                    self._cut()

    def _start_blob(self, digest, length):
        headers = {"Content-Type": "application/octet-stream", "Docker-Content-Digest": digest}
        self._start(200, {**headers, "Content-Length": str(length)})

    def _cut(self):
        self.close_connection = True
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def _no_repository(self, repository):
        self._refuse(404, "NAME_UNKNOWN", f"The repository with name '{repository}' does not exist in the registry")

    def _refuse(self, status, code, message, retry_after=None):
        headers = {"Content-Type": "application/json"}
        if status == 401:
            headers["WWW-Authenticate"] = f'Basic realm="{self.face.url}/",service="ecr.amazonaws.com"'
        if retry_after is not None:
            headers["Retry-After"] = str(retry_after)
        self._answer(status, headers, json.dumps({"errors": [{"code": code, "message": message}]}).encode())

    def _answer(self, status, headers, body=b""):
        self._start(status, {**headers, "Content-Length": str(len(body))})
        if self.command != "HEAD":
            self.wfile.write(body)

    def _start(self, status, headers):
        # Logged first, so that whoever has the answer finds it in the log.
        self.face.requests.append(Request(self.command, self.shown, status))
        self.send_response(status)
        for name, value in {"Docker-Distribution-Api-Version": "registry/2.0", **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_):
        pass
