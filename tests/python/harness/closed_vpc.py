"""A VPC without internet in which a Fargate service with the X-Ray daemon has all it needs, made anew for each test.

`EndpointWire` stands between everybody and the emulator, and gives DescribeVpcEndpoints what ministack forgets: whether
private DNS is on, the security groups and the policy. Likewise prefix lists of security groups, of which ministack keeps a
rule for nobody. Whatever makes or changes them has to go through it.
"""

import html
import json
import re
import urllib.parse

import boto3
from botocore.config import Config

from .owners import TRUST
from .wire import Wire

# Trails, services and images of the other tests are in another Region.
REGION = "eu-north-1"
TRAIL = "doctor-audit"
XRAY_POLICY = "arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess"
EXECUTION_POLICY = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
ALLOW_ALL = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]}
SERVICES = ("ecr.api", "ecr.dkr", "logs", "xray")


RULE_FOR_NOBODY = re.compile(
    r"<ipRanges></ipRanges>\s*<ipv6Ranges></ipv6Ranges>\s*<prefixListIds></prefixListIds><groups></groups>"
)


class EndpointWire(Wire):
    """A wire on which endpoints and groups keep all that they were made with."""

    def __init__(self, ministack, ecr):
        super().__init__(ministack, ecr)
        self._told = {}
        self._list = None

    def _forward(self, method, path, headers, body):
        status, answer_headers, answer = super()._forward(method, path, headers, body)
        form = dict(urllib.parse.parse_qsl(body.decode(errors="replace")))
        action = form.get("Action")
        if status == 200 and action in ("CreateVpcEndpoint", "ModifyVpcEndpoint"):
            self._keep(form, answer.decode())
        elif status == 200 and action == "AuthorizeSecurityGroupEgress":
            lists = [value for key, value in form.items() if key.endswith(".PrefixListId")]
            self._list = lists[0] if lists else self._list
        elif status == 200 and action == "DescribeSecurityGroups" and self._list:
            named = f"<prefixListIds><item><prefixListId>{self._list}</prefixListId></item></prefixListIds>"
            answer = RULE_FOR_NOBODY.sub(named, answer.decode()).encode()
        elif status == 200 and action == "DescribeVpcEndpoints":
            answer = re.sub(r"<vpcEndpointId>(.*?)</vpcEndpointId>", self._tell, answer.decode()).encode()
        return status, answer_headers, answer

    def _keep(self, form, answer):
        endpoint = form.get("VpcEndpointId") or re.search(r"<vpcEndpointId>(.*?)<", answer)[1]
        told = self._told.setdefault(endpoint, {"policy": json.dumps(ALLOW_ALL), "dns": "false", "groups": []})
        told["policy"] = form.get("PolicyDocument", told["policy"])
        told["dns"] = form.get("PrivateDnsEnabled", told["dns"])
        told["groups"] = [v for k, v in form.items() if k.startswith("SecurityGroupId.")] or told["groups"]

    def _tell(self, found):
        told = self._told.get(found[1])
        if told is None:
            return found[0]
        groups = "".join(f"<item><groupId>{group}</groupId></item>" for group in told["groups"])
        return (
            f"{found[0]}<privateDnsEnabled>{told['dns']}</privateDnsEnabled><groupSet>{groups}</groupSet>"
            f"<policyDocument>{html.escape(told['policy'], quote=False)}</policyDocument>"
        )


class Region:
    """The clients of a Region over a wire."""

    def __init__(self, wire, account, name=REGION):
        self.account, self.name = account, name
        self._wire = wire
        self._clients = {}

    def client(self, service):
        """A client of `service`; made once, since making one takes longer than a call."""
        if service not in self._clients:
            self._clients[service] = boto3.client(
                service,
                endpoint_url=self._wire.endpoint,
                region_name=self.name,
                aws_access_key_id=self.account,
                aws_secret_access_key="emulator",
                config=Config(retries={"max_attempts": 1}, proxies={}),
            )
        return self._clients[service]


class ClosedVpc:
    """Two closed subnets, endpoints, and a service of `name` in them. What a test breaks is named by its attributes."""

    def __init__(self, region, name):
        self.account, self.name = region.account, name
        self.client = region.client
        ec2 = self.client("ec2")
        self.vpc = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
        for attribute in ("EnableDnsSupport", "EnableDnsHostnames"):
            ec2.modify_vpc_attribute(VpcId=self.vpc, **{attribute: {"Value": True}})
        self.subnets = [
            ec2.create_subnet(VpcId=self.vpc, CidrBlock=f"10.7.{n}.0/24", AvailabilityZone=f"{REGION}{zone}")["Subnet"][
                "SubnetId"
            ]
            for n, zone in ((1, "a"), (2, "b"))
        ]
        of_vpc = [{"Name": "vpc-id", "Values": [self.vpc]}]
        (self.route_table,) = [t["RouteTableId"] for t in ec2.describe_route_tables(Filters=of_vpc)["RouteTables"]]
        self._make_groups()
        self.endpoints = {service: self._make_endpoint(service) for service in SERVICES}
        self.endpoints["s3"] = ec2.create_vpc_endpoint(
            VpcId=self.vpc,
            ServiceName=f"com.amazonaws.{REGION}.s3",
            VpcEndpointType="Gateway",
            RouteTableIds=[self.route_table],
        )["VpcEndpoint"]["VpcEndpointId"]
        self._make_service()

    def _make_groups(self):
        ec2 = self.client("ec2")
        self.task_group, self.endpoint_group = [
            ec2.create_security_group(GroupName=name, Description=name, VpcId=self.vpc)["GroupId"]
            for name in ("tasks", "endpoints")
        ]
        lists = ec2.describe_prefix_lists(
            Filters=[{"Name": "prefix-list-name", "Values": [f"com.amazonaws.{REGION}.s3"]}]
        )["PrefixLists"]
        self.s3_list = lists[0]["PrefixListId"]
        # A group is made with a rule that lets all out.
        everything = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
        ec2.revoke_security_group_egress(GroupId=self.task_group, IpPermissions=[everything])
        self.to_endpoints = https(UserIdGroupPairs=[{"GroupId": self.endpoint_group}])
        self.to_s3 = https(PrefixListIds=[{"PrefixListId": self.s3_list}])
        self.from_tasks = https(UserIdGroupPairs=[{"GroupId": self.task_group}])
        ec2.authorize_security_group_egress(GroupId=self.task_group, IpPermissions=[self.to_endpoints, self.to_s3])
        ec2.authorize_security_group_ingress(GroupId=self.endpoint_group, IpPermissions=[self.from_tasks])

    def _make_endpoint(self, service):
        return self.client("ec2").create_vpc_endpoint(
            VpcId=self.vpc,
            ServiceName=f"com.amazonaws.{REGION}.{service}",
            VpcEndpointType="Interface",
            SubnetIds=self.subnets,
            SecurityGroupIds=[self.endpoint_group],
            PrivateDnsEnabled=True,
        )["VpcEndpoint"]["VpcEndpointId"]

    def _make_service(self):
        iam, ecs = self.client("iam"), self.client("ecs")
        self.task_role, self.execution_role = f"{self.name[:58]}-task", f"{self.name[:58]}-exec"
        for role, policy in ((self.task_role, XRAY_POLICY), (self.execution_role, EXECUTION_POLICY)):
            iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(TRUST))
            iam.attach_role_policy(RoleName=role, PolicyArn=policy)
        self.log_group = f"/doctor/{self.name}"
        self.client("logs").create_log_group(logGroupName=self.log_group)
        ecs.create_cluster(clusterName="doctor")
        self.register()
        ecs.create_service(
            cluster="doctor",
            serviceName=self.name,
            taskDefinition=self.name,
            desiredCount=0,
            launchType="FARGATE",
            networkConfiguration={
                "awsvpcConfiguration": {
                    "subnets": self.subnets,
                    "securityGroups": [self.task_group],
                    "assignPublicIp": "DISABLED",
                }
            },
        )

    def register(self, **changes):
        """Registers the definition with some members changed; None takes one away."""
        definition = {
            "family": self.name,
            "requiresCompatibilities": ["FARGATE"],
            "networkMode": "awsvpc",
            "cpu": "256",
            "memory": "1024",
            "taskRoleArn": f"arn:aws:iam::{self.account}:role/{self.task_role}",
            "executionRoleArn": f"arn:aws:iam::{self.account}:role/{self.execution_role}",
            "containerDefinitions": [
                {
                    "name": "web",
                    "image": "web:7",
                    "logConfiguration": {
                        "logDriver": "awslogs",
                        "options": {"awslogs-group": self.log_group, "awslogs-region": REGION, "awslogs-stream-prefix": "app"},
                    },
                }
            ],
            **changes,
        }
        definition = {key: value for key, value in definition.items() if value is not None}
        return self.client("ecs").register_task_definition(**definition)["taskDefinition"]["taskDefinitionArn"]

    def use(self, **changes):
        """The service runs a definition with these changes."""
        self.client("ecs").update_service(cluster="doctor", service=self.name, taskDefinition=self.register(**changes))

    def policy(self, service, *statements):
        """Gives an endpoint another policy."""
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        self.client("ec2").modify_vpc_endpoint(VpcEndpointId=self.endpoints[service], PolicyDocument=document)


def https(**peers):
    """A permission for port 443."""
    return {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, **peers}


def leaves(finding):
    """All of the doctor's findings without children."""
    return [found for found in findings(finding) if not found.get("children")]


def findings(finding):
    """A finding and all below it."""
    return [finding, *(below for child in finding.get("children", []) for below in findings(child))]


def codes(answer):
    """The distinct codes of an answer of the doctor."""
    return sorted({leaf["code"] for leaf in leaves(answer) if "code" in leaf})
