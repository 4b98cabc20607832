"""What infra/cloudformation/endpoints.yaml opens, proved on the template itself."""

import json
import re
from pathlib import Path

import pytest
from cfnlint.data import AdditionalSpecs
from cfnlint.decode import cfn_yaml
from cfnlint.helpers import load_resource

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = cfn_yaml.load(str(ROOT / "infra/cloudformation/endpoints.yaml"))
PARAMETERS = TEMPLATE["Parameters"]
RESOURCES = TEMPLATE["Resources"]
# All actions of the service authorization reference, in lower case, as cfn-lint brings them.
DOCUMENTED = load_resource(AdditionalSpecs, "Policies.json")
NO_VALUE = {"Ref": "AWS::NoValue"}

# What passes while Policies is narrow. Adding here asks: who in the VPC could be hurt by it?
PULL = {
    "ecr:GetAuthorizationToken",
    "ecr:BatchCheckLayerAvailability",
    "ecr:GetDownloadUrlForLayer",
    "ecr:BatchGetImage",
    "ecr:BatchImportUpstreamImage",
}
PASSES = {
    "EcrApi": PULL,
    "EcrDkr": PULL,
    "S3": {"s3:GetObject"},
    "Logs": {"logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"},
    "Xray": {
        "xray:PutTraceSegments",
        "xray:PutTelemetryRecords",
        "xray:GetSamplingRules",
        "xray:GetSamplingTargets",
        "xray:GetSamplingStatisticSummaries",
    },
    "SecretsManager": {"secretsmanager:GetSecretValue"},
    "Ssm": {"ssm:GetParameters"},
    "Kms": {"kms:Decrypt"},
    "Sts": {"sts:AssumeRole"},
    "Ecs": {
        "ecs:CreateCluster",
        "ecs:DiscoverPollEndpoint",
        "ecs:RegisterContainerInstance",
        "ecs:DeregisterContainerInstance",
        "ecs:UpdateContainerInstancesState",
        "ecs:SubmitAttachmentStateChanges",
        "ecs:SubmitContainerStateChange",
        "ecs:SubmitTaskStateChange",
        "ecs:TagResource",
    },
    "EcsAgent": None,  # Service Connect's calls are not documented
    "EcsTelemetry": {"ecs:Poll", "ecs:StartTelemetrySession"},
}
NEEDED_BY_EVERY_TASK = {"EcrApi", "EcrDkr", "S3", "Logs", "Xray"}
# Of actions without a resource in IAM, and of ECR, whose images may come from another account's registry.
ON_EVERYTHING = {"ecr", "xray", "ecs"}
GATEWAY = "S3"
INTERFACES = sorted(set(PASSES) - {GATEWAY})


def properties(name):
    """The endpoint that the parameter `name` creates."""
    return RESOURCES[f"{name}Endpoint"]["Properties"]


def statement(name):
    """The one statement of its policy; None if it has no policy."""
    if "PolicyDocument" not in properties(name):
        return None
    condition, document, otherwise = properties(name)["PolicyDocument"]["Fn::If"]
    assert condition == "IsNarrow"
    assert otherwise["Statement"] == [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]
    (only,) = document["Statement"]
    return only


def actions(name):
    """What passes the endpoint while Policies is narrow; None for all."""
    if (only := statement(name)) is None:
        return None
    return {only["Action"]} if isinstance(only["Action"], str) else set(only["Action"])


def test_every_endpoint_has_a_parameter_and_every_parameter_an_endpoint():
    endpoints = {name for name, resource in RESOURCES.items() if resource["Type"] == "AWS::EC2::VPCEndpoint"}
    switches = {name for name, parameter in PARAMETERS.items() if parameter.get("AllowedValues") == ["create", "exists"]}
    assert switches == set(PASSES)
    assert endpoints == {f"{name}Endpoint" for name in switches}
    assert {name for name in switches if PARAMETERS[name]["Default"] == "create"} == NEEDED_BY_EVERY_TASK


@pytest.mark.parametrize("name", PASSES)
def test_a_parameter_switches_its_endpoint_and_its_output(name):
    assert TEMPLATE["Conditions"][f"Create{name}"] == {"Fn::Equals": [{"Ref": name}, "create"]}
    bound = {
        part
        for section in ("Resources", "Outputs")
        for part, body in TEMPLATE[section].items()
        if f'"Create{name}"' in json.dumps(body)
    }
    assert bound == {f"{name}Endpoint", f"{name}EndpointId"}
    assert TEMPLATE["Outputs"][f"{name}EndpointId"]["Value"] == {"Ref": f"{name}Endpoint"}
    assert RESOURCES[f"{name}Endpoint"]["Condition"] == f"Create{name}"


@pytest.mark.parametrize("name", INTERFACES)
def test_an_interface_has_private_dns_and_the_security_group(name):
    endpoint = properties(name)
    assert endpoint["VpcEndpointType"] == "Interface"
    assert endpoint["PrivateDnsEnabled"] is True
    assert endpoint["SubnetIds"] == {"Ref": "SubnetIds"}
    assert endpoint["SecurityGroupIds"] == [{"Ref": "SecurityGroup"}]


def test_the_gateway_is_on_the_given_route_tables():
    endpoint = properties(GATEWAY)
    assert endpoint["VpcEndpointType"] == "Gateway"
    assert endpoint["RouteTableIds"] == {"Fn::Split": [",", {"Ref": "RouteTableIds"}]}
    assert not {"SubnetIds", "SecurityGroupIds", "PrivateDnsEnabled"} & set(endpoint)


@pytest.mark.parametrize("name", PASSES)
def test_only_listed_actions_pass_and_each_is_documented(name):
    assert actions(name) == PASSES[name]
    for action in PASSES[name] or ():
        service, verb = action.split(":")
        assert verb.lower() in DOCUMENTED[service]["Actions"], action


@pytest.mark.parametrize("name", [name for name in INTERFACES if PASSES[name]])
def test_only_identities_of_the_named_accounts_pass(name):
    assert statement(name)["Condition"] == {
        "StringEquals": {
            "aws:PrincipalAccount": {
                "Fn::If": [
                    "HasPrincipalAccounts",
                    {"Fn::Split": [",", {"Ref": "PrincipalAccountIds"}]},
                    {"Ref": "AWS::AccountId"},
                ]
            }
        }
    }


@pytest.mark.parametrize("name", [name for name in PASSES if PASSES[name]])
def test_only_services_without_resources_pass_on_everything(name):
    only = statement(name)
    assert only["Effect"] == "Allow" and not {"NotAction", "NotResource", "NotPrincipal"} & set(only)
    services = {action.split(":")[0] for action in actions(name)}
    assert (only["Resource"] == "*") == (services <= ON_EVERYTHING)


def test_of_s3_only_the_layers_of_images_pass():
    assert statement(GATEWAY)["Resource"] == {
        "Fn::Sub": "arn:${AWS::Partition}:s3:::prod-${AWS::Region}-starport-layer-bucket/*"
    }
    assert "Condition" not in statement(GATEWAY), "ECR signs the URLs, not an identity of ours"


def test_https_comes_in_and_nothing_goes_out():
    group = RESOURCES["SecurityGroup"]["Properties"]
    sources = []
    for rule in group["SecurityGroupIngress"]:
        condition, rule, otherwise = rule["Fn::If"]
        assert otherwise == NO_VALUE and rule["Description"]
        assert (rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) == ("tcp", 443, 443)
        sources.append((condition, rule.get("SourceSecurityGroupId") or rule["CidrIp"]))
    assert sources == [
        *((f"HasGroup{n}", {"Ref": f"TaskSecurityGroup{n}"}) for n in (1, 2, 3)),
        ("HasTaskCidr", {"Ref": "TaskCidr"}),
    ]
    (out,) = group["SecurityGroupEgress"]
    assert out["CidrIp"] == "127.0.0.1/32"


@pytest.mark.parametrize(
    ("parameter", "fits", "does_not"),
    [
        *((f"TaskSecurityGroup{n}", ["", "sg-0a"], ["sg-0a,sg-0b", "sg-0A"]) for n in (1, 2, 3)),
        ("TaskCidr", ["", "10.0.0.0/16", "10.1.2.3/32"], ["0.0.0.0/0", "10.0.0.0", "10.0.0.0/33"]),
        ("RouteTableIds", ["", "rtb-0a,rtb-1b"], ["rtb-0a, rtb-1b"]),
        ("PrincipalAccountIds", ["", "111122223333,444455556666"], ["1111", "*"]),
    ],
)
def test_values_are_checked_before_anything_is_created(parameter, fits, does_not):
    pattern = PARAMETERS[parameter]["AllowedPattern"]
    assert all(re.search(pattern, value) for value in fits)
    assert not any(re.search(pattern, value) for value in does_not)


def test_every_parameter_is_used_described_and_grouped():
    text = json.dumps({section: TEMPLATE[section] for section in ("Conditions", "Resources")})
    groups = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert sorted(p for group in groups for p in group["Parameters"]) == sorted(PARAMETERS)
    for name, parameter in PARAMETERS.items():
        assert f'"{name}"' in text or f"${{{name}}}" in text, f"{name} is not used"
        assert parameter["Description"]


def test_every_partition_has_its_service_names_and_none_is_written_out():
    assert set(TEMPLATE["Mappings"]["ServicePrefix"]) == {
        "aws", "aws-cn", "aws-us-gov", "aws-eusc", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f"
    }
    assert not re.search(r"arn:aws[:-]", json.dumps(RESOURCES))
