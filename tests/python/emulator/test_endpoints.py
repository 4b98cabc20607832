"""infra/cloudformation/endpoints.yaml, deployed: just what the parameters ask for is there, and goes with the stack."""

import pytest
from botocore.exceptions import ClientError
from harness.stack import REPOSITORY_ROOT
from harness.waiting import until

TEMPLATE = (REPOSITORY_ROOT / "infra/cloudformation/endpoints.yaml").read_text()
SERVICES = {
    "EcrApi": "ecr.api",
    "EcrDkr": "ecr.dkr",
    "S3": "s3",
    "Logs": "logs",
    "Xray": "xray",
    "SecretsManager": "secretsmanager",
    "Ssm": "ssm",
    "Kms": "kms",
    "Sts": "sts",
    "Ecs": "ecs",
    "EcsAgent": "ecs-agent",
    "EcsTelemetry": "ecs-telemetry",
}


@pytest.fixture(scope="module")
def vpc(ministack):
    """A VPC with a subnet and a route table, as parameters of the stack."""
    ec2 = ministack.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.7.1.0/24")["Subnet"]["SubnetId"]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    return {"VpcId": vpc, "SubnetIds": subnet, "RouteTableIds": table}


@pytest.fixture
def deploy(ministack, vpc, family):
    """Creates a stack with only these endpoints, and deletes it after the test; returns its outputs."""
    cloudformation = ministack.client("cloudformation")

    def settled():
        description = cloudformation.describe_stacks(StackName=family)["Stacks"][0]
        return None if description["StackStatus"].endswith("_IN_PROGRESS") else description

    def deploy(names, **connecting):
        parameters = {**vpc, **connecting, **{name: "create" if name in names else "exists" for name in SERVICES}}
        cloudformation.create_stack(
            StackName=family,
            TemplateBody=TEMPLATE,
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        )
        description = until(settled, f"stack {family} to settle")
        assert description["StackStatus"] == "CREATE_COMPLETE", description.get("StackStatusReason")
        return {output["OutputKey"]: output["OutputValue"] for output in description["Outputs"]}

    yield deploy
    cloudformation.delete_stack(StackName=family)
    until(lambda: not endpoints(ministack, vpc), "the endpoints to go with their stack")


def endpoints(ministack, vpc):
    """The endpoints of the VPC, by service."""
    there = ministack.client("ec2").describe_vpc_endpoints()["VpcEndpoints"]
    return {endpoint["ServiceName"]: endpoint for endpoint in there if endpoint["VpcId"] == vpc["VpcId"]}


def named(ministack, names):
    return {f"com.amazonaws.{ministack.region}.{SERVICES[name]}" for name in names}


@pytest.mark.parametrize(
    "names",
    [pytest.param(set(SERVICES), id="all"), pytest.param(set(), id="none"), *(pytest.param({n}, id=n) for n in SERVICES)],
)
def test_just_what_is_asked_for_is_created(ministack, vpc, deploy, names):
    outputs = deploy(names, TaskCidr="10.7.0.0/16")
    there = endpoints(ministack, vpc)
    assert set(there) == named(ministack, names)
    assert set(outputs) == {"SecurityGroupId", *(f"{name}EndpointId" for name in names)}
    for service, endpoint in there.items():
        is_gateway = service.endswith(".s3")
        assert endpoint["VpcEndpointType"] == ("Gateway" if is_gateway else "Interface")
        assert endpoint["RouteTableIds"] == ([vpc["RouteTableIds"]] if is_gateway else [])
        assert endpoint["SubnetIds"] == ([] if is_gateway else [vpc["SubnetIds"]])


@pytest.mark.parametrize(
    ("groups", "cidr"), [([], "10.7.0.0/16"), (["sg-0a"], ""), (["sg-0a", "sg-0b", "sg-0c"], "10.7.0.0/16")], ids=str
)
def test_only_those_named_may_connect(ministack, deploy, groups, cidr):
    connecting = {f"TaskSecurityGroup{n}": group for n, group in enumerate(groups, 1)}
    outputs = deploy(set(), **connecting, TaskCidr=cidr)
    group_ids = [outputs["SecurityGroupId"]]
    (group,) = ministack.client("ec2").describe_security_groups(GroupIds=group_ids)["SecurityGroups"]
    rules = group["IpPermissions"]
    assert {(rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) for rule in rules} == {("tcp", 443, 443)}
    assert [pair["GroupId"] for rule in rules for pair in rule["UserIdGroupPairs"]] == groups
    assert [block["CidrIp"] for rule in rules for block in rule["IpRanges"]] == ([cidr] if cidr else [])


def test_endpoints_that_nobody_may_use_are_refused(deploy):
    with pytest.raises(ClientError, match="nobody could use the endpoints"):
        deploy({"Logs"})


def test_a_gateway_without_route_tables_is_refused(deploy):
    with pytest.raises(ClientError, match="Give RouteTableIds"):
        deploy({"S3"}, TaskCidr="10.7.0.0/16", RouteTableIds="")
