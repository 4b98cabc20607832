"""`ecs-sidecar doctor` against the emulator: what it answers, what it may not see, what mends, and wrong inputs."""

import json
import re

import pytest
from harness import template
from harness.closed_vpc import EXECUTION_POLICY, REGION, codes, findings, https, leaves
from harness.ministack import free_port
from harness.stack import REPOSITORY_ROOT
from harness.waiting import until

TEMPLATE = REPOSITORY_ROOT / "infra" / "cloudformation" / "endpoints.yaml"


# --- what is in order ---------------------------------------------------------------------------------------------------------


def test_a_healthy_service_lacks_nothing(doctor, world):
    code, answer, err = doctor("--service", f"doctor/{world.name}")
    assert (code, codes(answer), err) == (0, [], "")
    assert (answer["state"], answer["region"], answer["account"]) == ("ok", REGION, world.account)
    assert answer["totals"]["ok"] > 30 and answer["totals"]["missing"] == 0


def test_nothing_is_ever_written(doctor, world, endpoint_wire):
    before = len(endpoint_wire.calls)
    doctor("--service", f"doctor/{world.name}")
    asked = {call.action for call in endpoint_wire.calls[before:]}
    assert len(asked) > 15
    assert all(re.match("Describe|List|Get|BatchGet|BatchCheck|Simulate", action) for action in asked), asked


def test_the_tree_for_people_ends_with_totals_and_says_how_to_mend(doctor, world):
    world.client("ec2").delete_vpc_endpoints(VpcEndpointIds=[world.endpoints["xray"]])
    code, text, _ = doctor("--service", f"doctor/{world.name}", text=True)
    assert code == 1 and "\x1b" not in text
    assert re.search(r"^missing +endpoint xray: AWSXRayDaemonWriteAccess on the task role$", text, re.MULTILINE)
    assert "hint: aws cloudformation deploy --template-file infra/cloudformation/endpoints.yaml" in text
    assert re.search(r"^OK +enableDnsSupport: on$", text, re.MULTILINE)
    assert re.search(r"\n\d+ OK, 1 missing, 0 not checked\n$", text)


def test_a_vpc_alone_is_judged_by_its_closed_subnets(doctor, world):
    ec2 = world.client("ec2")
    ec2.authorize_security_group_ingress(
        GroupId=world.endpoint_group, IpPermissions=[https(IpRanges=[{"CidrIp": "10.7.0.0/16"}])]
    )
    code, answer, _ = doctor("--vpc", world.vpc)
    assert (code, codes(answer)) == (0, ["groupsUnknown"])
    code, answer, _ = doctor("--vpc", world.vpc, "--subnets", world.subnets[0], "--family", world.name)
    assert (code, codes(answer)) == (0, ["groupsUnknown"])
    assert world.subnets[1] not in json.dumps(answer)


def test_a_family_alone_has_no_network(doctor, world):
    code, answer, _ = doctor("--family", world.name)
    assert (code, codes(answer)) == (0, [])
    assert not any("endpoint" in leaf["subject"] for leaf in leaves(answer))


# --- what the caller may not see --------------------------------------------------------------------------------------------------


def test_what_the_caller_may_not_see_is_not_checked(doctor, world):
    iam = world.client("iam")
    iam.create_user(UserName=world.name[:60])
    allowed = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": ["ecs:*", "iam:GetRole", "iam:List*"], "Resource": "*"}],
    }
    iam.put_user_policy(UserName=world.name[:60], PolicyName="own", PolicyDocument=json.dumps(allowed))
    key = iam.create_access_key(UserName=world.name[:60])["AccessKey"]
    credentials = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    code, answer, err = doctor("--service", f"doctor/{world.name}", **credentials)
    assert (code, codes(answer)) == (0, ["notSeen"]), err
    unseen = [leaf for leaf in leaves(answer) if leaf.get("code") == "notSeen"]
    assert all("AccessDenied" in leaf["message"] or "Unauthorized" in leaf["message"] for leaf in unseen)
    mends = " ".join(leaf["mend"] for leaf in unseen)
    for action in ("ec2:DescribeSubnets", "ecr:DescribeImages", "logs:DescribeLogGroups", "cloudtrail:DescribeTrails"):
        assert action in mends
    roles = [leaf for leaf in leaves(answer) if "role" in leaf["subject"]]
    assert [role["message"] for role in roles] == ["it has the managed policies"] * 2, "without a simulation"

    boundary = f"arn:aws:iam::{world.account}:policy/boundary-{world.name[:50]}"
    iam.create_policy(PolicyName=boundary.rsplit("/", 1)[1], PolicyDocument=json.dumps(allowed))
    iam.put_role_permissions_boundary(RoleName=world.task_role, PermissionsBoundary=boundary)
    iam.detach_role_policy(RoleName=world.execution_role, PolicyArn=EXECUTION_POLICY)
    iam.put_role_policy(RoleName=world.execution_role, PolicyName="own", PolicyDocument=json.dumps(allowed))
    code, answer, _ = doctor("--family", world.name, **credentials)
    assert (code, codes(answer)) == (0, ["boundaryUnclear", "notSeen", "roleUnclear"])
    assert boundary in json.dumps(answer)


# --- what mends ---------------------------------------------------------------------------------------------------------------------


def test_the_command_that_mends_creates_what_is_missing(doctor, world):
    world.client("ec2").delete_vpc_endpoints(VpcEndpointIds=list(world.endpoints.values()))
    code, answer, _ = doctor("--service", f"doctor/{world.name}")
    assert (code, codes(answer)) == (1, ["endpointMissing"])
    (command,) = [f["mend"] for f in findings(answer) if f["subject"] == "endpoints"]
    assert f" --template-file {TEMPLATE.relative_to(REPOSITORY_ROOT)} " in command
    overrides = command.split("--parameter-overrides ")[1].split(" --")[0]
    stack = command.split("--stack-name ")[1].split()[0]
    cloudformation = world.client("cloudformation")
    cloudformation.create_stack(
        StackName=stack,
        TemplateBody=TEMPLATE.read_text(),
        Parameters=[
            {"ParameterKey": key, "ParameterValue": value} for key, value in (p.split("=", 1) for p in overrides.split())
        ],
    )

    def settled():
        description = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
        return None if description["StackStatus"].endswith("_IN_PROGRESS") else description

    assert until(settled, "the stack to settle")["StackStatus"] == "CREATE_COMPLETE"
    code, answer, _ = doctor("--service", f"doctor/{world.name}")
    # Of endpoints that CloudFormation made, ministack tells neither private DNS nor groups nor policies.
    assert (code, codes(answer)) == (0, ["notSeen"])


def resolved(value, known):
    """A part of the endpoints' template with its narrow policies, and its pseudo parameters filled in."""
    if isinstance(value, list):
        return [resolved(item, known) for item in value]
    if not isinstance(value, dict):
        return value
    if "Fn::Sub" in value:
        return re.sub(r"\$\{(AWS::\w+)\}", lambda name: known[name[1]], value["Fn::Sub"])
    if "Fn::If" in value:
        condition, then, otherwise = value["Fn::If"]
        return resolved({"IsNarrow": then, "HasPrincipalAccounts": otherwise}[condition], known)
    if "Ref" in value:
        return known[value["Ref"]]
    return {key: resolved(item, known) for key, item in value.items()}


def test_the_templates_narrow_policies_let_all_pass_that_a_task_needs(doctor, world):
    known = {"AWS::Partition": "aws", "AWS::Region": REGION, "AWS::AccountId": world.account}
    resources = template.load(TEMPLATE)["Resources"]
    for name, service in {"EcrApi": "ecr.api", "EcrDkr": "ecr.dkr", "S3": "s3", "Logs": "logs", "Xray": "xray"}.items():
        document = resolved(resources[f"{name}Endpoint"]["Properties"]["PolicyDocument"], known)
        assert document["Statement"][0]["Action"] != "*", "it is the narrow one"
        world.policy(service, *document["Statement"])
    assert codes(doctor("--service", f"doctor/{world.name}")[1]) == []


# --- wrong inputs -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], "--service <CLUSTER/NAME>|--vpc <ID>|--family <NAME>"),
        (["--vpc", "vpc-XYZ"], "is not a VPC's id such as"),
        (["--service", "checkout"], "must be CLUSTER/NAME"),
        (["--family", "a b"], "is not a family"),
        (["--family", "a", "--service", "a/b"], "cannot be used with"),
        (["--subnets", "subnet-0a1b2c3d"], "required"),
        (["--vpc", "vpc-0a1b2c3d"], "there is no VPC vpc-0a1b2c3d"),
        (["--service", "doctor/nobody"], "there is no service doctor/nobody"),
        (["--service", "nowhere/nobody"], "there is no cluster nowhere"),
        (["--family", "nobody"], "there is no ACTIVE task definition nobody"),
        (["--family", "a", "--profile", "nope"], "there is no profile nope"),
        (["--family", "a", "--region", "Frankfurt"], "a Region such as"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_input_is_told_as_what_it_is(doctor, world, options, told):
    code, out, err = doctor(*options)
    assert (code, out) == (2, ""), err
    assert told in err


def test_a_policy_or_a_vpc_that_does_not_fit_is_the_inputs_fault(doctor, world):
    code, _, err = doctor("--family", world.name, "--policy", "nope")
    assert code == 1 and "there is no preset" in err
    other = world.client("ec2").create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    code, _, err = doctor("--service", f"doctor/{world.name}", "--vpc", other)
    assert code == 1 and f"runs in {world.vpc}, not in {other}" in err
    code, _, err = doctor("--vpc", other, "--subnets", world.subnets[0])
    assert code == 2 and f"there is no subnet {world.subnets[0]} in {other}" in err


def test_without_aws_or_credentials_it_ends_with_a_hint(doctor, world):
    code, _, err = doctor("--family", world.name, AWS_ENDPOINT_URL=f"http://127.0.0.1:{free_port()}")
    assert code == 2 and "cannot call GetCallerIdentity" in err and "hint:" in err
    code, _, err = doctor("--family", world.name, AWS_ACCESS_KEY_ID=None, AWS_EC2_METADATA_DISABLED="true")
    assert code == 2 and "credential" in err.lower() and "hint:" in err
    code, _, err = doctor("--family", world.name, AWS_REGION=None)
    assert code == 2 and "the Region is not known" in err
