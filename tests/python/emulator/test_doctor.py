"""`ecs-sidecar doctor` against the emulator: each thing that it finds is broken once, and found.

Every test has a VPC, roles and a service of its own, healthy but for what the test breaks. The pure tests in
`crates/core/src/doctor/tests` break what cannot be broken here.

What ministack is not like AWS in:
- DescribeVpcEndpoints takes no filters and tells no private DNS, groups or policy; the wire adds the last three.
- Rules of security groups lose their prefix lists; the wire gives them back.
- An endpoint is always `available`; its other states are left to the pure tests.
- SimulatePrincipalPolicy knows no boundaries and no condition that was not met: `boundaryDenies` and a result that depends
  on the request are left to the pure tests. It never fails for a policy that does not exist.
- A trail of one other Region is not described here but listed, as in AWS.
- Subnets, route tables and groups are those of AWS as far as the doctor looks.
"""

import json
import re
import subprocess

import judge
import pytest
from harness.closed_vpc import (
    ALLOW_ALL,
    EXECUTION_POLICY,
    REGION,
    XRAY_POLICY,
    ClosedVpc,
    EndpointWire,
    Region,
    https,
    put_image,
)
from harness.ministack import free_port
from harness.stack import REPOSITORY_ROOT
from harness.waiting import until

TEMPLATE = REPOSITORY_ROOT / "infra" / "cloudformation" / "endpoints.yaml"
ALL = ALLOW_ALL["Statement"][0]
TRAIL = "doctor-audit"


@pytest.fixture(scope="module")
def wire(ministack):
    with EndpointWire(ministack) as running:
        yield running


@pytest.fixture(scope="module")
def region(wire, ministack):
    """What a Region has once: the sidecar's image, and a trail."""
    judge.need_binary()

    region = Region(wire, ministack.account)
    put_image(region.client("ecr"))
    cloudtrail = region.client("cloudtrail")
    cloudtrail.create_trail(Name=TRAIL, S3BucketName="audit")
    cloudtrail.start_logging(Name=TRAIL)
    return region


@pytest.fixture
def world(region, family):
    """A VPC and a service of the test's own."""
    return ClosedVpc(region, family)


@pytest.fixture
def doctor(wire, region):
    """Runs the program; returns exit code, answer and standard error."""

    def doctor(*options, text=False, **environment):
        known = {
            "AWS_ENDPOINT_URL": wire.endpoint,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": region.account,
            "AWS_SECRET_ACCESS_KEY": "emulator",
            "HOME": "/nonexistent",
        }
        environment = {k: v for k, v in {**known, **environment}.items() if v is not None}
        command = [str(judge.BINARY.resolve()), "doctor", *options, *([] if text else ["--format", "json"])]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout if text or not done.stdout else json.loads(done.stdout), done.stderr

    return doctor


def leaves(finding):
    """All findings without children."""
    children = finding.get("children", [])
    return [leaf for child in children for leaf in leaves(child)] if children else [finding]


def codes(answer):
    """The distinct codes of an answer."""
    return sorted({leaf["code"] for leaf in leaves(answer) if "code" in leaf})


# --- what is in order ---------------------------------------------------------------------------------------------------------


def test_a_healthy_service_lacks_nothing(doctor, world):
    code, answer, err = doctor("--service", f"doctor/{world.name}")
    assert (code, codes(answer), err) == (0, [], "")
    assert (answer["state"], answer["region"], answer["account"]) == ("ok", REGION, world.account)
    assert answer["totals"]["ok"] > 30 and answer["totals"]["missing"] == 0


def test_nothing_is_ever_written(doctor, world, wire):
    before = len(wire.calls)
    doctor("--service", f"doctor/{world.name}")
    asked = {call.action for call in wire.calls[before:]}
    assert len(asked) > 15
    assert all(re.match("Describe|List|Get|BatchGet|Simulate", action) for action in asked), asked


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


# --- one thing broken at a time -----------------------------------------------------------------------------------------------


def dns_off(attribute):
    return lambda w: w.client("ec2").modify_vpc_attribute(VpcId=w.vpc, **{attribute: {"Value": False}})


def without(service):
    return lambda w: w.client("ec2").delete_vpc_endpoints(VpcEndpointIds=[w.endpoints[service]])


def modified(service, **changes):
    return lambda w: w.client("ec2").modify_vpc_endpoint(VpcEndpointId=w.endpoints[service], **changes)


def routed(world, **target):
    world.client("ec2").create_route(
        RouteTableId=world.route_table, DestinationCidrBlock="0.0.0.0/0", **target
    )


def other_route_table(world):
    ec2 = world.client("ec2")
    table = ec2.create_route_table(VpcId=world.vpc)["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(RouteTableId=table, SubnetId=world.subnets[1])


def interface_for_s3(world):
    without("s3")(world)
    world.client("ec2").create_vpc_endpoint(
        VpcId=world.vpc,
        ServiceName=f"com.amazonaws.{REGION}.s3",
        VpcEndpointType="Interface",
        SubnetIds=world.subnets,
        SecurityGroupIds=[world.endpoint_group],
    )


def inbound(world, *permissions):
    ec2 = world.client("ec2")
    ec2.revoke_security_group_ingress(GroupId=world.endpoint_group, IpPermissions=[world.from_tasks])
    if permissions:
        ec2.authorize_security_group_ingress(GroupId=world.endpoint_group, IpPermissions=list(permissions))


def not_out(world, permission):
    world.client("ec2").revoke_security_group_egress(GroupId=world.task_group, IpPermissions=[permission])


def detach(world, role, policy):
    world.client("iam").detach_role_policy(RoleName=role, PolicyArn=policy)


def delete_task_role(world):
    detach(world, world.task_role, XRAY_POLICY)
    world.client("iam").delete_role(RoleName=world.task_role)


def only_on_instances(world):
    world.client("ecs").create_service(
        cluster="doctor", serviceName=f"{world.name}-bridge", taskDefinition=world.register(
            requiresCompatibilities=["EC2"], networkMode="bridge"
        ), desiredCount=0, launchType="EC2"
    )


PASS_TRACES = {"Effect": "Allow", "Principal": "*", "Action": "xray:PutTraceSegments", "Resource": "*"}
DENY_TRACES = {"Effect": "Deny", "Principal": "*", "Action": "xray:Put*", "Resource": "*"}
OWN_BUCKET = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "arn:aws:s3:::own/*"}
OWN_ORGANIZATION = {**ALL, "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}}

BROKEN = {
    "dns-support": (dns_off("EnableDnsSupport"), "dnsSupportOff"),
    "dns-hostnames": (dns_off("EnableDnsHostnames"), "dnsHostnamesOff"),
    "no-ecr-api": (without("ecr.api"), "endpointMissing"),
    "no-ecr-dkr": (without("ecr.dkr"), "endpointMissing"),
    "no-s3": (without("s3"), "endpointMissing"),
    "no-logs": (without("logs"), "endpointMissing"),
    "no-xray": (without("xray"), "endpointMissing"),
    "private-dns": (modified("ecr.dkr", PrivateDnsEnabled=False), "privateDnsOff"),
    "route-table": (other_route_table, "gatewayNotRouted"),
    "s3-interface": (interface_for_s3, "interfaceForS3"),
    "closed": (lambda w: inbound(w), "endpointClosed"),
    "other-port": (
        lambda w: inbound(w, {**w.from_tasks, "FromPort": 80, "ToPort": 80}),
        "endpointClosed",
    ),
    "part-of-a-subnet": (lambda w: inbound(w, https(IpRanges=[{"CidrIp": "10.7.1.0/25"}])), "rulesUnclear"),
    "tasks-closed": (lambda w: not_out(w, w.to_endpoints), "tasksClosed"),
    "tasks-closed-to-s3": (lambda w: not_out(w, w.to_s3), "tasksClosedToS3"),
    "policy-denies": (lambda w: w.policy("xray", ALL, DENY_TRACES), "endpointPolicyDenies"),
    "policy-excludes-sampling": (lambda w: w.policy("xray", PASS_TRACES), "endpointPolicyExcludes"),
    "policy-excludes-layers": (lambda w: w.policy("s3", OWN_BUCKET), "endpointPolicyExcludes"),
    "policy-has-conditions": (lambda w: w.policy("ecr.api", OWN_ORGANIZATION), "endpointPolicyUnclear"),
    "no-task-role": (lambda w: w.use(taskRoleArn=None), "noTaskRole"),
    "no-execution-role": (lambda w: w.use(executionRoleArn=None), "noExecutionRole"),
    "role-gone": (delete_task_role, "roleMissing"),
    # A role of that name is here, since ministack looks for roles by their names alone.
    "role-elsewhere": (lambda w: w.use(taskRoleArn=f"arn:aws:iam::999988887777:role/{w.task_role}"), "roleOtherAccount"),
    "role-lacks-policy": (lambda w: detach(w, w.task_role, XRAY_POLICY), "roleLacksPolicy"),
    "role-lacks-pull": (lambda w: detach(w, w.execution_role, EXECUTION_POLICY), "roleLacksAction"),
    "no-log-group": (lambda w: w.client("logs").delete_log_group(logGroupName=w.log_group), "logGroupMissing"),
    "one-zone": (
        lambda w: modified("logs", RemoveSubnetIds=[w.subnets[1]])(w),
        "endpointInOtherZone",
    ),
    "no-zone": (lambda w: modified("logs", RemoveSubnetIds=w.subnets)(w), "endpointWithoutSubnets"),
}
NOT_MISSING = {"interfaceForS3", "rulesUnclear", "endpointPolicyUnclear", "roleOtherAccount", "endpointInOtherZone"}


@pytest.mark.parametrize(("break_it", "wanted"), BROKEN.values(), ids=BROKEN)
def test_what_is_broken_is_found_and_nothing_else(doctor, world, break_it, wanted):
    break_it(world)
    code, answer, err = doctor("--service", f"doctor/{world.name}")
    assert codes(answer) == [wanted], err
    assert code == (0 if wanted in NOT_MISSING else 1)
    found = [leaf for leaf in leaves(answer) if leaf.get("code") == wanted]
    assert code == 0 or all(leaf["mend"] for leaf in found)


@pytest.mark.parametrize(
    ("target", "wanted"),
    [({"NatGatewayId": "nat-0123456789abcdef0"}, "internetRoute"), ({"TransitGatewayId": "tgw-0a"}, "endpointElsewhere")],
    ids=["nat", "transit-gateway"],
)
def test_with_another_way_out_endpoints_are_not_missing(doctor, world, target, wanted):
    routed(world, **target)
    without("xray")(world)
    code, answer, _ = doctor("--service", f"doctor/{world.name}")
    assert (code, codes(answer)) == (0, [wanted])


def test_a_role_of_policies_of_its_own_is_judged_by_the_simulation(doctor, world):
    iam = world.client("iam")
    detach(world, world.task_role, XRAY_POLICY)
    own = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "xray:*", "Resource": "*"}]}
    iam.put_role_policy(RoleName=world.task_role, PolicyName="own", PolicyDocument=json.dumps(own))
    assert doctor("--service", f"doctor/{world.name}")[:1] == (0,)


def test_secrets_need_their_endpoint(doctor, world):
    (container,) = world.client("ecs").describe_task_definition(taskDefinition=world.name)["taskDefinition"][
        "containerDefinitions"
    ]
    secret = {"name": "TOKEN", "valueFrom": f"arn:aws:secretsmanager:{REGION}:{world.account}:secret:token"}
    world.use(containerDefinitions=[{**container, "secrets": [secret]}])
    code, answer, _ = doctor("--service", f"doctor/{world.name}")
    assert (code, codes(answer)) == (1, ["endpointMissing"])
    assert "SecretsManager=create" in json.dumps(answer)


def test_tasks_in_their_instances_network_are_not_looked_for(doctor, world):
    only_on_instances(world)
    code, answer, _ = doctor("--service", f"doctor/{world.name}-bridge")
    assert (code, codes(answer)) == (0, ["instanceNetwork"])
    code, answer, _ = doctor("--service", f"doctor/{world.name}-bridge", "--vpc", world.vpc)
    assert code == 1 and "endpointMissing" in codes(answer), "the agents' endpoints are not there"


def test_on_instances_their_role_stands_in_for_roles(doctor, world):
    world.register(requiresCompatibilities=["EC2"], networkMode="bridge", taskRoleArn=None, executionRoleArn=None)
    code, answer, _ = doctor("--family", world.name)
    assert (code, codes(answer)) == (0, ["instancePulls", "instanceRole"])


def test_a_policy_that_attaches_what_nobody_knows_is_not_judged(doctor, world, tmp_path):
    preset = (REPOSITORY_ROOT / "crates/core/presets/xray-daemon.yaml").read_text()
    own = f"arn:aws:iam::{world.account}:policy/own"
    policy = tmp_path / "policy.yaml"
    policy.write_text(preset.replace("    taskRole:\n", f"    taskRole:\n      - {own}\n"))
    world.client("iam").attach_role_policy(RoleName=world.task_role, PolicyArn=own)
    code, answer, err = doctor("--service", f"doctor/{world.name}", "--policy", str(policy))
    assert (code, codes(answer)) == (0, ["unknownPermissions"]), err


# --- the image and the trail, which a Region has once ---------------------------------------------------------------------------


def test_an_image_that_is_not_there_is_missing(doctor, world):
    code, answer, _ = doctor("--service", f"doctor/{world.name}", "--cache-prefix", "elsewhere")
    assert (code, codes(answer)) == (1, ["imageMissing"])
    (missing,) = [leaf for leaf in leaves(answer) if leaf["state"] == "missing"]
    assert missing["mend"].endswith(f"{REGION}.amazonaws.com/elsewhere/xray/aws-xray-daemon:3.x")


def test_an_image_for_the_other_architecture_is_missing(doctor, world):
    put_image(world.client("ecr"), "arm-only/xray/aws-xray-daemon", ["arm64"])
    code, answer, _ = doctor("--service", f"doctor/{world.name}", "--cache-prefix", "arm-only")
    assert (code, codes(answer)) == (1, ["imageArchitectureMissing"])
    world.use(runtimePlatform={"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"})
    assert doctor("--service", f"doctor/{world.name}", "--cache-prefix", "arm-only")[0] == 0


def test_a_single_image_does_not_say_for_which_architecture(doctor, world):
    ecr = world.client("ecr")
    ecr.create_repository(repositoryName="single/xray/aws-xray-daemon")
    ecr.put_image(
        repositoryName="single/xray/aws-xray-daemon",
        imageTag="3.x",
        imageManifest=json.dumps({"schemaVersion": 2, "config": {}, "layers": []}),
    )
    code, answer, _ = doctor("--service", f"doctor/{world.name}", "--cache-prefix", "single")
    assert (code, codes(answer)) == (0, ["imageArchitectureUnknown"])


def trail_off(cloudtrail):
    cloudtrail.stop_logging(Name=TRAIL)
    return lambda: cloudtrail.start_logging(Name=TRAIL)


def reads_only(cloudtrail):
    selectors = [{"ReadWriteType": "ReadOnly", "IncludeManagementEvents": True}]
    cloudtrail.put_event_selectors(TrailName=TRAIL, EventSelectors=selectors)
    return lambda: cloudtrail.put_event_selectors(
        TrailName=TRAIL, EventSelectors=[{"ReadWriteType": "All", "IncludeManagementEvents": True}]
    )


def narrowed(cloudtrail):
    fields = [
        {"Field": "eventCategory", "Equals": ["Management"]},
        {"Field": "eventName", "Equals": ["RegisterTaskDefinition"]},
    ]
    selectors = [{"Name": "own", "FieldSelectors": fields}]
    cloudtrail.put_event_selectors(TrailName=TRAIL, AdvancedEventSelectors=selectors)
    return lambda: cloudtrail.put_event_selectors(
        TrailName=TRAIL, EventSelectors=[{"ReadWriteType": "All", "IncludeManagementEvents": True}]
    )


def gone(cloudtrail):
    cloudtrail.delete_trail(Name=TRAIL)

    def undo():
        cloudtrail.create_trail(Name=TRAIL, S3BucketName="audit")
        cloudtrail.start_logging(Name=TRAIL)

    return undo


@pytest.mark.parametrize(
    ("break_it", "wanted"),
    [
        (trail_off, "trailNotLogging"),
        (reads_only, "trailWithoutWrites"),
        (narrowed, "trailUnclear"),
        (gone, "noTrail"),
    ],
    ids=["off", "reads-only", "narrowed", "gone"],
)
def test_without_a_trail_that_logs_writes_no_event_comes(doctor, world, break_it, wanted):
    undo = break_it(world.client("cloudtrail"))
    try:
        code, answer, _ = doctor("--family", world.name)
    finally:
        undo()
    assert (code, codes(answer)) == (0 if wanted == "trailUnclear" else 1, [wanted])
    assert doctor("--family", world.name)[0] == 0


def test_a_trail_of_another_region_does_not_help(doctor, world):
    code, answer, _ = doctor("--vpc", world.vpc, AWS_REGION="eu-west-3")
    assert (code, answer) == (2, ""), "there is no such VPC there"


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
    detach(world, world.execution_role, EXECUTION_POLICY)
    iam.put_role_policy(RoleName=world.execution_role, PolicyName="own", PolicyDocument=json.dumps(allowed))
    code, answer, _ = doctor("--family", world.name, **credentials)
    assert (code, codes(answer)) == (0, ["boundaryUnclear", "notSeen", "roleUnclear"])
    assert boundary in json.dumps(answer)


# --- what mends ---------------------------------------------------------------------------------------------------------------------


def test_the_command_that_mends_creates_what_is_missing(doctor, world):
    for service in world.endpoints:
        without(service)(world)
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


def findings(finding):
    """A finding and all below it."""
    return [finding, *(below for child in finding.get("children", []) for below in findings(child))]


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
