"""What a registry holds, by its folder on disk. It is never asked: in proxy mode it would fetch what it lacks.

Knows how docker-registry 2.8 lays its folder out: manifests are linked below `_manifests`, layers and configs below
`_layers`, and a blob's `data` is put in its place by a rename, once all of it has come and its digest is right.
"""

import json
from pathlib import Path
from typing import NamedTuple

from .waiting import until


class Manifest(NamedTuple):
    """A manifest that is there: its very bytes, and what they are."""

    digest: str
    body: bytes
    media_type: str
    since: float

    @property
    def content(self):
        """The parsed manifest."""
        return json.loads(self.body)

    def children(self):
        """Digests of the manifests that an index lists; none for an image of one platform."""
        return [child["digest"] for child in self.content.get("manifests", [])]

    def blobs(self):
        """Descriptors of config and layers; none for an index."""
        content = self.content
        return [content["config"], *content["layers"]] if "config" in content else []


class Storage:
    """The folder of one registry."""

    def __init__(self, folder):
        self._root = Path(folder) / "docker" / "registry" / "v2"

    def tags(self, repository):
        """Digest by tag. The proxy links a tag too, whenever it was asked for it."""
        links = (self._repository(repository) / "_manifests" / "tags").glob("*/current/link")
        found = {link.parents[1].name: _linked(link) for link in links}
        return {tag: digest for tag, digest in found.items() if digest}

    def manifests(self, repository):
        """Every manifest of a repository, in a fixed order."""
        links = (self._repository(repository) / "_manifests" / "revisions" / "sha256").glob("*/link")
        found = (self.manifest(repository, digest) for digest in map(_linked, sorted(links)) if digest)
        return [manifest for manifest in found if manifest]

    def manifest(self, repository, digest):
        """The manifest with this digest, or None."""
        link = self._link(repository, "_manifests/revisions", digest)
        data = self._data(digest)
        if link is None or not _linked(link) or not data.exists():
            return None
        body = data.read_bytes()
        content = json.loads(body)
        # Written out by whoever made it, for Docker's types always, and by all that we make.
        return Manifest(digest, body, content["mediaType"], link.stat().st_mtime)

    def blob(self, repository, digest):
        """The file with a layer or a config, or None as long as not all of it has come."""
        link = self._link(repository, "_layers", digest)
        data = self._data(digest)
        return data if link is not None and _linked(link) and data.exists() else None

    def _repository(self, name):
        # A name from the wire: it must not lead out of the folder.
        if ".." in name.split("/") or name.startswith("/"):
            raise ValueError(f"{name} is no repository's name")
        return self._root / "repositories" / name

    def _link(self, repository, kind, digest):
        return self._repository(repository) / kind / "sha256" / _hex(digest) / "link" if is_digest(digest) else None

    def _data(self, digest):
        return self._root / "blobs" / "sha256" / _hex(digest)[:2] / _hex(digest) / "data"


def is_digest(text):
    """Whether it can be the digest of something."""
    algorithm, _, number = text.partition(":")
    return algorithm == "sha256" and len(number) == 64 and set(number) <= set("0123456789abcdef")


def _linked(link):
    """The digest that a link holds, or None if there is none."""

    def written():
        try:
            return [link.read_text()] if link.stat().st_size else None
        except FileNotFoundError:
            return [None]

    # A pull by tag writes it anew, and for a moment it is empty.
    return until(written, f"{link} to be written", seconds=5, every=0.002)[0]


def _hex(digest):
    return digest.partition(":")[2]
