"""The wire about services: what the rollout rests on is true in the emulator too."""

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from harness.events import call_event
from harness.ministack import ACCOUNT, REGION, Ministack
from harness.service_events import deployment_state_change, task_stopped
from harness.wire import Wire


@pytest.fixture(scope="module")
def emulator():
    with Ministack() as running:
        yield running


@pytest.fixture(scope="module")
def wire(emulator):
    with Wire(emulator, ecr=None) as running:
        yield running


@pytest.fixture(scope="module")
def ecs(wire):
    """ECS as the operator sees it."""
    return boto3.client(
        "ecs",
        endpoint_url=wire.endpoint,
        region_name=REGION,
        aws_access_key_id=ACCOUNT,
        aws_secret_access_key="emulator",
        config=Config(retries={"total_max_attempts": 1}, proxies={}),
    )


@pytest.fixture
def service(emulator, family):
    """ARN of a service on revision 1 of the test's own family, which has two, in a cluster of the test's own."""
    ecs = emulator.client("ecs")
    for _ in range(2):
        container = {"name": "app", "image": "app:1", "memory": 64}
        ecs.register_task_definition(family=family, containerDefinitions=[container])
    ecs.create_cluster(clusterName=family)
    created = ecs.create_service(
        cluster=family,
        serviceName="web",
        taskDefinition=f"{family}:1",
        desiredCount=2,
        tags=[{"key": "team", "value": "a"}],
    )
    return created["service"]["serviceArn"]


def described(ecs, family, **more):
    (service,) = ecs.describe_services(cluster=family, services=["web"], **more)["services"]
    return service


def newest(ecs, family):
    """Status, task definition and rollback of the newest service deployment, by way of all three calls."""
    listed = ecs.list_service_deployments(cluster=family, service="web")["serviceDeployments"][0]
    answer = ecs.describe_service_deployments(serviceDeploymentArns=[listed["serviceDeploymentArn"]])
    (deployment,) = answer["serviceDeployments"]
    assert deployment["status"] == listed["status"]
    target = ecs.describe_service_revisions(serviceRevisionArns=[listed["targetServiceRevisionArn"]])
    revision = target["serviceRevisions"][0]["taskDefinition"].rsplit("/", 1)[1]
    return listed["serviceDeploymentArn"], deployment["status"], revision, "rollback" in deployment


def states(service):
    return [
        (one["status"], one["taskDefinition"].rsplit(":", 1)[1], one["rolloutState"]) for one in service["deployments"]
    ]


def test_a_deployment_is_over_at_once_unless_it_is_to_wait(ecs, family, service, wire):
    ecs.update_service(cluster=family, service="web", taskDefinition=f"{family}:2")
    assert states(described(ecs, family)) == [("PRIMARY", "2", "COMPLETED")]
    first, *rest = newest(ecs, family)
    assert rest == ["SUCCESSFUL", f"{family}:2", False]
    assert described(ecs, family)["currentServiceDeployment"] == first
    wire.services.wait(service)
    answer = ecs.update_service(cluster=family, service="web", taskDefinition=f"{family}:1")["service"]
    assert states(answer) == [("PRIMARY", "1", "IN_PROGRESS"), ("ACTIVE", "2", "COMPLETED")]
    assert newest(ecs, family)[1:] == ("IN_PROGRESS", f"{family}:1", False)
    wire.services.completes(service)
    assert states(described(ecs, family)) == [("PRIMARY", "1", "COMPLETED")]
    listed = ecs.list_service_deployments(cluster=family, service="web", status=["SUCCESSFUL"], maxResults=2)
    assert [one["status"] for one in listed["serviceDeployments"]] == ["SUCCESSFUL"] * 2
    assert listed["nextToken"]


def test_a_failed_deployment_stays(ecs, family, service, wire):
    wire.services.wait(service)
    ecs.update_service(cluster=family, service="web", taskDefinition=f"{family}:2")
    wire.services.fails(service)
    assert states(described(ecs, family)) == [("PRIMARY", "2", "FAILED"), ("ACTIVE", "1", "COMPLETED")]
    assert newest(ecs, family)[1:] == ("STOPPED", f"{family}:2", False)
    well = ecs.list_service_deployments(cluster=family, service="web", status=["SUCCESSFUL"])["serviceDeployments"]
    assert [one["status"] for one in well] == ["SUCCESSFUL"], "the one before"


def test_a_rollback_brings_back_what_was_there_before(ecs, family, service, wire):
    wire.services.wait(service)
    ecs.update_service(cluster=family, service="web", taskDefinition=f"{family}:2")
    begun = newest(ecs, family)[0]
    wire.services.rolls_back(service)
    assert states(described(ecs, family)) == [("PRIMARY", "1", "COMPLETED")]
    assert newest(ecs, family) == (begun, "ROLLBACK_SUCCESSFUL", f"{family}:2", True)
    # And a second time from there.
    ecs.update_service(cluster=family, service="web", taskDefinition=f"{family}:2")
    wire.services.rolls_back(service)
    assert wire.services.describe(service)["taskDefinition"].endswith(f"{family}:1")


def test_what_ecs_refuses_is_refused(emulator, ecs, family, service):
    person = emulator.client("ecs")
    person.create_service(
        cluster=family,
        serviceName="green",
        taskDefinition=f"{family}:1",
        desiredCount=1,
        deploymentController={"type": "CODE_DEPLOY"},
    )
    person.create_service(cluster=family, serviceName="gone", taskDefinition=f"{family}:1", desiredCount=0)
    person.delete_service(cluster=family, service="gone")
    person.deregister_task_definition(taskDefinition=f"{family}:2")
    for cluster, name, revision, code in [
        ("none", "web", 1, "ClusterNotFoundException"),
        (family, "none", 1, "ServiceNotFoundException"),
        (family, "gone", 1, "ServiceNotActiveException"),
        (family, "green", 1, "InvalidParameterException"),
        (family, "web", 2, "ClientException"),
        (family, "web", 9, "ClientException"),
    ]:
        with pytest.raises(ClientError) as refused:
            ecs.update_service(cluster=cluster, service=name, taskDefinition=f"{family}:{revision}")
        assert refused.value.response["Error"]["Code"] == code, name
    with pytest.raises(ClientError):
        ecs.describe_services(cluster=family, services=[f"s{index}" for index in range(11)])
    assert described(ecs, family)["taskDefinition"].endswith(f"{family}:1")


def test_tags_come_if_asked_for_and_lists_have_pages(emulator, ecs, family, service):
    assert "tags" not in described(ecs, family)
    assert described(ecs, family, include=["TAGS"])["tags"] == [{"key": "team", "value": "a"}]
    for index in range(10):
        name = f"s{index}"
        emulator.client("ecs").create_service(
            cluster=family, serviceName=name, taskDefinition=f"{family}:1", desiredCount=0
        )
    first = ecs.list_services(cluster=family)
    rest = ecs.list_services(cluster=family, nextToken=first["nextToken"])
    assert (len(first["serviceArns"]), rest["serviceArns"], "nextToken" in rest) == (10, [service], False)
    emulator.client("ecs").create_cluster(clusterName=f"{family}-2")
    assert len(ecs.list_clusters(maxResults=1)["clusterArns"]) == 1
    with pytest.raises(ClientError):
        ecs.list_services(cluster="none")


def test_events_name_the_service_and_its_newest_deployment(emulator, ecs, family, service, wire):
    now = wire.services.describe(service)
    change = deployment_state_change(emulator, now, "FAILED")
    assert (change["detail-type"], change["resources"]) == ("ECS Deployment State Change", [service])
    assert change["detail"]["eventName"] == "SERVICE_DEPLOYMENT_FAILED"
    assert change["detail"]["eventType"] == "ERROR"
    assert change["detail"]["deploymentId"] == now["deployments"][0]["id"]
    stopped = task_stopped(emulator, now, [{"name": "xray-daemon", "exitCode": 1}])["detail"]
    assert (stopped["group"], stopped["taskDefinitionArn"]) == ("service:web", now["taskDefinition"])
    assert (stopped["containers"][0]["exitCode"], stopped["containers"][0]["lastStatus"]) == (1, "STOPPED")


def test_a_call_of_another_service_says_so(emulator):
    by = "cloudformation.amazonaws.com"
    event = call_event(emulator, "UpdateService", {}, {}, issuer="arn:aws:iam::111122223333:role/ci", invoked_by=by)
    detail = event["detail"]
    assert [detail["userIdentity"]["invokedBy"], detail["sourceIPAddress"], detail["userAgent"]] == [by] * 3
    own = call_event(emulator, "UpdateService", {}, {}, issuer="arn:aws:iam::111122223333:role/ci")["detail"]
    assert "invokedBy" not in own["userIdentity"]
