"""Each call of the deployed function goes wrong in each way that AWS can, once; then all is quiet, and the end is the same.

The faults are microburst's, in front of all that the function speaks to: errors in AWS's own envelopes, connections that end before
the request is read, or after it was done. The other half of `make faults` does the same to every call of every scenario in memory.
"""

import collections
import json
import subprocess
import time

import judge
import pytest
from harness.families import active_revisions, newest, register_form
from harness.microburst import Microburst
from harness.owners import attached_policies, create_roles
from harness.waiting import NeverHappened, until

SIDECAR = "xray-daemon"
RECEIPT = "ecs-sidecar/receipt"
PRESET = judge.ROOT / "crates/core/presets/xray-daemon.yaml"
GRANTED = {"taskRoleArn": "AWSXRayDaemonWriteAccess", "executionRoleArn": "execution"}

# What each kind is to microburst; IAM has names of its own.
KINDS = {
    "500-before": lambda iam: {"error": {"code": "ServiceFailure" if iam else "ServerException", "status": 500}},
    "throttled": lambda iam: {"error": {"code": "Throttling" if iam else "ThrottlingException", "status": 400}},
    "denied": lambda iam: {"error": {"code": "AccessDenied" if iam else "AccessDeniedException", "status": 403}},
    "reset-before": lambda iam: {"reset": True},
    "answer-lost": lambda iam: {"response": {"abort_bytes": 0}},
}

ran = collections.Counter()


@pytest.fixture(scope="module")
def burst(wire):
    """What goes wrong, in front of everything that the function calls."""
    with Microburst(wire.endpoint) as running:
        yield running


@pytest.fixture(scope="module")
def troubled(stack, wire, burst):
    """The stack, whose functions speak to AWS through it."""
    stack.until_idle()
    # Signatures are checked behind it, and hold for the host that the function called.
    wire.signed_for = burst.endpoint.removeprefix("http://")
    stack.deploy(EndpointUrl=burst.endpoint)
    yield stack
    wire.signed_for = None
    stack.deploy(EndpointUrl=wire.endpoint)


@pytest.fixture(scope="module")
def told(capfd_disabled):
    """Tells at the end how many combinations there were."""
    yield
    with capfd_disabled():
        print(f"\nfaults in front of the emulator: {sum(ran.values())} combinations ran and reached their call: {dict(ran)}")


@pytest.fixture(scope="module")
def capfd_disabled(request):
    """Lets something be printed past pytest's capture."""
    return request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled


class Scene:
    """A family of its own, with roles of its own: what is remembered of a role is not asked again."""

    def __init__(self, ministack, definition, name, older):
        self.ministack, self.family = ministack, name
        self.definition = {**definition, "family": name}
        for member in GRANTED:
            self.definition[member] = f"{definition[member].rsplit('/', 1)[0]}/{member[:4]}-{name}"[:98]
        create_roles(ministack, self.definition)
        if older:
            self.definition = injected(self.definition, older)

    def row(self, stack):
        """What the operator's table tells of it, or nothing yet."""
        return next((row for row in stack.table.rows() if row["id"]["S"] == self.family), {})

    def settle(self, stack, covered=True):
        """Waits until all messages are done, and the family is covered; what waits in vain is judged. A lease that somebody
        lost sight of ends by itself after minutes; here, at once."""

        def settled():
            row, idle = self.row(stack), waiting(stack) == 0
            if "leaseOwner" in row and int(row["leaseUntil"]["N"]) > time.time() and delayed(stack):
                expired = {**row, "leaseUntil": {"N": "1"}}
                kind, id = expired.pop("kind")["S"], expired.pop("id")["S"]
                stack.table.put(kind, id, **expired)
            return idle and (not covered or row.get("state") == {"S": "covered"})

        try:
            until(settled, "the family to be covered", seconds=60, every=0.25)
        except NeverHappened:
            pass

    def judge(self, stack, source):
        """What does not hold of the family, now that all is quiet."""
        last, arns = newest(self.ministack, self.family), active_revisions(self.ministack, self.family)
        made_of = collections.Counter(map(self._made_of, arns))
        receipt = receipt_of(last)
        if not receipt or receipt["by"] != "operator" or receipt["source"].get("arn") != source["taskDefinitionArn"]:
            row = {name: value for name, value in self.row(stack).items() if name in ("state", "reason", "message")}
            return [f"the newest of {arns} is not made of {source['taskDefinitionArn']}: {row}"]
        found = []
        if without_sidecar(last) != without_sidecar(self.described(source["taskDefinitionArn"])):
            found.append("without its sidecar it is not what its owner registered")
        if made_of[(source["taskDefinitionArn"], receipt["digest"])] != 1:
            found.append(f"patches: {made_of}")
        for member, granted in GRANTED.items():
            attached = attached_policies(self.ministack, self.definition[member])
            if len(attached) != 1 or granted.lower() not in attached[0].lower():
                found.append(f"{member} has {attached}")
        row = self.row(stack)
        tells = {name: row.get(name, {}).get("S") for name in ("state", "patched", "source")}
        is_so = {"state": "covered", "patched": last["taskDefinitionArn"], "source": source["taskDefinitionArn"]}
        if tells != is_so or "leaseOwner" in row:
            found.append(f"the row tells {tells}, leased: {'leaseOwner' in row}")
        return found

    def described(self, arn):
        answer = self.ministack.client("ecs").describe_task_definition(taskDefinition=arn, include=["TAGS"])
        return {**answer["taskDefinition"], "tags": answer.get("tags", [])}

    def _made_of(self, arn):
        receipt = receipt_of(self.described(arn)) or {"source": {}, "digest": None}
        return receipt["source"].get("arn"), receipt["digest"]


def delayed(stack):
    """How many messages nobody may see yet: those of families that wait."""
    name = "ApproximateNumberOfMessagesDelayed"
    sqs = stack.ministack.client("sqs")
    return int(sqs.get_queue_attributes(QueueUrl=stack.outputs["QueueUrl"], AttributeNames=[name])["Attributes"][name])


def waiting(stack):
    """How many messages there are, those included."""
    return stack.waiting_messages() + delayed(stack)


def receipt_of(definition):
    """The receipt of its one sidecar, or None."""
    carriers = [c for c in definition["containerDefinitions"] if RECEIPT in c.get("dockerLabels", {})]
    assert len(carriers) <= 1, [c["name"] for c in carriers]
    return json.loads(carriers[0]["dockerLabels"][RECEIPT]) if carriers else None


def without_sidecar(definition):
    """What its owner wrote of it: with this policy a sidecar is a container, and nothing else."""
    apps = [c for c in definition["containerDefinitions"] if RECEIPT not in c.get("dockerLabels", {})]
    return register_form({**definition, "containerDefinitions": apps})


def injected(definition, policy):
    """What an owner's pipeline registers that injects by another policy."""
    command = [str(judge.BINARY.resolve()), "inject", "--policy", str(policy), "--account", "111122223333", "-"]
    done = subprocess.run(command, input=json.dumps(definition), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(params=["injection", "update"])
def scenes(request, ministack, definition, tmp_path):
    """Makes families: fresh ones, or some that have an older sidecar."""
    older = None
    if request.param == "update":
        older = tmp_path / "older.yaml"
        older.write_text(PRESET.read_text().replace('"64"', '"32"'))
    count = iter(range(1000))

    def scene():
        return Scene(ministack, definition, f"f-{request.node.name.split('[')[1][:-1]}-{next(count)}"[:50], older)

    scene.name = request.param
    return scene


@pytest.mark.parametrize("kind", KINDS)
def test_every_call_that_goes_wrong(kind, scenes, troubled, trail, wire, burst, told):
    def attempt(scene, covered=False):
        source = trail.register(scene.definition)
        scene.settle(troubled, covered)
        return source

    # A first one warms up what does not belong to a family; the second one's calls are those of all that follow.
    for _ in range(2):
        scene, seen = scenes(), len(wire.calls)
        source = attempt(scene, covered=True)
        assert scene.judge(troubled, source) == []
    calls, occurrences = collections.Counter(), []
    for call in wire.calls[seen:]:
        calls[call.action] += 1
        occurrences.append((call.action, calls[call.action], "Action" in call.parameters))
    assert len(occurrences) >= 12, occurrences
    failures = []
    for action, occurrence, iam in occurrences:
        scene = scenes()
        burst.spoil(action, occurrence, KINDS[kind](iam))
        source = attempt(scene)
        where = f"{action} {occurrence}"
        if burst.leave_alone() != 1:
            failures.append(f"{where}: it was never reached")
        # Events come at least once, and people look again.
        trail.tell_registered(source)
        scene.settle(troubled)
        failures += [f"{where}: {violation}" for violation in scene.judge(troubled, source)]
        ran[scenes.name] += 1
    assert not failures, "\n".join(failures)
    assert troubled.waiting_messages("DeadLetterQueueUrl") == 0
