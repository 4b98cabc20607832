"""One microburst process on loopback: AWS that fails as AWS does, in front of whatever answers.

Knows how to start and end it, and how to have one call go wrong. Knows nothing of the operator.
"""

import json
import subprocess
import sys
import urllib.request

from .ministack import free_port
from .processes import answers, end_group, quiet_environment
from .waiting import until


class Microburst:
    """A running proxy; `endpoint` is where it listens."""

    def __init__(self, upstream):
        self._upstream = upstream
        self._process = None
        port = free_port()
        self.endpoint = f"http://127.0.0.1:{port}"
        self._command = ["--host", "127.0.0.1", "--port", str(port), "--upstream", upstream]

    def __enter__(self):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "microburst", *self._command],
            env=quiet_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            health = f"{self.endpoint}/_microburst/health"
            until(lambda: answers(self._process, health, "microburst"), "microburst to answer", seconds=60)
            return self
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        process, self._process = self._process, None
        if process is not None:
            end_group(process)

    def spoil(self, operation, occurrence, fault):
        """From now on the so-manieth call of that operation, counted from 1, goes wrong, once. `fault`: members of a rule."""
        rules = [{"service": "*", "operation": operation, "times": 1, **fault}]
        if occurrence > 1:
            # The first rule that matches is the one that counts; this one only counts.
            rules.insert(0, {"service": "*", "operation": operation, "times": occurrence - 1})
        self._control("POST", "rules", rules)

    def leave_alone(self):
        """No call goes wrong any more. Answers how many did since this was last asked."""
        self._control("POST", "rules", [])
        fired = self._control("GET", "fired")
        self._control("DELETE", "fired")
        # What only counted is a "match".
        return sum(event["action"] != "match" for event in fired)

    def _control(self, method, what, body=None):
        request = urllib.request.Request(
            f"{self.endpoint}/_microburst/{what}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or b"null")
