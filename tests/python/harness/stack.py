"""The operator's stack, deployed from its template into the emulator.

The template is deployed as it is, by way of a bucket, as it is too long to go with the call. Only what AWS has and the
emulator lacks is added beside it: that bucket, with the code.
"""

import json
import time
from pathlib import Path

from .waiting import until

REPOSITORY_ROOT = Path(__file__).resolve().parents[3]
TEMPLATE = REPOSITORY_ROOT / "infra" / "cloudformation" / "operator.yaml"
CODE_BUCKET = "operator-code"
UPSTREAM = "xray/aws-xray-daemon:3.x"


class DeploymentFailed(AssertionError):
    """CloudFormation did not reach the state that was asked for."""


class Stack:
    """A deployed stack: its outputs, functions, queues, table and logs. The functions speak to AWS over `wire`."""

    def __init__(self, ministack, wire, name, package, sweep_package):
        self.ministack = ministack
        self.wire = wire
        self.name = name
        self.outputs = {}
        self._package = Path(package)
        self._sweep_package = Path(sweep_package)
        self._parameters = {}

    def deploy(self, **parameters):
        """Creates the stack, or updates it with these parameters; those given earlier keep their values."""
        if not self.outputs:
            self._upload()
        self._parameters = {
            "CodeBucket": CODE_BUCKET,
            "CodeKey": self._package.name,
            "SweepCodeKey": self._sweep_package.name,
            "EndpointUrl": self.wire.endpoint,
            **self._parameters,
            **parameters,
        }
        cloudformation = self.ministack.client("cloudformation")
        request = dict(
            StackName=self.name,
            TemplateURL=f"{self.ministack.endpoint}/{CODE_BUCKET}/{TEMPLATE.name}",
            Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in sorted(self._parameters.items())],
            Capabilities=["CAPABILITY_IAM"],
        )
        if self.outputs:
            cloudformation.update_stack(**request)
            wanted = "UPDATE_COMPLETE"
        else:
            cloudformation.create_stack(**request)
            wanted = "CREATE_COMPLETE"
        description = until(self._settled, f"stack {self.name} to settle", seconds=120)
        if description["StackStatus"] != wanted:
            raise DeploymentFailed(f"stack {self.name} is {description['StackStatus']}: {self._why()}")
        self.outputs = {o["OutputKey"]: o["OutputValue"] for o in description["Outputs"]}
        self._give_concurrency_as_a_number()
        role = self.outputs["RoleArn"].rsplit("/", 1)[1]
        self.wire.corrections.caller = (
            f"arn:aws:sts::{self.ministack.account}:assumed-role/{role}/{self.outputs['FunctionName']}"
        )
        return self

    def allow_what_ministack_misreads(self):
        """Takes the conditions off iam:AttachRolePolicy and events:PutEvents: where ministack enforces IAM, it knows neither
        iam:PolicyARN nor events:source, so that the statements would allow nothing. dynamodb:LeadingKeys it does not know
        either, but takes for given. And of a call about a service it takes the cluster for the resource, and for a batch of
        messages it wants an action that AWS does not have. The tests of the template look at all of these instead."""
        iam = self.ministack.client("iam")
        roles = self.ministack.client("cloudformation").describe_stack_resources(StackName=self.name)["StackResources"]
        for name, policy in (("OperatorRole", "operator"), ("SweepRole", "sweep")):
            (role,) = [r["PhysicalResourceId"] for r in roles if r["LogicalResourceId"] == name]
            document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
            for statement in document["Statement"]:
                if statement["Action"] in ("iam:AttachRolePolicy", "events:PutEvents"):
                    del statement["Condition"]
                if statement["Action"] == "sqs:SendMessage":
                    statement["Action"] = ["sqs:SendMessage", "sqs:SendMessageBatch"]
                if ":service" in str(statement["Resource"]):
                    statement["Resource"] = "*"
            iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(document))

    def _settled(self):
        description = self.ministack.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"][0]
        return None if description["StackStatus"].endswith("_IN_PROGRESS") else description

    def _why(self):
        events = self.ministack.client("cloudformation").describe_stack_events(StackName=self.name)["StackEvents"]
        return "; ".join(
            f"{e['LogicalResourceId']}: {e.get('ResourceStatusReason', '')}"
            for e in events
            if e["ResourceStatus"].endswith("FAILED")
        )

    def _give_concurrency_as_a_number(self):
        # A Ref to a Number parameter is text to ministack, and its poller stops at comparing text with a number.
        client = self.ministack.client("lambda")
        for mapping in client.list_event_source_mappings(FunctionName=self.outputs["FunctionName"])["EventSourceMappings"]:
            maximum = int(mapping["ScalingConfig"]["MaximumConcurrency"])
            client.update_event_source_mapping(
                UUID=mapping["UUID"], ScalingConfig={"MaximumConcurrency": maximum}
            )

    def _upload(self):
        s3 = self.ministack.client("s3")
        s3.create_bucket(
            Bucket=CODE_BUCKET, CreateBucketConfiguration={"LocationConstraint": self.ministack.region}
        )
        for path in (self._package, self._sweep_package, TEMPLATE):
            s3.put_object(Bucket=CODE_BUCKET, Key=path.name, Body=path.read_bytes())

    def invoke(self, action, **target):
        """Calls the function by hand, `family=` or `taskDefinition=`; returns its report."""
        return self._invoke("FunctionName", {"action": action, **target})

    def invoke_sweep(self, payload):
        """Calls the sweep by hand; returns its answer."""
        return self._invoke("SweepFunctionName", payload)

    def _invoke(self, function, payload):
        answer = self.ministack.client("lambda").invoke(
            FunctionName=self.outputs[function], Payload=json.dumps(payload).encode()
        )
        body = answer["Payload"].read()
        if "FunctionError" in answer:
            raise AssertionError(f"{function} {payload} failed: {body.decode(errors='replace')}")
        return json.loads(body)

    @property
    def table(self):
        """The operator's table, for its people: what they write there, and what they see."""
        return Table(self.ministack.client("dynamodb"), self.outputs["TableName"])

    def send(self, body):
        """Puts a message straight into the queue, past the rules; returns its id."""
        answer = self.ministack.client("sqs").send_message(QueueUrl=self.outputs["QueueUrl"], MessageBody=body)
        return answer["MessageId"]

    def waiting_messages(self, queue="QueueUrl"):
        """Messages of a queue, those under work included."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = self.ministack.client("sqs").get_queue_attributes(
            QueueUrl=self.outputs[queue], AttributeNames=names
        )["Attributes"]
        return sum(int(attributes[name]) for name in names)

    def until_idle(self, seconds=90):
        """Waits until the function has acknowledged every message."""
        until(lambda: self.waiting_messages() == 0, "the queue to be empty", seconds)

    def dead_letters(self, at_least=1, seconds=60):
        """Takes the dead letters out, once there are that many."""
        until(
            lambda: self.waiting_messages("DeadLetterQueueUrl") >= at_least, f"{at_least} dead letters", seconds
        )
        sqs = self.ministack.client("sqs")
        url = self.outputs["DeadLetterQueueUrl"]
        letters = []
        while taken := sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], AttributeNames=["All"]
        ).get("Messages"):
            for letter in taken:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=letter["ReceiptHandle"])
            letters += taken
        return letters

    def log_lines(self, since=0, group="LogGroupName"):
        """A function's own log lines, parsed, oldest first. `since` as `now()` gave it; `group` names an output."""
        pages = self.ministack.client("logs").get_paginator("filter_log_events").paginate(
            logGroupName=self.outputs[group], startTime=since
        )
        lines = []
        for page in pages:
            for event in page["events"]:
                try:
                    line = json.loads(event["message"])
                except json.JSONDecodeError:
                    continue  # START, END and REPORT are the platform's
                if isinstance(line, dict):
                    # Tracing's JSON puts the fields of an event beside it or below `fields`.
                    lines.append({**line, **line.pop("fields", {})})
        return lines

    @staticmethod
    def now():
        """This moment, as log_lines counts time."""
        return int(time.time() * 1000)


class Table:
    """The operator's table, reached past the functions with a boto3 client of DynamoDB. Items are as DynamoDB has them."""

    def __init__(self, client, name):
        self._client = client
        self.name = name

    def rows(self, kind="family"):
        """All items of a kind: the families' rows, unless another one is named."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self.name,
            KeyConditionExpression="kind = :kind",
            ExpressionAttributeValues={":kind": {"S": kind}},
            ConsistentRead=True,
        )
        return [item for page in pages for item in page["Items"]]

    def put(self, kind, id, **attributes):
        """Writes an item, as whoever may write it would; attributes as DynamoDB has them."""
        self._client.put_item(TableName=self.name, Item={"kind": {"S": kind}, "id": {"S": id}, **attributes})
