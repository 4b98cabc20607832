"""Code and templates, both ways: what a function calls its role grants, and what a role grants somebody calls.

`harness/calls.py` is the table between them. Here it is held to the sources and to the templates; tests/python/emulator/test_calls.py
holds it to the linked programs, and to what they send.
"""

import re

import botocore.session
import pytest
from harness import template
from harness.calls import (
    FOR_A_LOG,
    FOR_A_QUEUE,
    FOR_A_STREAM,
    PLANNED_ONLY,
    PULL,
    PULLS,
    READ_BLOB,
    SENDS,
    actions_of,
)
from harness.rights import Rights
from harness.sources import PREFIXES, called_in
from harness.stack import REPOSITORY_ROOT

ON = {"Mode": "optOut", "Permissions": "attach", "ImageCache": "create", "LogGroups": "create", "RolloutServices": "true"}
OPERATOR = Rights(template.load(), **ON)
MACRO = Rights(template.load(REPOSITORY_ROOT / "infra/cloudformation/macro.yaml"), TableName="table")
# Who calls as whom, and what Lambda does beside that with the same role.
BY_ROLE = {
    (OPERATOR, "OperatorRole"): (SENDS["reconcile"], FOR_A_QUEUE | FOR_A_LOG),
    (OPERATOR, "SweepRole"): (SENDS["sweep"], FOR_A_QUEUE | FOR_A_STREAM | FOR_A_LOG),
    (MACRO, "FunctionRole"): (SENDS["macro"], FOR_A_LOG),
    # The program in people's hands: status, policies and the switch; reconcile and sweep. And whoever deploys by the macro.
    (OPERATOR, "ReadStatusPolicy"): ({"dynamodb:GetItem", "dynamodb:Query", "lambda:GetFunctionConfiguration"}, set()),
    (OPERATOR, "InvokePolicy"): ({"lambda:Invoke"}, set()),
    (OPERATOR, "PolicyWriterRole"): (
        {"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "lambda:GetFunctionConfiguration"},
        set(),
    ),
    (MACRO, "InvokePolicy"): ({"lambda:Invoke"}, set()),
    (OPERATOR, "ExecutionPolicy"): (set(), PULLS),
}
README = (REPOSITORY_ROOT / "README.md").read_text()
PAGES = ["README.md", "SECURITY.md", "docs/pipelines.md", "docs/runbook.md", "docs/doctor.md", "docs/reasons.md"]
# What the crates say of it that the doctor takes from them: crates/aws/src/{ecs,image,logs}.rs.
DOCTOR_BORROWS = {
    "ecs:DescribeTaskDefinition",
    "ecr:DescribePullThroughCacheRules",
    "ecr:DescribeImages",
    "ecr:BatchGetImage",
    "ecr:BatchCheckLayerAvailability",
    "ecr:GetAuthorizationToken",
    "ecr:GetLifecyclePolicy",
    "logs:DescribeLogGroups",
    READ_BLOB,
}
# Actions that no operation has the name of, and condition keys.
NO_OPERATIONS = {
    "ecr:BatchImportUpstreamImage",
    "iam:PassRole",
    "lambda:InvokeFunction",
    "iam:PassedToService",
    "iam:PolicyARN",
}
NEEDS_NO_RIGHT = {"sts:GetCallerIdentity"}  # IAM/latest/UserGuide: nobody can be denied it


def operations(prefix):
    """The names of all operations of a service, by its prefix in IAM."""
    services = {prefix: service for service, prefix in PREFIXES.items()}
    return set(botocore.session.get_session().get_service_model(services.get(prefix, prefix)).operation_names)


def needed(calls):
    return {action for call in calls for action in actions_of(call)}


@pytest.mark.parametrize(("rights", "role"), BY_ROLE, ids=lambda value: value if isinstance(value, str) else "")
def test_what_is_called_is_granted_and_what_is_granted_is_called(rights, role):
    calls, by_lambda = BY_ROLE[rights, role]
    wanted, granted = needed(calls) | by_lambda, rights.actions(role)
    assert wanted - granted == set(), "called, and not granted"
    assert granted - wanted == set(), "granted, and called by nobody"


def test_every_role_and_policy_is_looked_at():
    for rights, path in ((OPERATOR, "operator.yaml"), (MACRO, "macro.yaml")):
        resources = template.load(REPOSITORY_ROOT / "infra" / "cloudformation" / path)["Resources"]
        granting = {name for name, one in resources.items() if one["Type"] in ("AWS::IAM::Role", "AWS::IAM::ManagedPolicy")}
        # ObservePolicy is looked at as a part of the roles that have it.
        assert granting - {"ObservePolicy"} == {role for of, role in BY_ROLE if of is rights}


def test_lambda_reads_for_the_functions_what_the_templates_say():
    resources = template.load()["Resources"].values()
    sources = [one["Properties"] for one in resources if one["Type"] == "AWS::Lambda::EventSourceMapping"]
    read = sorted((one["FunctionName"]["Ref"], one["EventSourceArn"]["Fn::GetAtt"]) for one in sources)
    assert read == [("Function", "Queue.Arn"), ("SweepFunction", "SweepQueue.Arn"), ("SweepFunction", "Table.StreamArn")]
    macro = template.load(REPOSITORY_ROOT / "infra/cloudformation/macro.yaml")["Resources"].values()
    assert not [one for one in macro if one["Type"] == "AWS::Lambda::EventSourceMapping"]


def test_every_call_of_the_table_is_one_of_aws():
    for call in set().union(*SENDS.values(), PLANNED_ONLY, DOCTOR_BORROWS) - {PULL, READ_BLOB}:
        service, operation = call.split(":")
        assert operation in operations(service), call


def test_the_sources_make_these_calls_and_no_others():
    """What the shell could send, some function sends; detaching is the program's alone (`permissions prune`)."""
    calls = called_in(REPOSITORY_ROOT / "crates/aws/src")
    functions = set().union(*SENDS.values()) - {PULL, READ_BLOB}
    assert calls - functions == {"iam:DetachRolePolicy"}
    assert functions - calls == set()
    for function in ("host", *SENDS):
        assert called_in(REPOSITORY_ROOT / "functions" / function) == set(), "functions call AWS through crates/aws"


def test_what_a_sweep_only_plans_it_may_not_do():
    assert not PLANNED_ONLY & SENDS["sweep"]
    # SendMessage to a queue is all that the two have in common of what writes.
    for call in PLANNED_ONLY - {PULL}:
        assert not actions_of(call) & OPERATOR.actions("SweepRole"), call


def actions_in(text):
    """The actions that a text names: `ecs:UpdateService`, `ecs:Describe{Services,TaskDefinition}`."""
    found = set()
    for service, before, names in re.findall(r"\b([a-z0-9]+):([A-Z]?\w*)(?:\{([\w,\s]+)\})?", text):
        for name in names.split(",") if names else [""]:
            found.add(f"{service}:{before}{name.strip()}")
    return {action for action in found if re.fullmatch(r"[a-z0-9]+:[A-Z][A-Za-z]+", action)}


def listed(begin, end):
    """The actions that the README lists between these words."""
    (text,) = re.findall(rf"{begin}\s(.*?){end}", README, re.DOTALL)
    return actions_in(text)


def test_the_readme_lists_what_the_doctor_asks_for():
    calls = (called_in(REPOSITORY_ROOT / "crates/doctor/src") | DOCTOR_BORROWS) - NEEDS_NO_RIGHT
    assert listed("The permissions it asks for:", "\n\n") == needed(calls)


def test_the_readme_lists_what_looking_for_pins_asks_for():
    calls = called_in(REPOSITORY_ROOT / "crates/cli/src/status/pinned") | {"ecs:DescribeTaskDefinition"}
    assert listed("is not looked at. It asks for", "besides") == needed(calls)


def test_the_readme_lists_what_taking_permissions_back_asks_for():
    asked = {"iam:ListAttachedRolePolicies", "iam:DetachRolePolicy", "dynamodb:PutItem"}
    assert listed("writes with your own credentials:", "on the table") == asked
    assert {action for action in asked if action.startswith("iam:")} < called_in(REPOSITORY_ROOT / "crates/aws/src")


@pytest.mark.parametrize("page", PAGES)
def test_every_action_that_a_page_names_is_one(page):
    for action in actions_in((REPOSITORY_ROOT / page).read_text()) - NO_OPERATIONS:
        service, operation = action.split(":")
        assert operation in operations(service), f"{page}: {action}"
