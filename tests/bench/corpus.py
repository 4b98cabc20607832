"""Part `corpus`: public task definitions through `ecs-sidecar` and through PyPI's `ecs-deploy`, both against the fake.

Each definition is registered, gets the container, gets it again, and has it taken out. A member that nobody knows yet is
added to each definition and container beforehand: AWS adds some each year. Roles that are placeholders ("<account>") are
filled in, since ECS would refuse them.
"""

import argparse
import json
import os
import re
import statistics
import sys
from dataclasses import dataclass, field
from pathlib import Path

from botocore.exceptions import ClientError

from . import compare, contract
from .contract import Figure
from .parts import PROFILE
from .pipelines import ROLE, SIDECAR, EcsDeploy, EcsSidecar, Failed, Fake
from .place import PROGRAM

NEXT_YEAR = "memberOfNextYear"
A_ROLE = re.compile(r"(arn:aws[a-z-]*:iam::\d{12}:role/)?[\w+=,.@/-]+")
CANNOT = (
    "ecs-deploy can be asked for neither UDP ports, nor restartPolicy, readonlyRootFilesystem or bridge links, nor to look "
    "whether a definition can have the container; it needs a service, which it deploys"
)
KEPT = f"describe and register by a client that is kept; the program is built with the profile {PROFILE}"


@dataclass
class Tally:
    """What became of the definitions."""

    seconds: list = field(default_factory=list)
    injected: int = 0
    left_alone: int = 0
    failed: list = field(default_factory=list)
    lost: list = field(default_factory=list)
    lost_of_next_year: int = 0
    again: int = 0  # a second run registered another revision
    drifted: int = 0  # a second run changed the definition
    unlike: int = 0  # a removal did not bring the original back
    unlike_but_for_next_year: int = 0


def definitions(folder, limit=None):
    """The corpus by file name, each a registration with a family of its own and a member of next year."""
    for number, file in enumerate(sorted((Path(folder) / "taskdefs").glob("*.json"))[:limit]):
        read = json.loads(file.read_text())
        definition = {**read.get("taskDefinition", read), "family": f"corpus-{number}", NEXT_YEAR: {"value": 1}}
        for container in definition.get("containerDefinitions") or ():
            container[NEXT_YEAR] = "x"
        for key in ("taskRoleArn", "executionRoleArn"):
            if definition.get(key) and not A_ROLE.fullmatch(definition[key]):
                definition[key] = ROLE
        yield file.name, definition


def of_next_year(place):
    return NEXT_YEAR in place


def known(definition):
    """A definition without the member of next year."""
    if isinstance(definition, list):
        return [known(item) for item in definition]
    if isinstance(definition, dict):
        return {key: known(value) for key, value in definition.items() if key != NEXT_YEAR}
    return definition


def treat(pipeline, fake, family, name, tally):
    """One definition through one pipeline."""
    original, first = fake.newest(family)
    try:
        pipeline.prepare(fake, family)
        tally.seconds.append(pipeline.inject(fake, family))
        injected, second = fake.newest(family)
        if second == first:
            tally.left_alone += 1
            return
        if not any(container["name"] == SIDECAR for container in injected["containerDefinitions"]):
            raise Failed("it registered a revision without the container")
        tally.injected += 1
        gone = compare.losses(original, injected)
        tally.lost += [f"{name}: {place}" for place in gone if not of_next_year(place)]
        tally.lost_of_next_year += sum(map(of_next_year, gone))
        pipeline.inject(fake, family)
        once_more, third = fake.newest(family)
        tally.again += third != second
        tally.drifted += not compare.same(injected, once_more)
        pipeline.remove(fake, family)
        removed, _ = fake.newest(family)
        tally.unlike += not compare.same(original, removed)
        tally.unlike_but_for_next_year += not compare.same(known(original), known(removed))
    except (Failed, ClientError) as why:
        tally.failed.append(f"{name}: {why}")


def measure(corpus):
    """All definitions through both pipelines, in turns; returns a tally each, and how many the fake refused."""
    pipelines = (EcsSidecar(), EcsDeploy())
    tallies, refused = {pipeline.name: Tally() for pipeline in pipelines}, 0
    with Fake() as ours, Fake() as theirs:
        for number, (name, definition) in enumerate(corpus):
            text = json.dumps(definition)
            try:
                for fake in (ours, theirs):
                    fake.register(text)
            except ClientError:
                refused += 1
                continue
            for pipeline, fake in zip(pipelines, (ours, theirs), strict=True):
                treat(pipeline, fake, definition["family"], name, tallies[pipeline.name])
            print(f"corpus: {number + 1} of {len(corpus)}", file=sys.stderr, flush=True)
    return tallies, refused


def figures(tallies, refused, count):
    """All that is told."""
    note = f"{refused} are refused by ECS's own rules, and count for neither"
    yield Figure("definitions", count, "", fixed=True, note=note)
    for name, tally in tallies.items():
        ours = name == EcsSidecar.name
        none = {"goal": {"at_most": 0}, "fixed": True} if ours else {"fixed": True}
        of = f"of {tally.injected}"
        yield Figure(f"given the container, {name}", tally.injected, "", fixed=True, note=None if ours else CANNOT)
        yield Figure(f"left alone, {name}", tally.left_alone, "", fixed=True, note=_left_alone(ours))
        yield Figure(f"failed, {name}", len(tally.failed), "", note=_first(tally.failed), **none)
        yield Figure(
            f"wall time, {name}",
            statistics.median(tally.seconds) * 1000,
            "ms",
            (min(tally.seconds) * 1000, max(tally.seconds) * 1000),
            note=KEPT if ours else "the program, with its deployment",
        )
        yield Figure(f"members lost or changed, {name}", len(tally.lost), "", note=_first(tally.lost), **none)
        yield Figure(f"members of next year lost, {name}", tally.lost_of_next_year, "", **none)
        yield Figure(f"second run registers again, {name}", tally.again, of, **none)
        yield Figure(f"second run changes the definition, {name}", tally.drifted, of, **none)
        yield Figure(f"removal is not the original, {name}", tally.unlike, of, **none)
        name = f"removal is not the original but for next year's member, {name}"
        yield Figure(name, tally.unlike_but_for_next_year, of, **none)


def _left_alone(ours):
    return "by the policy: no room, another network mode, Windows, a daemon of its own" if ours else None


def _first(texts):
    return f"such as {' '.join(texts[0].split())[:160]}" if texts else None


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m bench.corpus", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the first ten definitions")
    asked = parser.parse_args(arguments)
    folder = os.environ.get("TASKDEF_CORPUS")
    if not folder:
        sys.exit("error: TASKDEF_CORPUS is not set\nhint: it names a directory with taskdefs/*.json")
    if not PROGRAM.exists():
        sys.exit(f"error: {PROGRAM} is not there\nhint: make bench builds it")
    corpus = list(definitions(folder, 10 if asked.quick else None))
    tallies, refused = measure(corpus)
    for tally in tallies.values():
        for line in [*tally.failed, *tally.lost]:
            print(f"corpus: {line}", file=sys.stderr)
    print(contract.write("corpus", list(figures(tallies, refused, len(corpus)))))


if __name__ == "__main__":
    main()
