"""Independent judges of `ecs-sidecar`: cfn-lint on a definition as CloudFormation, and botocore's service model."""

import json
import os
import subprocess
from collections import Counter
from pathlib import Path

import botocore.session
import pytest
from cfnlint.api import lint
from harness.families import ECS_OWN_MEMBERS

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("ECS_SIDECAR_BIN", ROOT / "target/debug/ecs-sidecar"))

# Where the keys are the user's own.
MAPS = {"options", "dockerLabels", "driverOpts", "labels"}
# Where CloudFormation does not just capitalise.
NAMES = {
    "efsVolumeConfiguration": "EFSVolumeConfiguration",
    "s3filesVolumeConfiguration": "S3FilesVolumeConfiguration",
    "fsxWindowsFileServerVolumeConfiguration": "FSxWindowsFileServerVolumeConfiguration",
    "iam": "IAM",
}
EFS_NAMES = {"fileSystemId": "FilesystemId"}
PROXY_NAMES = {"properties": "ProxyConfigurationProperties"}
# Not in CloudFormation: what only a Describe answer has, a member that AWS dropped, and tags, which look different.
LEFT_OUT = ECS_OWN_MEMBERS | {"inferenceAccelerators", "tags"}


def properties(definition):
    """A task definition as the properties of AWS::ECS::TaskDefinition."""
    return _members({key: value for key, value in definition.items() if key not in LEFT_OUT}, {})


def _members(members, names):
    shaped = {}
    for key, value in members.items():
        name = names.get(key) or NAMES.get(key) or key[:1].upper() + key[1:]
        if key in MAPS and isinstance(value, dict):
            value = {inner: text for inner, text in value.items() if text is not None}
        else:
            value = _value(value, {"efsVolumeConfiguration": EFS_NAMES, "proxyConfiguration": PROXY_NAMES}.get(key, {}))
        if value not in (None, "", [], {}) or value is False:
            shaped[name] = value
    return shaped


def _value(value, names):
    if isinstance(value, dict):
        return _members(value, names)
    if isinstance(value, list):
        return [_value(item, names) for item in value if item is not None]
    return value


def cfn_lint(definitions):
    """For each definition the errors of cfn-lint: how often each pair of rule and path is found."""
    resources = {
        f"R{index}": {"Type": "AWS::ECS::TaskDefinition", "Properties": properties(definition)}
        for index, definition in enumerate(definitions)
    }
    found = [Counter() for _ in definitions]
    for match in lint(json.dumps({"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources})):
        rule, path = match.rule.id, list(match.path or [])
        if not rule.startswith("E"):
            continue
        assert not rule.startswith("E0") and path[:1] == ["Resources"], f"the template itself: {match}"
        found[int(path[1][1:])][rule, "/".join(map(str, path[3:]))] += 1
    return found


def run(verb, definition, *options):
    """One verb on a definition; a crash is a failure, whatever the test is about."""
    answer = subprocess.run(
        [BINARY, verb, *options, "-"], input=json.dumps(definition), capture_output=True, text=True, timeout=60
    )
    assert answer.returncode in (0, 1), answer.stderr
    return answer


def check(definition):
    """The findings of `ecs-sidecar check`."""
    answer = run("check", definition, "--format", "json")
    assert answer.stdout, answer.stderr
    findings = json.loads(answer.stdout)["findings"]
    assert answer.returncode == (1 if findings else 0)
    return findings


def service_model():
    """The shape of a RegisterTaskDefinition input as botocore has it."""
    client_model = botocore.session.get_session().get_service_model("ecs")
    return client_model.operation_model("RegisterTaskDefinition").input_shape


def need(there, message):
    """Skips a test for what a developer may leave out; in CI nothing may be."""
    if not there:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(message)


def need_binary():
    """Skips a test if the program is not built."""
    need(BINARY.exists(), f"{BINARY} is not there: cargo build -p ecs-sidecar, or set ECS_SIDECAR_BIN")


def corpus():
    """Task definitions that others wrote, by file name, from TASKDEF_CORPUS."""
    folder = os.environ.get("TASKDEF_CORPUS")
    need(folder, "TASKDEF_CORPUS is not set")
    files = sorted((Path(folder) / "taskdefs").glob("*.json"))
    assert files, f"{folder} has no taskdefs"
    read = {file.name: json.loads(file.read_text()) for file in files}
    return {name: definition.get("taskDefinition", definition) for name, definition in read.items()}
