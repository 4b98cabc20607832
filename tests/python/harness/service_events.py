"""What ECS itself tells of services: their deployments, and their tasks that stopped.

Knows how such events look. Who is told, and whether anything of it is true, is a test's business.
"""

import uuid
from datetime import datetime, timezone

from .events import envelope

EXITED = "Essential container in task exited"
REASONS = {
    "IN_PROGRESS": ("INFO", "ECS deployment {} in progress."),
    "COMPLETED": ("INFO", "ECS deployment {} completed."),
    "FAILED": ("ERROR", "ECS deployment circuit breaker: task failed to start."),
}


def deployment_state_change(ministack, service, state):
    """The event of the newest deployment of `service` (as DescribeServices has it); `state` is a key of REASONS."""
    kind, reason = REASONS[state]
    deployment = service["deployments"][0]["id"]
    detail = {
        "eventType": kind,
        "eventName": f"SERVICE_DEPLOYMENT_{state}",
        "deploymentId": deployment,
        "updatedAt": now(),
        "reason": reason.format(deployment),
    }
    return envelope(ministack, "ECS Deployment State Change", [service["serviceArn"]], detail)


def task_stopped(ministack, service, containers, *, code="EssentialContainerExited", reason=EXITED):
    """The event of a task of `service` that stopped. `containers`: name, and exitCode and reason if ECS tells them."""
    cluster, name = service["serviceArn"].rsplit("/", 2)[1:]
    prefix = f"arn:aws:ecs:{ministack.region}:{ministack.account}"
    task = f"{prefix}:task/{cluster}/{uuid.uuid4().hex}"
    detail = {
        "taskArn": task,
        "clusterArn": f"{prefix}:cluster/{cluster}",
        "group": f"service:{name}",
        "startedBy": service["deployments"][0]["id"],
        "taskDefinitionArn": service["taskDefinition"],
        "desiredStatus": "STOPPED",
        "lastStatus": "STOPPED",
        "stopCode": code,
        "stoppedReason": reason,
        "stoppedAt": now(),
        "containers": [{"lastStatus": "STOPPED", "taskArn": task, **container} for container in containers],
        "version": 5,
    }
    return envelope(ministack, "ECS Task State Change", [task], detail)


def now():
    """This moment, as events write it."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
