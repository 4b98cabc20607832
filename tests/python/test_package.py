"""The zips: same binary, same bytes; and no binary that Lambda could not start."""

import importlib.util
import shutil
import subprocess
import sys
import zipfile

import pytest
from harness.stack import REPOSITORY_ROOT

spec = importlib.util.spec_from_file_location("package", REPOSITORY_ROOT / "infra" / "package.py")
package = importlib.util.module_from_spec(spec)
spec.loader.exec_module(package)


def test_same_binary_same_bytes(tmp_path):
    zips = []
    for name, time in (("a", 1_000_000_000), ("b", 1_700_000_000)):
        binary = tmp_path / name
        binary.write_bytes(b"program" * 1000)
        package.os.utime(binary, (time, time))
        package.pack(binary, tmp_path / f"{name}.zip")
        zips.append((tmp_path / f"{name}.zip").read_bytes())
    assert zips[0] == zips[1]


def test_one_executable_named_bootstrap(tmp_path):
    (tmp_path / "reconcile").write_bytes(b"program")
    package.pack(tmp_path / "reconcile", tmp_path / "out.zip")
    (entry,) = zipfile.ZipFile(tmp_path / "out.zip").infolist()
    assert entry.filename == "bootstrap"
    assert entry.external_attr >> 16 == 0o100755


@pytest.fixture
def cargo(monkeypatch, tmp_path):
    """The commands that a cargo is given which builds at once; its target directory is empty but for what it was told."""
    commands = []

    def run(command, **_):
        commands.append(command)
        for binary in [option.removeprefix("--bin=") for option in command if option.startswith("--bin=")]:
            (tmp_path / "target" / "lambda").mkdir(parents=True, exist_ok=True)
            (tmp_path / "target" / "lambda" / binary).write_bytes(binary.encode())
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(package, "ROOT", tmp_path)
    monkeypatch.setenv("CARGO_TARGET_DIR", str(tmp_path / "target"))
    monkeypatch.setattr(package, "host", lambda: "x86_64-unknown-linux-gnu")
    monkeypatch.setattr(package.shutil, "which", lambda name: name)
    monkeypatch.setattr(package.subprocess, "run", run)
    monkeypatch.setattr(package, "check", lambda image, architecture: None)
    return commands


@pytest.mark.parametrize(("options", "suffix"), [([], "x86_64"), (["--run-here"], "here")])
def test_all_functions_are_named_one_a_line(cargo, monkeypatch, tmp_path, capsys, options, suffix):
    monkeypatch.setattr(sys, "argv", ["package.py", *options])
    package.main()
    zips = [tmp_path / "dist" / f"{function}-{suffix}.zip" for function in ("reconcile", "sweep", "macro")]
    assert capsys.readouterr().out.splitlines() == [str(path) for path in zips]
    assert [zipfile.ZipFile(path).read("bootstrap") for path in zips] == [b"reconcile", b"sweep", b"macro"]


def test_lambda_gets_the_functions_own_features_from_one_build(cargo):
    package.build("lambda", "x86_64")
    (command,) = cargo
    packages = {f"--package=ecs-sidecar-{function}" for function in ("reconcile", "sweep", "macro")}
    assert packages <= set(command)
    assert "--workspace" not in command


def test_each_binary_is_checked(cargo, monkeypatch):
    checked = []
    monkeypatch.setattr(package, "check", lambda image, architecture: checked.append((image, architecture)))
    monkeypatch.setattr(sys, "argv", ["package.py"])
    package.main()
    assert checked == [(name, "x86_64") for name in (b"reconcile", b"sweep", b"macro")]


def test_script_is_refused():
    with pytest.raises(package.CannotPackage, match="64-bit Linux"):
        package.check(b"#!/bin/sh\n", "x86_64")


@pytest.mark.skipif(sys.platform != "linux", reason="looks at a Linux program of this machine")
class TestProgramOfThisMachine:
    image = open(shutil.which("env") or sys.executable, "rb").read()

    def test_its_glibc_is_found(self):
        assert all(major == 2 for major, _ in package.needed_glibc(self.image))

    def test_other_architecture_is_refused(self):
        machine = int.from_bytes(self.image[18:20], "little")
        other = next(name for name, (_, number) in package.ARCHITECTURES.items() if number != machine)
        with pytest.raises(package.CannotPackage, match="not for"):
            package.check(self.image, other)

    def test_newer_glibc_is_refused(self, monkeypatch):
        machine = int.from_bytes(self.image[18:20], "little")
        own = next(name for name, (_, number) in package.ARCHITECTURES.items() if number == machine)
        monkeypatch.setattr(package, "needed_glibc", lambda _: {(2, 17), (2, 39)})
        with pytest.raises(package.CannotPackage, match="2.39.*2.34"):
            package.check(self.image, own)
