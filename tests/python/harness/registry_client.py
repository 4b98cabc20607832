"""Pulls images as a container runtime does: index, manifest of its architecture, config and layers, all verified.

Knows the registry's HTTP API. Knows neither ECR nor who filled the registry.
"""

import hashlib
import http.client
import json
import urllib.parse
from typing import NamedTuple

from .images import MANIFEST_TYPES, digest_of

CHUNK = 1 << 20


class PullFailed(AssertionError):
    """A part of an image is not to be had; `status` says what was answered, or None for what came wrongly."""

    def __init__(self, what, status=None):
        super().__init__(f"{what}: {status}" if status else what)
        self.status = status


class Answer(NamedTuple):
    """What a registry answered; `digest` is that of the body, which is kept only where it is small."""

    status: int
    headers: dict
    body: bytes
    digest: str


class RegistryClient:
    """Speaks to the registry at `url`; `authorization` is the header's value."""

    def __init__(self, url, authorization=None):
        self._url = url
        self._authorization = authorization

    def ask(self, method, path, accept=MANIFEST_TYPES, authorized=True):
        """One request, no redirect followed."""
        address = urllib.parse.urlsplit(urllib.parse.urljoin(self._url, path))
        connection = http.client.HTTPConnection(address.netloc, timeout=60)
        headers = {"Accept": ", ".join(accept)} if accept else {}
        if authorized and self._authorization:
            headers["Authorization"] = self._authorization
        try:
            connection.request(method, f"{address.path}?{address.query}".rstrip("?"), headers=headers)
            answer = connection.getresponse()
            kept, digest = b"", hashlib.sha256()
            while chunk := answer.read(CHUNK):
                digest.update(chunk)
                kept = (kept + chunk)[: 4 * CHUNK]
            if method != "HEAD" and answer.length:
                raise PullFailed(f"{path}: the connection ended before the body did")
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, headers, kept, f"sha256:{digest.hexdigest()}")
        finally:
            connection.close()

    def manifest(self, repository, reference):
        """The parsed manifest of a tag or digest, and its digest."""
        answer = self._get(f"/v2/{repository}/manifests/{reference}")
        if ":" in reference and answer.digest != reference:
            raise PullFailed(f"{reference} came with other bytes")
        return json.loads(answer.body), digest_of(answer.body)

    def blob(self, repository, digest):
        """Fetches a blob and throws it away."""
        path = f"/v2/{repository}/blobs/{digest}"
        answer = self.ask("GET", path)
        if answer.status == 307:
            # Signed for S3, which refuses a second signature.
            answer = self.ask("GET", answer.headers["location"], accept=(), authorized=False)
        if answer.status != 200:
            raise PullFailed(path, answer.status)
        if answer.digest != digest:
            raise PullFailed(f"{digest} came with other bytes")

    def pull(self, repository, reference, architecture):
        """Fetches all that a machine of this architecture needs; returns the digest that the reference stands for."""
        manifest, digest = self.manifest(repository, reference)
        if "manifests" in manifest:
            fits = [child for child in manifest["manifests"] if child["platform"]["architecture"] == architecture]
            if not fits:
                raise PullFailed(f"no image for {architecture} in {reference}")
            manifest, _ = self.manifest(repository, fits[0]["digest"])
        for blob in (manifest["config"], *manifest["layers"]):
            self.blob(repository, blob["digest"])
        return digest

    def _get(self, path):
        answer = self.ask("GET", path)
        if answer.status != 200:
            raise PullFailed(path, answer.status)
        return answer
