"""Task definitions as CloudFormation would have registered them.

The emulator's CloudFormation resolves a template, but writes most members of a container down as the template spells them, and
drops others. So what it has resolved is spelled as ECS's service model says, with the types that it says, and registered once
more, as CloudFormation would have.
"""

import json

import botocore.session

SPELLINGS = {
    "EFSVolumeConfiguration": "efsVolumeConfiguration",
    "FSxWindowsFileServerVolumeConfiguration": "fsxWindowsFileServerVolumeConfiguration",
    "FilesystemId": "fileSystemId",
    "IAM": "iam",
    "ProxyConfigurationProperties": "properties",
}


def _model():
    return botocore.session.get_session().get_service_model("ecs").operation_model("RegisterTaskDefinition").input_shape


def register_form(members, shape=None):
    """Members in either spelling as the input of RegisterTaskDefinition."""
    shape = shape or _model()
    if shape.type_name == "structure":
        spelled = {SPELLINGS.get(key, key[:1].lower() + key[1:]): value for key, value in members.items()}
        kept = {key: value for key, value in spelled.items() if key in shape.members and value not in (None, "")}
        return {key: register_form(value, shape.members[key]) for key, value in kept.items()}
    if shape.type_name == "list":
        return [register_form(item, shape.member) for item in members]
    if shape.type_name == "map":
        return {key: register_form(value, shape.value) for key, value in members.items()}
    if shape.type_name == "boolean":
        return members if isinstance(members, bool) else members.lower() == "true"
    if shape.type_name == "integer":
        return int(members)
    return str(members).lower() if isinstance(members, bool) else str(members)


def resolved(ministack, arn):
    """What the emulator has of a revision, as it has it: boto3 would drop what it does not know."""
    ecs, seen = ministack.client("ecs"), []

    def keep(http_response, **_):
        seen.append(json.loads(http_response.text))

    ecs.meta.events.register("after-call.ecs.DescribeTaskDefinition", keep)
    try:
        ecs.describe_task_definition(taskDefinition=arn, include=["TAGS"])
    finally:
        ecs.meta.events.unregister("after-call.ecs.DescribeTaskDefinition", keep)
    (answer,) = seen
    return {**answer["taskDefinition"], "tags": answer.get("tags", [])}


def register_as_cloudformation(ministack, arn):
    """Registers what was resolved as CloudFormation would have; returns the definition that was registered."""
    definition = register_form(resolved(ministack, arn))
    if not definition.get("tags"):
        definition.pop("tags", None)
    ministack.client("ecs").register_task_definition(**definition)
    return definition
