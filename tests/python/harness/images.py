"""Images that look like a public one: an index of two architectures, each with a config and layers of any size.

Knows the formats and how to push them. The bytes of a layer are made while they are sent, from its name: the same name
gives the same digest, and a layer is never held as a whole.
"""

import hashlib
import http.client
import json
import random
import urllib.parse
from typing import NamedTuple

CHUNK = 1 << 20
OCI = "application/vnd.oci.image"
DOCKER = "application/vnd.docker"
MEDIA_TYPES = {
    "oci": {
        "index": f"{OCI}.index.v1+json",
        "manifest": f"{OCI}.manifest.v1+json",
        "config": f"{OCI}.config.v1+json",
        "layer": f"{OCI}.layer.v1.tar+gzip",
    },
    "docker": {
        "index": f"{DOCKER}.distribution.manifest.list.v2+json",
        "manifest": f"{DOCKER}.distribution.manifest.v2+json",
        "config": f"{DOCKER}.container.image.v1+json",
        "layer": f"{DOCKER}.image.rootfs.diff.tar.gzip",
    },
}
MANIFEST_TYPES = [types[kind] for types in MEDIA_TYPES.values() for kind in ("index", "manifest")]


class Part(NamedTuple):
    """The image of one architecture; `config` and `layers` are descriptors."""

    architecture: str
    digest: str
    config: dict
    layers: list

    def blobs(self):
        """Digests of config and layers."""
        return [self.config["digest"], *(layer["digest"] for layer in self.layers)]


class Image(NamedTuple):
    """A pushed image: what its tag stands for, and the parts of it by architecture."""

    repository: str
    tag: str
    digest: str
    media_type: str
    parts: dict

    def layers(self):
        """Digests of all layers, of every architecture."""
        return [layer["digest"] for part in self.parts.values() for layer in part.layers]


def push_image(
    registry,
    repository,
    tag,
    layers=(3_000, 20_000),
    architectures=("amd64", "arm64"),
    index=True,
    format="oci",
    attestation=False,
    version="1",
):
    """Makes an image and pushes it to `registry`, an URL; `layers` are the sizes of each architecture's layers.

    Without `index` the tag stands for the manifest of the only architecture. `attestation` adds what builders add to an
    index: a manifest of the platform `unknown/unknown` that is no image. Another `version` has other layers.
    """
    types = MEDIA_TYPES[format]
    with _Push(registry, repository) as push:
        parts, listed = {}, []
        for architecture in architectures:
            name = f"{repository} {version} {architecture}"
            part, descriptor = _push_part(push, types, name, architecture, layers, tag=None if index else tag)
            parts[architecture] = part
            listed.append(descriptor)
        if not index:
            (descriptor,) = listed
            return Image(repository, tag, descriptor["digest"], descriptor["mediaType"], parts)
        if attestation:
            listed.append(_push_attestation(push, types, f"{repository} {version}", listed[0]["digest"]))
        descriptor = push.manifest({"schemaVersion": 2, "mediaType": types["index"], "manifests": listed}, tag)
    return Image(repository, tag, descriptor["digest"], descriptor["mediaType"], parts)


def _push_part(push, types, name, architecture, sizes, tag):
    layers = [push.layer(f"{name} {number}", size, types["layer"]) for number, size in enumerate(sizes)]
    config = push.blob(
        json.dumps(
            {
                "architecture": architecture,
                "os": "linux",
                "config": {"Entrypoint": ["/xray"]},
                "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]},
            }
        ).encode(),
        types["config"],
    )
    manifest = {"schemaVersion": 2, "mediaType": types["manifest"], "config": config, "layers": layers}
    descriptor = push.manifest(manifest, tag)
    platform = {"architecture": architecture, "os": "linux", **({"variant": "v8"} if architecture == "arm64" else {})}
    return Part(architecture, descriptor["digest"], config, layers), {**descriptor, "platform": platform}


def _push_attestation(push, types, name, about):
    manifest = {
        "schemaVersion": 2,
        "mediaType": types["manifest"],
        "config": push.blob(b'{"architecture":"unknown","os":"unknown"}', types["config"]),
        "layers": [push.layer(f"{name} attestation", 500, "application/vnd.in-toto+json")],
    }
    return {
        **push.manifest(manifest),
        "platform": {"architecture": "unknown", "os": "unknown"},
        "annotations": {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": about},
    }


class _Push:
    """A connection that pushes into one repository."""

    def __init__(self, registry, repository):
        self._address = urllib.parse.urlsplit(registry).netloc
        self._path = f"/v2/{repository}"
        self._connection = None

    def __enter__(self):
        self._connection = http.client.HTTPConnection(self._address, timeout=60)
        return self

    def __exit__(self, *_):
        self._connection.close()

    def manifest(self, content, tag=None):
        """Pushes a manifest, by tag or else by digest; returns its descriptor."""
        body = json.dumps(content, indent=3).encode()
        digest = digest_of(body)
        headers = {"Content-Type": content["mediaType"]}
        self._ask("PUT", f"{self._path}/manifests/{tag or digest}", body, headers, wanted=201)
        return {"mediaType": content["mediaType"], "digest": digest, "size": len(body)}

    def blob(self, body, media_type):
        """Pushes a blob that is at hand; returns its descriptor."""
        return self._upload([body], len(body), media_type)

    def layer(self, name, size, media_type):
        """Pushes a layer made of `name`; returns its descriptor."""
        return self._upload(layer_bytes(name, size), size, media_type)

    def _upload(self, chunks, size, media_type):
        place = self._ask("POST", f"{self._path}/blobs/uploads/", wanted=202)
        digest = hashlib.sha256()

        def body():
            for chunk in chunks:
                digest.update(chunk)
                yield chunk

        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        place = self._ask("PATCH", place, body(), headers, wanted=202)
        named = f"sha256:{digest.hexdigest()}"
        together = "&" if "?" in place else "?"
        self._ask("PUT", f"{place}{together}digest={named}", headers={"Content-Length": "0"}, wanted=201)
        return {"mediaType": media_type, "digest": named, "size": size}

    def _ask(self, method, path, body=None, headers=None, wanted=200):
        self._connection.request(method, path, body, headers or {})
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status != wanted:
            raise AssertionError(f"{method} {path}: {answer.status} {text[:500]!r}")
        location = urllib.parse.urlsplit(answer.headers.get("Location") or "")
        return urllib.parse.urlunsplit(("", "", location.path, location.query, ""))


def layer_bytes(name, size):
    """The bytes of a layer, chunk by chunk."""
    source = random.Random(name)
    while size > 0:
        yield source.randbytes(min(size, CHUNK))
        size -= CHUNK


def digest_of(body):
    """How a registry names these bytes."""
    return f"sha256:{hashlib.sha256(body).hexdigest()}"
