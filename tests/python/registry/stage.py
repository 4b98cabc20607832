"""A world with a family that asks for the sidecar, and the product's function in it, in front of a registry.

Knows what is registered and how the function is started. Knows nothing of what should come of it.
"""

import json
from contextlib import ExitStack

import yaml
from harness.ecs_fake import CREDENTIALS, EcsFake
from harness.families import revision_of
from harness.runtime import FunctionFailed, Runtime
from harness.stack import REPOSITORY_ROOT

from .conftest import REPOSITORY

ACCOUNT = "111122223333"
HOST = f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com"
PRESET = REPOSITORY_ROOT / "crates" / "core" / "presets" / "xray-daemon.yaml"
SIDECAR = "xray-daemon"


class Stage:
    """ECS and IAM of `ecs-fake`, ECR of `face`, and any number of functions, all of which end with it."""

    def __init__(self, face, bootstrap):
        self.face = face
        self._bootstrap = bootstrap
        self._open = ExitStack()
        self._fake = self._open.enter_context(EcsFake())
        self._ecs = self._fake.client("ecs")

    def close(self):
        """Ends everything."""
        self._open.close()

    def start(self, pin="digest", cache="create", **variables):
        """A freshly started function, which remembers nothing."""
        policy = yaml.safe_load(PRESET.read_text())
        policy["spec"]["image"]["pin"] = pin
        environment = {
            **CREDENTIALS,
            "AWS_REGION": "eu-west-1",
            "AWS_ENDPOINT_URL": self._fake.url,
            "AWS_ENDPOINT_URL_ECR": self.face.url,
            "ECS_SIDECAR_ACCOUNT_ID": ACCOUNT,
            "ECS_SIDECAR_ROLE_ARN": f"arn:aws:iam::{ACCOUNT}:role/stack/operator",
            "ECS_SIDECAR_ALLOWED_ROLES": "*",
            "ECS_SIDECAR_ALLOWED_UPSTREAMS": "public.ecr.aws/*",
            "ECS_SIDECAR_ALLOWED_POLICY_ARNS": "arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess",
            "ECS_SIDECAR_CACHE_PREFIX": "ecr-public",
            "ECS_SIDECAR_CACHE": cache,
            "ECS_SIDECAR_POLICY": json.dumps(policy),
            **variables,
        }
        return self._open.enter_context(Runtime(self._bootstrap, environment))

    def register(self, family="web", architecture=None):
        """Somebody registers a Fargate definition that asks for the sidecar."""
        platform = {"runtimePlatform": {"cpuArchitecture": architecture}} if architecture else {}
        self._ecs.register_task_definition(
            family=family,
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="512",
            memory="1024",
            taskRoleArn=f"arn:aws:iam::{ACCOUNT}:role/app/web",
            executionRoleArn=f"arn:aws:iam::{ACCOUNT}:role/execution",
            containerDefinitions=[
                {"name": "web", "image": "shop/web:1", "essential": True, "memoryReservation": 512}
            ],
            tags=[{"key": "ecs-sidecar/inject", "value": "true"}],
            **platform,
        )

    def revisions(self, family="web"):
        """Numbers of the ACTIVE revisions, oldest first."""
        arns = self._ecs.list_task_definitions(familyPrefix=family)["taskDefinitionArns"]
        return sorted(map(revision_of, arns))

    def sidecar_image(self, family="web"):
        """The image of the newest revision's sidecar."""
        newest = self._ecs.describe_task_definition(taskDefinition=family)["taskDefinition"]
        (image,) = [c["image"] for c in newest["containerDefinitions"] if c["name"] == SIDECAR]
        return image


def reconcile(function, family="web", timeout=120.0):
    """Invokes the function for a family; returns its report."""
    return function.invoke({"action": "reconcile", "family": family}, timeout)


def reconcile_until_registered(function, attempts=2):
    """Invokes again where it failed or skipped, as the queue and the sweep would; returns the report."""
    told = []
    for _ in range(attempts):
        try:
            report = reconcile(function)
        except FunctionFailed as failed:
            told.append(str(failed))
            continue
        if report["outcome"] == "registered":
            return report
        told.append(f"{report['reason']}: {report['message']}")
    raise AssertionError(f"nothing was registered: {told}")


def reference(image, pin="digest"):
    """How a task definition names a cached image."""
    return f"{HOST}/{REPOSITORY}@{image.digest}" if pin == "digest" else f"{HOST}/{REPOSITORY}:{image.tag}"


def named(image_reference):
    """Repository and tag or digest of a reference to our registry."""
    path = image_reference.removeprefix(f"{HOST}/")
    repository, _, digest = path.partition("@")
    return (repository, digest) if digest else tuple(path.rsplit(":", 1))
