"""An operator and a macro in one emulator, whose operator does nothing by itself."""

import json
import re

import pytest
from harness.audit import denied, sent_by
from harness.ecs_fake import EcsFake
from harness.macro import deploy, deploy_macro
from harness.ministack import Ministack
from harness.owners import TRUST
from harness.stack import UPSTREAM, Stack
from harness.wire import Wire

from conftest import built

# What templates import, from somebody else's stack.
EXPORTS = {
    "task-role": "arn:aws:iam::111122223333:role/elsewhere",
    "pull": "arn:aws:iam::111122223333:role/pull",
    "disk": "30",
    "port": "8080",
    "fs": "fs-0123456789abcdef0",
    "ap": "fsap-0123456789abcdef0",
    "unknown": "host",
}
ROLES = {"elsewhere": "/", "pull": "/", "shop-task": "/", "web": "/app/"}
TRACES = "arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess"
SSM = {
    "/port": "8080",
    "/r": "registry.example.com",
    "/t": "7",
    "/d": "/data",
    "/c": "START",
    "/plain": "p",
    "/key": "log",
    "/policies": "arn:aws:iam::aws:policy/ReadOnlyAccess",
    "/cdk-bootstrap/hnb659fds/version": "21",
}


@pytest.fixture(scope="session")
def ministack():
    with Ministack(enforce_iam=True) as running:
        yield running


@pytest.fixture(scope="session")
def wire(ministack):
    with EcsFake(images=[f"ecr-public/{UPSTREAM}"]) as ecr, Wire(ministack, ecr) as running:
        ecr.client("ecr").create_pull_through_cache_rule(ecrRepositoryPrefix="ecr-public", upstreamRegistryUrl="public.ecr.aws")
        yield running


@pytest.fixture(scope="session")
def operator(ministack, package, sweep_package, wire):
    """The deployed operator, which is asked and woken by nobody."""
    deployed = Stack(ministack, wire, "ecs-sidecar", package, sweep_package).deploy()
    client = ministack.client("lambda")
    for mapping in client.list_event_source_mappings()["EventSourceMappings"]:
        client.delete_event_source_mapping(UUID=mapping["UUID"])
    return deployed


@pytest.fixture(scope="session")
def macro(ministack, operator):
    """The macro, beside the operator that plans the same. Whatever the tests had it send, its template grants."""
    deployed = deploy_macro(operator, built("MACRO_PACKAGE"))
    yield deployed
    assert not denied(operator, "macro", sent_by(operator, deployed)["macro"])


@pytest.fixture(scope="session")
def surroundings(ministack, operator):
    """What templates find in the account: exports of another stack, parameters of SSM, and roles that have it all."""
    iam = ministack.client("iam")
    for name, path in ROLES.items():
        iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=json.dumps(TRUST))
        for arn in (TRACES, operator.outputs["ExecutionPolicyArn"]):
            iam.attach_role_policy(RoleName=name, PolicyArn=arn)
    outputs = {
        re.sub("[^a-z]", "", name): {"Value": value, "Export": {"Name": name}} for name, value in EXPORTS.items()
    }
    deploy(ministack, "elsewhere", {"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}, "Outputs": outputs}, {})
    for name, value in SSM.items():
        ministack.client("ssm").put_parameter(Name=name, Value=value, Type="String")
