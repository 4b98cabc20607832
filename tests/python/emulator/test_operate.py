"""The README's commands for an operator in an account, in their order, with a stack of their own."""

import json
import os
import re
import subprocess

import judge
import pytest
from harness.ecs_fake import EcsFake
from harness.families import active_revisions, newest
from harness.ministack import Ministack
from harness.owners import create_log_groups, create_roles
from harness.stack import REPOSITORY_ROOT, UPSTREAM, Stack
from harness.wire import Wire

from .conftest import EXAMPLE

README = (REPOSITORY_ROOT / "README.md").read_text()
FAMILY = EXAMPLE["family"]


def commands():
    """The lines of `ecs-sidecar` in the README's bash blocks: those that ask AWS."""
    blocks = re.findall(r"^```bash\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    return [line for block in blocks for line in block.splitlines() if line.startswith("ecs-sidecar ")]


@pytest.fixture(scope="module")
def ministack():
    with Ministack() as running:
        yield running


@pytest.fixture(scope="module")
def wire(ministack):
    with EcsFake(upstream=[UPSTREAM]) as ecr, Wire(ministack, ecr) as running:
        yield running


@pytest.fixture(scope="module")
def stack(ministack, package, sweep_package, wire):
    return Stack(ministack, wire, "ecs-sidecar", package, sweep_package).deploy(SweepShare="10000")


@pytest.fixture(scope="module")
def run(ministack, wire, stack):
    """Runs a line as a person would, in the repository."""
    judge.need_binary()
    # Through the wire, as the functions do: what ministack answers otherwise than ECS is put right there.
    environment = {
        "PATH": os.pathsep.join([str(judge.BINARY.resolve().parent), os.environ["PATH"]]),
        "HOME": "/nonexistent",
        "AWS_ENDPOINT_URL": wire.endpoint,
        "AWS_REGION": ministack.region,
        "AWS_ACCESS_KEY_ID": ministack.account,
        "AWS_SECRET_ACCESS_KEY": "emulator",
    }

    def run(line, expected=0):
        done = subprocess.run(
            line, shell=True, cwd=REPOSITORY_ROOT, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == expected, f"{line}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    return run


@pytest.fixture(scope="module")
def told(ministack, stack):
    """Somebody who listens to the operator's own events; returns their details so far."""
    sqs, events = ministack.client("sqs"), ministack.client("events")
    url = sqs.create_queue(QueueName="listener")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {"source": ["ecs-sidecar"], "detail-type": ["ECS Sidecar Family State Change"], "detail": {"version": [1]}}
    events.put_rule(Name="listener", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="listener", Targets=[{"Id": "queue", "Arn": arn}])

    def told():
        details = []
        while taken := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in taken:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                details.append(json.loads(message["Body"])["detail"])
        return details

    return told


@pytest.fixture(scope="module")
def registered(ministack, stack, told):
    create_roles(ministack, EXAMPLE)
    create_log_groups(ministack, EXAMPLE)
    ministack.client("ecs").register_task_definition(**EXAMPLE)
    return newest(ministack, FAMILY)


def test_every_command_of_the_readme_runs_and_the_last_ones_undo_it_all(ministack, stack, registered, run):
    before = registered["containerDefinitions"]
    lines = commands()
    verbs = [line.split()[1] for line in lines]
    assert {"status", "reconcile", "sweep", "pause", "resume", "policy", "uninstall", "permissions"} <= set(verbs)
    for line in lines:
        run(line)
        if line.startswith("ecs-sidecar reconcile") and "--plan" not in line.split("#")[0]:
            assert [c["name"] for c in newest(ministack, FAMILY)["containerDefinitions"]] == ["checkout", "xray-daemon"]
    assert newest(ministack, FAMILY)["containerDefinitions"] == before
    assert len(active_revisions(ministack, FAMILY)) >= 3, "the first, the patched and the clean one"


def test_each_change_was_told(told):
    changes = [(detail["previousState"], detail["state"]) for detail in told() if detail["family"] == FAMILY]
    assert (changes[0][0], changes[-1][1]) == (None, "skipped"), changes
    assert "covered" in {state for _, state in changes}
    assert [before for before, _ in changes[1:]] == [after for _, after in changes[:-1]], "one leads to the next"


def test_a_policy_woke_the_sweep_and_both_functions_measure(stack):
    sweeps = stack.log_lines(group="SweepLogGroupName")
    assert "table" in {line.get("cause") for line in sweeps}, "by the table's stream"
    for lines, metric in ((stack.log_lines(), "Decisions"), (sweeps, "SweepFinished")):
        measured = [line for line in lines if metric in line]
        assert measured
        for line in measured:
            (directive,) = line["_aws"]["CloudWatchMetrics"]
            assert directive["Namespace"] == "EcsSidecar" and line["Stack"] == "ecs-sidecar"
            names = {name for names in directive["Dimensions"] for name in names}
            assert names | {entry["Name"] for entry in directive["Metrics"]} <= set(line), "each has its value beside it"


def test_a_pipeline_gets_the_revision_to_deploy(ministack, stack, registered, run):
    run("ecs-sidecar uninstall --cancel")
    arn = ministack.client("ecs").register_task_definition(**EXAMPLE)["taskDefinition"]["taskDefinitionArn"]
    run(f"ecs-sidecar reconcile {FAMILY}")
    printed = run(f"ecs-sidecar wait {arn}").strip()
    assert printed == newest(ministack, FAMILY)["taskDefinitionArn"] != arn
