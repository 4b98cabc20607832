"""The schema of policies, judged by an independent validator: it refuses nothing that the program takes."""

import copy
import json
import subprocess
from pathlib import Path

import judge
import pytest
import yaml
from jsonschema import Draft202012Validator

ROOT = Path(__file__).resolve().parents[2]
PRESETS = sorted((ROOT / "crates/core/presets").glob("*.yaml"))
POLICIES = PRESETS + sorted((ROOT / "tests/cases").glob("*/policy.yaml"))


@pytest.fixture(scope="module")
def schema():
    """The validator, with the schema that is committed."""
    judge.need_binary()
    schema = json.loads((ROOT / "docs/policy.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def validate(folder, documents):
    """What `policy validate` says of each document. JSON is YAML too, and no two readers differ over it."""
    files = []
    for index, document in enumerate(documents):
        file = folder / f"{index}.yaml"
        file.write_text(document if isinstance(document, str) else json.dumps(document))
        files.append(file)
    line = [judge.BINARY, "policy", "validate", "--format", "json", *files]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60)
    judged = json.loads(done.stdout)
    assert done.returncode == (0 if all(one["valid"] for one in judged) else 1), done.stderr
    assert [one["file"] for one in judged] == [str(file) for file in files]
    return judged


def preset():
    return yaml.safe_load((ROOT / "crates/core/presets/xray-daemon.yaml").read_text())


def full():
    """A policy that says all that a policy may say."""
    policy = preset()
    spec = policy["spec"]
    spec["selector"] |= {"families": ["shop-*"], "excludeFamilies": ["shop-old"], "tags": {"team": "shop"}}
    spec["container"] |= {
        "memory": 512,
        "entryPoint": ["/xray"],
        "startTimeout": 30,
        "stopTimeout": 30,
        "versionConsistency": "enabled",
        "user": "nobody",
        "workingDirectory": "/",
        "dockerLabels": {"team": "shop"},
        "ulimits": [{"name": "nofile", "softLimit": 1, "hardLimit": 2}],
        "healthCheck": {"command": ["CMD", "/healthy"], "interval": 5, "timeout": 2, "retries": 1, "startPeriod": 0},
        "portMappings": [
            {"containerPort": 2000, "hostPort": 2000, "protocol": "udp", "name": "x", "appProtocol": "http"}
        ],
        "restartPolicy": {"enabled": True, "ignoredExitCodes": [0], "restartAttemptPeriod": 60},
    }
    role = "arn:aws:iam::111122223333:role/app/traced"
    spec["permissions"] |= {
        "executionRole": [],
        "defaultTaskRole": role,
        "defaultExecutionRole": role,
        "trustInstanceRole": True,
    }
    spec["capacity"] = {"grow": {"cpu": 1024, "memory": 2048}}
    spec["logging"] = {"logDriver": "awslogs", "options": {"awslogs-group": "/g", "awslogs-region": "${region}"}}
    return policy


def test_all_policies_of_this_tree_pass_both(schema):
    assert len(POLICIES) > 20
    for file in POLICIES:
        errors = [error.message for error in schema.iter_errors(yaml.safe_load(file.read_text()))]
        assert not errors, file
        done = subprocess.run([judge.BINARY, "policy", "validate", file], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


# What is wrong: where, and with which value; None takes the member away.
ABSENT = object()
WRONG = {
    "no apiVersion": ("apiVersion", ABSENT),
    "another apiVersion": ("apiVersion", "ecs-sidecar/v2"),
    "another kind": ("kind", "Deployment"),
    "no name": ("metadata", {}),
    "name true": ("metadata.name", "True"),
    "name false": ("metadata.name", "false"),
    "boolean name": ("metadata.name", True),
    "number as name": ("metadata.name", 1),
    "name with a blank": ("metadata.name", "x ray"),
    "long name": ("metadata.name", "x" * 256),
    "unknown member": ("spec.secrets", []),
    "unknown member of a rollout": ("spec.rollout", {"jobs": True}),
    "services that are neither moved nor not": ("spec.rollout", {"services": "sometimes"}),
    "no image": ("spec.image", ABSENT),
    "no container": ("spec.container", ABSENT),
    "unknown mode": ("spec.mode", "always"),
    "unknown updates": ("spec.updates", "never"),
    "unknown compatibility": ("spec.selector.compatibilities", ["MANAGED_INSTANCES"]),
    "unknown architecture": ("spec.selector.architectures", ["arm64"]),
    "host mode": ("spec.selector.networkModes", ["host"]),
    "a family instead of a list": ("spec.selector.families", "web"),
    "tag without a string": ("spec.selector.tags", {"team": 1}),
    "another registry": ("spec.image.upstream", "docker.io/amazon/aws-xray-daemon:3.x"),
    "image without a tag": ("spec.image.upstream", "public.ecr.aws/xray/aws-xray-daemon"),
    "image by digest": ("spec.image.upstream", "public.ecr.aws/xray/aws-xray-daemon@sha256:" + "0" * 64),
    "unknown pin": ("spec.image.pin", "never"),
    "unknown wish": ("spec.image.cacheRule", "maybe"),
    "refreshed each hour": ("spec.image.refreshHours", 1),
    "refreshed in two years": ("spec.image.refreshHours", 8761),
    "refreshed at a half": ("spec.image.refreshHours", 24.5),
    "privileged": ("spec.container.privileged", True),
    "capabilities": ("spec.container.linuxParameters", {"capabilities": {"add": ["ALL"]}}),
    "secrets": ("spec.container.secrets", [{"name": "A", "valueFrom": "b"}]),
    "mount points": ("spec.container.mountPoints", []),
    "an image of its own": ("spec.container.image", "x:1"),
    "nameless container": ("spec.container.name", ABSENT),
    "container's name with a bracket": ("spec.container.name", "x]"),
    "cpu as a string": ("spec.container.cpu", "32"),
    "cpu below nothing": ("spec.container.cpu", -1),
    "member without a value": ("spec.container.memoryReservation", None),
    "list without a value": ("spec.container.command", None),
    "text for a list": ("spec.container.command", "--buffer"),
    "empty text for a list": ("spec.container.command", ""),
    "number in a list of texts": ("spec.container.command", [64]),
    "port out of range": ("spec.container.portMappings", [{"containerPort": 65536}]),
    "mapping without a port": ("spec.container.portMappings", [{"protocol": "udp"}]),
    "unknown limit": ("spec.container.ulimits", [{"name": "files", "softLimit": 1, "hardLimit": 2}]),
    "health check without a command": ("spec.container.healthCheck", {"interval": 5}),
    "health check each second": ("spec.container.healthCheck", {"command": ["CMD", "x"], "interval": 1}),
    "restart policy without a word": ("spec.container.restartPolicy", {}),
    "essential": ("spec.container.essential", True),
    "stops in ten minutes": ("spec.container.stopTimeout", 600),
    "a receipt": ("spec.container.dockerLabels", {"ecs-sidecar/receipt": "{}"}),
    "a label without a string": ("spec.container.dockerLabels", {"team": 1}),
    "nameless variable": ("spec.application.environment", [{"value": "x"}]),
    "variable without a value": ("spec.application.environment", [{"name": "X"}]),
    "number as a variable's value": ("spec.application.environment", [{"name": "X", "value": 2000}]),
    "variable with a bracket": ("spec.application.environment", [{"name": "X]", "value": "x"}]),
    "app waits for health": ("spec.application.dependsOn", "HEALTHY"),
    "role's name": ("spec.permissions.defaultTaskRole", "traced"),
    "ARN of a user": ("spec.permissions.defaultTaskRole", "arn:aws:iam::111122223333:user/traced"),
    "unknown permissions": ("spec.permissions.mode", "grant"),
    "unknown capacity": ("spec.capacity", "grow"),
    "grow without a ceiling": ("spec.capacity", {"grow": {"cpu": 256}}),
    "grow and something": ("spec.capacity", {"grow": {"cpu": 256, "memory": 512}, "fit": {}}),
    "unknown logging": ("spec.logging", "app"),
    "logging without a driver": ("spec.logging", {"options": {}}),
    "number as a log option": ("spec.logging", {"logDriver": "awslogs", "options": {"max-buffer-size": 25}}),
    "unknown wish for a group": ("spec.logGroup.missing", "delete"),
    "days in quotes": ("spec.logGroup.retentionDays", "30"),
    "hours in quotes": ("spec.image.refreshHours", "24"),
    "a boolean in quotes": ("spec.permissions.trustInstanceRole", "true"),
    "31 days": ("spec.logGroup.retentionDays", 31),
}


def changed(document, path, value):
    document = copy.deepcopy(document)
    *parents, last = path
    at = document
    for step in parents:
        at = at[step]
    if value is ABSENT:
        del at[last]
    else:
        at[last] = value
    return document


def test_what_is_wrong_both_refuse(schema, tmp_path):
    documents = [changed(preset(), path.split("."), value) for path, value in WRONG.values()]
    taken_by_schema = [name for name, document in zip(WRONG, documents) if schema.is_valid(document)]
    judged = validate(tmp_path, documents)
    taken_by_program = [name for name, one in zip(WRONG, judged) if one["valid"]]
    assert (taken_by_schema, taken_by_program) == ([], [])
    for one in judged:
        assert one["error"]["message"] and one["error"]["place"] and one["policy"] is None


def places(value, path=()):
    """The paths of all values in a document."""
    if path:
        yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in inner:
        yield from places(member, (*path, key))


VALUES = (None, True, 0, 1, 24, -1, 1.5, 10**12, "", "0", "24", "30", "true", "null", "x", "a b", "START", [], [None], [1], ["x"])
VALUES += ([{}], {}, {"x": "y"}, {"x": None}, {"name": "x"}, ABSENT)


def test_whatever_the_program_takes_the_schema_takes(schema, tmp_path):
    document = full()
    assert schema.is_valid(document)
    documents = [document] + [changed(document, path, value) for path in places(document) for value in VALUES]
    judged = validate(tmp_path, documents)
    taken = [document for document, one in zip(documents, judged) if one["valid"]]
    assert len(taken) > 100 and len(documents) - len(taken) > 1000
    refused = {f"{error.json_path}: {error.message}" for document in taken for error in schema.iter_errors(document)}
    assert not refused
