"""The commands of the README do what it says, on this machine: those of `ecs-sidecar`, and that the demo is shown as it is."""

import json
import os
import re
import subprocess
from pathlib import Path

import judge
import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


@pytest.fixture(scope="module")
def ecs_sidecar():
    """The program."""
    judge.need_binary()
    return judge.BINARY.resolve()


def commands():
    """The lines of `ecs-sidecar` in the README's shell blocks."""
    blocks = re.findall(r"^```sh\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    return [line for block in blocks for line in block.splitlines() if line.startswith("ecs-sidecar ")]


def test_the_commands_of_the_readme_run(tmp_path, ecs_sidecar):
    for folder in ("examples", "crates"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    path = os.pathsep.join([str(ecs_sidecar.parent), os.environ["PATH"]])
    assert len(commands()) >= 4
    for command in commands():
        done = subprocess.run(command, shell=True, cwd=tmp_path, env={"PATH": path}, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}: {done.stderr}"
    original = json.loads((ROOT / "examples/closed-vpc-fargate.json").read_text())
    assert json.loads((tmp_path / "restored.json").read_text()) == original
    assert json.loads((tmp_path / "patched.json").read_text()) != original


def test_the_readme_shows_what_plan_prints(ecs_sidecar):
    site = ["--account", "111122223333", "--region", "eu-west-1"]
    plan = [str(ecs_sidecar), "plan", *site, "examples/closed-vpc-fargate.json"]
    printed = subprocess.run(plan, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert printed.rstrip() in README, "print it anew"


def test_the_make_targets_of_the_readme_exist():
    targets = set(re.findall(r"^make ([a-z-]+)", README, re.MULTILINE))
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert targets and targets <= known
