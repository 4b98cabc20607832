"""What the roles may do with which resource, on which condition and with which parameters, asked of a policy evaluator.

The emulator knows neither iam:PolicyARN nor iam:PassedToService, ecs:CreateAction, events:source or dynamodb:LeadingKeys; so each
promise of the templates is asked here as a request, with the keys that AWS gives it: one that must pass, and those that must not.
"""

from itertools import product

import pytest
from harness import template
from harness.ministack import ACCOUNT, REGION
from harness.rights import Rights
from harness.stack import REPOSITORY_ROOT

BODY = template.load()
ON = {
    "Mode": "optOut",
    "RolePattern": "app/*",
    "LogGroups": "create",
    "LogGroupPattern": "/ecs/*",
    "RolloutServices": "true",
    "TaskPolicyArns": "arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess,arn:aws:iam::111122223333:policy/traces",
}
OPERATOR = Rights(BODY, **ON)
MACRO = Rights(template.load(REPOSITORY_ROOT / "infra/cloudformation/macro.yaml"), TableName="table")
RECONCILE, SWEEP, WRITER, READS, INVOKES = "OperatorRole", "SweepRole", "PolicyWriterRole", "ReadStatusPolicy", "InvokePolicy"

IN_PATTERN, OTHER_ROLE = f"arn:aws:iam::{ACCOUNT}:role/app/web", f"arn:aws:iam::{ACCOUNT}:role/admin"
ELSEWHERE = "arn:aws:iam::999988887777:role/app/web"
XRAY, ADMIN = (f"arn:aws:iam::aws:policy/{name}" for name in ("AWSXRayDaemonWriteAccess", "AdministratorAccess"))
DAEMON = f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/ecr-public/xray/aws-xray-daemon"
IMAGE = f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/shop/checkout"
SERVICE = f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/shop/web"
DEFINITION = f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/web:7"
BUS = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus"
LOGS = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:"
OTHER_TABLE = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/orders"
OTHER_QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders"
TABLE, QUEUE, SWEEPS, LETTERS = (OPERATOR.arn(name) for name in ("Table", "Queue", "SweepQueue", "DeadLetterQueue"))
SLR = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role"
CACHE_ROLE, ECS_ROLE = f"{SLR}/pullthroughcache.ecr.amazonaws.com/AWSServiceRoleForECRPullThroughCache", f"{SLR}/ecs.amazonaws.com/AWSServiceRoleForECS"

# Who, what, and then (resource, condition keys) that must pass, and those that must not. Two underscores stand for a colon.
PROMISES = {
    "policies of the list are attached, and no others": (
        RECONCILE,
        "iam:AttachRolePolicy",
        [
            (IN_PATTERN, {"iam__PolicyARN": XRAY}),
            (IN_PATTERN, {"iam__PolicyARN": f"arn:aws:iam::{ACCOUNT}:policy/traces"}),
            (IN_PATTERN, {"iam__PolicyARN": OPERATOR.arn("ExecutionPolicy")}),
        ],
        [
            (IN_PATTERN, {"iam__PolicyARN": ADMIN}),
            (IN_PATTERN, {"iam__PolicyARN": f"{XRAY}2"}),
            (IN_PATTERN, {"iam__PolicyARN": OPERATOR.arn("ReadStatusPolicy")}),
            (IN_PATTERN, {}),
            (OTHER_ROLE, {"iam__PolicyARN": XRAY}),
            (OPERATOR.arn("OperatorRole"), {"iam__PolicyARN": XRAY}),
            (ELSEWHERE, {"iam__PolicyARN": XRAY}),
        ],
    ),
    "roles of the pattern are passed, to tasks": (
        RECONCILE,
        "iam:PassRole",
        [(IN_PATTERN, {"iam__PassedToService": "ecs-tasks.amazonaws.com"})],
        [
            (IN_PATTERN, {"iam__PassedToService": "lambda.amazonaws.com"}),
            (IN_PATTERN, {"iam__PassedToService": "ecs.amazonaws.com"}),
            (IN_PATTERN, {"iam__PassedToService": "ec2.amazonaws.com"}),
            (IN_PATTERN, {}),
            (OTHER_ROLE, {"iam__PassedToService": "ecs-tasks.amazonaws.com"}),
            (OPERATOR.arn("OperatorRole"), {"iam__PassedToService": "ecs-tasks.amazonaws.com"}),
            (ELSEWHERE, {"iam__PassedToService": "ecs-tasks.amazonaws.com"}),
        ],
    ),
    "roles of the pattern are looked at": (
        RECONCILE,
        "iam:SimulatePrincipalPolicy",
        [(IN_PATTERN, {})],
        [(OTHER_ROLE, {}), (ELSEWHERE, {})],
    ),
    "ECR's own role is made, and no other": (
        RECONCILE,
        "iam:CreateServiceLinkedRole",
        [(CACHE_ROLE, {"iam__AWSServiceName": "pullthroughcache.ecr.amazonaws.com"})],
        [
            (ECS_ROLE, {"iam__AWSServiceName": "ecs.amazonaws.com"}),
            (CACHE_ROLE, {"iam__AWSServiceName": "ecs.amazonaws.com"}),
            (CACHE_ROLE, {}),
        ],
    ),
    "revisions are registered in this Region": (
        RECONCILE,
        "ecs:RegisterTaskDefinition",
        [("*", {}), (DEFINITION, {})],
        [("*", {"region": "us-east-1"})],
    ),
    "revisions are deregistered in this Region": (
        RECONCILE,
        "ecs:DeregisterTaskDefinition",
        [("*", {})],
        [("*", {"region": "us-east-1"})],
    ),
    "tags come with a registration, and never later": (
        RECONCILE,
        "ecs:TagResource",
        [(DEFINITION, {"ecs__CreateAction": "RegisterTaskDefinition"})],
        [
            (DEFINITION, {}),
            (DEFINITION, {"ecs__CreateAction": "CreateService"}),
            (SERVICE, {"ecs__CreateAction": "RegisterTaskDefinition"}),
        ],
    ),
    "services of this account are moved": (
        RECONCILE,
        "ecs:UpdateService",
        [(SERVICE, {})],
        [(SERVICE.replace(ACCOUNT, "999988887777"), {}), (SERVICE.replace(REGION, "us-east-1"), {}), (DEFINITION, {})],
    ),
    "the sidecar's repository is filled": (
        RECONCILE,
        "ecr:BatchImportUpstreamImage",
        [(DAEMON, {}), (DAEMON.replace("ecr-public/", ""), {})],
        [(IMAGE, {}), (f"{DAEMON}-fork", {}), (DAEMON.replace(ACCOUNT, "999988887777"), {})],
    ),
    "the sidecar's repository is made": (RECONCILE, "ecr:CreateRepository", [(DAEMON, {})], [(IMAGE, {}), ("*", {})]),
    "a cache rule is made in this Region": (
        RECONCILE,
        "ecr:CreatePullThroughCacheRule",
        [("*", {})],
        [("*", {"region": "us-east-1"})],
    ),
    "the sidecar's image is read": (SWEEP, "ecr:GetDownloadUrlForLayer", [(DAEMON, {})], [(IMAGE, {})]),
    "log groups of the pattern are made": (
        RECONCILE,
        "logs:CreateLogGroup",
        [(f"{LOGS}/ecs/web", {})],
        [(f"{LOGS}/aws/lambda/web", {}), (OPERATOR.arn("LogGroup"), {})],
    ),
    "events are told in our own name, on one bus": (
        RECONCILE,
        "events:PutEvents",
        [(f"{BUS}/default", {"events__source": "ecs-sidecar"})],
        [
            (f"{BUS}/default", {"events__source": "aws.ecs"}),
            (f"{BUS}/default", {}),
            (f"{BUS}/orders", {"events__source": "ecs-sidecar"}),
        ],
    ),
    "a function writes its own log": (
        RECONCILE,
        "logs:PutLogEvents",
        [(OPERATOR.arn("LogGroup"), {})],
        [(OPERATOR.arn("SweepLogGroup"), {}), (f"{LOGS}/ecs/web", {})],
    ),
    "the function reads its own queue": (
        RECONCILE,
        "sqs:ReceiveMessage",
        [(QUEUE, {})],
        [(SWEEPS, {}), (LETTERS, {}), (OTHER_QUEUE, {})],
    ),
    "the function sends to its own queue, and sets aside": (
        RECONCILE,
        "sqs:SendMessage",
        [(QUEUE, {}), (LETTERS, {})],
        [(SWEEPS, {}), (OTHER_QUEUE, {})],
    ),
    "the sweep sends to the operator's queues": (
        SWEEP,
        "sqs:SendMessage",
        [(QUEUE, {}), (SWEEPS, {}), (LETTERS, {})],
        [(OTHER_QUEUE, {})],
    ),
    "the sweep reads the stream of its table": (
        SWEEP,
        "dynamodb:GetRecords",
        [(f"{TABLE}/stream/2026-11-24T00:00:00.000", {})],
        [(f"{OTHER_TABLE}/stream/2026-11-24T00:00:00.000", {})],
    ),
    "status is read in the operator's table": (READS, "dynamodb:Query", [(TABLE, {})], [(OTHER_TABLE, {})]),
    "the operator's functions are invoked": (
        INVOKES,
        "lambda:InvokeFunction",
        [(OPERATOR.arn("Function"), {}), (OPERATOR.arn("SweepFunction"), {})],
        [(f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:orders", {})],
    ),
}
REQUESTS = [
    pytest.param(role, action, resource, keys, wanted, id=f"{promise}: {'yes' if wanted else 'no'} {number}")
    for promise, (role, action, yes, no) in PROMISES.items()
    for wanted, requests in ((True, yes), (False, no))
    for number, (resource, keys) in enumerate(requests)
]
# Partitions of the table, and who may do what to which of them.
KINDS = {"standing", "family", "image", "service", "rollout", "sweep", "pace"}
ROWS = {
    (RECONCILE, "GetItem"): {"standing", "family", "image", "service", "rollout", "pace"},
    (RECONCILE, "Query"): {"standing"},
    (RECONCILE, "PutItem"): {"family", "service", "rollout"},
    (RECONCILE, "UpdateItem"): {"pace", "image", "family"},
    (RECONCILE, "DeleteItem"): {"service"},
    (SWEEP, "GetItem"): {"sweep", "standing", "family", "image", "rollout"},
    (SWEEP, "Query"): {"standing", "family", "service"},
    (SWEEP, "PutItem"): {"sweep"},
    (SWEEP, "UpdateItem"): {"pace"},
    (SWEEP, "DeleteItem"): {"family", "standing"},
    (WRITER, "GetItem"): KINDS,
    (WRITER, "Query"): KINDS,
    (WRITER, "PutItem"): {"standing"},
    (WRITER, "UpdateItem"): set(),
    (WRITER, "DeleteItem"): set(),
}


@pytest.mark.parametrize(("role", "action", "resource", "keys", "wanted"), REQUESTS)
def test_promise(role, action, resource, keys, wanted):
    assert OPERATOR.may(role, action, resource, **keys) is wanted


@pytest.mark.parametrize(("role", "call"), ROWS)
def test_partitions_of_the_table(role, call):
    action = f"dynamodb:{call}"
    assert {kind for kind in KINDS if OPERATOR.may(role, action, TABLE, dynamodb__LeadingKeys=[kind])} == ROWS[role, call]
    assert not OPERATOR.may(role, action, OTHER_TABLE, dynamodb__LeadingKeys=["standing"])
    assert OPERATOR.may(role, action, TABLE, dynamodb__LeadingKeys=sorted(KINDS)) == (ROWS[role, call] == KINDS), "all must be"


@pytest.mark.parametrize("role", [RECONCILE, SWEEP, WRITER])
def test_no_call_is_granted_that_names_no_partition(role):
    """Such as Scan: ForAllValues holds where a call brings no key at all."""
    for action in ("Scan", "PartiQLSelect", "ExportTableToPointInTime", "DescribeTable", "DeleteTable", "UpdateTable"):
        assert not OPERATOR.may(role, f"dynamodb:{action}", TABLE), action
    assert OPERATOR.may(role, "dynamodb:GetItem", TABLE), "and that is why"


# What would be more than the operator is there for, whatever it is done to. Each was tried in the emulator as well, as far as it
# can tell (emulator/test_refusals.py).
NEVER = {
    *(f"iam:{call}" for call in ("PutRolePolicy", "DetachRolePolicy", "DeleteRolePolicy", "CreateRole", "UpdateAssumeRolePolicy")),
    *(f"iam:{call}" for call in ("CreatePolicy", "CreatePolicyVersion", "SetDefaultPolicyVersion", "AttachUserPolicy", "CreateAccessKey")),
    *("iam:PutRolePermissionsBoundary", "iam:DeleteRolePermissionsBoundary", "sts:AssumeRole"),
    *("ecs:RunTask", "ecs:StartTask", "ecs:CreateService", "ecs:DeleteService", "ecs:ExecuteCommand", "ecs:DeleteTaskDefinitions"),
    *("lambda:CreateFunction", "lambda:UpdateFunctionCode", "lambda:UpdateFunctionConfiguration", "lambda:InvokeFunction"),
    *("lambda:AddPermission", "sqs:SetQueueAttributes", "sqs:PurgeQueue", "sqs:DeleteQueue", "events:PutRule", "events:PutTargets"),
    *("events:DisableRule", "events:DeleteRule", "cloudwatch:DeleteAlarms", "cloudwatch:PutMetricAlarm", "cloudwatch:PutMetricData"),
    *("logs:DeleteLogGroup", "logs:DeleteLogStream", "logs:GetLogEvents", "logs:FilterLogEvents", "cloudformation:UpdateStack"),
    *("secretsmanager:GetSecretValue", "ssm:GetParameter", "ssm:GetParameters", "kms:Decrypt", "s3:GetObject", "s3:PutObject"),
    *("ecr:PutImage", "ecr:DeleteRepository", "ecr:SetRepositoryPolicy", "ecr:PutLifecyclePolicy", "ecr:UpdatePullThroughCacheRule"),
}


@pytest.mark.parametrize(("rights", "role"), [(OPERATOR, RECONCILE), (OPERATOR, SWEEP), (MACRO, "FunctionRole")])
def test_what_no_function_may_ever(rights, role):
    assert rights.actions(role) & NEVER == set()


@pytest.mark.parametrize(("call", "kinds"), [("Query", {"standing"}), ("GetItem", {"image", "rollout"})])
def test_the_macro_reads_these_rows_and_writes_none(call, kinds):
    table = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/table"
    for kind in KINDS:
        keys = {"dynamodb__LeadingKeys": [kind]}
        assert MACRO.may("FunctionRole", f"dynamodb:{call}", table, **keys) is (kind in kinds)
        assert not MACRO.may("FunctionRole", f"dynamodb:{call}", OTHER_TABLE, **keys)
        for write in ("PutItem", "UpdateItem", "DeleteItem"):
            assert not MACRO.may("FunctionRole", f"dynamodb:{write}", table, **keys)


# --- a feature that is off has no right ---

CHOICES = {
    "Mode": ["audit", "optIn", "optOut"],
    "Permissions": ["attach", "verify"],
    "ImageCache": ["observe", "warm", "create"],
    "LogGroups": ["observe", "create"],
    "RolloutServices": ["true", "false"],
    "EventBusName": ["default", ""],
}
COMBINATIONS = [dict(zip(CHOICES, values, strict=True)) for values in product(*CHOICES.values())]
# What a role has at all times, as OperatorRole has it with everything off.
LEAST = {role: Rights(BODY, Mode="audit", EventBusName="").actions(role) for role in (RECONCILE, SWEEP)}
# Actions, who has them, and with which parameters; said once more, and not with the template's own conditions.
FEATURES = [
    (
        RECONCILE,
        {"ecs:RegisterTaskDefinition", "ecs:DeregisterTaskDefinition", "ecs:TagResource", "iam:PassRole"},
        lambda given: given["Mode"] != "audit",
    ),
    (RECONCILE, {"iam:AttachRolePolicy"}, lambda given: given["Mode"] != "audit" and given["Permissions"] == "attach"),
    (
        RECONCILE,
        {"ecr:BatchImportUpstreamImage", "ecr:CreateRepository"},
        lambda given: given["Mode"] != "audit" and given["ImageCache"] != "observe",
    ),
    (
        RECONCILE,
        {"ecr:CreatePullThroughCacheRule", "iam:CreateServiceLinkedRole"},
        lambda given: given["Mode"] != "audit" and given["ImageCache"] == "create",
    ),
    (
        RECONCILE,
        {"logs:CreateLogGroup", "logs:PutRetentionPolicy"},
        lambda given: given["Mode"] != "audit" and given["LogGroups"] == "create",
    ),
    (
        RECONCILE,
        {
            "ecs:DescribeServices",
            "ecs:ListServiceDeployments",
            "ecs:DescribeServiceRevisions",
            "ecs:UpdateService",
            "dynamodb:DeleteItem",
        },
        lambda given: given["Mode"] != "audit" and given["RolloutServices"] == "true",
    ),
    (
        SWEEP,
        {"ecs:ListClusters", "ecs:ListServices", "ecs:DescribeServices"},
        lambda given: given["Mode"] != "audit" and given["RolloutServices"] == "true",
    ),
    (RECONCILE, {"events:PutEvents"}, lambda given: given["EventBusName"] != ""),
]
WRITES_OF_AWS = ("ecs:Register", "ecs:Deregister", "ecs:Update", "ecs:Tag", "iam:Attach", "iam:Pass", "iam:Create", "ecr:Create")


def test_every_combination_of_features_grants_just_what_is_on():
    assert len(COMBINATIONS) == 3 * 2 * 3 * 2 * 2 * 2
    for given in COMBINATIONS:
        rights = Rights(BODY, **given)
        for role, least in LEAST.items():
            on = [actions for of, actions, when in FEATURES if of == role and when(given)]
            assert rights.actions(role) == least.union(*on), (role, given)


def test_what_is_on_in_no_combination_is_not_there_with_all_off():
    """The features above are all that there are, and none of them is among what a role has at all times."""
    for role, least in LEAST.items():
        features = set().union(*(actions for of, actions, _ in FEATURES if of == role))
        assert not features & least
        assert not [action for action in least if action.startswith(WRITES_OF_AWS)], role


@pytest.mark.parametrize(
    "given", [{"Mode": "audit"}, {"ImageCache": "observe"}], ids=["audit", "observe"]
)
def test_without_the_warm_up_no_image_is_recorded(given):
    rights = Rights(BODY, **ON | given)
    assert not rights.may(RECONCILE, "dynamodb:UpdateItem", TABLE, dynamodb__LeadingKeys=["image"])
    assert rights.may(RECONCILE, "dynamodb:UpdateItem", TABLE, dynamodb__LeadingKeys=["pace"])


def test_another_accounts_registry_is_the_only_one_then():
    rights = Rights(BODY, **ON, RegistryId="999988887777")
    assert rights.may(RECONCILE, "ecr:BatchGetImage", DAEMON.replace(ACCOUNT, "999988887777"))
    assert not rights.may(RECONCILE, "ecr:BatchGetImage", DAEMON)


def test_the_macro_without_a_table_reads_none():
    rights = Rights(template.load(REPOSITORY_ROOT / "infra/cloudformation/macro.yaml"), TableName="")
    assert not [action for action in rights.actions("FunctionRole") if action.startswith("dynamodb:")]


# --- the judge itself: what it is trusted with ---


class TestJudge:
    """The kinds of statements that the templates have, and the mistakes that one would make with them."""

    @staticmethod
    def role(action="x:Do", resource="*", **more):
        statement = {"Sid": "One", "Effect": "Allow", "Action": action, "Resource": resource, **more}
        role = {"Type": "AWS::IAM::Role", "Properties": {"Policies": [{"PolicyDocument": {"Statement": [statement]}}]}}
        return Rights({"Resources": {"R": role}, "Conditions": {}, "Parameters": {}})

    def test_only_what_is_allowed(self):
        assert self.role().may("R", "x:Do") and not self.role().may("R", "x:Undo")
        assert not self.role(Effect="Deny").may("R", "x:Do")

    def test_resources_have_cases_and_wildcards(self):
        role = self.role(resource="arn:aws:iam::1:role/app/*")
        assert role.may("R", "x:Do", "arn:aws:iam::1:role/app/a/b")
        assert not role.may("R", "x:Do", "arn:aws:iam::1:role/App/a") and not role.may("R", "x:Do", "arn:aws:iam::1:role/app")

    def test_equal_needs_the_key(self):
        role = self.role(Condition={"StringEquals": {"x:Key": ["a", "b"]}})
        assert role.may("R", "x:Do", x__Key="b")
        assert not role.may("R", "x:Do", x__Key="c") and not role.may("R", "x:Do")

    def test_arns_need_the_key_and_have_wildcards(self):
        role = self.role(Condition={"ArnEquals": {"x:Key": ["arn:aws:iam::aws:policy/A"]}})
        assert role.may("R", "x:Do", x__Key="arn:aws:iam::aws:policy/A")
        assert not role.may("R", "x:Do", x__Key="arn:aws:iam::aws:policy/AB") and not role.may("R", "x:Do")

    def test_for_all_values_holds_without_any(self):
        role = self.role(Condition={"ForAllValues:StringEquals": {"x:Keys": ["a", "b"]}})
        assert role.may("R", "x:Do", x__Keys=["a", "b"]) and role.may("R", "x:Do")
        assert not role.may("R", "x:Do", x__Keys=["a", "c"])

    def test_the_region_is_the_requests(self):
        role = self.role(Condition={"StringEquals": {"aws:RequestedRegion": REGION}})
        assert role.may("R", "x:Do") and not role.may("R", "x:Do", region="us-east-1")
