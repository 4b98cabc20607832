"""How many definitions one core plans in a second, from criterion's estimates: a part of `make bench`.

Knows: the bench's names and the goals. Must not know: how planning works. Prints one JSON document on stdout; what
cargo and criterion say goes to stderr. `--measured` reads the estimates of an earlier run.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "ecs-sidecar-core"
BENCH = ["cargo", "bench", "--locked", f"--package={PACKAGE}", "--bench=planning", "--profile=lambda"]

SIZES = {"1 KB": 1_000, "2 KB": 2_000, "4 KB": 4_000, "10 KB": 10_000, "16 KB": 16_000, "32 KB": 32_000, "64 KB": 63_000}
# Definitions a second.
GOALS = {"10 KB, checker included": {"at_least": 10_000.0}}
# Time for a byte, of the largest and of a small one. A step that looks at everything for each thing, over ten times
# the bytes, would show as several times this; caches, and a definition's fixed parts, as less.
LINEARITY = ("64 KB", "4 KB", {"at_most": 1.3})
OTHERS = {
    "10 KB, two edits more for each container": "inject_bridge_10000",
    "10 KB, up to date": "up_to_date_10000",
    "10 KB, opted out": "opted_out_10000",
}


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--measured", action="store_true", help="measure nothing, read what is in the target directory")
    if not options.parse_args().measured and subprocess.run(BENCH, cwd=ROOT, stdout=sys.stderr).returncode:
        sys.exit(f"error: {' '.join(BENCH)} failed")
    target = ROOT / (os.environ.get("CARGO_TARGET_DIR") or "target")
    print(json.dumps({"part": "planning", "figures": figures(target / "criterion")}, indent=1))


def figures(criterion):
    """All figures, from the folder where criterion keeps its estimates."""
    seconds = {label: estimate(criterion / f"inject_{size}") for label, size in SIZES.items()}
    found = [rate(f"{label}, checker included", seconds[label]) for label in SIZES]
    found += [rate(label, estimate(criterion / folder)) for label, folder in OTHERS.items()]
    return [*found, linearity(seconds)]


def estimate(folder):
    """Seconds for one definition, from the folder of a bench: the median, and its confidence interval's ends."""
    median = json.loads((folder / "new" / "estimates.json").read_text())["median"]
    interval = median["confidence_interval"]
    nanoseconds = (median["point_estimate"], interval["lower_bound"], interval["upper_bound"])
    return tuple(value / 1e9 for value in nanoseconds)


def rate(name, seconds):
    middle, shortest, longest = seconds
    return {
        "name": name,
        "value": 1 / middle,
        "unit": "definitions/s",
        "spread": [1 / longest, 1 / shortest],
        "goal": GOALS.get(name),
        "note": "one core; median, and the 95 % confidence interval of it",
        "fixed": False,
    }


def linearity(seconds):
    large, small, goal = LINEARITY
    bytes_ratio = SIZES[large] / SIZES[small]
    (middle, least, most), (small_middle, small_least, small_most) = seconds[large], seconds[small]
    return {
        "name": f"time a byte at {large}, to that at {small}",
        "value": middle / small_middle / bytes_ratio,
        "unit": "ratio",
        "spread": [least / small_most / bytes_ratio, most / small_least / bytes_ratio],
        "goal": goal,
        "note": "1 is linear; less where what every definition costs weighs more in a small one",
        "fixed": False,
    }


if __name__ == "__main__":
    main()
