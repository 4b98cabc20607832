"""Fixtures for all tests of the stack."""

import os
import re
from pathlib import Path

import pytest
from harness.audit import denied, sent_by
from harness.ecs_fake import EcsFake
from harness.events import Trail
from harness.ministack import Ministack
from harness.stack import UPSTREAM, Stack
from harness.wire import Wire


@pytest.fixture(scope="session")
def ministack():
    """One emulator for the whole run, in which the function can do no more than the template grants it."""
    with Ministack(enforce_iam=True) as running:
        yield running


def built(variable):
    """The zip that `make test-emulator` and `make test-registry` have built and named in that variable."""
    path = os.environ.get(variable)
    if not path:
        give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        give_up(f"{variable} is not set; run make test-emulator or make test-registry")
    return Path(path)


@pytest.fixture(scope="session")
def package():
    """The zip of the reconcile function."""
    return built("RECONCILE_PACKAGE")


@pytest.fixture(scope="session")
def sweep_package():
    """The zip of the sweep."""
    return built("SWEEP_PACKAGE")


@pytest.fixture(scope="session")
def wire(ministack):
    """What lies between the function and the emulator."""
    with EcsFake(upstream=[UPSTREAM]) as ecr, Wire(ministack, ecr) as running:
        yield running


@pytest.fixture(scope="session")
def stack(ministack, package, sweep_package, wire):
    """The deployed stack, in its default mode."""
    deployed = Stack(ministack, wire, "ecs-sidecar", package, sweep_package).deploy()
    deployed.allow_what_ministack_misreads()
    # A message that failed comes again after this many seconds; the template's six minutes are too long for a test.
    ministack.client("sqs").set_queue_attributes(
        QueueUrl=deployed.outputs["QueueUrl"], Attributes={"VisibilityTimeout": "3"}
    )
    yield deployed
    # The emulator knows few condition keys; whatever all the tests had the functions send is asked of the template with all of them.
    for function, sent in sent_by(deployed).items():
        assert not denied(deployed, function, sent, RolloutServices="true", LogGroups="create"), function


@pytest.fixture(scope="session")
def trail(stack):
    """Somebody who registers task definitions, while CloudTrail looks on."""
    return Trail(stack).copy_rules()


@pytest.fixture
def family(request):
    """A family of the test's own: one deployed stack serves them all."""
    return re.sub("[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower()).strip("-")
