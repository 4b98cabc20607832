"""The calls: clients that are made once, and task definitions as the bytes that came and go.

boto3 parses an answer into the shapes that it knows and drops the rest, and builds a body from what it knows. Its events
let the bytes through beside that.
"""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

CONFIG = Config(
    connect_timeout=2,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 3},
    max_pool_connections=10,
    parameter_validation=False,  # what is sent was read from AWS or is our own
)
TABLE = os.environ["ECS_SIDECAR_TABLE"]
BUS = os.environ["ECS_SIDECAR_EVENT_BUS"]
ACCEPTED = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
]

ecs = boto3.client("ecs", config=CONFIG)
iam = boto3.client("iam", config=CONFIG)
ecr = boto3.client("ecr", config=CONFIG)
logs = boto3.client("logs", config=CONFIG)
dynamodb = boto3.client("dynamodb", config=CONFIG)
events = boto3.client("events", config=CONFIG)

# What is done side by side; its threads stay. Two families at once do not wait for each other.
together = ThreadPoolExecutor(12)
_sending = threading.local()


def _keep_body(response_dict, parsed_response, **_):
    if parsed_response is not None and response_dict is not None:
        parsed_response["body"] = response_dict["body"]


def _send_body(params, **_):
    params["body"] = _sending.body


for operation in ("DescribeTaskDefinition", "RegisterTaskDefinition"):
    ecs.meta.events.register(f"response-received.ecs.{operation}", _keep_body)
ecs.meta.events.register("before-call.ecs.RegisterTaskDefinition", _send_body)


def is_code(error, *codes):
    return error.response["Error"]["Code"] in codes


def describe(what):
    """A Describe answer's bytes, or None if there is no such revision."""
    try:
        return ecs.describe_task_definition(taskDefinition=what, include=["TAGS"])["body"]
    except ClientError as error:
        if is_code(error, "ClientException"):
            return None
        raise


def register(body):
    """Registers a definition, given as bytes; returns the answer's."""
    _sending.body = body
    return ecs.register_task_definition(family="", containerDefinitions=[])["body"]


def inactive(family):
    """ARNs of the family's INACTIVE revisions, newest first."""
    page = ecs.list_task_definitions(familyPrefix=family, status="INACTIVE", sort="DESC")
    ours = lambda arn: arn.rsplit("/", 1)[1].rsplit(":", 1)[0] == family  # noqa: E731
    return [arn for arn in page["taskDefinitionArns"] if ours(arn)]


def get(kind, id):
    key = {"kind": {"S": kind}, "id": {"S": id}}
    return dynamodb.get_item(TableName=TABLE, Key=key, ConsistentRead=True).get("Item")


def query(kind):
    items, more = [], {}
    while True:
        page = dynamodb.query(
            TableName=TABLE,
            ConsistentRead=True,
            KeyConditionExpression="kind = :kind",
            ExpressionAttributeValues={":kind": {"S": kind}},
            **more,
        )
        items += page["Items"]
        if not page.get("LastEvaluatedKey"):
            return items
        more = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def put(item):
    """Writes an item if it is still as it was read; returns it as written, or None if somebody was faster."""
    before = item.get("version")
    item = {**item, "version": {"N": str(int(before["N"]) + 1 if before else 1)}, "v": {"N": "1"}}
    names = {"#version": "version"}
    condition = dict(ConditionExpression="attribute_not_exists(#version)", ExpressionAttributeNames=names)
    if before:
        condition |= {"ConditionExpression": "#version = :before", "ExpressionAttributeValues": {":before": before}}
    try:
        dynamodb.put_item(TableName=TABLE, Item=item, **condition)
    except ClientError as error:
        if is_code(error, "ConditionalCheckFailedException"):
            return None
        raise
    return item


def attached(role):
    """Managed policies of a role, named by its ARN."""
    pages = iam.get_paginator("list_attached_role_policies").paginate(RoleName=role.rsplit("/", 1)[1])
    return {policy["PolicyArn"] for page in pages for policy in page["AttachedPolicies"]}


def has_group(name):
    pages = logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=name)
    return any(group["logGroupName"] == name for page in pages for group in page["logGroups"])


def manifests(account, repository, digests):
    """Manifests by digest."""
    answer = ecr.batch_get_image(
        registryId=account,
        repositoryName=repository,
        imageIds=[{"imageDigest": digest} for digest in digests],
        acceptedMediaTypes=ACCEPTED,
    )
    return {image["imageId"]["imageDigest"]: image["imageManifest"] for image in answer["images"]}


def missing_layers(account, repository, digests):
    answer = ecr.batch_check_layer_availability(
        registryId=account, repositoryName=repository, layerDigests=sorted(digests)
    )
    there = {layer["layerDigest"] for layer in answer["layers"] if layer.get("layerAvailability") == "AVAILABLE"}
    return set(digests) - there
