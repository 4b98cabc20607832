#!/usr/bin/env python3
"""Builds the functions and packs each as Lambda wants it: a zip with one executable named `bootstrap`.

Equal binaries give equal zips: the entry's time is fixed. Needs cargo and nothing but Python's standard library.
Prints the zips' paths on stdout, one a line, reconcile's first; everything else on stderr.
"""

import argparse
import os
import shutil
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Binary and cargo package of each function, in the order in which their zips are named.
FUNCTIONS = {"reconcile": "ecs-sidecar-reconcile", "sweep": "ecs-sidecar-sweep", "macro": "ecs-sidecar-macro"}
# What provided.al2023 has. A binary that was linked against a newer one does not start there.
NEWEST_GLIBC = (2, 34)
# Lambda's architectures: Rust's target, and e_machine of the ELF header.
ARCHITECTURES = {"x86_64": ("x86_64-unknown-linux-gnu", 62), "arm64": ("aarch64-unknown-linux-gnu", 183)}
ARM_LINKER = "aarch64-linux-gnu-gcc"


class CannotPackage(Exception):
    """Why there is no zip, with a hint of what to do about it."""


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--arch", choices=ARCHITECTURES, default="x86_64", help="Lambda's architecture")
    options.add_argument("--profile", default="lambda", help="cargo profile (default: %(default)s)")
    options.add_argument(
        "--run-here",
        action="store_true",
        help="for an emulator on this machine: this machine's architecture and C library, dist/*-here.zip",
    )
    asked = options.parse_args()
    try:
        binaries = build(asked.profile, None if asked.run_here else asked.arch)
        if not asked.run_here:
            for binary in binaries:
                check(binary.read_bytes(), asked.arch)
    except CannotPackage as why:
        sys.exit(f"error: {why}")
    for binary in binaries:
        output = ROOT / "dist" / f"{binary.name}-{'here' if asked.run_here else asked.arch}.zip"
        pack(binary, output)
        print(
            f"{output.relative_to(ROOT)}: {output.stat().st_size / 2**20:.1f} MiB, "
            f"{binary.stat().st_size / 2**20:.1f} MiB unpacked",
            file=sys.stderr,
        )
        print(output)


def build(profile, architecture):
    """Runs cargo once, for this machine if `architecture` is None; returns the binaries' paths."""
    if not shutil.which("cargo"):
        raise CannotPackage("cargo is not installed\nhint: https://rustup.rs")
    # Lambda gets the functions' own features: the command line's would link what only a person's machine needs. Here,
    # those of the whole workspace, so that what tests have built need not be built again.
    packages = [f"--package={package}" for package in FUNCTIONS.values()] if architecture else ["--workspace"]
    binaries = [f"--bin={binary}" for binary in FUNCTIONS]
    command = ["cargo", "build", "--locked", "--profile", profile, *packages, *binaries]
    environment = dict(os.environ)
    directory = Path(environment.get("CARGO_TARGET_DIR") or ROOT / "target")
    target = architecture and ARCHITECTURES[architecture][0]
    if target and target != host():
        require_target(target)
        if architecture == "arm64":
            environment.setdefault("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", ARM_LINKER)
        command += ["--target", target]
        directory /= target
    if subprocess.run(command, cwd=ROOT, env=environment, stdout=sys.stderr).returncode:
        raise CannotPackage(f"{' '.join(command)} failed")
    built = ROOT / directory / ("debug" if profile == "dev" else profile)
    return [built / binary for binary in FUNCTIONS]


def host():
    """The target that this machine's compiler builds for by default."""
    version = subprocess.run(["rustc", "-vV"], check=True, capture_output=True, text=True).stdout
    return next(line.split(": ")[1] for line in version.splitlines() if line.startswith("host: "))


def require_target(target):
    """Refuses before cargo does, with what to do: cargo only says that it cannot find `core`."""
    command = ["rustc", "--print", "target-libdir", "--target", target]
    libraries = subprocess.run(command, capture_output=True, text=True).stdout.strip()
    if not libraries or not Path(libraries).is_dir():
        raise CannotPackage(
            f"this Rust has no standard library for {target}\n"
            f"hint: rustup target add {target}, and a linker for it ({ARM_LINKER}; on Debian gcc-aarch64-linux-gnu)"
        )
    if target.startswith("aarch64") and not (
        "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER" in os.environ or shutil.which(ARM_LINKER)
    ):
        raise CannotPackage(
            f"there is no linker {ARM_LINKER}\n"
            "hint: on Debian gcc-aarch64-linux-gnu, or set CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER"
        )


def check(image, architecture):
    """Refuses a binary that Lambda could not start."""
    if image[:6] != b"\x7fELF\x02\x01":
        raise CannotPackage("the binary is no 64-bit Linux program\nhint: build on Linux, or in a Linux container")
    machine = struct.unpack_from("<H", image, 18)[0]
    if machine != ARCHITECTURES[architecture][1]:
        raise CannotPackage(f"the binary is not for {architecture} (ELF machine {machine})\nhint: see --arch")
    newer = sorted(version for version in needed_glibc(image) if version > NEWEST_GLIBC)
    if newer:
        shown, limit = (".".join(map(str, version)) for version in (newer[-1], NEWEST_GLIBC))
        raise CannotPackage(
            f"the binary needs GLIBC {shown}, and provided.al2023 has {limit}\n"
            "hint: build on an older Linux (Debian 12's binaries fit), or with cargo-lambda or cargo-zigbuild"
        )


def needed_glibc(image):
    """The versions of glibc that an ELF program refuses to start without, as (major, minor)."""
    sections = struct.unpack_from("<Q", image, 40)[0]
    size, count = struct.unpack_from("<HH", image, 58)
    headers = [struct.unpack_from("<IIQQQQIIQQ", image, sections + size * i) for i in range(count)]
    versions = set()
    for _, kind, _, _, offset, _, link, entries, _, _ in headers:
        if kind != 0x6FFFFFFE:  # SHT_GNU_verneed
            continue
        names = headers[link][4]
        for _ in range(entries):
            _, auxiliaries, _, first, following = struct.unpack_from("<HHIII", image, offset)
            at = offset + first
            for _ in range(auxiliaries):
                _, flags, _, name, step = struct.unpack_from("<IHHII", image, at)
                text = image[names + name : image.index(b"\0", names + name)].decode()
                if text.startswith("GLIBC_") and not flags & 2:  # VER_FLG_WEAK: does without, if need be
                    number = text.removeprefix("GLIBC_").split(".")
                    if number[0].isdigit():
                        versions.add(tuple(map(int, number[:2])))
                at += step
            offset += following
    return versions


def pack(binary, output):
    """Writes the zip beside its place first, so that an interrupted run leaves no half of one."""
    output.parent.mkdir(exist_ok=True)
    entry = zipfile.ZipInfo("bootstrap", date_time=(1980, 1, 1, 0, 0, 0))
    entry.create_system = 3  # Unix, or the mode below means nothing
    entry.external_attr = 0o100755 << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    unfinished = output.with_suffix(".unfinished")
    with zipfile.ZipFile(unfinished, "w") as archive:
        archive.writestr(entry, binary.read_bytes(), compresslevel=9)
    unfinished.replace(output)


if __name__ == "__main__":
    main()
