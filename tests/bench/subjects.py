"""What is measured: our function, and its peer in Python with two runtime loops; each as it would be deployed.

Knows: how each is packed and started. Must not know: how it is measured.
"""

import compileall
import io
import os
import platform
import shutil
import sys
import zipfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from .parts import ROOT

PEERS = Path(__file__).parent / "peers"
# boto3 with what it needs; AWS's runtime client beside it, which brings the loop of Lambda's own Python.
BOTO3 = ("boto3", "botocore", "s3transfer", "jmespath", "python-dateutil", "six", "urllib3")
RUNTIME_CLIENT = ("awslambdaric", "simplejson", "snapshot-restore-py")


@dataclass(frozen=True)
class Subject:
    """One of those that take turns."""

    name: str
    command: tuple
    environment: dict


def ours(folder):
    """Our function as Lambda gets it, and the size of its zip in bytes."""
    architecture = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
    package = Path(os.environ.get("RECONCILE_PACKAGE") or ROOT / "dist" / f"reconcile-{architecture}.zip")
    if not package.exists():
        sys.exit(f"error: {package} is not there\nhint: make bench builds it")
    binary = folder / "bootstrap"
    with zipfile.ZipFile(package) as archive:
        binary.write_bytes(archive.read("bootstrap"))
    binary.chmod(0o755)
    return Subject("ours", (binary,), {}), package.stat().st_size


def peers(folder):
    """The peer by a loop of our own and by awslambdaric, and the size of its zip in bytes: sources, without the loop."""
    task = folder / "task"
    shutil.copytree(PEERS, task, ignore=shutil.ignore_patterns("__pycache__"))
    for name in BOTO3:
        install(name, task)
    size = zipped(task)
    for name in RUNTIME_CLIENT:
        install(name, task)
    compileall.compile_dir(task, quiet=1)
    # Without the virtual environment, which Lambda does not have either: it would have to be found at each start.
    python = os.path.realpath(sys.executable)
    root = {"LAMBDA_TASK_ROOT": str(task), "PYTHONPATH": str(task)}
    loop = Subject("Python", (python, task / "bootstrap.py"), root)
    client = (python, "-m", "awslambdaric", "reconcile.handler")
    return loop, Subject("Python, awslambdaric", client, root), size


def install(name, task):
    """Copies an installed package, as `pip install --target` would put it there."""
    for file in metadata.distribution(name).files:
        if ".." not in file.parts and "__pycache__" not in file.parts:
            target = task / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file.locate(), target)


def zipped(task):
    """How large a folder is as a zip, in bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(task.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(task))
    return buffer.tell()
