"""The decision on a definition, for the preset `xray-daemon`: whether it gets the sidecar, and what is registered then.

Knows: definitions as ECS describes them, and what was seen of roles, image and log group. Calls nothing.
"""

import json
import os
import re
from dataclasses import dataclass

import canonical

RECEIPT, INJECT = "ecs-sidecar/receipt", "ecs-sidecar/inject"
VERSION = "0.1.0"
READ_ONLY = frozenset(
    "taskDefinitionArn revision status requiresAttributes compatibilities registeredAt registeredBy deregisteredAt "
    "deleteRequestedAt".split()
)
RECEIVERS = {"aws-xray-daemon", "aws-otel-collector", "cloudwatch-agent"}
WHERE = ("awslogs-group", "awslogs-region", "awslogs-stream-prefix", "awslogs-create-group", "awslogs-endpoint")

POLICY = "xray-daemon"
UPSTREAM = "public.ecr.aws/xray/aws-xray-daemon:3.x"
CONTAINER = {
    "cpu": 32,
    "memoryReservation": 256,
    "essential": False,
    "restartPolicy": {"enabled": True},
    "portMappings": [{"containerPort": 2000, "protocol": "udp"}],
    "command": ["--buffer-memory", "64"],
    "environment": [{"name": "AWS_REGION", "value": "${region}"}],
    "readonlyRootFilesystem": True,
}


class Skip(Exception):
    """The definition is left alone, for this reason."""

    def __init__(self, reason, message=""):
        super().__init__(message or reason)
        self.reason = reason


@dataclass(frozen=True)
class Settings:
    """What the stack says."""

    account: str
    region: str
    prefix: str
    mode: str
    roles: tuple
    policies: tuple
    execution_policy: str | None

    @classmethod
    def read(cls, environment):
        split = lambda name: tuple(filter(None, environment.get(name, "").split(",")))  # noqa: E731
        return cls(
            account=environment["ECS_SIDECAR_ACCOUNT_ID"],
            region=environment["AWS_REGION"],
            prefix=environment.get("ECS_SIDECAR_CACHE_PREFIX") or "ecr-public",
            mode=environment.get("ECS_SIDECAR_MODE") or "optIn",
            roles=split("ECS_SIDECAR_ALLOWED_ROLES"),
            policies=split("ECS_SIDECAR_ALLOWED_POLICY_ARNS"),
            execution_policy=environment.get("ECS_SIDECAR_EXECUTION_POLICY_ARN") or None,
        )

    @property
    def task_policy(self):
        return "arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess"

    def image(self, prefix):
        return f"{self.account}.dkr.ecr.{self.region}.amazonaws.com/{prefix}/{UPSTREAM.split('/', 1)[1]}"


def described(body):
    """Of a Describe answer's bytes: the definition as it can be registered, and what only the answer has."""
    answer = json.loads(body)
    read = answer["taskDefinition"]
    definition = {key: value for key, value in read.items() if key not in READ_ONLY}
    tags = [tag for tag in answer.get("tags") or [] if not tag["key"].lower().startswith("aws:")]
    if tags:
        definition["tags"] = tags
    return definition, {key: read[key] for key in READ_ONLY if key in read}


def receipt(definition):
    """The receipt that a definition carries, or None."""
    for container in definition["containerDefinitions"]:
        if label := (container.get("dockerLabels") or {}).get(RECEIPT):
            return json.loads(label)
    return None


def eligible(definition, settings):
    """Raises Skip for a definition that cannot or need not have the sidecar."""
    containers = definition["containerDefinitions"]
    words = {(c.get("dockerLabels") or {}).get(INJECT) for c in containers if RECEIPT not in (c.get("dockerLabels") or {})}
    words |= {tag["value"] for tag in definition.get("tags", ()) if tag["key"] == INJECT}
    words = {word.strip().lower() for word in words - {None}}
    if "false" in words:
        raise Skip("optedOut")
    if not words and settings.mode == "optIn":
        raise Skip("notRequested")
    if words - {"true", POLICY}:
        raise Skip("unknownPolicy")
    names = [container.get("name", "") for container in containers]
    if len(set(names)) != len(names) or not all(names) or any("]" in name for name in names):
        raise Skip("invalidDefinition")
    if set(definition.get("requiresCompatibilities") or ["EC2"]) - {"FARGATE", "EC2", "EXTERNAL"}:
        raise Skip("managedInstances")
    platform = definition.get("runtimePlatform") or {}
    if (platform.get("operatingSystemFamily") or "LINUX").upper().startswith("WINDOWS"):
        raise Skip("windows")
    if definition.get("networkMode") != "awsvpc":
        raise Skip("notSelected", "only awsvpc is measured")
    if platform.get("cpuArchitecture", "X86_64") not in ("X86_64", "ARM64"):
        raise Skip("notSelected")
    for container in containers:
        image = re.split("[:@]", container.get("image", "").rsplit("/", 1)[-1])[0]
        variables = {variable.get("name") for variable in container.get("environment") or ()}
        if image in RECEIVERS or "AWS_XRAY_DAEMON_ADDRESS" in variables:
            raise Skip("ownDaemon")
        if any(mapping.get("containerPort") == 2000 for mapping in container.get("portMappings") or ()):
            raise Skip("portTaken")
    if POLICY in names:
        raise Skip("nameTaken")
    if len(containers) >= 10:
        raise Skip("tooManyContainers")


def logs_of(definition):
    """The log configuration that the sidecar takes over: that of an essential container, the first by name."""
    apps = [c for c in definition["containerDefinitions"] if c.get("logConfiguration") and not c.get("firelensConfiguration")]
    if not apps:
        return None
    app = min(apps, key=lambda c: (not c.get("essential", True), c["name"]))
    logs = app["logConfiguration"]
    if logs.get("logDriver") != "awslogs":
        return logs
    options = {key: value for key, value in (logs.get("options") or {}).items() if key in WHERE}
    return {"logDriver": "awslogs", "options": {**options, "mode": "non-blocking", "max-buffer-size": "25m"}}


def group_of(logs, region):
    """The log group that a configuration leads to in this Region, or None."""
    options = (logs or {}).get("options") or {}
    if (logs or {}).get("logDriver") != "awslogs" or options.get("awslogs-region", region) != region:
        return None
    return options.get("awslogs-group")


def sidecar(definition, settings, image):
    """The container, without its receipt; and the digest of what is wanted, wherever it is."""
    containers = definition["containerDefinitions"]
    memory = int(canonical.size(definition["memory"], None))
    reserved = sum(c.get("memoryReservation") or c.get("memory") or 0 for c in containers)
    named = any(mapping.get("name") for c in containers for mapping in c.get("portMappings") or ())
    if reserved + CONTAINER["memoryReservation"] + (64 if named else 0) > memory:
        raise Skip("memoryTooSmall", f"the task has {memory} MiB, of which {reserved} are reserved")
    used = sum(c.get("cpu") or 0 for c in containers)
    body = dict(CONTAINER)
    if used + body["cpu"] > int(canonical.size(definition["cpu"], None)):
        del body["cpu"]
    logs = logs_of(definition)
    anywhere = {"name": POLICY, "image": UPSTREAM, **body}
    if logs:
        anywhere["logConfiguration"] = "inherited"
    digest = canonical.digest(canonical.text({"policy": POLICY, "container": anywhere, "others": []}))
    environment = [{**v, "value": v["value"].replace("${region}", settings.region)} for v in body["environment"]]
    wanted = {"name": POLICY, "image": image, **body, "environment": environment}
    if logs:
        wanted["logConfiguration"] = logs
    return wanted, digest


def injected(definition, arn, settings, prefix, by="operator"):
    """The definition with the sidecar and its receipt; and the digest."""
    wanted, digest = sidecar(definition, settings, settings.image(prefix))
    source = {"arn": arn} if arn else {}
    told = {
        "schema": 1,
        "policy": POLICY,
        "digest": digest,
        "by": by,
        "version": VERSION,
        "source": {**source, "hash": canonical.digest(canonical.definition(definition))},
        "cachePrefix": prefix,
        "edits": [{"path": f"containerDefinitions[{POLICY}]", "after": wanted}],
    }
    label = json.dumps(told, separators=(",", ":"), ensure_ascii=False)
    result = {**definition}
    result["containerDefinitions"] = [*definition["containerDefinitions"], {**wanted, "dockerLabels": {RECEIPT: label}}]
    if len(json.dumps(result)) > 64 * 1024:
        raise Skip("tooLarge")
    return result, digest


def settings():
    return Settings.read(os.environ)
