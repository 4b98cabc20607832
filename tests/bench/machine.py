"""Where the figures were measured: the machine, the versions, the commit. Knows nothing of figures."""

import os
import platform
import re
import subprocess
from importlib import metadata
from pathlib import Path


def machine():
    """Cores, their model, memory and kernel."""
    information = Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*: (.+)", information)
    memory = int(re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())[1])
    return {
        "cores": len(os.sched_getaffinity(0)),
        "model": model[1] if model else platform.machine(),
        "memory_gib": round(memory / 2**20),
        "kernel": platform.release(),
    }


def versions():
    """What the figures depend on, by name; None for what is not there."""
    return {
        "rustc": _first_line("rustc", "--version", pattern=r"rustc (\S+)"),
        "Python": platform.python_version(),
        "boto3": _package("boto3"),
        "ecs-deploy": _package("ecs-deploy"),
    }


def commit():
    """The commit that is checked out, with `+` where files differ from it."""
    head = _first_line("git", "rev-parse", "--short=12", "HEAD", pattern=r"(\S+)")
    changed = _first_line("git", "status", "--porcelain", "--untracked-files=no", pattern=r"(.+)")
    return f"{head or 'none'}{'+' if changed else ''}"


def _first_line(*command, pattern):
    try:
        done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parent)
    except OSError:
        return None
    found = re.match(pattern, done.stdout)
    return found and found[1]


def _package(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
