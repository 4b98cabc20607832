"""That IAM is enforced at all: the other tests pass with what the template grants, and these see a refusal."""

import json

import pytest


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


@pytest.fixture
def registered(ministack, definition, family):
    """A family that asks for a sidecar; afterwards it must be as it was."""
    ecs = ministack.client("ecs")
    arn = ecs.register_task_definition(**definition)["taskDefinition"]["taskDefinitionArn"]
    yield arn
    assert ecs.list_task_definitions(familyPrefix=family)["taskDefinitionArns"] == [arn]


def test_a_function_that_may_not_look_fails_and_says_so(stack, family, registered, without):
    without("Observe")
    with pytest.raises(AssertionError, match="AccessDenied"):
        stack.invoke("reconcile", family=family)


def test_a_function_that_may_not_register_reports_it(stack, family, registered, without):
    without("Register")
    assert stack.invoke("reconcile", family=family)["reason"] == "permissionDenied"
