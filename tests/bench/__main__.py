"""Runs the parts of the benchmarks, shows their figures and judges their goals.

Exit code: 0, also where a goal of speed is missed, since machines differ; 1 if a part failed, or a goal is missed that does
not depend on the machine's speed; 2 for wrong arguments.
"""

import argparse
import datetime
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from . import machine, parts, table

EXAMPLES = """examples:
  python -m bench                                   all parts; dist/bench.json and dist/bench.md
  python -m bench --parts functions --rounds 30     one part, with more rounds
  python -m bench --quick                           few rounds: whether it works, not how fast
  python -m bench --write docs/benchmarks.md        all parts, with the page's figures renewed
"""


def options(arguments):
    """The command line, understood."""
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=__doc__.splitlines()[0],
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--parts", type=_parts, default=list(parts.COMMANDS), help="of " + ", ".join(parts.COMMANDS))
    parser.add_argument("--rounds", type=int, help="rounds in which the functions take turns")
    parser.add_argument("--quick", action="store_true", help="few rounds and definitions")
    parser.add_argument("--json", type=Path, default=parts.ROOT / "dist/bench.json", help="where all figures go")
    parser.add_argument("--write", type=Path, help="a page whose figures, between its markers, are renewed")
    return parser.parse_args(arguments)


def _parts(text):
    names = text.split(",")
    if unknown := [name for name in names if name not in parts.COMMANDS]:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: there are {', '.join(parts.COMMANDS)}")
    return names


def verdict(outcomes):
    """The exit code."""
    failed = [part for part, outcome in outcomes.items() if isinstance(outcome, str)]
    figures = [figure for outcome in outcomes.values() if not isinstance(outcome, str) for figure in outcome]
    return 1 if failed or any(figure.fixed and figure.missed() for figure in figures) else 0


def report(outcomes):
    """All that is known of a run."""
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": machine.commit(),
        "machine": machine.machine(),
        "versions": machine.versions(),
        "outcomes": outcomes,
    }


def as_json(told):
    """A report as a document: figures of each part, and why others failed."""
    outcomes = told["outcomes"].items()
    document = {name: value for name, value in told.items() if name != "outcomes"}
    document["parts"] = [
        {"part": part, "figures": [asdict(figure) for figure in outcome]}
        for part, outcome in outcomes
        if not isinstance(outcome, str)
    ]
    document["failed"] = {part: outcome for part, outcome in outcomes if isinstance(outcome, str)}
    return json.dumps(document, indent=2) + "\n"


def main(arguments=None):
    asked = options(arguments)
    outcomes = {}
    for part in asked.parts:
        print(f"{part} ...", file=sys.stderr, flush=True)
        outcomes[part] = parts.run(part, parts.command(part, asked.rounds, asked.quick))
    told = report(outcomes)
    figures = table.markdown(told)
    asked.json.parent.mkdir(parents=True, exist_ok=True)
    asked.json.write_text(as_json(told))
    asked.json.with_suffix(".md").write_text(figures)
    if asked.write:
        asked.write.write_text(table.renewed(asked.write.read_text(), figures))
    print(table.text(outcomes, colour=sys.stdout.isatty() and not os.environ.get("NO_COLOR")))
    return verdict(outcomes)


if __name__ == "__main__":
    sys.exit(main())
