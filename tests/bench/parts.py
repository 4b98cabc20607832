"""The parts of the benchmarks: which commands measure them, and how a command becomes figures.

Knows: that each part is a command that prints one document. Must not know: what it measures.
"""

import os
import subprocess
import sys
from pathlib import Path

from . import contract

ROOT = Path(__file__).resolve().parents[2]

PYTHON = [sys.executable, "-m"]
# How the fake and the CLI are built, and what counts calls; faults and simulation have most of that build already.
PROFILE = os.environ.get("BENCH_PROFILE") or "proof"
BENCH = ["cargo", "bench", "--locked", "--profile", PROFILE, "-p", "ecs-sidecar-stage", "--bench"]

# In the order in which they run and are shown. Those that take --rounds and --quick are the ones in OURS.
COMMANDS = {
    "functions": [*PYTHON, "bench.functions"],
    "calls": [*BENCH, "calls", "--", "--json"],
    "planning": [*PYTHON, "bench.planning"],
    "corpus": [*PYTHON, "bench.corpus"],
    "sweep": [*BENCH, "sweep", "--", "--json"],
}
OURS = ("functions", "corpus")


def command(part, rounds=None, quick=False):
    """The command of a part. `rounds` and `quick` go to those parts that have a use for them."""
    asked = list(COMMANDS[part])
    if part in OURS:
        asked += ["--rounds", str(rounds)] if rounds and part == "functions" else []
        asked += ["--quick"] if quick else []
    return asked


def run(part, asked):
    """Runs a part's command; returns its figures, or why there are none. What it says of its progress goes to stderr."""
    path = [str(ROOT / "tests"), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path)}
    try:
        done = subprocess.run(asked, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    except OSError as error:
        return f"{asked[0]} cannot be run: {error.strerror}"
    if done.returncode:
        return f"its command ended with {done.returncode}"
    try:
        return contract.read(done.stdout, part)
    except contract.NotTheContract as why:
        return str(why)
