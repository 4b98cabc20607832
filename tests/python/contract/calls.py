"""The calls of the contract: what is asked of each world, in this order, and what is kept of an answer.

Knows the services' own words. Knows nothing of which world answers.
"""

from botocore.exceptions import ClientError

TRACES = "arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess"
TRUST = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]}'
KEY = {"kind": {"S": "family"}, "id": {"S": "web"}}


def web(**more):
    """A small definition."""
    container = {"name": "web", "image": "shop/web:1", "memory": 128, "essential": True}
    return {"family": "web", "containerDefinitions": [container], **more}


def item(version, owner="w", **more):
    """An item as the operator's table has them."""
    return {**KEY, "version": {"N": str(version)}, "owner": {"S": owner}, **more}


def update(condition, **more):
    """A conditional update."""
    return {
        "TableName": "operator",
        "Key": KEY,
        "UpdateExpression": "SET version = version + :one",
        "ConditionExpression": condition,
        "ExpressionAttributeValues": {":one": {"N": "1"}, **more},
        "ReturnValues": "ALL_OLD",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


# Name of the call in the table of deviations, service, operation, request.
CALLS = [
    ("register", "ecs", "register_task_definition", web(tags=[{"key": "team", "value": "a"}])),
    ("register the second", "ecs", "register_task_definition", web(cpu="256", memory="512")),
    ("register without containers", "ecs", "register_task_definition", {"family": "empty", "containerDefinitions": []}),
    ("describe a family", "ecs", "describe_task_definition", {"taskDefinition": "web"}),
    ("describe with tags", "ecs", "describe_task_definition", {"taskDefinition": "web:1", "include": ["TAGS"]}),
    ("describe nobody", "ecs", "describe_task_definition", {"taskDefinition": "nobody"}),
    ("list families", "ecs", "list_task_definition_families", {"status": "ACTIVE"}),
    ("list revisions", "ecs", "list_task_definitions", {"familyPrefix": "web", "status": "ACTIVE", "sort": "DESC"}),
    ("deregister", "ecs", "deregister_task_definition", {"taskDefinition": "web:2"}),
    ("deregister nobody", "ecs", "deregister_task_definition", {"taskDefinition": "web:9"}),
    ("describe the newest ACTIVE", "ecs", "describe_task_definition", {"taskDefinition": "web"}),
    ("list INACTIVE revisions", "ecs", "list_task_definitions", {"familyPrefix": "web", "status": "INACTIVE"}),
    ("create a cluster", "ecs", "create_cluster", {"clusterName": "shop"}),
    (
        "create a service",
        "ecs",
        "create_service",
        {"cluster": "shop", "serviceName": "web", "taskDefinition": "web:1", "desiredCount": 1},
    ),
    ("describe services", "ecs", "describe_services", {"cluster": "shop", "services": ["web", "nobody"]}),
    ("list services", "ecs", "list_services", {"cluster": "shop"}),
    ("update a service", "ecs", "update_service", {"cluster": "shop", "service": "web", "taskDefinition": "web:1"}),
    ("update no service", "ecs", "update_service", {"cluster": "shop", "service": "nobody", "taskDefinition": "web:1"}),
    ("update in no cluster", "ecs", "update_service", {"cluster": "none", "service": "web", "taskDefinition": "web:1"}),
    ("get a role", "iam", "get_role", {"RoleName": "web"}),
    ("get no role", "iam", "get_role", {"RoleName": "nobody"}),
    ("attach", "iam", "attach_role_policy", {"RoleName": "web", "PolicyArn": TRACES}),
    ("attach again", "iam", "attach_role_policy", {"RoleName": "web", "PolicyArn": TRACES}),
    ("attach to nobody", "iam", "attach_role_policy", {"RoleName": "nobody", "PolicyArn": TRACES}),
    ("attach nothing", "iam", "attach_role_policy", {"RoleName": "web", "PolicyArn": TRACES + "X"}),
    ("list attached", "iam", "list_attached_role_policies", {"RoleName": "web"}),
    ("list attached of nobody", "iam", "list_attached_role_policies", {"RoleName": "nobody"}),
    ("detach", "iam", "detach_role_policy", {"RoleName": "web", "PolicyArn": TRACES}),
    ("detach again", "iam", "detach_role_policy", {"RoleName": "web", "PolicyArn": TRACES}),
    (
        "put what is not there",
        "dynamodb",
        "put_item",
        {
            "TableName": "operator",
            "Item": item(1),
            "ConditionExpression": "attribute_not_exists(#v)",
            "ExpressionAttributeNames": {"#v": "version"},
        },
    ),
    (
        "put what is there",
        "dynamodb",
        "put_item",
        {"TableName": "operator", "Item": item(1), "ConditionExpression": "attribute_not_exists(version)"},
    ),
    (
        "put by version",
        "dynamodb",
        "put_item",
        {
            "TableName": "operator",
            "Item": item(2, grants={"SS": ["a", "b"]}, open={"BOOL": True}),
            "ConditionExpression": "version = :before",
            "ExpressionAttributeValues": {":before": {"N": "1"}},
        },
    ),
    ("get", "dynamodb", "get_item", {"TableName": "operator", "Key": KEY, "ConsistentRead": True}),
    ("get nothing", "dynamodb", "get_item", {"TableName": "operator", "Key": {**KEY, "id": {"S": "nobody"}}}),
    ("get from no table", "dynamodb", "get_item", {"TableName": "nothing", "Key": KEY}),
    ("update", "dynamodb", "update_item", update("version >= :two", **{":two": {"N": "2"}})),
    ("update in vain", "dynamodb", "update_item", update("version > :nine", **{":nine": {"N": "9"}})),
    ("put a second", "dynamodb", "put_item", {"TableName": "operator", "Item": {**item(1), "id": {"S": "worker"}}}),
    (
        "query a page",
        "dynamodb",
        "query",
        {
            "TableName": "operator",
            "KeyConditionExpression": "kind = :kind",
            "ExpressionAttributeValues": {":kind": {"S": "family"}},
            "Limit": 1,
        },
    ),
    (
        "query on",
        "dynamodb",
        "query",
        {
            "TableName": "operator",
            "KeyConditionExpression": "kind = :kind",
            "ExpressionAttributeValues": {":kind": {"S": "family"}},
            "ExclusiveStartKey": KEY,
        },
    ),
    (
        "delete by version",
        "dynamodb",
        "delete_item",
        {
            "TableName": "operator",
            "Key": KEY,
            "ConditionExpression": "version = :before",
            "ExpressionAttributeValues": {":before": {"N": "7"}},
        },
    ),
    ("send", "sqs", "send_message", {"QueueUrl": "families", "MessageBody": "{}", "DelaySeconds": 5}),
    ("send too late", "sqs", "send_message", {"QueueUrl": "families", "MessageBody": "{}", "DelaySeconds": 901}),
    (
        "send a batch",
        "sqs",
        "send_message_batch",
        {"QueueUrl": "families", "Entries": [{"Id": "0", "MessageBody": "{}"}, {"Id": "1", "MessageBody": "{}"}]},
    ),
    ("send no batch", "sqs", "send_message_batch", {"QueueUrl": "families", "Entries": []}),
    (
        "put events",
        "events",
        "put_events",
        {"Entries": [{"Source": "ecs-sidecar", "DetailType": "Family", "Detail": "{}"}]},
    ),
    (
        "put an event of AWS",
        "events",
        "put_events",
        {"Entries": [{"Source": "aws.ecs", "DetailType": "Family", "Detail": "{}"}]},
    ),
    ("describe no image", "ecr", "describe_images", {"repositoryName": "nothing", "imageIds": [{"imageTag": "3.x"}]}),
    ("describe groups", "logs", "describe_log_groups", {"logGroupNamePrefix": "/ecs/web"}),
    ("create a group", "logs", "create_log_group", {"logGroupName": "/ecs/web"}),
    ("create it again", "logs", "create_log_group", {"logGroupName": "/ecs/web"}),
    ("describe the group", "logs", "describe_log_groups", {"logGroupNamePrefix": "/ecs/web"}),
]

# Those that our world has to refuse.
FAILING = {
    "register without containers",
    "describe nobody",
    "deregister nobody",
    "update no service",
    "update in no cluster",
    "get no role",
    "attach to nobody",
    "attach nothing",
    "list attached of nobody",
    "detach again",
    "put what is there",
    "get from no table",
    "update in vain",
    "delete by version",
    "send too late",
    "send no batch",
    "describe no image",
    "create it again",
}


def ask(client, operation, request):
    """What came of a call: the code of an error, or the shape of the answer; both by the names that clients read."""
    try:
        answer = getattr(client, operation)(**request)
    except ClientError as error:
        return {"error": error.response["Error"]["Code"], **shape({"Item": error.response.get("Item")})}
    answer.pop("ResponseMetadata", None)
    return shape(answer)


def shape(value, path=""):
    """Each member's path with its type; of what the contract is about, the value as well.

    Lists are what their first item is, with their length; what is absent, null or empty is the same to a client."""
    if isinstance(value, dict):
        found = {}
        for name, inner in value.items():
            found.update(shape(inner, f"{path}.{name}" if path else name))
        return found
    if isinstance(value, list):
        return {f"{path}[]": len(value), **shape(value[0], f"{path}[]")} if value else {}
    if value is None or value == "":
        return {}
    # Times are numbers as well.
    return {path: value if isinstance(value, bool | int) and value < 1_000_000 else type(value).__name__}
