"""What the functions' roles must not do is tried, with their own temporary credentials, in an emulator that enforces IAM.

Each refusal names the role and the action, so that it comes of a policy and of nothing else; and what is next to it passes: the
same credentials do what the function is there for. What the emulator cannot judge (which policy is attached, to whom a role is
passed, which partition of the table) is in tests/python/test_rights.py.
"""

import json

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from harness.ecs_fake import EcsFake
from harness.macro import deploy_macro
from harness.ministack import Ministack
from harness.owners import TRUST
from harness.sessions import become
from harness.stack import CODE_BUCKET, UPSTREAM, Stack
from harness.wire import Wire

from conftest import built

DEFINITION = {"family": "tried", "containerDefinitions": [{"name": "app", "image": "app:1", "memory": 64}]}
DAEMON = {"repositoryName": f"ecr-public/{UPSTREAM.split(':')[0]}"}
XRAY, ADMIN = (f"arn:aws:iam::aws:policy/{name}" for name in ("AWSXRayDaemonWriteAccess", "AdministratorAccess"))
# The emulator sees a role's name without its path, so that the pattern here has none.
ON = {
    "Mode": "optIn",
    "RolePattern": "app-*",
    "ImageCache": "create",
    "RolloutServices": "true",
    "LogGroups": "create",
    "LogGroupPattern": "/ecs/*",
    "EventBusName": "default",
}
OFF = {"Mode": "audit", "ImageCache": "observe", "RolloutServices": "false", "LogGroups": "observe", "EventBusName": ""}
# What is told of something that is there already: behind the question whether one may.
PERMITTED_AND_DONE = {"ResourceAlreadyExistsException", "RepositoryAlreadyExistsException"}
EVERYBODY = ("reconcile", "sweep", "macro")


class World:
    """The operator and the macro, what belongs to others in their account, and whoever tries something: `become[role]`."""

    def __init__(self, ministack, stack, macro_role):
        self.ministack, self.stack, self.outputs = ministack, stack, stack.outputs
        self.trust = json.dumps(TRUST)
        described = ministack.client("cloudformation").describe_stack_resources(StackName=stack.name)["StackResources"]
        self.physical = {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in described}
        sweep_role = ministack.client("iam").get_role(RoleName=self.physical["SweepRole"])["Role"]["Arn"]
        self.roles = {"reconcile": self.outputs["RoleArn"], "sweep": sweep_role, "macro": macro_role}
        self.become = {name: become(ministack, arn) for name, arn in self.roles.items()}
        self._others()

    def _others(self):
        iam, client = self.ministack.client("iam"), self.ministack.client
        for name in ("app-web", "admin"):
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=self.trust)
        key = {"KeySchema": [{"AttributeName": "kind", "KeyType": "HASH"}], "BillingMode": "PAY_PER_REQUEST"}
        client("dynamodb").create_table(
            TableName="orders", AttributeDefinitions=[{"AttributeName": "kind", "AttributeType": "S"}], **key
        )
        self.other_queue = client("sqs").create_queue(QueueName="orders")["QueueUrl"]
        client("events").create_event_bus(Name="orders")
        client("secretsmanager").create_secret(Name="password", SecretString="hidden")
        client("ecr").create_repository(**DAEMON)
        client("logs").create_log_group(logGroupName="/ecs/tried")
        client("ssm").put_parameter(Name="/password", Value="hidden", Type="SecureString")
        ecs = client("ecs")
        ecs.create_cluster(clusterName="shop")
        self.revision = ecs.register_task_definition(**DEFINITION)["taskDefinition"]["taskDefinitionArn"]
        self.service = ecs.create_service(
            cluster="shop", serviceName="web", taskDefinition=self.revision, desiredCount=0
        )["service"]["serviceArn"]

    def attempt(self, role, call, region=None, **parameters):
        """One call as a role; returns the refusal's words, or None if it was permitted."""
        service, operation = call.split(":")
        client = self.become[role](service, region or self.ministack.region)
        try:
            getattr(client, xform_name(operation))(**parameters)
        except ClientError as error:
            if error.response["Error"]["Code"] in PERMITTED_AND_DONE:
                return None
            if "AccessDenied" not in error.response["Error"]["Code"]:
                raise
            return error.response["Error"]["Message"]
        return None


@pytest.fixture(scope="module")
def ministack():
    with Ministack(enforce_iam=True) as running:
        yield running


@pytest.fixture(scope="module")
def wire(ministack):
    with EcsFake(upstream=[UPSTREAM]) as ecr, Wire(ministack, ecr) as running:
        yield running


@pytest.fixture(scope="module")
def stack(ministack, package, sweep_package, wire):
    deployed = Stack(ministack, wire, "ecs-sidecar", package, sweep_package).deploy(**ON)
    deployed.allow_what_ministack_misreads()
    # Nobody is at work here but who tries something.
    client = ministack.client("lambda")
    for mapping in client.list_event_source_mappings()["EventSourceMappings"]:
        client.delete_event_source_mapping(UUID=mapping["UUID"])
    return deployed


@pytest.fixture(scope="module")
def world(ministack, stack):
    function = deploy_macro(stack, built("MACRO_PACKAGE")).outputs["FunctionName"]
    return World(ministack, stack, ministack.client("lambda").get_function_configuration(FunctionName=function)["Role"])


def row(kind):
    return {"kind": {"S": kind}, "id": {"S": "tried"}}


# Parameters of calls, each of the world.


def query(world):
    values = {":kind": {"S": "standing"}}
    return {"TableName": world.outputs["TableName"], "KeyConditionExpression": "kind = :kind", "ExpressionAttributeValues": values}


def item(kind):
    return lambda world: {"TableName": world.outputs["TableName"], "Key": row(kind)}


def put(kind):
    return lambda world: {"TableName": world.outputs["TableName"], "Item": row(kind)}


def send(output):
    return lambda world: {"QueueUrl": world.outputs[output], "MessageBody": "tried"}


def event(bus):
    entry = {"Source": "ecs-sidecar", "DetailType": "tried", "Detail": "{}", "EventBusName": bus}
    return lambda world: {"Entries": [entry]}


# What each role is there for, whatever the parameters of the stack: the call, and its parameters.
SEES = [
    ("dynamodb:GetItem", item("image")),
    ("dynamodb:Query", query),
    ("ecr:GetAuthorizationToken", lambda world: {}),
    ("ecr:DescribeImages", lambda world: DAEMON),
    ("ecr:BatchGetImage", lambda world: {**DAEMON, "imageIds": [{"imageTag": "3.x"}]}),
]
DECIDES = [
    *SEES,
    ("ecs:DescribeTaskDefinition", lambda world: {"taskDefinition": "tried"}),
    ("ecs:ListTaskDefinitions", lambda world: {"familyPrefix": "tried"}),
    ("iam:ListAttachedRolePolicies", lambda world: {"RoleName": "app-web"}),
    ("logs:DescribeLogGroups", lambda world: {"logGroupNamePrefix": "/ecs/"}),
    ("dynamodb:UpdateItem", item("pace")),
    ("sqs:SendMessage", send("QueueUrl")),
    ("sqs:SendMessage", send("DeadLetterQueueUrl")),
]
PERMITTED = {
    "reconcile": [*DECIDES, ("dynamodb:PutItem", put("family"))],
    "sweep": [
        *DECIDES,
        ("ecs:ListTaskDefinitionFamilies", lambda world: {}),
        ("dynamodb:PutItem", put("sweep")),
        ("dynamodb:DeleteItem", item("family")),
        ("sqs:SendMessage", send("SweepQueueUrl")),
    ],
    "macro": SEES,
}
# What is permitted with ON, and refused with OFF.
FEATURES = [
    ("reconcile", "ecs:RegisterTaskDefinition", lambda world: DEFINITION),
    ("reconcile", "ecs:DeregisterTaskDefinition", lambda world: {"taskDefinition": world.revision}),
    ("reconcile", "iam:AttachRolePolicy", lambda world: {"RoleName": "app-web", "PolicyArn": XRAY}),
    ("reconcile", "ecr:CreateRepository", lambda world: DAEMON),
    ("reconcile", "logs:CreateLogGroup", lambda world: {"logGroupName": "/ecs/tried"}),
    ("reconcile", "logs:PutRetentionPolicy", lambda world: {"logGroupName": "/ecs/tried", "retentionInDays": 30}),
    ("reconcile", "events:PutEvents", event("default")),
    ("reconcile", "ecs:DescribeServices", lambda world: {"cluster": "shop", "services": ["web"]}),
    ("reconcile", "ecs:UpdateService", lambda world: {"cluster": "shop", "service": "web", "taskDefinition": "tried"}),
    ("reconcile", "dynamodb:DeleteItem", item("service")),
    ("sweep", "ecs:ListClusters", lambda world: {}),
    ("sweep", "ecs:ListServices", lambda world: {"cluster": "shop"}),
    ("sweep", "ecs:DescribeServices", lambda world: {"cluster": "shop", "services": ["web"]}),
]
CODE = {"S3Bucket": CODE_BUCKET, "S3Key": "reconcile-here.zip"}


# What none of them may: the call, its parameters, and who is meant where it is not everybody.
FORBIDDEN = [
    # More rights, for oneself or for others.
    ("iam:AttachRolePolicy", lambda world: {"RoleName": "admin", "PolicyArn": XRAY}, EVERYBODY),
    ("iam:AttachRolePolicy", lambda world: {"RoleName": world.physical["OperatorRole"], "PolicyArn": ADMIN}, EVERYBODY),
    ("iam:AttachRolePolicy", lambda world: {"RoleName": "app-web", "PolicyArn": XRAY}, ("sweep", "macro")),
    ("iam:DetachRolePolicy", lambda world: {"RoleName": "app-web", "PolicyArn": XRAY}, EVERYBODY),
    (
        "iam:PutRolePolicy",
        lambda world: {"RoleName": "app-web", "PolicyName": "more", "PolicyDocument": world.trust},
        EVERYBODY,
    ),
    ("iam:CreateRole", lambda world: {"RoleName": "app-new", "AssumeRolePolicyDocument": world.trust}, EVERYBODY),
    ("iam:UpdateAssumeRolePolicy", lambda world: {"RoleName": "app-web", "PolicyDocument": world.trust}, EVERYBODY),
    ("iam:CreatePolicy", lambda world: {"PolicyName": "more", "PolicyDocument": world.trust}, EVERYBODY),
    (
        "iam:CreatePolicyVersion",
        lambda world: {"PolicyArn": world.outputs["ExecutionPolicyArn"], "PolicyDocument": world.trust, "SetAsDefault": True},
        EVERYBODY,
    ),
    ("iam:CreateUser", lambda world: {"UserName": "eve"}, EVERYBODY),
    ("sts:AssumeRole", lambda world: {"RoleArn": world.outputs["PolicyWriterRoleArn"], "RoleSessionName": "eve"}, EVERYBODY),
    # A role in other hands.
    (
        "lambda:CreateFunction",
        lambda world: {"FunctionName": "eve", "Role": world.roles["reconcile"], "Code": CODE, "Runtime": "provided.al2023", "Handler": "x"},
        EVERYBODY,
    ),
    ("ecs:RunTask", lambda world: {"taskDefinition": "tried", "cluster": "shop"}, EVERYBODY),
    ("ecs:CreateService", lambda world: {"cluster": "shop", "serviceName": "eve", "taskDefinition": "tried"}, EVERYBODY),
    # The operator's own stack.
    ("lambda:UpdateFunctionConfiguration", lambda world: {"FunctionName": world.outputs["FunctionName"], "Timeout": 1}, EVERYBODY),
    ("lambda:UpdateFunctionCode", lambda world: {"FunctionName": world.outputs["FunctionName"], **CODE}, EVERYBODY),
    ("lambda:Invoke", lambda world: {"FunctionName": world.outputs["SweepFunctionName"]}, EVERYBODY),
    ("sqs:PurgeQueue", lambda world: {"QueueUrl": world.outputs["QueueUrl"]}, EVERYBODY),
    ("sqs:SetQueueAttributes", lambda world: {"QueueUrl": world.outputs["QueueUrl"], "Attributes": {"DelaySeconds": "9"}}, EVERYBODY),
    ("sqs:ReceiveMessage", lambda world: {"QueueUrl": world.outputs["DeadLetterQueueUrl"]}, EVERYBODY),
    ("events:DisableRule", lambda world: {"Name": world.outputs["RegisterRuleName"]}, EVERYBODY),
    ("events:PutRule", lambda world: {"Name": world.outputs["RegisterRuleName"], "ScheduleExpression": "rate(1 day)"}, EVERYBODY),
    ("cloudwatch:DeleteAlarms", lambda world: {"AlarmNames": [world.physical["BreakerAlarm"]]}, EVERYBODY),
    ("logs:DeleteLogGroup", lambda world: {"logGroupName": world.outputs["LogGroupName"]}, EVERYBODY),
    ("logs:FilterLogEvents", lambda world: {"logGroupName": world.outputs["LogGroupName"]}, EVERYBODY),
    ("dynamodb:Scan", lambda world: {"TableName": world.outputs["TableName"]}, EVERYBODY),
    ("dynamodb:DeleteTable", lambda world: {"TableName": world.outputs["TableName"]}, EVERYBODY),
    ("cloudformation:DeleteStack", lambda world: {"StackName": "ecs-sidecar"}, EVERYBODY),
    # What belongs to others.
    ("dynamodb:PutItem", lambda world: {"TableName": "orders", "Item": {"kind": {"S": "family"}}}, EVERYBODY),
    ("dynamodb:GetItem", lambda world: {"TableName": "orders", "Key": {"kind": {"S": "family"}}}, EVERYBODY),
    ("sqs:SendMessage", lambda world: {"QueueUrl": world.other_queue, "MessageBody": "tried"}, EVERYBODY),
    ("events:PutEvents", event("orders"), EVERYBODY),
    ("secretsmanager:GetSecretValue", lambda world: {"SecretId": "password"}, EVERYBODY),
    ("ssm:GetParameter", lambda world: {"Name": "/password", "WithDecryption": True}, EVERYBODY),
    ("s3:GetObject", lambda world: {"Bucket": CODE_BUCKET, "Key": "reconcile-here.zip"}, EVERYBODY),
    ("ecs:DeleteService", lambda world: {"cluster": "shop", "service": "web"}, EVERYBODY),
    ("ecs:DeleteTaskDefinitions", lambda world: {"taskDefinitions": [world.revision]}, EVERYBODY),
    ("ecr:DescribeImages", lambda world: {"repositoryName": "shop/checkout"}, EVERYBODY),
    ("ecr:DeleteRepository", lambda world: {**DAEMON, "force": True}, EVERYBODY),
    ("ecr:PutImage", lambda world: {**DAEMON, "imageManifest": "{}"}, EVERYBODY),
    ("logs:CreateLogGroup", lambda world: {"logGroupName": "/aws/lambda/eve"}, EVERYBODY),
    # What is the other function's business.
    ("ecs:RegisterTaskDefinition", lambda world: DEFINITION, ("sweep", "macro")),
    ("ecs:DeregisterTaskDefinition", lambda world: {"taskDefinition": world.revision}, ("sweep", "macro")),
    ("ecs:UpdateService", lambda world: {"cluster": "shop", "service": "web", "taskDefinition": "tried"}, ("sweep", "macro")),
    ("events:PutEvents", event("default"), ("sweep", "macro")),
    ("sqs:SendMessage", send("SweepQueueUrl"), ("reconcile", "macro")),
    ("sqs:SendMessage", send("QueueUrl"), ("macro",)),
    ("dynamodb:PutItem", put("family"), ("macro",)),
    ("ecs:DescribeTaskDefinition", lambda world: {"taskDefinition": "tried"}, ("macro",)),
]
ACTIONS = {"lambda:Invoke": "lambda:InvokeFunction"}


def cases(rows):
    return [pytest.param(*row, id=f"{number}-{row[0]}-{row[1]}") for number, row in enumerate(rows)]


def refused(world, role, call, told):
    """Whether the words name this role and this action: then a policy was asked."""
    assert told, f"{role} was permitted {call}"
    assert ACTIONS.get(call, call) in told and f"assumed-role/{world.roles[role].rsplit('/', 1)[1]}/" in told, told


@pytest.mark.parametrize(
    ("role", "call", "parameters"), cases((role, *call) for role, calls in PERMITTED.items() for call in calls)
)
def test_what_a_role_is_there_for(world, role, call, parameters):
    assert world.attempt(role, call, **parameters(world)) is None


@pytest.mark.parametrize(
    ("role", "call", "parameters"), cases((role, call, of) for call, of, roles in FORBIDDEN for role in roles)
)
def test_what_a_role_must_not_do(world, role, call, parameters):
    refused(world, role, call, world.attempt(role, call, **parameters(world)))


def test_revisions_of_another_region_are_not_ours_to_register(world):
    told = world.attempt("reconcile", "ecs:RegisterTaskDefinition", region="us-east-1", **DEFINITION)
    refused(world, "reconcile", "ecs:RegisterTaskDefinition", told)


@pytest.mark.parametrize(("role", "call", "parameters"), cases(FEATURES))
def test_a_feature_that_is_on(world, role, call, parameters):
    assert world.attempt(role, call, **parameters(world)) is None


@pytest.fixture(scope="module")
def with_features_off(world):
    """The same roles, once the stack has been told to do nothing."""
    world.stack.deploy(**OFF)
    world.stack.allow_what_ministack_misreads()
    yield world
    world.stack.deploy(**ON)
    world.stack.allow_what_ministack_misreads()


@pytest.mark.parametrize(("role", "call", "parameters"), cases(FEATURES))
def test_a_feature_that_is_off_has_no_right(with_features_off, role, call, parameters):
    refused(with_features_off, role, call, with_features_off.attempt(role, call, **parameters(with_features_off)))
