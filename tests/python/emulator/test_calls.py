"""What the functions call: what they were linked with, and what they send while the operator does all that it can.

Every call is held to the table (harness/calls.py) and, as the request that IAM would be asked about with all its condition keys, to
the template: the emulator enforces actions and resources at the same time, and refuses nobody.
"""

import json
import zipfile

import pytest
import yaml
from harness import calls
from harness.audit import call_of, denied, sent_by
from harness.ecs_fake import EcsFake
from harness.events import Trail
from harness.families import active_revisions, newest, register_form
from harness.macro import deploy_macro
from harness.ministack import Ministack
from harness.owners import create_roles
from harness.sources import linked_with
from harness.stack import REPOSITORY_ROOT, UPSTREAM, Stack
from harness.template_cases import all_cases
from harness.waiting import until
from harness.wire import Wire

from conftest import built

from .conftest import EXAMPLE
from .test_rollout import Shop

PACKAGES = {"reconcile": "RECONCILE_PACKAGE", "sweep": "SWEEP_PACKAGE", "macro": "MACRO_PACKAGE"}
PRESET = yaml.safe_load((REPOSITORY_ROOT / "crates/core/presets/xray-daemon.yaml").read_text())
SIDECAR = PRESET["metadata"]["name"]
EXAMPLE_PLATFORM = {"CpuArchitecture": EXAMPLE["runtimePlatform"]["cpuArchitecture"]}
# What it takes more than this ride to see: a sweep that ECS throttles says so (tests/tests/reconcile/sweep.rs), and the
# architecture of an image that has just one is looked up in its configuration (tests/tests/reconcile/image.rs).
NOT_HERE = {
    "sweep": {"dynamodb:UpdateItem", "ecr:GetAuthorizationToken"},
    "macro": {"ecr:GetAuthorizationToken"},
}
ON = {"LogGroups": "create", "RolloutServices": "true", "SweepShare": "100000"}


@pytest.mark.parametrize("function", PACKAGES)
def test_a_program_is_linked_with_the_calls_of_the_table(function, tmp_path):
    """All that it could send: the linker leaves out what no way leads to."""
    program = zipfile.ZipFile(built(PACKAGES[function])).extract("bootstrap", tmp_path)
    linked = linked_with(program) - calls.FOR_CREDENTIALS
    planned = calls.PLANNED_ONLY if function == "sweep" else set()
    assert linked == calls.SENDS[function] | planned


# --- what they send ---


@pytest.fixture(scope="module")
def ministack():
    with Ministack(enforce_iam=True) as running:
        yield running


@pytest.fixture(scope="module")
def wire(ministack):
    with EcsFake(upstream=[UPSTREAM]) as ecr, Wire(ministack, ecr) as running:
        yield running


@pytest.fixture(scope="module")
def stack(ministack, package, sweep_package, wire):
    deployed = Stack(ministack, wire, "ecs-sidecar", package, sweep_package).deploy(**ON)
    deployed.allow_what_ministack_misreads()
    return deployed


class Ride:
    """One family and its service, from the first injection to the last look."""

    def __init__(self, ministack, stack, wire, macro):
        self.ministack, self.stack, self.wire, self.macro = ministack, stack, wire, macro
        self.people = Trail(stack).copy_rules()
        self.family = EXAMPLE["family"]
        self.shop = Shop(ministack, stack, wire, self.people, "shop")
        self.version = 0

    def settle(self):
        self.stack.until_idle()

    def until_names(self, *names):
        until(lambda: tuple(c["name"] for c in newest(self.ministack, self.family)["containerDefinitions"]) == names, f"{names}")

    def write(self, id, **attributes):
        """Writes what is wanted, as its people would."""
        self.version += 1
        self.stack.table.put("standing", id, version={"N": str(self.version)}, **attributes)

    def policy(self, name=SIDECAR, deleting=False):
        """A policy like the preset, which is followed at once; one of the preset's name stands in for it."""
        spec = {**PRESET["spec"], "updates": "now", "image": {**PRESET["spec"]["image"], "pin": "digest"}}
        text = {"S": yaml.safe_dump({**PRESET, "metadata": {"name": name}, "spec": spec})}
        self.write(f"policy/{name}", text=text, deleting={"BOOL": deleting})

    def first_injection(self):
        """With its roles, its image and a log group that is not there yet."""
        create_roles(self.ministack, EXAMPLE)
        self.registered = self.people.register(EXAMPLE)
        self.settle()
        self.until_names("checkout", SIDECAR)

    def log_group_of_the_driver(self):
        """The driver makes the group, if the execution role lets it: that is asked of IAM."""
        definition = json.loads(json.dumps(EXAMPLE | {"family": "driver"}))
        options = definition["containerDefinitions"][0]["logConfiguration"]["options"]
        options |= {"awslogs-create-group": "true", "awslogs-group": "/shop/driver"}
        self.people.register(definition)
        self.settle()

    def move(self):
        """A service on the revision of before is moved."""
        self.shop.create(self.registered["taskDefinitionArn"])
        self.shop.tell_created()
        self.shop.until_moved()
        self.shop.tell_deployment("COMPLETED")
        self.shop.until_reason("moved")

    def update(self):
        """A policy is written: the sweep is woken by the table, and has the family reconciled."""
        before = newest(self.ministack, self.family)["revision"]
        self.policy()
        until(lambda: newest(self.ministack, self.family)["revision"] > before, "the policy to be followed", 90)
        self.settle()

    def look(self):
        """A sweep that plans, and knows of no fetch: it looks at the image's layers itself."""
        key = {name: self.stack.table.rows("image")[0][name] for name in ("kind", "id")}
        self.ministack.client("dynamodb").delete_item(TableName=self.stack.table.name, Key=key)
        assert self.stack.invoke_sweep({"action": "plan"})["counts"]

    def pause(self):
        """Nothing is written meanwhile; then all is looked at."""
        self.write("switch", paused={"BOOL": True})
        mine = self.people.register(EXAMPLE)
        self.settle()
        assert newest(self.ministack, self.family)["revision"] == mine["revision"]
        self.write("switch")
        self.stack.invoke_sweep({"action": "reconcile"})
        self.settle()
        self.until_names("checkout", SIDECAR)

    def decline(self):
        """The owner has the pipeline decline what it got: the sidecar goes."""
        patched = register_form(newest(self.ministack, self.family))
        self.people.register({**patched, "tags": [{"key": "ecs-sidecar/inject", "value": "false"}]})
        self.settle()
        self.until_names("checkout")

    def roll_back(self):
        """What a patched revision was made from is deregistered: ours goes, too."""
        mine = self.people.register(EXAMPLE)
        self.settle()
        self.until_names("checkout", SIDECAR)
        before = len(active_revisions(self.ministack, self.family))
        self.people.deregister(mine["taskDefinitionArn"])
        self.settle()
        assert len(active_revisions(self.ministack, self.family)) == before - 2

    def forget(self):
        """A service is gone, and nobody understands a message."""
        self.ministack.client("ecs").delete_service(cluster="shop", service="web", force=True)
        self.shop.tell_created()
        self.settle()
        self.stack.send("garbage {")
        self.settle()

    def delete_the_policy(self):
        """Its sidecars are taken back, and then the sweep takes it out of the table."""
        self.policy("traces")
        self.people.register({**EXAMPLE, "tags": [{"key": "ecs-sidecar/inject", "value": "traces"}]})
        self.settle()
        self.until_names("checkout", SIDECAR)
        self.policy("traces", deleting=True)
        self.until_names("checkout")

        def swept():
            self.stack.invoke_sweep({"action": "reconcile"})
            return "policy/traces" not in {row["id"]["S"] for row in self.stack.table.rows("standing")}

        until(swept, "the policy to be gone", every=1)

    def ask_the_macro(self):
        (case,) = [case for case in all_cases() if case.name == "fargate-closed-vpc"]
        # The image is there for the architecture that was asked for.
        case.template["Resources"]["Task"]["Properties"]["RuntimePlatform"] = EXAMPLE_PLATFORM
        answer = self.macro.answer(case.template, case.parameters)
        assert answer["status"] == "success", answer["errorMessage"]


@pytest.fixture(scope="module")
def sent(ministack, stack, wire):
    """All calls, by the function that sent them."""
    macro = deploy_macro(stack, built("MACRO_PACKAGE"))
    ride = Ride(ministack, stack, wire, macro)
    ride.first_injection()
    ride.log_group_of_the_driver()
    ride.move()
    ride.update()
    ride.look()
    ride.pause()
    ride.decline()
    ride.roll_back()
    ride.forget()
    ride.ask_the_macro()
    ride.delete_the_policy()
    calls_by_function = sent_by(stack, macro)
    assert sum(map(len, calls_by_function.values())) == len(wire.calls), "each was sent by one of them"
    return calls_by_function


@pytest.mark.parametrize("function", PACKAGES)
def test_a_function_sends_what_the_table_says(sent, function):
    over_the_wire = {call for call in calls.SENDS[function] if not call.startswith("registry:")}
    assert {call_of(call) for call in sent[function]} == over_the_wire - NOT_HERE.get(function, set())


def test_nobody_was_refused(sent, wire):
    # Of a simulation the emulator does not see which role it is about, so that no resource but * would do.
    assert sent and {call.action for call in wire.refused} <= {"SimulatePrincipalPolicy"}, wire.refused


@pytest.mark.parametrize("function", PACKAGES)
def test_what_was_sent_is_granted_with_all_conditions(sent, stack, function):
    assert sent[function] and not denied(stack, function, sent[function], **ON)
