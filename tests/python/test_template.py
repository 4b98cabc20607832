"""What the template grants and lets through, proved on the template itself."""

import json
import re

import pytest
from harness import template
from harness.events import call_event
from harness.ministack import ACCOUNT

TEMPLATE = template.load()
RESOURCES = TEMPLATE["Resources"]
FUNCTION = RESOURCES["Function"]["Properties"]
OPERATOR_POLICY = RESOURCES["OperatorRole"]["Properties"]["Policies"][0]["PolicyDocument"]
EXECUTION_POLICY = RESOURCES["ExecutionPolicy"]["Properties"]["PolicyDocument"]

# What the function calls, and on which condition of the stack it may. Adding to the template means adding here, with the
# question who could be hurt by it.
GRANTED = {
    "logs:CreateLogStream": None,
    "logs:PutLogEvents": None,
    "sqs:ReceiveMessage": None,
    "sqs:DeleteMessage": None,
    "sqs:GetQueueAttributes": None,
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
    "ecr:BatchImportUpstreamImage": "MayWarm",
    "ecr:CreateRepository": "MayWarm",
    "ecr:CreatePullThroughCacheRule": "MayCreateRule",
    "iam:CreateServiceLinkedRole": "MayCreateRule",
    "dynamodb:GetItem": None,
    "dynamodb:UpdateItem": "MayWarm",
    "logs:DescribeLogGroups": None,
    "logs:CreateLogGroup": "MayCreateLogGroups",
    "logs:PutRetentionPolicy": "MayCreateLogGroups",
    "ecs:RegisterTaskDefinition": "MayWrite",
    "ecs:DeregisterTaskDefinition": "MayWrite",
    "ecs:TagResource": "MayWrite",
    "iam:PassRole": "MayWrite",
    "iam:AttachRolePolicy": "MayAttach",
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
}
READS = re.compile(r":(Describe|List|Get|BatchGet|BatchCheck)")


def actions(document):
    return {
        action: (statement, condition)
        for statement, condition in template.statements(document)
        for action in template.as_list(statement["Action"])
    }


def test_role_grants_the_calls_of_the_function_and_no_others():
    granted = {action: condition for action, (_, condition) in actions(OPERATOR_POLICY).items()}
    # To the dead-letter queue always, to its own one only where something may have to wait.
    assert granted.pop("sqs:SendMessage") == "MayWarm"
    assert granted == GRANTED


def test_execution_policy_grants_pulling_one_image_and_no_more():
    assert set(actions(EXECUTION_POLICY)) == PULLS_AND_FILLS


@pytest.mark.parametrize("document", [OPERATOR_POLICY, EXECUTION_POLICY], ids=["operator", "execution"])
def test_only_the_sidecars_own_repository_can_be_reached(document):
    for action, (statement, _) in actions(document).items():
        if action.startswith("ecr:") and action not in WITHOUT_RESOURCE:
            assert statement["Resource"] == REPOSITORY, action


def test_a_queue_may_be_written_only_where_something_waits():
    sending = [(s["Sid"], condition) for s, condition in template.statements(OPERATOR_POLICY) if s["Action"] == "sqs:SendMessage"]
    assert sending == [("SetAside", None), ("LookAgain", "MayWarm")]


def test_ecr_may_make_its_own_role_and_no_other():
    statement, _ = actions(OPERATOR_POLICY)["iam:CreateServiceLinkedRole"]
    assert statement["Condition"] == {"StringEquals": {"iam:AWSServiceName": "pullthroughcache.ecr.amazonaws.com"}}


def test_each_write_needs_its_parameter():
    conditions = TEMPLATE["Conditions"]
    may_write = {"Condition": "MayWrite"}
    assert conditions["MayWarm"] == {
        "Fn::And": [may_write, {"Fn::Not": [{"Fn::Equals": [{"Ref": "ImageCache"}, "observe"]}]}]
    }
    assert conditions["MayCreateRule"] == {"Fn::And": [may_write, {"Fn::Equals": [{"Ref": "ImageCache"}, "create"]}]}
    assert conditions["MayCreateLogGroups"] == {
        "Fn::And": [may_write, {"Fn::Equals": [{"Ref": "LogGroups"}, "create"]}]
    }


@pytest.mark.parametrize("document", [OPERATOR_POLICY, EXECUTION_POLICY], ids=["operator", "execution"])
def test_only_listed_writes_are_on_everything(document):
    for action, (statement, _) in actions(document).items():
        assert "*" not in action
        if "*" in template.as_list(statement["Resource"]) and not READS.search(action):
            assert UNBOUNDED_WRITES[action] in statement["Condition"]["StringEquals"]


def test_every_statement_allows():
    for document in (OPERATOR_POLICY, EXECUTION_POLICY):
        for statement, _ in template.statements(document):
            assert statement["Effect"] == "Allow"
            assert "NotAction" not in statement and "NotResource" not in statement


def test_roles_go_to_tasks_only():
    statement, _ = actions(OPERATOR_POLICY)["iam:PassRole"]
    assert statement["Condition"] == {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
    assert statement["Resource"]["Fn::Sub"].endswith(":role/${RolePattern}")


def test_only_listed_policies_can_be_attached():
    statement, _ = actions(OPERATOR_POLICY)["iam:AttachRolePolicy"]
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
    statement, _ = actions(OPERATOR_POLICY)["ecs:TagResource"]
    assert statement["Condition"] == {"StringEquals": {"ecs:CreateAction": "RegisterTaskDefinition"}}


def test_no_message_is_handed_out_twice_while_under_work():
    assert RESOURCES["Queue"]["Properties"]["VisibilityTimeout"] >= 6 * FUNCTION["Timeout"]


def test_failed_messages_end_in_the_dead_letter_queue():
    redrive = RESOURCES["Queue"]["Properties"]["RedrivePolicy"]
    assert redrive == {"deadLetterTargetArn": {"Fn::GetAtt": "DeadLetterQueue.Arn"}, "maxReceiveCount": 5}
    assert RESOURCES["EventSource"]["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_queues_take_messages_of_the_rules_only():
    (statement,) = RESOURCES["QueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert statement["Condition"] == {
        "ArnEquals": {
            "aws:SourceArn": [{"Fn::GetAtt": "RegisterRule.Arn"}, {"Fn::GetAtt": "DeregisterRule.Arn"}]
        }
    }


@pytest.mark.parametrize("rule", ["RegisterRule", "DeregisterRule"])
def test_the_transformer_gives_json_and_nothing_of_the_definition(rule):
    (target,) = RESOURCES[rule]["Properties"]["Targets"]
    transformer = target["InputTransformer"]
    body = json.loads(transformer["InputTemplate"])
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
    [("RegisterRule", "RegisterTaskDefinition"), ("DeregisterRule", "DeregisterTaskDefinition")],
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
        assert not matches(ministack, rule, event(ministack, "UpdateService"))
