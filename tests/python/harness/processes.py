"""Servers as processes: whether one answers, and its end together with all that it has started. Knows nothing of what
they do."""

import os
import signal
import subprocess
import urllib.error
import urllib.request

from .waiting import NeverHappened


def answers(process, url, name):
    """Whether a server that was started answers at `url`; raises NeverHappened if it has ended instead."""
    if process.poll() is not None:
        raise NeverHappened(f"{name} ended at once")
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def end_group(process):
    """Ends a process that was started in a session of its own, first asking it to; may be called again."""
    for sent, patience in ((signal.SIGTERM, 5), (signal.SIGKILL, 5)):
        try:
            os.killpg(process.pid, sent)
        except ProcessLookupError:
            break
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            continue
        # The leader is gone; those it had started may not be.
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        break
    process.poll()


def quiet_environment(**variables):
    """Nothing of the caller's but where programs are: no AWS profile and no proxy may lead a test anywhere else."""
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "LC_ALL", "SYSTEMROOT")}
    return {**kept, **variables}
