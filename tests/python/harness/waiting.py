"""Waiting for something that happens elsewhere: bounded polling, never a blind sleep."""

import time


class NeverHappened(AssertionError):
    """What was waited for did not come within its time."""


def until(condition, what, seconds=60.0, every=0.1):
    """Returns the first true answer of `condition`; raises NeverHappened, naming `what`, after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() >= deadline:
            raise NeverHappened(f"waited {seconds:.0f} s for {what}")
        time.sleep(every)
