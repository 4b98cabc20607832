"""What IAM would be asked about a call on the wire: action, resource and the condition keys that AWS gives the request.

The emulator does not know all of these keys. So what a function really sent is asked of the template once more (see rights).
Source: service-authorization/latest/reference, the page of each service.
"""

from typing import NamedTuple

from . import template
from .macro import TEMPLATE as MACRO_TEMPLATE
from .ministack import ACCOUNT, REGION
from .rights import Rights
from .sessions import key_of

# The names that a request is signed for, where IAM has another prefix.
PREFIXES = {"monitoring": "cloudwatch"}


QUEUES = ("Queue", "SweepQueue", "DeadLetterQueue")


class Request(NamedTuple):
    """One question to IAM."""

    action: str
    resource: str
    keys: dict


def call_of(call):
    """The call as harness.calls has it."""
    return f"{PREFIXES.get(call.service, call.service)}:{call.action}"


def requests_of(call, arns):
    """The questions that a call is. `arns` has the template's ARNs of what the stack made, by the names that calls have."""
    return _OF_SERVICE[call.service](call, call_of(call), arns)


def sent_by(stack, macro=None):
    """The calls on the stack's wire, by the function that sent them."""
    functions = {"reconcile": stack.outputs["FunctionName"], "sweep": stack.outputs["SweepFunctionName"]}
    if macro:
        functions["macro"] = macro.outputs["FunctionName"]
    client = stack.ministack.client("lambda")
    keys = {name: key_of(client.get_function_configuration(FunctionName=function)) for name, function in functions.items()}
    return {name: [call for call in stack.wire.calls if call.key == key] for name, key in keys.items()}


def denied(stack, function, sent, **parameters):
    """What IAM would deny of the calls that a function sent, where the stack has these parameters."""
    table = stack.outputs["TableName"]
    if function == "macro":
        rights, role = Rights(template.load(MACRO_TEMPLATE), TableName=table), "FunctionRole"
        arns = {table: f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}"}
    else:
        rights, role = Rights(template.load(), **parameters), {"reconcile": "OperatorRole", "sweep": "SweepRole"}[function]
        made = {table: "Table", stack.outputs["ExecutionPolicyArn"]: "ExecutionPolicy"}
        made |= {stack.outputs[f"{queue}Url"].rsplit("/", 1)[1]: queue for queue in QUEUES}
        arns = {name: rights.arn(logical) for name, logical in made.items()}
    asked = [request for call in sent for request in requests_of(call, arns)]
    return [request for request in asked if not rights.may(role, request.action, request.resource, **request.keys)]


def _dynamodb(call, name, arns):
    given = call.parameters
    kind = (given.get("Key") or given.get("Item") or {}).get("kind") or given["ExpressionAttributeValues"][":kind"]
    return [Request(name, arns[given["TableName"]], {"dynamodb__LeadingKeys": [kind["S"]]})]


def _sqs(call, name, arns):
    # A batch has the permission of one message.
    return [Request(name.removesuffix("Batch"), arns[call.parameters["QueueUrl"].rsplit("/", 1)[1]], {})]


def _ecs(call, name, _):
    given = call.parameters
    if call.action == "RegisterTaskDefinition":
        definition = f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/{given['family']}:1"
        passed = {given[role] for role in ("taskRoleArn", "executionRoleArn") if given.get(role)}
        tagged = [Request("ecs:TagResource", definition, {"ecs__CreateAction": call.action})] if given.get("tags") else []
        to_tasks = {"iam__PassedToService": "ecs-tasks.amazonaws.com"}
        return [Request(name, definition, {}), *tagged, *(Request("iam:PassRole", role, to_tasks) for role in passed)]
    if call.action in ("DescribeServices", "UpdateService", "ListServiceDeployments"):
        services = given.get("services") or [given["service"]]
        named = [arn if arn.startswith("arn:") else _service(given["cluster"], arn) for arn in services]
        return [Request(name, arn, {}) for arn in named]
    if call.action == "DescribeServiceRevisions":
        return [Request(name, arn, {}) for arn in given["serviceRevisionArns"]]
    return [Request(name, "*", {})]


def _service(cluster, name):
    return f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/{cluster.rsplit('/', 1)[-1]}/{name}"


def _iam(call, name, arns):
    given = call.parameters
    # The path of a role is not in a request that names it; the stack's pattern lets all pass here.
    role = given.get("PolicySourceArn") or f"arn:aws:iam::{ACCOUNT}:role/{given['RoleName']}"
    keys = {"iam__PolicyARN": arns.get(given["PolicyArn"], given["PolicyArn"])} if call.action == "AttachRolePolicy" else {}
    return [Request(name, role, keys)]


def _ecr(call, name, _):
    given = call.parameters
    registry = given.get("registryId", ACCOUNT)
    named = f"arn:aws:ecr:{REGION}:{registry}:repository/{given['repositoryName']}" if "repositoryName" in given else "*"
    made = []
    if call.action == "CreatePullThroughCacheRule":
        service = "pullthroughcache.ecr.amazonaws.com"
        role = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/{service}/AWSServiceRoleForECRPullThroughCache"
        made = [Request("iam:CreateServiceLinkedRole", role, {"iam__AWSServiceName": service})]
    return [Request(name, named, {}), *made]


def _events(call, name, _):
    bus = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus"
    entries = call.parameters["Entries"]
    return [Request(name, f"{bus}/{entry['EventBusName']}", {"events__source": entry["Source"]}) for entry in entries]


def _logs(call, name, _):
    group = call.parameters.get("logGroupName")
    return [Request(name, f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}" if group else "*", {})]


_OF_SERVICE = {"dynamodb": _dynamodb, "sqs": _sqs, "ecs": _ecs, "iam": _iam, "ecr": _ecr, "events": _events, "logs": _logs}
