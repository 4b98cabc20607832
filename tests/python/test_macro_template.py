"""What infra/cloudformation/macro.yaml grants and sets, proved on the template itself."""

import re

from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER
from harness import template
from harness.stack import REPOSITORY_ROOT

FOLDER = REPOSITORY_ROOT / "infra" / "cloudformation"
TEMPLATE = template.load(FOLDER / "macro.yaml")
OPERATOR = template.load(FOLDER / "operator.yaml")
RESOURCES = TEMPLATE["Resources"]
# All that the function may call, and on which condition of the stack. Adding here asks who could be hurt by it.
GRANTED = {
    "logs:CreateLogStream": None,
    "logs:PutLogEvents": None,
    "ecr:DescribePullThroughCacheRules": None,
    "ecr:GetAuthorizationToken": None,
    "ecr:DescribeImages": None,
    "ecr:BatchGetImage": None,
    "ecr:BatchCheckLayerAvailability": None,
    "ecr:GetDownloadUrlForLayer": None,
    "ecr:GetLifecyclePolicy": None,
    "dynamodb:Query": "HasTable",
    "dynamodb:GetItem": "HasTable",
}
WITHOUT_RESOURCE = {"ecr:GetAuthorizationToken", "ecr:DescribePullThroughCacheRules"}
ROWS = {"dynamodb:Query": ["standing"], "dynamodb:GetItem": ["image", "rollout"]}


def properties(name):
    return RESOURCES[name]["Properties"]


def grants():
    """(action, statement, condition of the stack) of all that the function's role may."""
    (policy,) = properties("FunctionRole")["Policies"]
    return [
        (action, statement, condition)
        for statement, condition in template.statements(policy["PolicyDocument"])
        for action in template.as_list(statement["Action"])
    ]


def test_the_role_reads_and_writes_its_log():
    granted = [(action, condition) for action, _, condition in grants()]
    assert len(granted) == len(dict(granted)) and dict(granted) == GRANTED
    assert "ManagedPolicyArns" not in properties("FunctionRole") and "RoleName" not in properties("FunctionRole")
    for action, statement, _ in grants():
        assert statement["Effect"] == "Allow"
        if action.startswith("logs:"):
            assert statement["Resource"] == {"Fn::GetAtt": "LogGroup.Arn"}


def test_only_the_sidecars_own_repository_and_the_operators_table_can_be_read():
    observe = OPERATOR["Resources"]["ObservePolicy"]["Properties"]["PolicyDocument"]
    (image,) = [s for s, _ in template.statements(observe) if s["Sid"] == "ObserveImage"]
    for action, statement, _ in grants():
        if action in WITHOUT_RESOURCE:
            assert statement["Resource"] == "*"
        elif action.startswith("ecr:"):
            assert statement["Resource"] == image["Resource"]
        elif action in ROWS:
            assert statement["Resource"]["Fn::Sub"].endswith(":${AWS::AccountId}:table/${TableName}")
            assert statement["Condition"] == {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ROWS[action]}}


def test_what_both_stacks_take_is_the_same():
    differing = {"Description", "Default"}
    ours, theirs = TEMPLATE["Parameters"], OPERATOR["Parameters"]
    shared = set(ours) & set(theirs) - {"CodeKey"}
    assert len(shared) > 15
    for name in shared:
        assert {k: v for k, v in ours[name].items() if k not in differing} == {
            k: v for k, v in theirs[name].items() if k not in differing
        }, name
        assert ours[name].get("Default") == theirs[name].get("Default"), name


def test_the_function_is_told_what_the_operator_is_told():
    ours = properties("Function")["Environment"]["Variables"]
    theirs = OPERATOR["Resources"]["Function"]["Properties"]["Environment"]["Variables"]
    own = {"ECS_SIDECAR_TABLE", "ECS_SIDECAR_EXECUTION_POLICY_ARN", "ECS_SIDECAR_ROLE_ARN"}
    assert set(ours) - own <= set(theirs)
    for name in set(ours) - own:
        assert ours[name] == theirs[name], name
    assert ours["ECS_SIDECAR_TABLE"] == {"Ref": "TableName"}
    assert ours["ECS_SIDECAR_EXECUTION_POLICY_ARN"] == {"Ref": "ExecutionPolicyArn"}
    assert ours["ECS_SIDECAR_ROLE_ARN"] == {"Fn::GetAtt": "FunctionRole.Arn"}


def test_cloudformation_of_this_account_may_call_the_function_that_the_macro_names():
    assert properties("Macro")["FunctionName"] == {"Fn::GetAtt": "Function.Arn"}
    assert properties("InvokePermission") == {
        "FunctionName": {"Fn::GetAtt": "Function.Arn"},
        "Action": "lambda:InvokeFunction",
        "Principal": "cloudformation.amazonaws.com",
        "SourceAccount": {"Ref": "AWS::AccountId"},
    }
    (statement,) = properties("InvokePolicy")["PolicyDocument"]["Statement"]
    assert (statement["Action"], statement["Resource"]) == ("lambda:InvokeFunction", {"Fn::GetAtt": "Function.Arn"})


def test_the_function_has_its_own_code_and_log():
    function = properties("Function")
    assert function["LoggingConfig"] == {"LogGroup": {"Ref": "LogGroup"}}
    assert TEMPLATE["Parameters"]["CodeKey"]["Default"] == "macro-x86_64.zip"
    assert properties("LogGroup")["RetentionInDays"] == {"Ref": "LogRetentionDays"}


def test_every_member_is_spelled_as_cloudformation_does():
    """The spellings that the templates' Rust test writes down, against the resource's own schema."""
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", "AWS::ECS::TaskDefinition").schema
    lines = (REPOSITORY_ROOT / "crates" / "template" / "tests" / "spellings.txt").read_text().splitlines()
    missing = [path for path in (line.split(" ")[1] for line in lines) if not stands_in(schema, schema, path)]
    assert len(lines) > 100 and not missing


def stands_in(schema, node, path):
    for part in re.findall(r"[^.\[\]]+", path):
        if part not in node.get("properties", {}):
            return False
        node = resolve(schema, node["properties"][part])
    return True


def resolve(schema, node):
    """A node of the schema behind its reference, an array's items included."""
    while "$ref" in node or node.get("type") == "array":
        node = node["items"] if node.get("type") == "array" else schema["definitions"][node["$ref"].rsplit("/", 1)[1]]
    return node


# Lengths of what is no parameter, at the most, as for the operator's functions.
LONGEST = {"AWS::StackName": 54, "AWS::AccountId": 12, "RegistryId": 12, "FunctionRole.Arn": 39 + 64}
# Quotes and the ends of lines of a document have two characters in the JSON that Lambda measures.
ESCAPED = 1.15


def longest(value):
    """The most characters that a variable may come to have."""
    value = value["Fn::If"][1] if "Fn::If" in value else value
    name = value.get("Ref") or value["Fn::GetAtt"]
    if name in LONGEST:
        return LONGEST[name]
    parameter = TEMPLATE["Parameters"][name]
    most = max(map(len, parameter["AllowedValues"])) if "AllowedValues" in parameter else parameter["MaxLength"]
    return most * (ESCAPED if name == "Policy" else 1)


def test_the_longest_environment_is_one_that_lambda_takes():
    variables = properties("Function")["Environment"]["Variables"]
    assert sum(len(name) + longest(value) + len('"":"",') for name, value in variables.items()) <= 4096
