"""What ECS holds of a family, with the emulator's two deviations evened out.

AWS takes the prefix of ListTaskDefinitions as a whole family name and describes a bare family by its newest ACTIVE revision;
ministack takes it as the beginning of a name, and describes the newest revision of any status.
"""


def active_revisions(ministack, family):
    """ARNs of the ACTIVE revisions, oldest first."""
    pages = ministack.client("ecs").get_paginator("list_task_definitions").paginate(
        familyPrefix=family, status="ACTIVE"
    )
    arns = [arn for page in pages for arn in page["taskDefinitionArns"]]
    return sorted((arn for arn in arns if family_of(arn) == family), key=revision_of)


def newest(ministack, family):
    """The newest ACTIVE revision, described, its tags beside it under `tags`; None if there is none."""
    arns = active_revisions(ministack, family)
    if not arns:
        return None
    answer = ministack.client("ecs").describe_task_definition(taskDefinition=arns[-1], include=["TAGS"])
    return {**answer["taskDefinition"], "tags": answer.get("tags", [])}


def family_of(arn):
    """`web` of `arn:…:task-definition/web:7`."""
    return arn.rsplit("/", 1)[1].rsplit(":", 1)[0]


def revision_of(arn):
    """7 of `arn:…:task-definition/web:7`."""
    return int(arn.rsplit(":", 1)[1])


# What ECS adds to a definition and takes back in no registration.
ECS_OWN_MEMBERS = {
    "taskDefinitionArn",
    "revision",
    "status",
    "requiresAttributes",
    "compatibilities",
    "registeredAt",
    "registeredBy",
    "deregisteredAt",
    "deleteRequestedAt",
}


def register_form(revision):
    """A described revision as one would register it again, in a fixed order."""
    return {k: v for k, v in sorted(revision.items()) if k not in ECS_OWN_MEMBERS and v not in ("", [])}
