"""That IAM is enforced at all: the other tests pass with what the template grants, and these see a refusal."""

import json

import boto3
import pytest
from botocore.config import Config
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


@pytest.fixture
def unable_to_look(ministack, stack):
    """Takes what both functions may read from the function's role; gives it back afterwards."""
    iam = ministack.client("iam")
    looking = dict(RoleName=stack.outputs["RoleArn"].rsplit("/", 1)[1], PolicyArn=stack.outputs["ObservePolicyArn"])
    iam.detach_role_policy(**looking)
    yield
    iam.attach_role_policy(**looking)


@pytest.fixture
def policy_writer(ministack, stack):
    """Clients of somebody who has assumed the role that writes policies."""
    session = dict(RoleArn=stack.outputs["PolicyWriterRoleArn"], RoleSessionName="writer")
    got = ministack.client("sts").assume_role(**session)["Credentials"]
    return lambda service: boto3.client(
        service,
        endpoint_url=ministack.endpoint,
        region_name=ministack.region,
        aws_access_key_id=got["AccessKeyId"],
        aws_secret_access_key=got["SecretAccessKey"],
        aws_session_token=got["SessionToken"],
        config=Config(retries={"max_attempts": 1}, proxies={}),
    )


@pytest.fixture
def registered(ministack, definition, family):
    """A family that asks for a sidecar; afterwards it must be as it was."""
    ecs = ministack.client("ecs")
    arn = ecs.register_task_definition(**definition)["taskDefinition"]["taskDefinitionArn"]
    yield arn
    assert ecs.list_task_definitions(familyPrefix=family)["taskDefinitionArns"] == [arn]


def test_a_function_that_may_not_look_fails_and_says_so(stack, family, registered, unable_to_look):
    with pytest.raises(AssertionError, match="AccessDenied"):
        stack.invoke("reconcile", family=family)


def test_a_function_that_may_not_register_reports_it(stack, family, registered, without):
    without("Register")
    assert stack.invoke("reconcile", family=family)["reason"] == "permissionDenied"


def test_who_writes_policies_may_look_and_write_and_do_nothing_else(stack, policy_writer):
    dynamodb, table = policy_writer("dynamodb"), stack.outputs["TableName"]
    one = {"kind": {"S": "standing"}, "id": {"S": "policy/nobody"}}
    assert "Item" not in dynamodb.get_item(TableName=table, Key=one)
    # Permitted, and yet nothing is written: a policy here would be one for all tests.
    with pytest.raises(ClientError, match="ConditionalCheckFailed"):
        dynamodb.put_item(TableName=table, Item=one, ConditionExpression="attribute_exists(kind)")
    with pytest.raises(ClientError, match="AccessDenied"):
        dynamodb.delete_item(TableName=table, Key=one)
    with pytest.raises(ClientError, match="AccessDenied"):
        policy_writer("lambda").invoke(FunctionName=stack.outputs["SweepFunctionName"], Payload=b"{}")
