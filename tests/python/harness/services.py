"""Answers of the emulator about services, put right on the wire, and deployments that end as a test says.

ministack keeps services, and says who may change them. Otherwise than ECS it
- completes every deployment at once; none fails or is rolled back without Docker, and it knows no service deployments,
- lets an UpdateService name an INACTIVE or unknown revision, and a service of CodeDeploy or EXTERNAL or one that was deleted,
- answers tags unasked, any number of services at once, and lists without pages.
A deployment on the wire is over as soon as it has begun, unless the test has said that it is to wait.
"""

import json
from dataclasses import dataclass, field

from botocore.exceptions import ClientError

LISTS = {"ListServices": ("serviceArns", 10), "ListClusters": ("clusterArns", 100)}
NEVER_CAME_UP = "ECS deployment circuit breaker: tasks failed to start."
CODE_DEPLOY = (
    "Unable to update task definition on services with a CODE_DEPLOY deployment controller. "
    "Use AWS CodeDeploy to trigger a new deployment."
)


class Refused(Exception):
    """What ECS refuses and the emulator does not."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code

    def body(self):
        """The answer over HTTP; its status is 400."""
        return json.dumps({"__type": self.code, "message": str(self)}).encode()


@dataclass
class Release:
    """A service deployment: its name, the emulator's id of its tasks, what it brings out, and what was there before."""

    name: str
    tasks: str
    task_definition: str
    before: "Release | None"
    started: float
    status: str = "SUCCESSFUL"
    extra: dict = field(default_factory=dict)

    @property
    def is_open(self):
        """Whether a test still has to say how it ends."""
        return self.status == "IN_PROGRESS"


class Services:
    """What `client` (of ECS, at the emulator) has of services, as ECS would tell it."""

    def __init__(self, client):
        self._client = client
        self._releases = {}  # by the service's ARN, newest first
        self._waiting = set()

    # What a test says. Services are named by their ARNs.

    def wait(self, arn):
        """From now on a deployment of that service is in progress until the test says how it ends."""
        self._newest(arn)
        self._waiting.add(arn)

    def completes(self, arn):
        """The newest deployment, which is in progress, is completed."""
        self._open(arn).status = "SUCCESSFUL"

    def fails(self, arn):
        """The circuit breaker ends the newest deployment and rolls nothing back."""
        release = self._open(arn)
        release.status, release.extra = "STOPPED", {"statusReason": NEVER_CAME_UP}

    def rolls_back(self, arn):
        """The circuit breaker ends the newest deployment and brings back what was there before."""
        release = self._open(arn)
        cluster, name = arn.rsplit("/", 2)[1:]
        back = release.before.task_definition
        self._client.update_service(cluster=cluster, service=name, taskDefinition=back)
        service = self._described(arn)
        # The same service deployment goes on, with tasks of another deployment.
        release.tasks, release.status = service["deployments"][0]["id"], "ROLLBACK_SUCCESSFUL"
        rollback = {"reason": NEVER_CAME_UP, "serviceRevisionArn": _arn(arn, "service-revision", release.before)}
        release.extra = {"statusReason": NEVER_CAME_UP, "rollback": rollback}

    def describe(self, arn):
        """The service as ECS would describe it now, with its tags."""
        return self._told(self._described(arn), with_tags=True)

    # What the wire asks.

    def refusal(self, call):
        """What ECS would refuse and the emulator would not, as an answer's body; None if it would not refuse."""
        try:
            if call.action == "DescribeServices" and not 1 <= len(call.parameters["services"]) <= 10:
                raise Refused("InvalidParameterException", "services must have between 1 and 10 items")
            if call.action in ("UpdateService", "ListServices", "ListServiceDeployments"):
                self._refuse_cluster(call.parameters.get("cluster", "default"))
            if call.action == "UpdateService":
                self._refuse_update(call.parameters)
            return None
        except Refused as refused:
            return refused.body()

    def apply(self, call, answer):
        """The answer (a dict) that ECS would have given."""
        parameters = call.parameters
        if call.action == "DescribeServices":
            with_tags = "TAGS" in parameters.get("include", [])
            answer["services"] = [self._told(service, with_tags) for service in answer["services"]]
        elif call.action in ("CreateService", "UpdateService"):
            answer["service"] = self._told(answer["service"], with_tags=call.action == "CreateService")
        elif call.action in LISTS:
            member, usual = LISTS[call.action]
            return _page(member, sorted(answer[member]), parameters, usual)
        elif call.action == "ListServiceDeployments":
            return self._list(parameters)
        elif call.action == "DescribeServiceDeployments":
            return self._find("service-deployment", parameters["serviceDeploymentArns"], "serviceDeployments", _deployment)
        elif call.action == "DescribeServiceRevisions":
            return self._find("service-revision", parameters["serviceRevisionArns"], "serviceRevisions", _revision)
        return answer

    def _refuse_cluster(self, cluster):
        if self._client.describe_clusters(clusters=[cluster])["failures"]:
            raise Refused("ClusterNotFoundException", "Cluster not found.")

    def _refuse_update(self, parameters):
        cluster = parameters.get("cluster", "default")
        found = self._client.describe_services(cluster=cluster, services=[parameters["service"]])["services"]
        if not found:
            return  # the emulator says so itself
        if found[0]["status"] != "ACTIVE":
            raise Refused("ServiceNotActiveException", "Service was not ACTIVE.")
        if "taskDefinition" not in parameters:
            return
        if found[0]["deploymentController"]["type"] == "ECS":
            self._newest(found[0]["serviceArn"])  # what was there before, should it be brought back
        else:
            raise Refused("InvalidParameterException", CODE_DEPLOY)
        try:
            revision = self._client.describe_task_definition(taskDefinition=parameters["taskDefinition"])
        except ClientError:
            raise Refused("ClientException", "TaskDefinition not found.") from None
        if revision["taskDefinition"]["status"] != "ACTIVE":
            raise Refused("ClientException", "TaskDefinition is inactive")

    def _described(self, arn):
        cluster, name = arn.rsplit("/", 2)[1:]
        answer = self._client.describe_services(cluster=cluster, services=[name], include=["TAGS"])
        return json.loads(json.dumps(answer["services"][0], default=lambda time: time.timestamp()))

    def _newest(self, arn, service=None):
        """The newest release of a service, noted if the emulator has begun one since the last look."""
        service = service or self._described(arn)
        releases = self._releases.setdefault(arn, [])
        primary = service["deployments"][0]
        if not releases or releases[0].tasks != primary["id"]:
            before = releases[0] if releases else None
            if before and before.status.startswith("ROLLBACK"):
                before = before.before
            name = primary["id"].rsplit("/", 1)[1]
            new = Release(name, primary["id"], service["taskDefinition"], before, primary["createdAt"])
            if before and arn in self._waiting:
                new.status = "IN_PROGRESS"
            releases.insert(0, new)
        return releases[0]

    def _open(self, arn):
        newest = self._newest(arn)
        assert newest.is_open, f"no deployment of {arn} is in progress"
        return newest

    def _told(self, service, with_tags):
        service = {name: value for name, value in service.items() if value not in ("", None)}
        if not with_tags:
            service.pop("tags", None)
        if service["status"] != "ACTIVE" or service["deploymentController"]["type"] != "ECS":
            return service | {"deployments": []}
        newest = self._newest(service["serviceArn"], service)
        current = _arn(service["serviceArn"], "service-deployment", newest)
        return service | {"deployments": _deployments(service, newest), "currentServiceDeployment": current}

    def _list(self, parameters):
        cluster, name = (parameters.get(part, "default").rsplit("/", 1)[-1] for part in ("cluster", "service"))
        found = self._client.describe_services(cluster=cluster, services=[name])["services"][0]
        self._newest(found["serviceArn"])
        listed = [
            _brief(found["serviceArn"], release)
            for release in self._releases[found["serviceArn"]]
            if release.status in (parameters.get("status") or [release.status])
        ]
        return _page("serviceDeployments", listed, parameters, 20)

    def _find(self, kind, arns, member, told):
        known = {
            _arn(service, kind, release): told(service, release)
            for service, releases in self._releases.items()
            for release in releases
        }
        failures = [{"arn": arn, "reason": "MISSING"} for arn in arns if arn not in known]
        return {member: [known[arn] for arn in arns if arn in known], "failures": failures}


def _page(member, items, parameters, usual):
    start = int(parameters.get("nextToken") or 0)
    end = start + parameters.get("maxResults", usual)
    return {member: items[start:end]} | ({"nextToken": str(end)} if end < len(items) else {})


def _arn(service, kind, release):
    return service.replace(":service/", f":{kind}/") + "/" + release.name


def _deployments(service, newest):
    """The deployments in a service's description: the emulator's own, and beside it the one that it has dropped too early."""
    primary = service["deployments"][0]
    if newest.status in ("SUCCESSFUL", "ROLLBACK_SUCCESSFUL"):
        reason = f"ECS deployment {primary['id']} completed."
        return [primary | {"rolloutState": "COMPLETED", "rolloutStateReason": reason}]
    if newest.is_open:
        state, reason, pending = "IN_PROGRESS", f"ECS deployment {primary['id']} in progress.", service["desiredCount"]
    else:
        state, reason, pending = "FAILED", NEVER_CAME_UP, 0
    before = newest.before
    old = primary | {
        "id": before.tasks,
        "status": "ACTIVE",
        "taskDefinition": before.task_definition,
        "desiredCount": 0,
        "rolloutState": "COMPLETED",
        "rolloutStateReason": f"ECS deployment {before.tasks} completed.",
    }
    counts = {"runningCount": 0, "pendingCount": pending}
    return [primary | counts | {"rolloutState": state, "rolloutStateReason": reason}, old]


def _brief(service, release):
    told = _deployment(service, release)
    target = told.pop("targetServiceRevision")["arn"]
    for name in ("sourceServiceRevisions", "rollback"):
        told.pop(name, None)
    return told | {"targetServiceRevisionArn": target}


def _deployment(service, release):
    sources = [release.before] if release.before else []
    return {
        "serviceDeploymentArn": _arn(service, "service-deployment", release),
        "serviceArn": service,
        "clusterArn": service.replace(":service/", ":cluster/").rsplit("/", 1)[0],
        "createdAt": release.started,
        "startedAt": release.started,
        "status": release.status,
        "sourceServiceRevisions": [{"arn": _arn(service, "service-revision", source)} for source in sources],
        "targetServiceRevision": {"arn": _arn(service, "service-revision", release)},
        **release.extra,
    }


def _revision(service, release):
    return {
        "serviceRevisionArn": _arn(service, "service-revision", release),
        "serviceArn": service,
        "clusterArn": service.replace(":service/", ":cluster/").rsplit("/", 1)[0],
        "taskDefinition": release.task_definition,
        "createdAt": release.started,
    }
