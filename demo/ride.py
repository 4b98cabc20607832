"""The ride of the example task definitions through the deployed stack, and the proof that it went as it should."""

import json
import sys
from pathlib import Path

from harness import families
from harness.ecs_fake import EcsFake
from harness.events import Trail
from harness.ministack import Ministack
from harness.owners import attached_policies, create_roles
from harness.stack import UPSTREAM, DeploymentFailed, Stack
from harness.waiting import NeverHappened, until
from harness.wire import Wire

from . import expectations, screen

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
COLUMNS = ["family", "before", "after", "decision", "reason"]
SIDECAR = "xray-daemon"


class NotAsExpected(Exception):
    """The demo saw something else than it must; each line one difference."""


class Ride:
    """The families of the examples in one emulator."""

    def __init__(self, ministack, wire, package, sweep_package):
        self.ministack = ministack
        self.stack = Stack(ministack, wire, "ecs-sidecar", package, sweep_package)
        self.trail = Trail(self.stack)
        self.first = {}  # family -> what a person registered
        self.surprises = []

    def expect(self, condition, what):
        """Notes `what` was expected and is not so."""
        if not condition:
            self.surprises.append(what)

    def run(self):
        """All of it, in the order in which it is told."""
        with screen.progress("Deploying the stack from infra/cloudformation/operator.yaml"):
            self.stack.deploy(Mode="audit", LogGroups="create")
        with screen.progress("Registering the task definitions of examples/"):
            self.register_examples()
        for mode, expected in expectations.MODES.items():
            if mode != "audit":
                with screen.progress(f"Updating the stack to Mode={mode}"):
                    self.stack.deploy(Mode=mode)
            self.deliver_and_show(f"Mode={mode}", expected)
            self.check_grants(mode)
        self.show_diff(expectations.SHOWN)
        self.deliver_and_show("The same events again", expectations.REPEATED)
        self.expect(
            self.stack.waiting_messages("DeadLetterQueueUrl") == 0, "expected the dead-letter queue to be empty"
        )
        self.check_end()
        if self.surprises:
            raise NotAsExpected("\n".join(self.surprises))

    def register_examples(self):
        """Registers each example, as a person would, and keeps what ECS made of it."""
        for path in sorted(EXAMPLES.glob("*.json")):
            definition = json.loads(path.read_text())
            create_roles(self.ministack, definition)
            self.ministack.client("ecs").register_task_definition(**definition)
            self.first[definition["family"]] = families.newest(self.ministack, definition["family"])
        known = list(expectations.MODES["audit"])
        if set(self.first) != set(known):
            raise NotAsExpected(f"expected the examples' families to be {known}, saw {list(self.first)}")
        self.first = {family: self.first[family] for family in known}  # in the order of the expectations

    def deliver_and_show(self, title, expected):
        """Hands over the event of each family's registration, waits, prints the table, compares."""
        before = {family: self.newest_number(family) for family in self.first}
        since = self.stack.now()
        with screen.progress(f"{title}: handing {len(before)} registrations to the rules, waiting for decisions"):
            self.trail.copy_rules()
            for family in before:
                self.trail.tell_registered(self.first[family])
            decided = until(lambda: self.decisions(since, before), "a logged decision for every family", 120)
            self.stack.until_idle()
            # AWS tells of the operator's own calls too; the rules must drop them, or the operator would wake itself.
            for family in before:
                newest = families.newest(self.ministack, family)
                if families.revision_of(newest["taskDefinitionArn"]) != before[family]:
                    self.trail.tell_registered(newest, issuer=self.stack.outputs["RoleArn"])
            self.expect(
                self.stack.waiting_messages() == 0, f"{title}: expected the operator's own calls to wake nobody"
            )
        after = {family: self.newest_number(family) for family in before}
        screen.heading(title)
        screen.table(
            [[f, before[f], after[f], decided[f]["decision"], decided[f].get("reason")] for f in before], COLUMNS
        )
        for family, (decision, reason, registers) in expected.items():
            seen = (decided[family]["decision"], decided[family].get("reason"), after[family] - before[family])
            wanted = (decision, reason, int(registers))
            self.expect(
                seen == wanted,
                f"{title}: expected {family} to be decision, reason, new revisions {wanted}, saw {seen}",
            )

    def decisions(self, since, wanted):
        """The last decision on each family, or None as long as one is missing or waits for the image."""
        lines = {
            line["family"]: line for line in self.stack.log_lines(since) if line.get("decision") and line.get("family")
        }
        waiting = any(line.get("again_in_seconds") for line in lines.values())
        return lines if set(wanted) <= set(lines) and not waiting else None

    def newest_number(self, family):
        """The number of the newest ACTIVE revision."""
        return families.revision_of(families.active_revisions(self.ministack, family)[-1])

    def check_grants(self, mode):
        """Roles have what the sidecar needs if, and only if, the family has one."""
        for family, revision in self.first.items():
            has_sidecar = self.newest_number(family) != families.revision_of(revision["taskDefinitionArn"])
            attached = attached_policies(self.ministack, revision["taskRoleArn"])
            traces = any(arn.endswith(":policy/AWSXRayDaemonWriteAccess") for arn in attached)
            self.expect(
                traces == has_sidecar,
                f"Mode={mode}: expected the task role of {family} to {'have' if has_sidecar else 'lack'} "
                f"AWSXRayDaemonWriteAccess, saw {attached}",
            )
        pulls = self.stack.outputs["ExecutionPolicyArn"] in attached_policies(
            self.ministack, self.first[expectations.SHOWN]["executionRoleArn"]
        )
        self.expect(
            pulls == (mode != "audit"), f"Mode={mode}: expected the execution role's policy for the image: {not pulls}"
        )

    def check_end(self):
        """Every patched definition is the person's, with one container more."""
        for family, original in self.first.items():
            newest = families.newest(self.ministack, family)
            theirs = [c for c in newest["containerDefinitions"] if c["name"] != SIDECAR]
            patched = len(newest["containerDefinitions"]) - len(theirs)
            self.expect(patched == (family not in expectations.NEVER), f"{family}: saw {patched} sidecars")
            for member in set(original) | set(newest):
                if member in families.ECS_OWN_MEMBERS:
                    continue
                seen = theirs if member == "containerDefinitions" else newest.get(member)
                if original.get("networkMode") == "bridge" and member == "containerDefinitions":
                    seen = [without_link(container) for container in theirs]
                self.expect(seen == original.get(member), f"{family}: expected {member} to be as it was registered")

    def show_diff(self, family):
        """Prints what the operator made of a family's definition."""
        original, newest = self.first[family], families.newest(self.ministack, family)
        screen.heading(f"{family}, before and after")
        names = [revision["taskDefinitionArn"].rsplit("/", 1)[1] for revision in (original, newest)]
        screen.diff(families.register_form(original), families.register_form(newest), names)


def without_link(container):
    """A container of a bridge-mode definition without what lets it reach the sidecar."""
    container = dict(container)
    for member, ours in (
        ("links", lambda link: link.split(":")[0] == SIDECAR),
        ("environment", lambda variable: variable["name"] == "AWS_XRAY_DAEMON_ADDRESS"),
    ):
        if member in container:
            container[member] = [value for value in container[member] if not ours(value)]
            if not container[member]:
                del container[member]
    return container


def run(package, sweep_package):
    """Starts the emulator, takes the ride, ends the emulator whatever happens."""
    with Ministack() as ministack, EcsFake(upstream=[UPSTREAM]) as ecr, Wire(ministack, ecr) as wire:
        print(f"ministack answers at {ministack.endpoint}", file=sys.stderr)
        try:
            Ride(ministack, wire, package, sweep_package).run()
        except (NeverHappened, DeploymentFailed) as failure:
            # The emulator's log is gone with it.
            raise NotAsExpected(f"{failure}\nthe emulator's last lines:\n{ministack.log()[-2000:]}") from failure
