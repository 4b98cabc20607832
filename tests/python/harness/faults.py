"""What can go wrong on the way to a registry, as a test orders it: so many times, for the requests that it means.

Knows nothing of sockets, nor of what an answer holds.
"""

import threading
from dataclasses import dataclass

ALWAYS = None


@dataclass(frozen=True)
class Status:
    """Another answer instead: an HTTP status, with the code that a registry gives beside it."""

    status: int
    code: str = "UNKNOWN"
    message: str = "a fault that the test asked for"
    retry_after: int | None = None


@dataclass(frozen=True)
class Refusal:
    """A call of ECR's API is refused with this code."""

    code: str
    message: str = "a fault that the test asked for"
    status: int = 400


@dataclass(frozen=True)
class Cut:
    """The connection ends after so many bytes of a blob. Nobody stores what came."""

    after: int


@dataclass(frozen=True)
class Corrupt:
    """A byte of a blob is another one; its length is right. Nobody stores what came."""


@dataclass(frozen=True)
class Slow:
    """A blob comes at so many bytes per second, for at most so many seconds; what is left then comes at once."""

    bytes_per_second: int
    seconds: float = 10.0


THROTTLED = Status(429, "TOOMANYREQUESTS", "Rate exceeded", retry_after=1)
BROKEN = Status(500)
EXPIRED = Status(401, "UNAUTHORIZED", "Your authorization token has expired. Reauthenticate and try again.")
REFUSALS = (Status, Refusal)


class Ordered:
    """A fault with how often it is still to come; `happened` counts how often it came."""

    def __init__(self, matcher, times, how):
        self.how = how
        self.happened = 0
        self._matches = matcher if callable(matcher) else lambda method, path: matcher in f"{method} {path}"
        self._left = times

    def means(self, method, path):
        """Whether it is about this request, and still to come."""
        return self._left != 0 and self._matches(method, path)

    def happen(self):
        """Counts it."""
        self.happened += 1
        if self._left is not ALWAYS:
            self._left -= 1


class Faults:
    """All that is ordered; requests may come side by side."""

    def __init__(self):
        self._ordered = []
        self._lock = threading.Lock()

    def order(self, matcher, times, how):
        """`matcher` is a part of "METHOD path", or is called with method and path; `times` may be ALWAYS."""
        ordered = Ordered(matcher, times, how)
        with self._lock:
            self._ordered.append(ordered)
        return ordered

    def forget(self):
        """From now on all goes well."""
        with self._lock:
            self._ordered.clear()

    def refusal(self, method, path):
        """The answer that is to come instead of this request's own, or None."""
        return self._take(method, path, REFUSALS)

    def of_delivery(self, method, path):
        """What is to happen to the bytes of this blob, or None."""
        return self._take(method, path, (Cut, Corrupt, Slow))

    def _take(self, method, path, kinds):
        with self._lock:
            for ordered in self._ordered:
                if isinstance(ordered.how, kinds) and ordered.means(method, path):
                    ordered.happen()
                    return ordered.how
        return None
