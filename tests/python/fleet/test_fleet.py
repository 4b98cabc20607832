"""A first sweep over a whole account, in which workers and the sweep are killed, and a second one that finds nothing."""

import os
import random
import signal
import time
from collections import Counter

from harness.families import family_of
from harness.waiting import until

WRITES = {"RegisterTaskDefinition", "DeregisterTaskDefinition"}
READS = {"DescribeTaskDefinition", "ListTaskDefinitions", "ListTaskDefinitionFamilies"}


def functions():
    """Process ids of the functions that run just now: they are called bootstrap."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/comm") as comm:
                    if comm.read().strip() == "bootstrap":
                        found.append(int(name))
            except OSError:
                pass  # it has just ended
    return found


def states(stack):
    return Counter(row["state"]["S"] for row in stack.table.rows() if "state" in row)


def test_first_sweep_covers_all_though_its_workers_die(ministack, stack, wire, fleet):
    chance = random.Random(20261124)
    stack.invoke_sweep({"action": "reconcile"})
    killed = 0
    while states(stack)["covered"] < len(fleet) * 0.9:
        time.sleep(chance.uniform(2, 6))  # a moment that nobody chose
        if killed < 12 and (running := functions()):
            os.kill(chance.choice(running), signal.SIGKILL)
            killed += 1
    assert killed >= 5
    # Whatever died comes again, with its lease at the latest; sweeps come back until there is nothing left.
    def converged():
        if states(stack)["covered"] == len(fleet):
            return True
        stack.invoke_sweep({"action": "reconcile"})
        time.sleep(5)
        return False

    until(converged, "every family to be covered", seconds=900)
    stack.until_idle(120)
    registered = Counter(call.parameters["family"] for call in wire.calls if call.action == "RegisterTaskDefinition")
    pages = ministack.client("ecs").get_paginator("list_task_definitions").paginate(status="ACTIVE")
    active = Counter(family_of(arn) for page in pages for arn in page["taskDefinitionArns"])
    assert active == Counter({name: 2 for name in fleet}), "one patch each, whatever died"
    assert sum(registered.values()) - len(fleet) <= killed, "a death costs one registration at most"


def test_second_sweep_writes_nothing_and_reads_the_listing(stack, wire, fleet):
    stack.until_idle(300)
    until(lambda: next(iter(stack.table.rows("sweep")))["phase"]["S"] == "done", "sweeps to end", seconds=300)
    since = len(wire.calls)
    answer = stack.invoke_sweep({"action": "reconcile"})
    assert (answer["outcome"], answer["families"], answer["queued"]) == ("finished", len(fleet), 0)
    assert answer["states"] == {"covered": len(fleet)}
    stack.until_idle()
    calls = Counter(call.action for call in wire.calls[since:])
    assert not WRITES & set(calls)
    reads = sum(calls[action] for action in READS)
    assert reads - answer["pages"] <= len(fleet) / 50
