"""An operator and a macro in one emulator, whose operator does nothing by itself."""

import json
import re

import pytest
from harness import template
from harness.ecs_fake import EcsFake
from harness.ministack import Ministack
from harness.owners import TRUST
from harness.stack import CODE_BUCKET, REPOSITORY_ROOT, UPSTREAM, Stack
from harness.waiting import until
from harness.wire import Wire

from conftest import built

TEMPLATE = REPOSITORY_ROOT / "infra" / "cloudformation" / "macro.yaml"
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


class Macro:
    """The deployed macro: its function, called as CloudFormation would call it, and its stack's outputs."""

    def __init__(self, ministack, outputs):
        self._ministack = ministack
        self.outputs = outputs

    def answer(self, template, parameters=None, **changed):
        """What the function answers to the documented request."""
        request = {
            "region": self._ministack.region,
            "accountId": self._ministack.account,
            "fragment": {key: value for key, value in template.items() if key != "Transform"},
            "transformId": f"{self._ministack.account}::EcsSidecar",
            "params": {},
            "requestId": "request-1",
            "templateParameterValues": parameters or {},
            **changed,
        }
        answer = self._ministack.client("lambda").invoke(
            FunctionName=self.outputs["FunctionName"], Payload=json.dumps(request).encode()
        )
        body = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, body
        return body


@pytest.fixture(scope="session")
def macro(ministack, wire, operator):
    """The macro's stack, without the resource that the emulator does not know: the macro itself."""
    package = built("MACRO_PACKAGE")
    ministack.client("s3").put_object(Bucket=CODE_BUCKET, Key=package.name, Body=package.read_bytes())
    body = template.load(TEMPLATE)
    del body["Resources"]["Macro"], body["Outputs"]["MacroName"]
    values = {
        "CodeBucket": CODE_BUCKET,
        "CodeKey": package.name,
        "EndpointUrl": wire.endpoint,
        "TableName": operator.outputs["TableName"],
        "ExecutionPolicyArn": operator.outputs["ExecutionPolicyArn"],
    }
    described = deploy(ministack, "macro", body, values)
    return Macro(ministack, {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]})


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


def deploy(ministack, name, body, parameters, update=False):
    """Creates or updates a stack; returns its description."""
    cloudformation = ministack.client("cloudformation")
    request = dict(
        StackName=name,
        TemplateBody=json.dumps(body),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    (cloudformation.update_stack if update else cloudformation.create_stack)(**request)

    def settled():
        description = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        return None if description["StackStatus"].endswith("_IN_PROGRESS") else description

    description = until(settled, f"stack {name} to settle", seconds=60)
    wanted = "UPDATE_COMPLETE" if update else "CREATE_COMPLETE"
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    assert description["StackStatus"] == wanted, [event.get("ResourceStatusReason") for event in events]
    return description
