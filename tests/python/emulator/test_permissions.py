"""That IAM is enforced at all: the other tests pass with what the template grants, and these see a refusal."""

import json

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def without(ministack, stack):
    """Takes one statement from the function's role; gives it back afterwards."""
    iam = ministack.client("iam")
    role = stack.outputs["RoleArn"].rsplit("/", 1)[1]
    document = iam.get_role_policy(RoleName=role, PolicyName="operator")["PolicyDocument"]

    def put(statements):
        changed = json.dumps({**document, "Statement": statements})
        iam.put_role_policy(RoleName=role, PolicyName="operator", PolicyDocument=changed)

    yield lambda sid: put([s for s in document["Statement"] if s["Sid"] != sid])
    put(document["Statement"])


@pytest.mark.parametrize("sid", ["Observe", "Register"])
def test_function_without_a_statement_registers_nothing(ministack, stack, definition, family, without, sid):
    arn = ministack.client("ecs").register_task_definition(**definition)["taskDefinition"]["taskDefinitionArn"]
    without(sid)
    try:
        report = stack.invoke("reconcile", family=family)
    except (AssertionError, ClientError):
        report = {"registered": None}
    assert report["registered"] is None
    listed = ministack.client("ecs").list_task_definitions(familyPrefix=family)["taskDefinitionArns"]
    assert listed == [arn]
