"""Services of the deployed stack: moved to the patched revision, or left alone with their reason, and no loop."""

import json

import pytest
from harness.families import newest
from harness.service_events import deployment_state_change, task_stopped
from harness.waiting import until

# What a move changes, and what tells of the moment alone.
MOVED = {"taskDefinition", "deployments", "events", "currentServiceDeployment", "currentServiceRevisions"}
TERRAFORM = "APN/1.0 HashiCorp/1.0 Terraform/1.5.7 (+https://www.terraform.io) terraform-provider-aws/5.40.0"


@pytest.fixture(scope="module")
def moving(stack):
    """The stack while it moves services."""
    # A sweep at its usual pace would have the tests wait for the slots of all the families that other tests have left.
    stack.deploy(RolloutServices="true", SweepShare="100000")
    stack.allow_what_ministack_misreads()
    yield stack
    stack.deploy(RolloutServices="false", SweepShare="50")
    stack.allow_what_ministack_misreads()


@pytest.fixture
def people(moving, trail):
    """The person, with the rules as they are now."""
    return trail.copy_rules()


class Shop:
    """A cluster and a service of the test's own, and who changes it."""

    def __init__(self, ministack, stack, wire, people, name):
        self.ministack, self.stack, self.wire, self.people, self.name = ministack, stack, wire, people, name
        self.ecs = ministack.client("ecs")
        self.ecs.create_cluster(clusterName=name)
        self.arn = None

    def create(self, revision, **more):
        request = dict(cluster=self.name, serviceName="web", taskDefinition=revision, desiredCount=2) | more
        service = self.ecs.create_service(**request)["service"]
        self.arn = service["serviceArn"]
        return service

    def tell_created(self):
        self.people.tell("CreateService", {"cluster": self.name}, {"service": {"serviceArn": self.arn}})

    def set_back(self, revision, **caller):
        self.ecs.update_service(cluster=self.name, service="web", taskDefinition=revision)
        self.people.tell("UpdateService", {"cluster": self.name}, {"service": {"serviceArn": self.arn}}, **caller)

    def tell_deployment(self, state):
        self.people.send(deployment_state_change(self.ministack, self.described(), state))

    def described(self):
        return self.wire.services.describe(self.arn)

    @property
    def revision(self):
        return self.described()["taskDefinition"]

    def row(self):
        return next((row for row in self.stack.table.rows("service") if row["id"]["S"] == self.arn), {})

    def until_reason(self, reason, seconds=60):
        until(lambda: self.row().get("reason", {}).get("S") == reason, f"{self.name} to be {reason}: {self.row()}", seconds)
        return self.row()

    def until_moved(self, seconds=60):
        """A move is noted before it is made, and confirmed once ECS has said so."""
        confirmed = {"S": "deploying"}, {"BOOL": True}
        until(lambda: (self.row().get("reason"), self.row().get("confirmed")) == confirmed, f"{self.name} to be moved", seconds)

    def moves(self):
        return sum(1 for call in self.wire.calls if call.action == "UpdateService" and call.parameters["service"] == self.arn)


@pytest.fixture
def shop(ministack, moving, wire, people, family):
    return Shop(ministack, moving, wire, people, family)


@pytest.fixture
def patched(ministack, moving, people, definition, family):
    """The revision that a person registered, once the operator has patched it."""
    revision = people.register(definition)["taskDefinitionArn"]
    moving.until_idle()
    assert newest(ministack, family)["taskDefinitionArn"] != revision
    return revision


def test_a_service_ends_on_the_patched_revision_with_everything_else_equal(ministack, moving, shop, patched, family):
    network = {"awsvpcConfiguration": {"subnets": ["subnet-0a"], "securityGroups": ["sg-0a"], "assignPublicIp": "DISABLED"}}
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}, "maximumPercent": 150, "minimumHealthyPercent": 50}
    shop.create(
        patched,
        networkConfiguration=network,
        deploymentConfiguration=breaker,
        healthCheckGracePeriodSeconds=30,
        enableExecuteCommand=True,
        propagateTags="SERVICE",
        tags=[{"key": "team", "value": "a"}],
        capacityProviderStrategy=[{"capacityProvider": "FARGATE_SPOT", "weight": 1}],
    )
    before = shop.described()
    shop.tell_created()
    shop.until_moved()
    shop.tell_deployment("COMPLETED")
    row = shop.until_reason("moved")
    after = shop.described()
    assert after["taskDefinition"] == newest(ministack, family)["taskDefinitionArn"] == row["to"]["S"]
    assert {k: v for k, v in after.items() if k not in MOVED} == {k: v for k, v in before.items() if k not in MOVED}
    assert shop.moves() == 1
    (call,) = [c for c in shop.wire.calls if c.action == "UpdateService" and c.parameters["service"] == shop.arn]
    assert set(call.parameters) == {"cluster", "service", "taskDefinition"}


def test_a_service_that_is_faster_than_the_operator_waits_for_it(ministack, moving, shop, definition, family):
    revision = ministack.client("ecs").register_task_definition(**definition)["taskDefinition"]
    shop.create(revision["taskDefinitionArn"])
    shop.tell_created()
    moving.until_idle()
    assert shop.revision == revision["taskDefinitionArn"] and not shop.row()
    shop.people.tell_registered(revision)
    shop.until_moved()
    assert shop.revision == newest(ministack, family)["taskDefinitionArn"]


def test_a_rolled_back_service_is_left_alone(moving, shop, patched):
    shop.create(patched)
    shop.wire.services.wait(shop.arn)
    shop.tell_created()
    shop.until_moved()
    shop.wire.services.rolls_back(shop.arn)
    shop.tell_deployment("FAILED")
    row = shop.until_reason("rolledBack")
    assert row["state"]["S"] == "quarantined" and shop.revision == patched
    for _ in range(3):
        shop.tell_deployment("COMPLETED")
        moving.until_idle()
    assert shop.moves() == 1 and shop.row()["reason"]["S"] == "rolledBack"


def test_a_service_of_codedeploy_is_reported_and_never_called(ministack, moving, shop, patched, family):
    shop.create(patched, deploymentController={"type": "CODE_DEPLOY"})
    shop.tell_created()
    row = shop.until_reason("codeDeploy")
    assert row["state"]["S"] == "left" and newest(ministack, family)["taskDefinitionArn"] in row["message"]["S"]
    assert shop.moves() == 0


def test_who_declines_by_a_tag_is_left(shop, patched):
    shop.create(patched, tags=[{"key": "ecs-sidecar/rollout", "value": "false"}])
    shop.tell_created()
    shop.until_reason("optedOut")
    assert shop.moves() == 0


def test_a_tug_of_war_ends_with_the_name_of_who_pulls(moving, shop, patched):
    shop.create(patched)
    shop.tell_created()
    for moves in range(1, 4):
        until(lambda: shop.moves() == moves, f"move {moves}")
        shop.until_moved()
        moving.until_idle()
        shop.set_back(patched, user_agent=TERRAFORM)
    row = shop.until_reason("setBack")
    assert "Terraform" in row["message"]["S"] and "role/ci" not in row["message"]["S"].split(",")[0]
    for _ in range(3):
        shop.set_back(patched, user_agent=TERRAFORM)
        moving.until_idle()
    assert shop.moves() == 3 and shop.revision == patched


def test_a_crashing_sidecar_stops_all_writes_until_somebody_resumes(ministack, moving, shop, patched, people, definition, family):
    service = shop.create(newest(ministack, family)["taskDefinitionArn"])
    (sidecar,) = [c for c in newest(ministack, family)["containerDefinitions"] if c["name"] == "xray-daemon"]
    words = f'CannotPullContainerError: pull image manifest: "{sidecar["image"]}": not found'
    since = moving.now()
    try:
        for _ in range(3):
            containers = [{"name": "checkout"}, {"name": "xray-daemon", "reason": words}]
            people.send(task_stopped(ministack, service, containers, code="TaskFailedToStart", reason=words))
        tripped = until(
            lambda: [line for line in moving.log_lines(since) if "tripped" in str(line.get("message"))], "the breaker to trip"
        )
        assert words in json.dumps(tripped[0]).replace("\\", "")
        other = people.register({**definition, "family": f"{family}-other"})
        moving.until_idle()
        held = newest(ministack, f"{family}-other")
        assert held["revision"] == other["revision"], "nothing is written"
        (row,) = [row for row in moving.table.rows() if row["id"]["S"] == f"{family}-other"]
        assert row["reason"]["S"] == "paused" and "tasks failed to start" in row["message"]["S"]
    finally:
        moving.table.put("standing", "switch", changedAt={"N": str(moving.now() // 1000 + 1)}, version={"N": "1"})
    people.tell_registered(other)
    moving.until_idle()
    assert newest(ministack, f"{family}-other")["revision"] == other["revision"] + 1


def test_a_service_that_no_event_told_of_is_found_by_the_sweep(ministack, moving, shop, patched, family):
    shop.create(patched)
    moving.invoke_sweep({"action": "reconcile"})
    shop.until_moved()
    assert shop.revision == newest(ministack, family)["taskDefinitionArn"]
    moves = shop.moves()
    moving.invoke_sweep({"action": "reconcile"})
    moving.until_idle()
    assert shop.moves() == moves == 1
