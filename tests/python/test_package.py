"""The zip: same binary, same bytes; and no binary that Lambda could not start."""

import importlib.util
import shutil
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
