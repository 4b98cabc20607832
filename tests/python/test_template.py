"""What the template grants and lets through, proved on the template itself."""

import json
import re

import pytest
from harness import template
from harness.events import call_event
from harness.ministack import ACCOUNT
from harness.service_events import deployment_state_change, task_stopped

TEMPLATE = template.load()
RESOURCES = TEMPLATE["Resources"]
EXECUTION_POLICY = RESOURCES["ExecutionPolicy"]["Properties"]["PolicyDocument"]

# What decides: both functions have it.
OBSERVES = {
    "ecs:DescribeTaskDefinition": None,
    "ecs:ListTaskDefinitions": None,
    "iam:ListAttachedRolePolicies": None,
    "iam:SimulatePrincipalPolicy": None,
    "ecr:DescribePullThroughCacheRules": None,
    "ecr:GetAuthorizationToken": None,
    "ecr:DescribeImages": None,
    "ecr:BatchGetImage": None,
    "ecr:BatchCheckLayerAvailability": None,
    "ecr:GetDownloadUrlForLayer": None,
    "ecr:GetLifecyclePolicy": None,
    "logs:DescribeLogGroups": None,
}
WORKS = {
    "logs:CreateLogStream": None,
    "logs:PutLogEvents": None,
    "sqs:ReceiveMessage": None,
    "sqs:DeleteMessage": None,
    "sqs:GetQueueAttributes": None,
}
# What each role may call beside the table and the queues (below), and on which condition of the stack. Adding to the template
# means adding here, with the question who could be hurt by it.
GRANTED = {
    "OperatorRole": {
        **OBSERVES,
        **WORKS,
        "ecr:BatchImportUpstreamImage": "MayWarm",
        "ecr:CreateRepository": "MayWarm",
        "ecr:CreatePullThroughCacheRule": "MayCreateRule",
        "iam:CreateServiceLinkedRole": "MayCreateRule",
        "logs:CreateLogGroup": "MayCreateLogGroups",
        "logs:PutRetentionPolicy": "MayCreateLogGroups",
        "ecs:RegisterTaskDefinition": "MayWrite",
        "ecs:DeregisterTaskDefinition": "MayWrite",
        "ecs:TagResource": "MayWrite",
        "iam:PassRole": "MayWrite",
        "iam:AttachRolePolicy": "MayAttach",
        "ecs:DescribeServices": "MovesServices",
        "ecs:ListServiceDeployments": "MovesServices",
        "ecs:DescribeServiceRevisions": "MovesServices",
        "ecs:UpdateService": "MovesServices",
        "events:PutEvents": "HasEventBus",
    },
    "SweepRole": {
        **OBSERVES,
        **WORKS,
        "ecs:ListTaskDefinitionFamilies": None,
        "ecs:ListClusters": "MovesServices",
        "ecs:ListServices": "MovesServices",
        "ecs:DescribeServices": "MovesServices",
        "dynamodb:DescribeStream": None,
        "dynamodb:GetRecords": None,
        "dynamodb:GetShardIterator": None,
        "dynamodb:ListStreams": None,
    },
    "PolicyWriterRole": {"lambda:GetFunctionConfiguration": None},
}
# The kinds of items that each role may read and write; "*" for all of them.
ROWS = {
    "OperatorRole": {
        ("Query", None): {"standing"},
        ("GetItem", None): {"standing", "family", "image", "service", "rollout", "pace"},
        ("PutItem", None): {"family", "service", "rollout"},
        ("DeleteItem", "MovesServices"): {"service"},
        ("UpdateItem", None): {"pace", "family"},
        ("UpdateItem", "MayWarm"): {"image"},
    },
    "SweepRole": {
        ("Query", None): {"standing", "family", "service"},
        ("GetItem", None): {"sweep", "standing", "family", "image", "rollout"},
        ("PutItem", None): {"sweep"},
        ("UpdateItem", None): {"pace"},
        ("DeleteItem", None): {"family", "standing"},
    },
    "PolicyWriterRole": {
        ("Query", None): {"*"},
        ("GetItem", None): {"*"},
        ("PutItem", None): {"standing"},
    },
}
ITEM_CALLS = re.compile(r"dynamodb:(Query|GetItem|PutItem|UpdateItem|DeleteItem)")
SENDS_TO = {
    "OperatorRole": {"DeadLetterQueue", "Queue"},
    "SweepRole": {"DeadLetterQueue", "Queue", "SweepQueue"},
    "PolicyWriterRole": set(),
}
PULLS_AND_FILLS = {
    "ecr:GetAuthorizationToken",
    "ecr:BatchCheckLayerAvailability",
    "ecr:GetDownloadUrlForLayer",
    "ecr:BatchGetImage",
    "ecr:BatchImportUpstreamImage",
    "ecr:CreateRepository",
}
# Writes on everything, each with the condition that bounds it.
UNBOUNDED_WRITES = {
    "ecs:RegisterTaskDefinition": "aws:RequestedRegion",
    "ecs:DeregisterTaskDefinition": "aws:RequestedRegion",
    "ecr:CreatePullThroughCacheRule": "aws:RequestedRegion",
}
# The sidecar's own repository, whatever the prefix of the rule that fills it.
REGISTRY = {"Registry": {"Fn::If": ["HasRegistry", {"Ref": "RegistryId"}, {"Ref": "AWS::AccountId"}]}}
REPOSITORY = [
    {"Fn::Sub": [f"arn:${{AWS::Partition}}:ecr:${{AWS::Region}}:${{Registry}}:repository/{name}", REGISTRY]}
    for name in ("*/${SidecarRepository}", "${SidecarRepository}")
]
WITHOUT_RESOURCE = {"ecr:GetAuthorizationToken", "ecr:DescribePullThroughCacheRules", "ecr:CreatePullThroughCacheRule"}
# All that leaves a CloudTrail event: names and ARNs. Of a deregistration, requestParameters.taskDefinition is a name too.
PASSED_ON = {
    "$.account",
    "$.region",
    "$.id",
    "$.detail.eventName",
    "$.detail.errorCode",
    "$.detail.requestParameters.family",
    "$.detail.requestParameters.taskDefinition",
    "$.detail.responseElements.taskDefinition.family",
    "$.detail.responseElements.taskDefinition.taskDefinitionArn",
    "$.detail.userIdentity.sessionContext.sessionIssuer.arn",
    # Of a service: which one, and who changed it.
    "$.detail.responseElements.service.serviceArn",
    "$.detail.userIdentity.arn",
    "$.detail.userIdentity.invokedBy",
    "$.detail.userAgent",
    # Of ECS's own events; containers have names, exit codes and ECS's words, and nothing that they were given.
    "$.detail-type",
    "$.resources",
    "$.detail.taskArn",
    "$.detail.taskDefinitionArn",
    "$.detail.stopCode",
    "$.detail.stoppedReason",
    "$.detail.containers",
}
# Values that are inserted as the JSON that they are, by rule.
AS_JSON = {"DeploymentRule": {"resources"}, "TaskRule": {"because", "containers"}}
READS = re.compile(r":(Describe|List|Get|BatchGet|BatchCheck|Simulate)")
ROLES = [name for name, resource in RESOURCES.items() if resource["Type"] == "AWS::IAM::Role"]
POLICIES = [name for name, resource in RESOURCES.items() if resource["Type"] == "AWS::IAM::ManagedPolicy"]


def documents(name):
    """The policy documents of a role, those of the stack's policies that it has included, or of a policy."""
    properties = RESOURCES[name]["Properties"]
    if name in POLICIES:
        return [properties["PolicyDocument"]]
    attached = [document for arn in properties.get("ManagedPolicyArns", []) for document in documents(arn["Ref"])]
    return [policy["PolicyDocument"] for policy in properties["Policies"]] + attached


def grants(name):
    """(action, statement, the condition that it depends on or None) of all that a role or policy grants."""
    return [
        (action, statement, condition)
        for document in documents(name)
        for statement, condition in template.statements(document)
        for action in template.as_list(statement["Action"])
    ]


def granting(name, wanted):
    """The one statement that grants an action."""
    (statement,) = [statement for action, statement, _ in grants(name) if action == wanted]
    return statement


@pytest.mark.parametrize("role", GRANTED)
def test_role_grants_these_calls_and_no_others(role):
    told_apart = ITEM_CALLS.pattern + "|sqs:SendMessage"
    granted = [(action, condition) for action, _, condition in grants(role) if not re.fullmatch(told_apart, action)]
    assert len(granted) == len(dict(granted)), "a call is granted once"
    assert dict(granted) == GRANTED[role]


def test_every_role_is_looked_at():
    assert set(ROLES) == set(GRANTED) == set(ROWS) == set(SENDS_TO)


@pytest.mark.parametrize("role", ROWS)
def test_role_reaches_these_kinds_of_items_and_no_others(role):
    rows = {}
    for action, statement, condition in grants(role):
        if called := ITEM_CALLS.fullmatch(action):
            assert statement["Resource"] == {"Fn::GetAtt": "Table.Arn"}
            kinds = {"*"}
            if "Condition" in statement:
                assert set(statement["Condition"]) == {"ForAllValues:StringEquals"}
                (key,) = statement["Condition"]["ForAllValues:StringEquals"].items()
                assert key[0] == "dynamodb:LeadingKeys"
                kinds = set(key[1])
            assert (called[1], condition) not in rows, "a call is granted once"
            rows[called[1], condition] = kinds
    assert rows == ROWS[role]


def test_only_people_write_what_is_wanted():
    """Whoever writes policies says what runs beside every app; that a deleted one goes is all that the sweep does to them."""
    writers = {
        (role, call)
        for role, rows in ROWS.items()
        for (call, _), kinds in rows.items()
        if call in ("PutItem", "UpdateItem", "DeleteItem") and kinds & {"standing", "*"}
    }
    assert writers == {
        ("PolicyWriterRole", "PutItem"),
        ("SweepRole", "DeleteItem"),
    }


def test_the_sweep_writes_nothing_of_the_users():
    for action, _, _ in grants("SweepRole"):
        if action.split(":")[0] in ("ecs", "iam", "ecr"):
            assert READS.search(action), action


@pytest.mark.parametrize("role", SENDS_TO)
def test_role_sends_to_these_queues_and_no_others(role):
    sending = [(s["Resource"], condition) for action, s, condition in grants(role) if action == "sqs:SendMessage"]
    wanted = [({"Fn::GetAtt": f"{queue}.Arn"}, None) for queue in SENDS_TO[role]]
    assert sorted(sending, key=str) == sorted(wanted, key=str)


@pytest.mark.parametrize(
    ("role", "queue", "log"), [("OperatorRole", "Queue", "LogGroup"), ("SweepRole", "SweepQueue", "SweepLogGroup")]
)
def test_function_reads_its_own_queue_and_writes_its_own_log(role, queue, log):
    assert granting(role, "sqs:ReceiveMessage")["Resource"] == {"Fn::GetAtt": f"{queue}.Arn"}
    assert granting(role, "logs:PutLogEvents")["Resource"] == {"Fn::GetAtt": f"{log}.Arn"}


def test_the_sweep_reads_this_tables_stream():
    assert granting("SweepRole", "dynamodb:GetRecords")["Resource"] == {"Fn::GetAtt": "Table.StreamArn"}
    assert granting("SweepRole", "dynamodb:ListStreams")["Resource"] == {"Fn::Sub": "${Table.Arn}/stream/*"}


def test_events_are_told_in_our_own_name_on_one_bus():
    statement = granting("OperatorRole", "events:PutEvents")
    assert statement["Condition"] == {"StringEquals": {"events:source": "ecs-sidecar"}}
    assert statement["Resource"]["Fn::Sub"].endswith(":${AWS::AccountId}:event-bus/${EventBusName}")
    assert TEMPLATE["Conditions"]["HasEventBus"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "EventBusName"}, ""]}]}


FUNCTION_ARNS = [{"Fn::GetAtt": "Function.Arn"}, {"Fn::GetAtt": "SweepFunction.Arn"}]


def test_policies_for_people():
    assert granting("ReadStatusPolicy", "lambda:GetFunctionConfiguration")["Resource"] == FUNCTION_ARNS
    assert granting("ReadStatusPolicy", "dynamodb:Query")["Resource"] == {"Fn::GetAtt": "Table.Arn"}
    assert {action for action, _, _ in grants("ReadStatusPolicy")} == {
        "dynamodb:GetItem",
        "dynamodb:Query",
        "lambda:GetFunctionConfiguration",
    }
    assert granting("InvokePolicy", "lambda:InvokeFunction")["Resource"] == FUNCTION_ARNS
    assert {action for action, _, _ in grants("InvokePolicy")} == {"lambda:InvokeFunction"}


def test_policies_for_people_are_given_to_nobody():
    given = {role: RESOURCES[role]["Properties"]["ManagedPolicyArns"] for role in ROLES}
    assert given == {
        "OperatorRole": [{"Ref": "ObservePolicy"}],
        "SweepRole": [{"Ref": "ObservePolicy"}],
        "PolicyWriterRole": [{"Ref": "ReadStatusPolicy"}],
    }
    for name in POLICIES:
        assert not {"Roles", "Users", "Groups"} & set(RESOURCES[name]["Properties"]), name


def test_who_may_become_whom():
    for role in ("OperatorRole", "SweepRole"):
        (statement,) = RESOURCES[role]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Principal"] == {"Service": "lambda.amazonaws.com"}
    (statement,) = RESOURCES["PolicyWriterRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    named = {"Fn::Split": [",", {"Ref": "PolicyWriterPrincipalArns"}]}
    account = {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}
    assert statement["Principal"] == {"AWS": {"Fn::If": ["HasPolicyWriters", named, account]}}
    pattern = TEMPLATE["Parameters"]["PolicyWriterPrincipalArns"]["AllowedPattern"]
    writers = "arn:aws:iam::111122223333:role/platform/writers"
    assert re.fullmatch(pattern, "") and re.fullmatch(pattern, f"{writers},arn:aws-cn:iam::111122223333:user/eve")
    for nobody in ("*", "arn:aws:iam::111122223333:role/*", f"{writers},*", f"{writers},"):
        assert not re.fullmatch(pattern, nobody), nobody


@pytest.mark.parametrize("role", ROLES)
def test_role_is_bounded_and_has_no_name(role):
    properties = RESOURCES[role]["Properties"]
    boundary = ["HasPermissionsBoundary", {"Ref": "PermissionsBoundaryArn"}, {"Ref": "AWS::NoValue"}]
    assert properties["PermissionsBoundary"] == {"Fn::If": boundary}
    assert "RoleName" not in properties, "the stack would need CAPABILITY_NAMED_IAM"


def test_policies_have_no_names():
    for name in POLICIES:
        assert "ManagedPolicyName" not in RESOURCES[name]["Properties"], name


def test_execution_policy_grants_pulling_one_image_and_no_more():
    assert {action for action, _, _ in grants("ExecutionPolicy")} == PULLS_AND_FILLS


@pytest.mark.parametrize("name", [*ROLES, *POLICIES])
def test_only_the_sidecars_own_repository_can_be_reached(name):
    for action, statement, _ in grants(name):
        if action.startswith("ecr:") and action not in WITHOUT_RESOURCE:
            assert statement["Resource"] == REPOSITORY, action


def test_ecr_may_make_its_own_role_and_no_other():
    statement = granting("OperatorRole", "iam:CreateServiceLinkedRole")
    assert statement["Condition"] == {"StringEquals": {"iam:AWSServiceName": "pullthroughcache.ecr.amazonaws.com"}}


def test_each_write_needs_its_parameter():
    conditions = TEMPLATE["Conditions"]
    may_write = {"Condition": "MayWrite"}
    assert conditions["MayWarm"] == {
        "Fn::And": [may_write, {"Fn::Not": [{"Fn::Equals": [{"Ref": "ImageCache"}, "observe"]}]}]
    }
    assert conditions["MayCreateRule"] == {"Fn::And": [may_write, {"Fn::Equals": [{"Ref": "ImageCache"}, "create"]}]}
    assert conditions["MovesServices"] == {
        "Fn::And": [may_write, {"Fn::Equals": [{"Ref": "RolloutServices"}, "true"]}]
    }
    assert TEMPLATE["Parameters"]["RolloutServices"]["Default"] == "false"
    assert conditions["MayCreateLogGroups"] == {
        "Fn::And": [may_write, {"Fn::Equals": [{"Ref": "LogGroups"}, "create"]}]
    }


@pytest.mark.parametrize("name", [*ROLES, *POLICIES])
def test_only_listed_writes_are_on_everything(name):
    for action, statement, _ in grants(name):
        assert "*" not in action
        if "*" in template.as_list(statement["Resource"]) and not READS.search(action):
            assert UNBOUNDED_WRITES[action] in statement["Condition"]["StringEquals"]


@pytest.mark.parametrize("name", [*ROLES, *POLICIES])
def test_every_statement_allows_and_has_a_name(name):
    for document in documents(name):
        statements = [statement for statement, _ in template.statements(document)]
        for statement in statements:
            assert statement["Effect"] == "Allow"
            assert "NotAction" not in statement and "NotResource" not in statement
        assert len({statement["Sid"] for statement in statements}) == len(statements)


def test_roles_go_to_tasks_only():
    statement = granting("OperatorRole", "iam:PassRole")
    assert statement["Condition"] == {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
    assert statement["Resource"]["Fn::Sub"].endswith(":role/${RolePattern}")


def test_only_listed_policies_can_be_attached():
    statement = granting("OperatorRole", "iam:AttachRolePolicy")
    assert set(statement["Condition"]) == {"ArnEquals"}, "nothing that is true when the key is missing"
    listed = json.dumps(statement["Condition"]["ArnEquals"]["iam:PolicyARN"])
    assert '{"Ref": "ExecutionPolicy"}' in listed and '{"Ref": "TaskPolicyArns"}' in listed
    assert "*" not in listed
    assert re.fullmatch(TEMPLATE["Parameters"]["TaskPolicyArns"]["AllowedPattern"], "arn:aws:iam::aws:policy/*") is None


def test_attaching_needs_both_parameters():
    conditions = TEMPLATE["Conditions"]
    assert conditions["MayWrite"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "Mode"}, "audit"]}]}
    assert conditions["MayAttach"] == {
        "Fn::And": [{"Condition": "MayWrite"}, {"Fn::Equals": [{"Ref": "Permissions"}, "attach"]}]
    }


def test_tagging_is_for_registrations_only():
    statement = granting("OperatorRole", "ecs:TagResource")
    assert statement["Condition"] == {"StringEquals": {"ecs:CreateAction": "RegisterTaskDefinition"}}


def test_services_are_moved_and_nothing_else_is_done_to_them():
    services = {"Fn::Sub": "arn:${AWS::Partition}:ecs:${AWS::Region}:${AWS::AccountId}:service/*"}
    for role, action in [
        ("OperatorRole", "ecs:UpdateService"),
        ("OperatorRole", "ecs:DescribeServices"),
        ("OperatorRole", "ecs:ListServiceDeployments"),
        ("SweepRole", "ecs:DescribeServices"),
    ]:
        assert granting(role, action)["Resource"] == services, (role, action)


def test_queues_take_messages_of_the_rules_only():
    register, deregister, schedule, queue, sweeps, letters = (
        {"Fn::GetAtt": f"{name}.Arn"}
        for name in ("RegisterRule", "DeregisterRule", "ScheduleRule", "Queue", "SweepQueue", "DeadLetterQueue")
    )
    at_times = [
        {"Fn::If": [RESOURCES[name]["Condition"], {"Fn::GetAtt": f"{name}.Arn"}, {"Ref": "AWS::NoValue"}]}
        for name in ("TaskRule", "ServiceRule", "DeploymentRule")
    ]
    taken = {"QueuePolicy": [([queue, letters], [register, deregister, *at_times]), ([letters], [schedule])]}
    taken["SweepQueuePolicy"] = [([sweeps], [schedule])]
    for name, wanted in taken.items():
        statements = RESOURCES[name]["Properties"]["PolicyDocument"]["Statement"]
        for statement in statements:
            assert statement["Principal"] == {"Service": "events.amazonaws.com"}
            assert statement["Action"] == "sqs:SendMessage" and set(statement["Condition"]) == {"ArnEquals"}
        assert wanted == [
            (template.as_list(s["Resource"]), template.as_list(s["Condition"]["ArnEquals"]["aws:SourceArn"]))
            for s in statements
        ]
    queues = [RESOURCES[name]["Properties"]["Queues"] for name in taken]
    assert queues == [[{"Ref": "Queue"}, {"Ref": "DeadLetterQueue"}], [{"Ref": "SweepQueue"}]]


@pytest.mark.parametrize("rule", ["RegisterRule", "DeregisterRule", "ServiceRule", "DeploymentRule", "TaskRule"])
def test_the_transformer_gives_json_and_nothing_of_the_definition(rule):
    (target,) = RESOURCES[rule]["Properties"]["Targets"]
    transformer = target["InputTransformer"]
    text = transformer["InputTemplate"]
    for name in AS_JSON.get(rule, ()):
        text = text.replace(f": <{name}>", f': "<{name}>"')
    body = json.loads(text)
    assert body == {name: f"<{name}>" for name in transformer["InputPathsMap"]}
    assert set(transformer["InputPathsMap"].values()) <= PASSED_ON


def test_every_parameter_is_used_described_and_grouped():
    text = json.dumps({k: TEMPLATE[k] for k in ("Conditions", "Resources")})
    grouped = [p for g in TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"] for p in g["Parameters"]]
    assert sorted(grouped) == sorted(TEMPLATE["Parameters"])
    for name, parameter in TEMPLATE["Parameters"].items():
        assert f'"{name}"' in text or f"${{{name}}}" in text, f"{name} is not used"
        assert parameter["Description"]


def test_no_partition_is_written_out():
    for name, resource in RESOURCES.items():
        text = json.dumps(resource["Properties"])
        assert "arn:aws:" not in text and "arn:aws-" not in text, name


# --- the rules' patterns, by an engine that was compared with AWS's own ---

OPERATOR = f"arn:aws:iam::{ACCOUNT}:role/operator"
REVISION = {"taskDefinition": {"family": "web", "taskDefinitionArn": "arn:aws:ecs:eu-west-1:1:task-definition/web:1"}}


def matches(ministack, rule, event):
    pattern = RESOURCES[rule]["Properties"]["EventPattern"]
    text = json.dumps(pattern).replace(json.dumps({"Fn::GetAtt": "OperatorRole.Arn"}), json.dumps(OPERATOR))
    assert "Fn::" not in text and len(text) <= 2048
    return ministack.client("events").test_event_pattern(EventPattern=text, Event=json.dumps(event))["Result"]


def event(ministack, name="RegisterTaskDefinition", issuer=f"arn:aws:iam::{ACCOUNT}:role/ci/deployer", **more):
    return call_event(ministack, name, {"family": "web"}, REVISION, issuer=issuer, **more)


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        ("RegisterRule", "RegisterTaskDefinition"),
        ("DeregisterRule", "DeregisterTaskDefinition"),
        ("ServiceRule", "CreateService"),
        ("ServiceRule", "UpdateService"),
    ],
)
class TestPattern:
    def test_role(self, ministack, rule, name):
        assert matches(ministack, rule, event(ministack, name))

    def test_iam_user_has_no_issuer(self, ministack, rule, name):
        assert matches(ministack, rule, event(ministack, name, issuer=None))

    def test_own_role(self, ministack, rule, name):
        assert not matches(ministack, rule, event(ministack, name, issuer=OPERATOR))

    def test_failed_call(self, ministack, rule, name):
        assert not matches(ministack, rule, event(ministack, name, error="ClientException"))

    def test_null_error_code_counts_as_one(self, ministack, rule, name):
        told = event(ministack, name)
        told["detail"]["errorCode"] = None
        assert not matches(ministack, rule, told)

    def test_response_that_cloudtrail_left_out(self, ministack, rule, name):
        told = event(ministack, name)
        del told["detail"]["responseElements"]
        assert matches(ministack, rule, told)

    def test_other_calls(self, ministack, rule, name):
        assert not matches(ministack, rule, event(ministack, "RunTask"))


SERVICE = {"serviceArn": f"arn:aws:ecs:eu-west-1:{ACCOUNT}:service/prod/web", "deployments": [{"id": "ecs-svc/1"}]}


@pytest.mark.parametrize(("state", "wanted"), [("COMPLETED", True), ("FAILED", True), ("IN_PROGRESS", False)])
def test_the_end_of_a_deployment_is_told(ministack, state, wanted):
    assert matches(ministack, "DeploymentRule", deployment_state_change(ministack, SERVICE, state)) == wanted


@pytest.mark.parametrize(
    ("code", "wanted"), [("TaskFailedToStart", True), ("EssentialContainerExited", False), ("UserInitiated", False)]
)
def test_a_task_that_failed_to_start_is_told(ministack, code, wanted):
    service = {**SERVICE, "taskDefinition": REVISION["taskDefinition"]["taskDefinitionArn"]}
    told = task_stopped(ministack, service, [{"name": "web"}], code=code)
    assert matches(ministack, "TaskRule", told) == wanted


@pytest.mark.parametrize(
    ("window", "taken"),
    [
        ("", True),
        ("22:00-04:00", True),
        ("Sat:22:00-Mon:04:00,12:00-13:00", True),
        ("Sat:22:00-04:00", False),
        ("22:00", False),
        ("24:00-25:00", False),
    ],
)
def test_a_window_that_the_functions_would_refuse_is_refused(window, taken):
    pattern = TEMPLATE["Parameters"]["RolloutWindow"]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, window)) == taken
