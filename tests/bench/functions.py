"""Part `functions`: our function against the same behaviour in Python 3.11 with boto3.

All take turns in one run: a fresh account behind TLS and a fresh process each time, one cold invocation, then warm ones of
other families with the same roles and image. Medians of the rounds, with the least and the most.
"""

import argparse
import json
import statistics
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from . import contract, subjects
from .contract import Figure
from .runtime_api import Function
from .stand_in import Aws, Certificates

WARM, SLOW_WARM, SLOW_ROUNDS = 40, 10, 5
LATENCY = 20  # milliseconds
MILLION = 1_000_000


class Unequal(Exception):
    """The peer does something else than the function, so that figures would say nothing."""


@dataclass
class Measured:
    """What the rounds of a subject gave; times in milliseconds, one value a round, but for `warm`: one an invocation."""

    start: list = field(default_factory=list)
    start_cpu: list = field(default_factory=list)
    first: list = field(default_factory=list)
    first_cpu: list = field(default_factory=list)
    warm: list = field(default_factory=list)
    warm_cpu: list = field(default_factory=list)
    memory: list = field(default_factory=list)  # MiB


def run(subject, certificates, folder, into, latency_ms=0, warm=WARM):
    """One round of a subject."""
    with Aws(certificates, latency_ms) as aws:
        events = [aws.register(f"web-{number}") for number in range(warm + 1)]
        with Function(subject.command, {**aws.environment(), **subject.environment}, folder) as function:
            into.start.append(function.started_ns / MILLION)
            before = function.cpu_ns()
            into.start_cpu.append(before / MILLION)
            into.first.append(invoke(function, events[0]))
            after = function.cpu_ns()
            into.first_cpu.append((after - before) / MILLION)
            into.warm += [invoke(function, event) for event in events[1:]]
            into.warm_cpu.append((function.cpu_ns() - after) / MILLION / warm)
            into.memory.append(function.peak_memory_bytes() / 2**20)


def invoke(function, event):
    """Hands over an event; returns the milliseconds until the answer, which must be a success."""
    answer, nanoseconds = function.invoke(event)
    if json.loads(answer) != {"batchItemFailures": []}:
        raise Unequal(f"{answer!r}\n{function.output()}")
    return nanoseconds / MILLION


def behaviour(subject, certificates, folder):
    """What a subject does, cold and then warm: its calls, what it registers, what its family's row is made of."""
    with Aws(certificates, calls=folder / "calls") as aws:
        events = [aws.register(family) for family in ("web-a", "web-b")]
        with Function(subject.command, {**aws.environment(), **subject.environment}, folder) as function:
            aws.take_calls()
            calls = []
            for event in events:
                invoke(function, event)
                calls.append(sorted(line.split(" ")[0] for line in aws.take_calls()))
            answer = aws.newest("web-b")
        definition = answer["taskDefinition"]
        registered = {key: value for key, value in definition.items() if key != "registeredAt"}
        return {
            "cold calls": calls[0],
            "warm calls": calls[1],
            "registration": (registered, answer["tags"]),
            "row": sorted(aws.row("web-b")),
        }


def check_equal(ours, others, certificates, folder):
    """Raises Unequal where the peers do not do what ours does; returns the calls of a warm injection."""
    wanted = behaviour(ours, certificates, folder)
    if not wanted["registration"][0]["taskDefinitionArn"].endswith(":2"):
        raise Unequal("nothing was injected")
    for other in others:
        found = behaviour(other, certificates, folder)
        for what, value in wanted.items():
            if found[what] != value:
                raise Unequal(f"{what} of {other.name}: {found[what]}\nof the function: {value}")
    return wanted["warm calls"]


def median(values):
    return statistics.median(values), (min(values), max(values))


def percentile(values, part):
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def of_each(name, unit, measured, values, **more):
    """A figure of each subject: the median with its spread."""
    for subject, its in measured.items():
        value, spread = median(values(its))
        yield Figure(f"{name}, {subject}", value, unit, spread, **more.get(subject, {}))


def ratio(name, measured, values, goal):
    """Ours as a part of Python's, whose faster loop counts."""
    medians = {subject: median(values(its))[0] for subject, its in measured.items()}
    ours = medians.pop("ours")
    return Figure(f"{name}, ours / Python", ours / min(medians.values()), "", goal={"at_most": goal})


def figures(measured, slow, sizes, calls):
    """All that is told."""
    rounds = len(measured["ours"].start)
    note = f"{rounds} rounds, {rounds * WARM} warm invocations each"
    yield from of_each("start to first poll", "ms", measured, lambda its: its.start, ours={"note": note})
    yield ratio("start to first poll", measured, lambda its: its.start, 1 / 50)
    yield from of_each("first invocation", "ms", measured, lambda its: its.first)
    yield ratio("first invocation", measured, lambda its: its.first, 1 / 12)
    yield from of_each("warm invocation, median", "ms", measured, lambda its: its.warm)
    for subject, its in measured.items():
        yield Figure(f"warm invocation, 99 of 100 within, {subject}", percentile(its.warm, 0.99), "ms")
    yield from of_each("own CPU, start", "ms", measured, lambda its: its.start_cpu)
    yield from of_each("own CPU, first invocation", "ms", measured, lambda its: its.first_cpu)
    note = f"{len(calls)} calls: " + ", ".join(f"{calls.count(call)} {call}" for call in dict.fromkeys(calls))
    goal = {"ours": {"goal": {"at_most": 2.0}, "note": note}}
    yield from of_each("own CPU, warm injection", "ms", measured, lambda its: its.warm_cpu, **goal)
    yield from of_each("peak memory", "MiB", measured, lambda its: its.memory)
    memory = ratio("peak memory", measured, lambda its: its.memory, 1 / 4)
    yield Figure(**{**vars(memory), "fixed": True})
    ours, python = sizes
    yield Figure("package, ours", ours / 1e6, "MB", goal={"at_most": 5.0}, fixed=True, note="zip as deployed; MB are 10^6 bytes")
    yield Figure("package, Python", python / 1e6, "MB", note="handler, boto3 and what it needs, sources only")
    note = f"each answer of AWS takes {LATENCY} ms more; {len(slow['ours'].start)} rounds"
    yield from of_each(f"first invocation at {LATENCY} ms", "ms", slow, lambda its: its.first, ours={"note": note})
    yield from of_each(f"warm invocation at {LATENCY} ms, median", "ms", slow, lambda its: its.warm)


def take_turns(candidates, certificates, folder, rounds, what, **more):
    """Rounds in which each has its turn; a first one that counts nothing fills the machine's caches."""
    measured = {subject.name: Measured() for subject in candidates}
    for number in range(rounds + 1):
        for subject in candidates:
            into = measured[subject.name] if number else Measured()
            run(subject, certificates, folder, into, **more)
        print(f"functions: {what}, round {number} of {rounds}", file=sys.stderr, flush=True)
    return measured


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m bench.functions", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15, help="rounds in which all take turns (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="two rounds")
    asked = parser.parse_args(arguments)
    if sys.version_info[:2] != (3, 11):
        sys.exit("error: the peer is measured with Python 3.11\nhint: make bench PYTHON=/path/to/python3.11")
    rounds, slow_rounds = (2, 1) if asked.quick else (asked.rounds, SLOW_ROUNDS)
    with tempfile.TemporaryDirectory(prefix="ecs-sidecar-bench-") as name:
        folder = Path(name)
        ours, our_size = subjects.ours(folder)
        *others, python_size = subjects.peers(folder)
        certificates = Certificates(folder)
        try:
            calls = check_equal(ours, others, certificates, folder)
        except Unequal as why:
            sys.exit(f"error: the peer does not do what the function does\n{why}")
        candidates = [ours, *others]
        fast = take_turns(candidates, certificates, folder, rounds, "no latency")
        more = {"latency_ms": LATENCY, "warm": SLOW_WARM}
        slow = take_turns(candidates, certificates, folder, slow_rounds, f"{LATENCY} ms", **more)
    print(contract.write("functions", list(figures(fast, slow, (our_size, python_size), calls))))


if __name__ == "__main__":
    main()
