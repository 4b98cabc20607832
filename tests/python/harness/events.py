"""ECS calls as CloudTrail would tell EventBridge of them.

No emulator delivers CloudTrail events of ECS, and nobody but AWS may send events whose source is aws.ecs. So each rule that
the stack deployed is copied, with that one word changed, and the copies are sent what CloudTrail would send. Pattern,
target and transformer stay those of the template.
"""

import json
import uuid
from datetime import datetime, timezone

SOURCE = "demo.cloudtrail"
PERSON = "role/ci/deployer"
RULES = ("RegisterRuleName", "DeregisterRuleName")
# Only where the stack may write, and where it moves services.
RULES_AT_TIMES = ("TaskRuleName", "ServiceRuleName", "DeploymentRuleName")


def call_event(ministack, name, request, response, *, issuer, error=None, invoked_by=None, user_agent="aws-cli/2.x"):
    """The EventBridge event of one ECS call. `issuer`: a role's ARN, or None for an IAM user. `invoked_by`: a service such as
    cloudformation.amazonaws.com that made the call with the role's credentials."""
    account, region = ministack.account, ministack.region
    if issuer:
        identity = {
            "type": "AssumedRole",
            "principalId": "AROAEXAMPLE:session",
            "arn": f"arn:aws:sts::{account}:assumed-role/{issuer.rsplit('/', 1)[1]}/session",
            "accountId": account,
            "sessionContext": {
                "sessionIssuer": {
                    "type": "Role",
                    "principalId": "AROAEXAMPLE",
                    "arn": issuer,
                    "accountId": account,
                    "userName": issuer.rsplit("/", 1)[1],
                },
                "attributes": {"mfaAuthenticated": "false"},
            },
        }
    else:
        identity = {
            "type": "IAMUser",
            "principalId": "AIDAEXAMPLE",
            "arn": f"arn:aws:iam::{account}:user/jo",
            "accountId": account,
            "userName": "jo",
        }
    time = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    detail = {
        "eventVersion": "1.11",
        "userIdentity": identity,
        "eventTime": time,
        "eventSource": "ecs.amazonaws.com",
        "eventName": name,
        "awsRegion": region,
        "sourceIPAddress": "203.0.113.10",
        "userAgent": user_agent,
        "requestParameters": request,
        "responseElements": response,
        "requestID": str(uuid.uuid4()),
        "eventID": str(uuid.uuid4()),
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": account,
        "eventCategory": "Management",
    }
    if error:
        detail |= {"errorCode": error, "errorMessage": "refused", "responseElements": None}
    if invoked_by:
        detail |= {"sourceIPAddress": invoked_by, "userAgent": invoked_by}
        identity["invokedBy"] = invoked_by
    return envelope(ministack, "AWS API Call via CloudTrail", [], detail)


def envelope(ministack, kind, resources, detail):
    """What EventBridge puts around an event of ECS."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": kind,
        "source": "aws.ecs",
        "account": ministack.account,
        "time": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": ministack.region,
        "resources": resources,
        "detail": detail,
    }


class Trail:
    """Makes ECS calls as a person would, and brings their events to the stack's rules."""

    def __init__(self, stack):
        self.stack = stack
        self.ministack = stack.ministack
        self.person = f"arn:aws:iam::{self.ministack.account}:{PERSON}"

    def copy_rules(self):
        """Copies the deployed rules as they are now, so again after each deployment."""
        events = self.ministack.client("events")
        outputs = [*RULES, *(output for output in RULES_AT_TIMES if output in self.stack.outputs)]
        for output in outputs:
            name = self.stack.outputs[output]
            rule = events.describe_rule(Name=name)
            pattern = json.loads(rule["EventPattern"])
            assert pattern["source"] == ["aws.ecs"], pattern
            copy = f"{name}-copy"
            events.put_rule(Name=copy, EventPattern=json.dumps({**pattern, "source": [SOURCE]}), State=rule["State"])
            targets = events.list_targets_by_rule(Rule=name)["Targets"]
            answer = events.put_targets(Rule=copy, Targets=targets)
            assert answer["FailedEntryCount"] == 0, answer
        return self

    def register(self, definition, **caller):
        """Registers `definition`, tells of it, returns the new revision."""
        answer = self.ministack.client("ecs").register_task_definition(**definition)
        revision = answer["taskDefinition"]
        self.tell_registered(revision, definition, **caller)
        return revision

    def deregister(self, arn, **caller):
        """Deregisters a revision and tells of it."""
        revision = self.ministack.client("ecs").deregister_task_definition(taskDefinition=arn)["taskDefinition"]
        self.tell("DeregisterTaskDefinition", {"taskDefinition": arn}, {"taskDefinition": revision}, **caller)
        return revision

    def tell_registered(self, revision, request=None, **caller):
        """Tells of a registration that is already done; again for a second delivery of its event."""
        request = request or {"family": revision["family"]}
        self.tell("RegisterTaskDefinition", request, {"taskDefinition": revision}, **caller)

    def tell(self, name, request, response, issuer="", **more):
        """Sends the event of a call through the rules. `issuer`: by default a person's role; the rest as call_event has it."""
        issuer = self.person if issuer == "" else issuer
        self.send(call_event(self.ministack, name, request, response, issuer=issuer, **more))

    def send(self, event):
        """Sends an event through the rules."""
        answer = self.ministack.client("events").put_events(
            Entries=[
                {
                    "Source": SOURCE,
                    "DetailType": event["detail-type"],
                    "Resources": event["resources"],
                    # Timestamps in a response are of no use to anybody; text will do.
                    "Detail": json.dumps(event["detail"], default=str),
                }
            ]
        )
        assert answer["FailedEntryCount"] == 0, answer
