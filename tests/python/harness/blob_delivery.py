"""Sending a blob: in chunks, never held as a whole, and as badly as a test asks for.

Knows where the bytes come from: the cache's folder, or through the cache from the upstream. Bytes that are to be
spoiled come past the cache, from the upstream itself, for else the cache would have all of the blob although nobody
got it. Knows nothing of requests.
"""

import http.client
import threading
import urllib.parse
from contextlib import ExitStack, closing, contextmanager
from typing import NamedTuple

from .faults import Corrupt, Cut, Slow
from .waiting import NeverHappened, until

CHUNK = 64 << 10


class Delivery(NamedTuple):
    """Bytes of a blob that were sent, and whether these were all of them, as they should be."""

    digest: str
    sent: int
    whole: bool


class Source(NamedTuple):
    """A blob's length, and how to read on."""

    length: int
    read: object


class Fetching:
    """Sees to it that only one client at a time has the cache fetch a blob; who waits finds it there afterwards."""

    def __init__(self):
        self._lock = threading.Lock()
        self._locks = {}

    def of(self, place, digest):
        """A lock for this blob of this repository."""
        with self._lock:
            return self._locks.setdefault((place.name, digest), threading.Lock())


@contextmanager
def opened(place, upstream, digest, spoiled, fetching):
    """The blob as a Source, or None if it is nowhere to be had."""
    with ExitStack() as stack:
        file = place.blob(digest)
        if file is None and not spoiled:
            stack.enter_context(fetching.of(place, digest))
            file = place.blob(digest)
        if file is not None:
            yield Source(file.stat().st_size, stack.enter_context(open(file, "rb")).read)
            return
        registry = upstream if spoiled else place.registry
        if not place.pulls_through or not registry.runs:
            yield None
            return
        address = urllib.parse.urlsplit(registry.url).netloc
        connection = stack.enter_context(closing(http.client.HTTPConnection(address, timeout=60)))
        connection.request("GET", f"/v2/{place.name}/blobs/{digest}")
        answer = connection.getresponse()
        yield Source(answer.length, answer.read) if answer.status == 200 else None


def send(source, place, digest, fault, write, stopped):
    """Writes the blob; yields a Delivery just before whoever reads it may know that it came to its end.

    After a Delivery that is not whole the connection must be cut. `stopped` is an event that ends the slowness.
    """
    sent = 0
    paced = fault.seconds if isinstance(fault, Slow) else 0
    while sent < source.length:
        chunk = source.read(min(source.length - sent, CHUNK))
        if isinstance(fault, Cut):
            chunk = chunk[: fault.after - sent]
        if not chunk:  # cut, or the upstream went away in the middle of it
            yield Delivery(digest, sent, whole=False)
            return
        if isinstance(fault, Corrupt) and not sent:
            chunk = bytes([chunk[0] ^ 1]) + chunk[1:]
        if paced > 0:
            pause = min(paced, len(chunk) / fault.bytes_per_second)
            paced -= pause
            stopped.wait(pause)
        if sent + len(chunk) == source.length:
            if not isinstance(fault, Cut | Corrupt):
                _until_stored(place, digest)
            yield Delivery(digest, source.length, whole=not isinstance(fault, Corrupt))
        write(chunk)
        sent += len(chunk)


def _until_stored(place, digest):
    # The cache stores what it passes on side by side with passing it on. Who has the last byte may look at once.
    if place.pulls_through:
        try:
            until(lambda: place.blob(digest), "the cache to store a blob", seconds=10, every=0.005)
        except NeverHappened:
            pass  # then whoever looks will see that it is not there
