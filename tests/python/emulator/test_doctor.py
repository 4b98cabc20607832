"""`ecs-sidecar doctor` against the emulator: each thing that it finds is broken once, and found.

Every test has a VPC, roles and a service of its own, healthy but for what the test breaks. The pure tests in
`crates/core/src/doctor/tests` break what cannot be broken here.

What ministack is not like AWS in:
- DescribeVpcEndpoints takes no filters and tells no private DNS, groups or policy; the wire adds the last three.
- Rules of security groups lose their prefix lists; the wire gives them back.
- Rules of network ACLs lose their ports, so that these tests deny all of a protocol.
- An endpoint is always `available`; its other states are left to the pure tests.
- SimulatePrincipalPolicy knows no boundaries and no condition that was not met: `boundaryDenies` and a result that depends
  on the request are left to the pure tests. It never fails for a policy that does not exist.
- A trail is made with its logging switched off and with no selectors, as in AWS; selectors are kept as they are given.
- ListTrails knows the trails of its own Region alone, so that `trailElsewhere` is left to the pure tests, as is
  `endpointNotAvailable`.
"""

import json

import pytest
from harness.closed_vpc import (
    ALLOW_ALL,
    EXECUTION_POLICY,
    REGION,
    TRAIL,
    XRAY_POLICY,
    Region,
    codes,
    https,
    leaves,
)
from harness.stack import REPOSITORY_ROOT

ALL = ALLOW_ALL["Statement"][0]


@pytest.fixture
def elsewhere(ministack, endpoint_wire):
    """Clients of another Region."""
    return lambda service: Region(endpoint_wire, ministack.account, "eu-west-3").client(service)


# --- one thing broken at a time -----------------------------------------------------------------------------------------------


def dns_off(attribute):
    return lambda w: w.client("ec2").modify_vpc_attribute(VpcId=w.vpc, **{attribute: {"Value": False}})


def without(service):
    return lambda w: w.client("ec2").delete_vpc_endpoints(VpcEndpointIds=[w.endpoints[service]])


def modified(service, **changes):
    return lambda w: w.client("ec2").modify_vpc_endpoint(VpcEndpointId=w.endpoints[service], **changes)


def routed(world, **target):
    world.client("ec2").create_route(RouteTableId=world.route_table, DestinationCidrBlock="0.0.0.0/0", **target)


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


def denied_by_acl(world, cidr="0.0.0.0/0", egress=True):
    ec2 = world.client("ec2")
    (acl,) = ec2.describe_network_acls(Filters=[{"Name": "vpc-id", "Values": [world.vpc]}])["NetworkAcls"]
    ec2.create_network_acl_entry(
        NetworkAclId=acl["NetworkAclId"], RuleNumber=50, Protocol="-1", RuleAction="deny", Egress=egress, CidrBlock=cidr
    )


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
    "acl-closed": (denied_by_acl, "networkAclClosed"),
    "acl-closed-to-answers": (lambda w: denied_by_acl(w, egress=False), "networkAclClosed"),
    "acl-closed-to-some": (lambda w: denied_by_acl(w, cidr="10.9.0.0/16"), "networkAclPartly"),
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
NOT_MISSING = {
    "interfaceForS3",
    "rulesUnclear",
    "networkAclPartly",
    "endpointPolicyUnclear",
    "roleOtherAccount",
    "endpointInOtherZone",
}


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


def test_tasks_without_groups_have_the_default_one(doctor, world):
    ecs = world.client("ecs")
    network = {"awsvpcConfiguration": {"subnets": world.subnets, "assignPublicIp": "DISABLED"}}
    ecs.update_service(cluster="doctor", service=world.name, networkConfiguration=network)
    code, answer, _ = doctor("--service", f"doctor/{world.name}")
    assert (code, codes(answer)) == (1, ["endpointClosed"]), "it lets all out, but no endpoint lets it in"


def test_a_vpc_without_subnets_has_nothing_to_judge(doctor, world):
    empty = world.client("ec2").create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    world.client("ec2").modify_vpc_attribute(VpcId=empty, EnableDnsHostnames={"Value": True})
    code, answer, _ = doctor("--vpc", empty)
    assert (code, codes(answer)) == (0, ["groupsUnknown", "noSubnets"])


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
    code, answer, _ = doctor("--service", f"doctor/{world.name}", "--cache-prefix", "arm-only")
    assert (code, codes(answer)) == (1, ["imageArchitectureMissing"])
    world.use(runtimePlatform={"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"})
    assert doctor("--service", f"doctor/{world.name}", "--cache-prefix", "arm-only")[0] == 0


def test_an_image_whose_layers_are_not_there_is_missing(doctor, world):
    code, answer, _ = doctor("--service", f"doctor/{world.name}", "--cache-prefix", "half")
    assert (code, codes(answer)) == (1, ["imageArchitectureMissing"])


def test_a_repository_that_another_registry_fills_is_missing(doctor, world, endpoint_wire):
    ecr = endpoint_wire.ecr.client("ecr")
    ecr.create_pull_through_cache_rule(ecrRepositoryPrefix="taken", upstreamRegistryUrl="quay.io")
    code, answer, _ = doctor("--service", f"doctor/{world.name}", "--cache-prefix", "taken")
    assert (code, codes(answer)) == (1, ["cachePrefixTaken"])


def test_a_lifecycle_policy_that_would_delete_a_pinned_image_is_told(doctor, world, endpoint_wire, tmp_path):
    selection = {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 1}
    rules = {"rules": [{"rulePriority": 1, "selection": selection, "action": {"type": "expire"}}]}
    endpoint_wire.ecr.client("ecr").put_lifecycle_policy(
        repositoryName="expiring/xray/aws-xray-daemon", lifecyclePolicyText=json.dumps(rules)
    )
    policy = tmp_path / "pinned.yaml"
    preset = REPOSITORY_ROOT / "crates/core/presets/xray-daemon.yaml"
    policy.write_text(preset.read_text().replace("pin: tag", "pin: digest"))
    options = ("--service", f"doctor/{world.name}", "--cache-prefix", "expiring")
    code, answer, _ = doctor(*options, "--policy", str(policy))
    assert (code, codes(answer)) == (1, ["imageWouldExpire"])
    assert doctor(*options)[0] == 0, "who names the tag minds no such rule"


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


def test_a_trail_of_another_region_does_not_help(doctor, world, elsewhere):
    elsewhere("ecs").register_task_definition(
        family=world.name, containerDefinitions=[{"name": "web", "image": "web:7", "memory": 64}]
    )
    code, answer, err = doctor("--family", world.name, "--region", "eu-west-3")
    assert code == 1 and "noTrail" in codes(answer), err
    (trail,) = [leaf for leaf in leaves(answer) if leaf.get("code") == "noTrail"]
    assert "CreateTrail=true" in trail["mend"]
