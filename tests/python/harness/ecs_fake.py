"""The project's own fake of ECS, IAM and ECR (`ecs-fake`), with a life no longer than its `with` block.

Knows how to start, reach and end it. Knows nothing of what is registered in it.
"""

import http.client
import os
import subprocess
import threading
from pathlib import Path

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from .processes import end_group, quiet_environment
from .stack import REPOSITORY_ROOT
from .waiting import until

TARGET = Path(os.environ.get("CARGO_TARGET_DIR") or REPOSITORY_ROOT / "target")
PROGRAM = Path(os.environ.get("ECS_FAKE_BIN") or REPOSITORY_ROOT / TARGET / "debug" / "ecs-fake")
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


class NotBuilt(AssertionError):
    """There is no program `ecs-fake`."""


class EcsFake:
    """A world with these roles and images and nothing else; `url` is its endpoint.

    `upstream` are images in public.ecr.aws; `images` are in the private registry (`repository:tag=arm64` for one
    architecture), and of `manifests` only the manifests. `more` is what else the program is told."""

    def __init__(self, roles=("app/web", "execution"), upstream=(), images=(), manifests=(), region="eu-west-1", more=()):
        self.url = None
        named = {"--role": roles, "--upstream": upstream, "--image": images, "--manifests-of": manifests}
        self._arguments = ["--region", region]
        self._arguments += [argument for option, values in named.items() for v in values for argument in (option, v)]
        self._arguments += more
        self._region = region
        self._process = None

    def __enter__(self):
        if not PROGRAM.exists():
            raise NotBuilt(f"{PROGRAM} is not there: cargo build --bin ecs-fake, or set ECS_FAKE_BIN")
        self._process = subprocess.Popen(
            [str(PROGRAM), *self._arguments],
            env=quiet_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            printed = []
            threading.Thread(target=lambda: printed.append(self._process.stdout.readline()), daemon=True).start()
            (line,) = until(lambda: printed, "ecs-fake to print its address", seconds=30)
            if not line.startswith("http://127.0.0.1:"):
                raise AssertionError(f"ecs-fake did not start: {line!r}")
            self.url = line.strip()
            return self
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        process, self._process = self._process, None
        if process is not None:
            end_group(process)
            process.stdout.close()

    def call(self, service, target, body, content_type):
        """Sends a call as somebody else signed it, signed anew; returns status and body."""
        request = AWSRequest("POST", self.url, {"Content-Type": content_type, "X-Amz-Target": target}, body)
        SigV4Auth(Credentials(*CREDENTIALS.values()), service, self._region).add_auth(request)
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=30)
        try:
            connection.request("POST", "/", body, dict(request.headers))
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def client(self, service):
        """A client of `service` with the developer's credentials."""
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=self._region,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            config=Config(retries={"total_max_attempts": 1}, proxies={}),
        )
