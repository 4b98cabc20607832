#!/usr/bin/env python3
"""Runs the fuzz targets, each for some seconds, and tells how far they came.

Needs cargo-fuzz beside this interpreter (`make fuzz` sees to it) and any stable Rust: no sanitizer is used, since no crate of
ours has unsafe code. Exits with 1 at the first finding, and says where it lies and how to run it again.
"""

import argparse
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import seeds

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
CARGO_FUZZ = Path(sys.executable).parent / "cargo-fuzz"
# ECS takes 64 KiB; what is longer only makes each run slower.
LONGEST_INPUT = 64 * 1024
# A target that runs for longer over one input has hung.
LONGEST_RUN = 10


def main():
    known = sorted(file.stem for file in (HERE / "fuzz_targets").glob("*.rs"))
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seconds", type=int, default=15, help="for each target (default: %(default)s)")
    options.add_argument("--target", choices=known, help="only this one")
    options.add_argument("--dev", action="store_true", help="quickly built and slow, with more checks")
    asked = options.parse_args()
    if not CARGO_FUZZ.exists():
        sys.exit(f"error: there is no {CARGO_FUZZ}\nhint: make fuzz")
    build = ["--sanitizer", "none", *(["--dev"] if asked.dev else [])]
    targets = [asked.target] if asked.target else known
    started = time.monotonic()
    # One build for all: cargo-fuzz would otherwise build each target alone.
    cargo_fuzz("build", *build, *([asked.target] if asked.target else []))
    print(f"built in {time.monotonic() - started:.0f} s", file=sys.stderr)
    print(f"{'target':<14} {'executions':>11} {'per second':>11} {'coverage':>9} {'features':>9} {'seeds':>6} {'corpus':>7}")
    for target in targets:
        count = seeds.write(target, fresh(HERE / "seeds" / target))
        print(f"{target:<14} {run(target, build, asked.seconds, count)}", flush=True)


def fresh(folder):
    """The folder, empty."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def cargo_fuzz(verb, *arguments, **more):
    """Runs cargo-fuzz from the project's root; ends the program if it cannot build."""
    command = [str(CARGO_FUZZ), "fuzz", verb, *arguments]
    done = subprocess.run(command, cwd=ROOT, **more)
    if verb == "build" and done.returncode:
        sys.exit(f"error: {' '.join(command)} failed")
    return done


def run(target, build, seconds, count):
    """Runs a target; returns its line of the table, or ends the program with what was found."""
    corpus, findings = HERE / "corpus" / target, HERE / "artifacts" / target
    for folder in (corpus, findings):
        folder.mkdir(parents=True, exist_ok=True)
    before = set(findings.iterdir())
    settings = [
        f"-max_total_time={seconds}", f"-max_len={LONGEST_INPUT}", f"-timeout={LONGEST_RUN}", "-rss_limit_mb=2048",
        f"-dict={HERE / 'words.dict'}", f"-artifact_prefix={findings}/", "-print_final_stats=1",
    ]  # fmt: skip
    done = cargo_fuzz(
        "run", *build, target, str(corpus), str(HERE / "seeds" / target), "--", *settings,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace",
    )  # fmt: skip
    if done.returncode:
        tell(target, build, sorted(set(findings.iterdir()) - before), done.stderr)
    executed, rate = (int(statistic(name, done.stderr)) for name in ("number_of_executed_units", "average_exec_per_sec"))
    covered, features = re.findall(r"cov: (\d+) ft: (\d+)", done.stderr)[-1]
    if executed <= count:
        sys.exit(f"error: {target} came no further than its {count} seeds\nhint: FUZZ_SECONDS is too small")
    kept = len(list(corpus.iterdir()))
    return f"{executed:>11} {rate:>11} {covered:>9} {features:>9} {count:>6} {kept:>7}"


def statistic(name, log):
    return re.search(rf"^stat::{name}:\s*(\d+)$", log, re.MULTILINE)[1]


def tell(target, build, found, log):
    """Ends the program with what a target found. Its input is not shown: it may be made of somebody's definition."""
    panics = re.findall(r"^thread .* panicked at .*$", log, re.MULTILINE)
    ended = re.findall(r"^SUMMARY: .*$", log, re.MULTILINE)
    print(f"error: {target}: {(panics or ended or ['the run failed'])[-1]}", file=sys.stderr)
    for path in found:
        command = f"{CARGO_FUZZ.relative_to(ROOT)} fuzz run {' '.join(build)} {target} {path.relative_to(ROOT)}"
        print(f"found: {path.relative_to(ROOT)}\nhint: run it again with: {command}", file=sys.stderr)
    if not found:
        print(log[-4000:], file=sys.stderr)
    sys.exit(1)


if __name__ == "__main__":
    main()
