"""An account full of families, with a stack of its own in an emulator of its own."""

import copy
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness.ecs_fake import EcsFake
from harness.ministack import Ministack
from harness.owners import create_log_groups, create_roles
from harness.stack import REPOSITORY_ROOT, UPSTREAM, Stack
from harness.wire import Wire

EXAMPLE = json.loads((REPOSITORY_ROOT / "examples" / "closed-vpc-fargate.json").read_text())
FAMILIES = 2000


@pytest.fixture(scope="session")
def ministack():
    """An emulator that does not look at IAM: other tests do, and this one is about numbers."""
    with Ministack() as running:
        yield running


@pytest.fixture(scope="session")
def wire(ministack):
    """What lies between the functions and the emulator."""
    with EcsFake(upstream=[UPSTREAM]) as ecr, Wire(ministack, ecr) as running:
        yield running


@pytest.fixture(scope="session")
def fleet(ministack):
    """Names of families that each ask for the sidecar; they share their roles and their log group."""
    names = [f"fleet-{n:04}" for n in range(FAMILIES)]
    create_roles(ministack, EXAMPLE)
    create_log_groups(ministack, EXAMPLE)
    ecs = ministack.client("ecs")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: ecs.register_task_definition(**{**copy.deepcopy(EXAMPLE), "family": name}), names))
    return names


@pytest.fixture(scope="session")
def stack(ministack, package, sweep_package, wire):
    """The stack, allowed to write a hundred times as much as the emulator's ECS were one of AWS's."""
    deployed = Stack(ministack, wire, "fleet", package, sweep_package).deploy(
        SweepShare="20000", MaximumConcurrency="4"
    )
    # A message whose worker died comes again after this many seconds; the template's are too long for a test.
    for queue in ("QueueUrl", "SweepQueueUrl"):
        ministack.client("sqs").set_queue_attributes(
            QueueUrl=deployed.outputs[queue], Attributes={"VisibilityTimeout": "30"}
        )
    return deployed
