"""A stand-in for AWS: the project's fake behind TLS, a port for each service, with what a deployed stack would find there.

Knows: ecs-fake, the stack's environment, and what an account has whose families are to be injected. Must not know: what is
measured.
"""

import json
import subprocess
import time
import uuid
from pathlib import Path

import boto3
import botocore
import trustme
from botocore.config import Config

from .place import ACCOUNT, FAKE, KEYS, REGION

# As the SDKs name them in AWS_ENDPOINT_URL_...; the queue is asked only by what waits.
SERVICES = ("ECS", "IAM", "ECR", "DYNAMODB", "EVENTBRIDGE", "CLOUDWATCH_LOGS", "SQS")

OPERATOR_ROLE = f"arn:aws:iam::{ACCOUNT}:role/stack/operator"
TASK_ROLE, EXECUTION_ROLE = "app/web", "app/pull"
TASK_POLICY = "arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess"
EXECUTION_POLICY = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
TABLE, QUEUE, BUS, LOG_GROUP = "operator", "operator", "operator", "/web"

# What infra/cloudformation/operator.yaml gives the function, with its defaults but for two: the bus, since without one no
# event is sent, and the share, so wide that families that come at once do not wait for each other.
OPERATOR = {
    "ECS_SIDECAR_MODE": "optIn",
    "ECS_SIDECAR_CACHE": "create",
    "ECS_SIDECAR_CACHE_PREFIX": "ecr-public",
    "ECS_SIDECAR_LOG_GROUPS": "create",
    "ECS_SIDECAR_TABLE": TABLE,
    "ECS_SIDECAR_EXECUTION_POLICY_ARN": EXECUTION_POLICY,
    "ECS_SIDECAR_ALLOWED_POLICY_ARNS": TASK_POLICY,
    "ECS_SIDECAR_ALLOWED_ROLES": "app/*",
    "ECS_SIDECAR_ALLOWED_UPSTREAMS": "public.ecr.aws/xray/aws-xray-daemon",
    "ECS_SIDECAR_ROLE_ARN": OPERATOR_ROLE,
    "ECS_SIDECAR_ACCOUNT_ID": ACCOUNT,
    "ECS_SIDECAR_SWEEP_SHARE": "100000",
    "ECS_SIDECAR_EVENT_BUS": BUS,
    "ECS_SIDECAR_STACK": "bench",
    "ECS_SIDECAR_LOG": "info",
}


class Certificates:
    """A certificate for the loopback interface with a chain as AWS's endpoints have it (RSA, one authority between), and a
    bundle of roots as large as anybody's, with ours among them."""

    def __init__(self, folder):
        root = trustme.CA(key_type=trustme.KeyType.RSA)
        leaf = root.create_child_ca(key_type=trustme.KeyType.RSA)
        leaf = leaf.issue_cert("127.0.0.1", "localhost", key_type=trustme.KeyType.RSA)
        self.server, self.bundle = Path(folder, "server.pem"), Path(folder, "roots.pem")
        leaf.private_key_and_cert_chain_pem.write_to_path(self.server)
        roots = Path(botocore.__file__).with_name("cacert.pem").read_bytes()
        self.bundle.write_bytes(roots + root.cert_pem.bytes())


class Aws:
    """An account, to be used with `with`. `latency_ms` is what each answer takes beside the work; `calls` is a file that
    gets a line for each call."""

    def __init__(self, certificates, latency_ms=0, calls=None):
        self._certificates = certificates
        self._calls = calls
        self._process = None
        image = "ecr-public/xray/aws-xray-daemon:3.x"
        self._command = [FAKE, "--region", REGION, "--tls", certificates.server, "--ports", len(SERVICES)]
        self._command += ["--latency", latency_ms, "--role", TASK_ROLE, "--role", EXECUTION_ROLE, "--image", image]
        self._command += ["--table", TABLE, "--queue", QUEUE, "--bus", BUS]
        self._command += ["--calls", calls] if calls else []

    def __enter__(self):
        command = [str(word) for word in self._command]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        urls = [self._process.stdout.readline().strip() for _ in SERVICES]
        if not all(urls):
            self.__exit__()
            raise RuntimeError("ecs-fake did not start")
        self.endpoints = dict(zip(SERVICES, urls, strict=True))
        self._arrange()
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.communicate()

    def environment(self):
        """What a function needs to find and trust it, on top of the operator's settings."""
        return {
            **KEYS,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "SSL_CERT_FILE": str(self._certificates.bundle),
            "AWS_CA_BUNDLE": str(self._certificates.bundle),
            "ECS_SIDECAR_QUEUE_URL": f"{self.endpoints['SQS']}/{ACCOUNT}/{QUEUE}",
            **{f"AWS_ENDPOINT_URL_{service}": url for service, url in self.endpoints.items()},
            **OPERATOR,
        }

    def client(self, service, name):
        """A client of boto3; `name` is the service's in SERVICES."""
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=self.endpoints[name],
            aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
            verify=str(self._certificates.bundle),
            config=Config(retries={"total_max_attempts": 1}, parameter_validation=False),
        )

    def _arrange(self):
        """What was there before: the roles have their policies, the image is in the cache, the log group is made."""
        self._ecs = self.client("ecs", "ECS")
        iam = self.client("iam", "IAM")
        for role, policy in ((TASK_ROLE, TASK_POLICY), (EXECUTION_ROLE, EXECUTION_POLICY)):
            iam.attach_role_policy(RoleName=role.split("/")[1], PolicyArn=policy)
        self.client("ecr", "ECR").create_pull_through_cache_rule(
            ecrRepositoryPrefix="ecr-public", upstreamRegistryUrl="public.ecr.aws"
        )
        self.client("logs", "CLOUDWATCH_LOGS").create_log_group(logGroupName=LOG_GROUP)

    def register(self, family):
        """Registers the measured definition under that name; returns the SQS event that its registration brings."""
        answer = self._ecs.register_task_definition(**definition(family))
        return event(family, answer["taskDefinition"]["taskDefinitionArn"])

    def newest(self, family):
        """The family's newest ACTIVE revision, as ECS describes it."""
        return self._ecs.describe_task_definition(taskDefinition=family, include=["TAGS"])

    def row(self, family):
        """The family's row in the operator's table."""
        table = self.client("dynamodb", "DYNAMODB")
        return table.get_item(TableName=TABLE, Key={"kind": {"S": "family"}, "id": {"S": family}})["Item"]

    def take_calls(self):
        """The calls so far, `service:Operation target`, in their order; the next ones begin anew."""
        text = self._calls.read_text()
        with open(self._calls, "r+b") as file:
            file.truncate(0)
        return text.replace("\0", "").splitlines()


def definition(family):
    """The definition that is measured: an app behind a proxy on Fargate, some 3 KB."""
    logs = {"awslogs-group": LOG_GROUP, "awslogs-region": REGION}
    parameter = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/web"
    container = lambda name, **more: {  # noqa: E731
        "name": name,
        "image": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{name}:7",
        "logConfiguration": {"logDriver": "awslogs", "options": {**logs, "awslogs-stream-prefix": name}},
        **more,
    }
    return {
        "family": family,
        "requiresCompatibilities": ["FARGATE"],
        "networkMode": "awsvpc",
        "cpu": "512",
        "memory": "1024",
        "taskRoleArn": f"arn:aws:iam::{ACCOUNT}:role/{TASK_ROLE}",
        "executionRoleArn": f"arn:aws:iam::{ACCOUNT}:role/{EXECUTION_ROLE}",
        "containerDefinitions": [
            container(
                "web",
                cpu=256,
                memoryReservation=256,
                essential=True,
                portMappings=[{"containerPort": 8080, "protocol": "tcp"}],
                environment=[{"name": f"SETTING_{n}", "value": f"value number {n}"} for n in range(20)],
                secrets=[{"name": f"SECRET_{n}", "valueFrom": f"{parameter}/{n}"} for n in range(5)],
                healthCheck={"command": ["CMD-SHELL", "curl -f http://localhost:8080/ || exit 1"], "interval": 10},
                ulimits=[{"name": "nofile", "softLimit": 65536, "hardLimit": 65536}],
            ),
            container(
                "proxy",
                cpu=64,
                memoryReservation=64,
                essential=True,
                portMappings=[{"containerPort": 80, "protocol": "tcp"}],
                dependsOn=[{"containerName": "web", "condition": "HEALTHY"}],
                mountPoints=[{"sourceVolume": "cache", "containerPath": "/var/cache/nginx"}],
            ),
        ],
        "volumes": [{"name": "cache"}],
        "tags": [{"key": "ecs-sidecar/inject", "value": "true"}, {"key": "team", "value": "web"}],
    }


def event(family, arn):
    """What SQS brings to the function when somebody has registered that revision, as bytes."""
    body = {
        "account": ACCOUNT,
        "region": REGION,
        "id": str(uuid.uuid4()),
        "name": "RegisterTaskDefinition",
        "family": family,
        "requestFamily": family,
        "arn": arn,
        "issuer": f"arn:aws:iam::{ACCOUNT}:role/ci/deployer",
        "errorCode": "",
    }
    sent = str(int(time.time() * 1000))
    record = {
        "messageId": str(uuid.uuid4()),
        "receiptHandle": "AQEB" + "x" * 360,
        "body": json.dumps(body),
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": sent,
            "SenderId": "AIDAEXAMPLE",
            "ApproximateFirstReceiveTimestamp": sent,
        },
        "messageAttributes": {},
        "md5OfBody": "0" * 32,
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{QUEUE}",
        "awsRegion": REGION,
    }
    return json.dumps({"Records": [record]}).encode()
