"""Two ways to give a task definition a container in a pipeline: `ecs-sidecar` and PyPI's `ecs-deploy`.

Knows: how each is asked, and the fake that both speak to. Must not know: how results are compared.
"""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import boto3
from botocore.config import Config

from .place import ACCOUNT, FAKE, KEYS, PROGRAM, REGION

SIDECAR = "xray-daemon"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/ecr-public/xray/aws-xray-daemon:3.x"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/default"
READ_ONLY = "taskDefinitionArn revision status requiresAttributes compatibilities registeredAt registeredBy".split()


class Fake:
    """An account that keeps every member of a definition, to be used with `with`."""

    def __enter__(self):
        command = [FAKE, "--region", REGION]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.url = self._process.stdout.readline().strip()
        self._body = threading.local()
        self._client = boto3.client(
            "ecs",
            region_name=REGION,
            endpoint_url=self.url,
            aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
            config=Config(retries={"total_max_attempts": 1}, parameter_validation=False),
        )
        hooks = self._client.meta.events
        hooks.register("response-received.ecs.DescribeTaskDefinition", self._keep)
        hooks.register("before-call.ecs.RegisterTaskDefinition", self._replace)
        self._client.create_cluster(clusterName="default")
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.communicate()

    def _keep(self, response_dict, parsed_response, **_):
        if parsed_response is not None and response_dict is not None:
            parsed_response["body"] = response_dict["body"]

    def _replace(self, params, **_):
        params["body"] = self._body.next

    def register(self, text):
        """Registers just these bytes. Raises boto3's ClientError where ECS would refuse them."""
        self._body.next = text if isinstance(text, bytes) else text.encode()
        return self._client.register_task_definition(family="", containerDefinitions=[])

    def describe(self, family):
        """The newest ACTIVE revision: the answer's bytes."""
        return self._client.describe_task_definition(taskDefinition=family, include=["TAGS"])["body"]

    def newest(self, family):
        """The newest ACTIVE revision, as it could be registered again; and its number."""
        answer = json.loads(self.describe(family))
        definition = {key: value for key, value in answer["taskDefinition"].items() if key not in READ_ONLY}
        return definition | ({"tags": answer["tags"]} if answer.get("tags") else {}), answer["taskDefinition"]["revision"]

    def make_service(self, family):
        """A service, as ecs-deploy wants one."""
        self._client.create_service(serviceName=family, taskDefinition=family, desiredCount=0)


class Failed(Exception):
    """A program said no."""


def run(command, **more):
    """Runs a program that has to end well; returns its standard output and the seconds that it took."""
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "AWS_DEFAULT_REGION": REGION, "AWS_REGION": REGION, **KEYS}
    environment |= more.pop("environment", {})
    begun = time.perf_counter()
    done = subprocess.run(command, capture_output=True, env=environment, timeout=120, **more)
    seconds = time.perf_counter() - begun
    if done.returncode:
        raise Failed((done.stderr or done.stdout).decode(errors="replace")[-400:])
    return done.stdout, seconds


class EcsSidecar:
    """describe | ecs-sidecar | register, as README.md has it; what comes out as it went in is not registered again."""

    name = "ecs-sidecar"
    options = ("--account", ACCOUNT, "--region", REGION, "--trust-instance-role")
    roles = ("--default-task-role", ROLE, "--default-execution-role", ROLE)

    def prepare(self, fake, family):
        """Nothing has to be there but the definition."""

    def inject(self, fake, family):
        """Asks for the sidecar; returns the seconds that it took."""
        return self._pipe(fake, family, "inject", *self.options, *self.roles)

    def remove(self, fake, family):
        """Asks for it to be taken back."""
        return self._pipe(fake, family, "remove", *self.options)

    def _pipe(self, fake, family, verb, *options):
        begun = time.perf_counter()
        described = fake.describe(family)
        out, _ = run([PROGRAM, verb, *options, "-"], input=described)
        before, _ = fake.newest(family)
        if json.loads(out) != before:
            fake.register(out)
        return time.perf_counter() - begun


class EcsDeploy:
    """`ecs deploy --add-container`, with what it can be asked of the preset's container."""

    name = "ecs-deploy"
    program = Path(sys.executable).with_name("ecs")
    container = (
        *("--add-container", SIDECAR, "--image", SIDECAR, IMAGE, "--cpu", SIDECAR, "32"),
        *("--memoryreservation", SIDECAR, "256", "--essential", SIDECAR, "false"),
        *("--command", SIDECAR, '["--buffer-memory", "64"]', "--env", SIDECAR, "AWS_REGION", REGION),
    )

    def prepare(self, fake, family):
        """It adds containers only while it deploys a service."""
        fake.make_service(family)

    def inject(self, fake, family):
        """Asks for the container; returns the seconds that it took."""
        return self._deploy(fake, family, *self.container)

    def remove(self, fake, family):
        """Asks for it to be taken out."""
        return self._deploy(fake, family, "--remove-container", SIDECAR)

    def _deploy(self, fake, family, *options):
        # Neither waits for the deployment, nor touches the old revision.
        command = [self.program, "deploy", "default", family, "--timeout", "-1", "--no-deregister", "--no-diff", *options]
        return run(command, environment={"AWS_ENDPOINT_URL": fake.url})[1]
