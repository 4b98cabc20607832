"""What the deployed macro makes of templates: the contract, and that the operator finds nothing left to do."""

import json
import re
import subprocess

import judge
import pytest
from harness import template
from harness.deployed import register_as_cloudformation, register_form
from harness.families import newest
from harness.macro import deploy
from harness.owners import create_log_groups
from harness.stack import REPOSITORY_ROOT, UPSTREAM
from harness.template_cases import EXECUTION_POLICY, all_cases

# Another Region, and what only a stack with other parameters does: the Rust test has these.
OTHER_STACK = {"region", "image", "roles", "verify", "defaultTaskRole", "defaultExecutionRole"}
CASES = [case for case in all_cases() if not OTHER_STACK & set(case.told)]
TRANSFORMED = [case for case in CASES if case.injects]
REFUSED = [case for case in CASES if case.result is None and "Resources" in case.template]


@pytest.fixture
def policies(operator):
    """Puts a case's policy into the operator's table, for as long as the test takes."""
    table = operator.ministack.client("dynamodb")
    key = {"kind": {"S": "standing"}, "id": {"S": "policy/xray-daemon"}}

    def put(text):
        if text:
            operator.table.put("standing", key["id"]["S"], text={"S": text}, version={"N": "1"})

    yield put
    table.delete_item(TableName=operator.outputs["TableName"], Key=key)


def stack_parameters(case):
    declared = case.template.get("Parameters", {})
    return {name: value for name, value in case.parameters.items() if name in declared}


@pytest.mark.parametrize("case", TRANSFORMED, ids=lambda case: case.name)
def test_what_is_deployed_leaves_the_operator_nothing_to_do(case, ministack, operator, macro, surroundings, policies):
    policies(case.policy)
    answer = macro.answer(case.template, case.parameters)
    assert answer["status"] == "success", answer.get("errorMessage")
    expected = json.dumps(case.result).replace(EXECUTION_POLICY, operator.outputs["ExecutionPolicyArn"])
    expected = expected.replace(f"sha256:{'0' * 64}", image_digest(operator.wire))
    assert answer["fragment"] == json.loads(expected)

    before = registered(ministack, case, case.template)
    after = registered(ministack, case, answer["fragment"], update=True)
    for resource in case.injects:
        create_log_groups(ministack, after[resource])
        family = after[resource]["family"]
        report = operator.invoke("plan", family=family)
        assert (report["decision"], report["reason"]) == ("upToDate", "upToDate"), report
        assert (report["edits"], report["grants"], report["notes"]) == ([], [], []), report
        assert undone(newest(ministack, family)) == plain(before[resource]), "what the template would have deployed"


def image_digest(wire):
    repository, tag = UPSTREAM.split(":")
    ids = [{"imageTag": tag}]
    (image,) = wire.ecr.client("ecr").describe_images(repositoryName=f"ecr-public/{repository}", imageIds=ids)["imageDetails"]
    return image["imageDigest"]


def registered(ministack, case, body, update=False):
    """Deploys a template; returns its definitions by logical id, as CloudFormation would have registered them."""
    deploy(ministack, case.name, body, stack_parameters(case), update)
    resources = ministack.client("cloudformation").describe_stack_resources(StackName=case.name)["StackResources"]
    arns = {r["LogicalResourceId"]: r["PhysicalResourceId"] for r in resources if r["LogicalResourceId"] in case.injects}
    assert set(arns) == set(case.injects)
    return {resource: register_as_cloudformation(ministack, arn) for resource, arn in arns.items()}


def undone(described):
    """The definition without its sidecar, as the program takes it back."""
    judge.need_binary()
    definition = json.dumps(register_form(described))
    removed = subprocess.run([judge.BINARY, "remove", "-"], input=definition, capture_output=True, text=True, timeout=60)
    assert removed.returncode == 0, removed.stderr
    return plain(json.loads(removed.stdout))


def plain(value):
    """A definition without what ECS fills in: empty lists and texts, and zero for the cpu of a container."""
    if isinstance(value, dict):
        members = {key: plain(member) for key, member in value.items()}
        return {k: m for k, m in members.items() if m not in ("", [], {}) and (k, m) not in (("cpu", 0), ("essential", True))}
    return [plain(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_what_cannot_be_decided_fails_with_resource_and_property(case, macro, surroundings, policies):
    policies(case.policy)
    answer = macro.answer(case.template, case.parameters)
    assert (answer["status"], answer["requestId"]) == ("failure", "request-1") and "fragment" not in answer
    lines = answer["errorMessage"].splitlines()
    assert len(lines) == len(case.told["problems"])
    assert all(problem in line for line, problem in zip(lines, case.told["problems"]))


README = (REPOSITORY_ROOT / "README.md").read_text()
TEMPLATE = next(case for case in CASES if case.name == "fargate-closed-vpc").template


def test_the_readmes_template_gets_what_the_readme_says(macro, tmp_path):
    (block,) = re.findall(r"^```yaml\n(Transform: EcsSidecar\n.*?)^```", README, re.DOTALL | re.MULTILINE)
    (tmp_path / "template.yaml").write_text(block)
    body = template.load(tmp_path / "template.yaml")
    body["Parameters"] = {name: {"Type": "String"} for name in ("Memory", "Tag", "PullRoleArn")}
    body["Resources"]["TaskRole"] = {"Type": "AWS::IAM::Role", "Properties": {}}
    answer = macro.answer(body, {"Memory": "1024", "Tag": "7", "PullRoleArn": "arn:aws:iam::111122223333:role/pull"})
    assert answer["status"] == "success", answer["errorMessage"]
    made = answer["fragment"]["Resources"]
    assert [container["Name"] for container in made["Task"]["Properties"]["ContainerDefinitions"]] == ["web", "xray-daemon"]
    assert made["TaskRole"]["Properties"]["ManagedPolicyArns"] == ["arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess"]
    assert made["Batch"] == body["Resources"]["Batch"] and "Transform" not in answer["fragment"]


def test_a_transform_inside_of_a_resource_is_refused_with_what_to_do(macro):
    task = TEMPLATE["Resources"]["Task"]
    answer = macro.answer(task)
    assert answer["status"] == "failure" and "Transform section" in answer["errorMessage"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"params": {"Mode": "x"}}, "takes no parameters"),
        ({"fragment": "text"}, "no usable fragment"),
        ({"accountId": "999900001111"}, "account 999900001111"),
        ({"region": "eu-west-2"}, "Region eu-west-2"),
        ({"region": None}, "no usable region"),
    ],
)
def test_a_request_that_cannot_be_served_fails_with_a_message(macro, changed, said):
    answer = macro.answer(TEMPLATE, **changed)
    assert answer["status"] == "failure" and said in answer["errorMessage"], answer


PRESET = (REPOSITORY_ROOT / "crates" / "core" / "presets" / "xray-daemon.yaml").read_text()


def test_an_image_that_is_not_there_is_named_with_its_repository(macro, policies):
    policies(PRESET.replace("aws-xray-daemon:3.x", "aws-xray-daemon:9.x"))
    answer = macro.answer(TEMPLATE)
    assert answer["status"] == "failure"
    assert "imageNotCached" in answer["errorMessage"] and "have the image in the private registry" in answer["errorMessage"]
    assert "ecr-public/xray/aws-xray-daemon" in answer["errorMessage"] and ":9.x" in answer["errorMessage"]


def test_nobody_is_trusted_to_have_an_image_that_nobody_can_look_for(macro, wire):
    with wire.interfering(lambda call: "refuse" if call.action == "DescribeImages" else None):
        answer = macro.answer(TEMPLATE)
    assert answer["status"] == "failure"
    assert "cannot look for the sidecar's image public.ecr.aws/xray/aws-xray-daemon:3.x" in answer["errorMessage"]


def test_without_the_policies_nothing_is_decided(macro, wire):
    with wire.interfering(lambda call: "refuse" if call.action == "Query" else None):
        answer = macro.answer(TEMPLATE)
    assert answer["status"] == "failure" and "cannot read the sidecar policies" in answer["errorMessage"]


def test_nothing_of_a_template_but_names_is_logged_and_nothing_is_written(ministack, macro, wire):
    since = len(wire.calls)
    body = json.loads(json.dumps(TEMPLATE))
    body["Resources"]["Task"]["Properties"]["ContainerDefinitions"][0]["Environment"].append(
        {"Name": "PASSWORD", "Value": "canary-77"}
    )
    assert macro.answer(body)["status"] == "success"
    made = {call.action for call in wire.calls[since:]}
    assert made and not [name for name in made if not name.startswith(("Describe", "Get", "Query", "Batch"))], made
    pages = ministack.client("logs").get_paginator("filter_log_events").paginate(logGroupName=macro.outputs["LogGroupName"])
    lines = [event["message"] for page in pages for event in page["events"]]
    assert any('"decision":"inject"' in line for line in lines)
    assert not any("canary-77" in line for line in lines)
