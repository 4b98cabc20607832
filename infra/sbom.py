#!/usr/bin/env python3
"""Writes a bill of materials (CycloneDX 1.6, JSON) beside each function's zip: which crates are in the binary.

Knows: what cargo resolves for the functions as `package.py` builds them, and what Cargo.lock holds of each crate. Must not
know: build scripts and macros, which run while building and are not in the binary. Equal zips and locks give equal texts;
SOURCE_DATE_EPOCH sets a time, else there is none. Needs cargo and nothing but Python's standard library.
"""

import argparse
import datetime
import hashlib
import json
import os
import re
import subprocess
import sys
import tomllib
import uuid
import zipfile
from pathlib import Path

from package import ARCHITECTURES, FUNCTIONS, ROOT

# What separates the parts of a line of `cargo tree`; no name, licence or address has it.
PART = "\t"
# A crate's folder in the paths that panics tell, which stand in a stripped binary as well.
NAMED_CRATE = re.compile(rb"/registry/src/[^/\0]+/([A-Za-z0-9_-]+?)-(\d+\.\d+\.\d+[A-Za-z0-9.+-]*)/")


class CannotList(Exception):
    """Why there is no bill, with a hint of what to do about it."""


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--arch", choices=ARCHITECTURES, default="x86_64", help="Lambda's architecture")
    asked = options.parse_args()
    try:
        graph = Graph.of(ARCHITECTURES[asked.arch][0])
        for function, package in FUNCTIONS.items():
            archive = ROOT / "dist" / f"{function}-{asked.arch}.zip"
            if not archive.exists():
                raise CannotList(f"there is no {archive.relative_to(ROOT)}\nhint: make package ARCH={asked.arch}")
            output = archive.with_suffix(".cdx.json")
            text = json.dumps(bill(graph, function, package, archive), indent=2) + "\n"
            output.write_text(text)
            print(output)
    except CannotList as why:
        sys.exit(f"error: {why}")


class Graph:
    """Crates as cargo resolves them for all functions in one build, and what each of them needs."""

    def __init__(self, target):
        self.target = target
        # By `name@version`: name, version, licence, repository.
        self.crates = {}
        self.needs = {}

    @classmethod
    def of(cls, target):
        """Asks cargo, with the features that one build of all functions gives their crates."""
        packages = [f"--package={package}" for package in FUNCTIONS.values()]
        line = PART.join(["", "{p}", "{l}", "{r}"])
        command = ["cargo", "tree", "--locked", *packages, "--target", target]
        command += ["--edges", "normal,no-proc-macro", "--prefix", "depth", "--format", line]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            raise CannotList(f"cargo tree failed: {done.stderr.strip()}")
        graph = cls(target)
        graph.read(done.stdout.splitlines())
        return graph

    def read(self, lines):
        """A line is a crate below the last one of a smaller depth; a crate's needs stand below its first line only."""
        above = []
        for line in filter(None, lines):
            depth, package, licence, repository = line.split(PART)
            name, version = package.split(" ")[:2]
            crate = f"{name}@{version.removeprefix('v')}"
            # Some lines end with a mark that the crate was told before.
            self.crates.setdefault(crate, (name, version.removeprefix("v"), licence, repository.removesuffix(" (*)")))
            self.needs.setdefault(crate, set())
            del above[int(depth) :]
            if above:
                self.needs[above[-1]].add(crate)
            above.append(crate)

    def root(self, package):
        return next(crate for crate, (name, *_) in self.crates.items() if name == package)

    def below(self, crate):
        """All that a crate is built of, itself left out."""
        found, left = set(), [crate]
        while left:
            new = self.needs[left.pop()] - found
            found |= new
            left += new
        return found


def bill(graph, function, package, archive):
    """The bill of one zip."""
    root, sums = graph.root(package), checksums()
    crates = sorted(graph.below(root))
    with zipfile.ZipFile(archive) as content:
        refuse_unlisted(content.read("bootstrap"), crates, archive)
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    version, rust = graph.crates[root][1], rust_version()
    made = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'sha256:{digest}')}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": root,
                "name": archive.name,
                "version": version,
                "description": f"The Lambda function {function}, as it is uploaded",
                "hashes": [{"alg": "SHA-256", "content": digest}],
                "licenses": [{"expression": expression(graph.crates[root][2])}],
            },
            "properties": [{"name": "cdx:rustc:sbom:target:triple", "value": graph.target}],
        },
        "components": [
            *(component(crate, graph.crates[crate], sums) for crate in crates),
            {
                "type": "library", "bom-ref": "rust-std", "name": "std", "version": rust,
                "description": "Rust's standard library", "licenses": [{"expression": "MIT OR Apache-2.0"}],
            },
        ],
        "dependencies": [
            {"ref": crate, "dependsOn": [*sorted(graph.needs[crate]), "rust-std"]} for crate in [root, *crates]
        ],
    }  # fmt: skip
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if epoch:
        made["metadata"]["timestamp"] = datetime.datetime.fromtimestamp(int(epoch), datetime.UTC).isoformat()
    return made


def component(crate, told, sums):
    name, version, licence, repository = told
    made = {"type": "library", "bom-ref": crate, "name": name, "version": version}
    made["licenses"] = [{"expression": expression(licence)}]
    # Our own crates come with the zip's version and from nowhere else.
    if crate in sums:
        made["purl"] = f"pkg:cargo/{name}@{version.replace('+', '%2B')}"
        made["hashes"] = [{"alg": "SHA-256", "content": sums[crate]}]
    if repository:
        made["externalReferences"] = [{"type": "vcs", "url": repository}]
    return made


def expression(licence):
    """A licence as SPDX writes it; older crates have a slash for OR."""
    return re.sub(r"\s*/\s*", " OR ", licence)


def checksums():
    """The checksum of each crate that comes from a registry, as Cargo.lock has it."""
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text())
    return {f"{one['name']}@{one['version']}": one["checksum"] for one in lock["package"] if "checksum" in one}


def rust_version():
    command = ["rustc", "--version"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split(" ")[1]


def refuse_unlisted(binary, crates, archive):
    """Refuses a list that lacks a crate of which the binary itself tells."""
    named = {f"{name.decode()}@{version.decode()}" for name, version in NAMED_CRATE.findall(binary)}
    unlisted = sorted(named - set(crates))
    if unlisted:
        raise CannotList(
            f"{archive.name} holds crates that cargo does not resolve for it: {', '.join(unlisted)}\n"
            "hint: it was built from another Cargo.lock, or with other features; make package"
        )


if __name__ == "__main__":
    main()
