"""The roles and log groups that task definitions name, as their owners would have made them."""

import json

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}


def create_roles(ministack, definition):
    """Creates the task and execution role of `definition` where they are missing."""
    iam = ministack.client("iam")
    for member in ("taskRoleArn", "executionRoleArn"):
        if arn := definition.get(member):
            path, name = arn.split(":role/", 1)[1].rpartition("/")[::2]
            try:
                iam.create_role(
                    RoleName=name, Path=f"/{path}/" if path else "/", AssumeRolePolicyDocument=json.dumps(TRUST)
                )
            except iam.exceptions.EntityAlreadyExistsException:
                pass  # the execution role is shared


def create_log_groups(ministack, definition):
    """Creates the log groups that the containers of `definition` log to, where they are missing."""
    logs = ministack.client("logs")
    for container in definition["containerDefinitions"]:
        if group := container.get("logConfiguration", {}).get("options", {}).get("awslogs-group"):
            try:
                logs.create_log_group(logGroupName=group)
            except logs.exceptions.ResourceAlreadyExistsException:
                pass  # several containers log to one


def attached_policies(ministack, role_arn):
    """ARNs of the managed policies that are attached to a role."""
    pages = ministack.client("iam").get_paginator("list_attached_role_policies").paginate(
        RoleName=role_arn.rsplit("/", 1)[1]
    )
    return [policy["PolicyArn"] for page in pages for policy in page["AttachedPolicies"]]
