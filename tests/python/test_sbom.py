"""The zips' bills of materials: what cargo says is in them, no more and no less, and the same again every time."""

import hashlib
import importlib.util
import json
import subprocess
import sys
import zipfile

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from harness.stack import REPOSITORY_ROOT
from license_expression import get_spdx_licensing

sys.path.insert(0, str(REPOSITORY_ROOT / "infra"))
spec = importlib.util.spec_from_file_location("sbom", REPOSITORY_ROOT / "infra" / "sbom.py")
sbom = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sbom)

TARGET = "x86_64-unknown-linux-gnu"
FUNCTIONS = list(sbom.FUNCTIONS.items())


@pytest.fixture(scope="module")
def graph():
    return sbom.Graph.of(TARGET)


def zipped(folder, function, content=b"program"):
    archive = folder / f"{function}-x86_64.zip"
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr(zipfile.ZipInfo("bootstrap"), content)
    return archive


def resolved(package):
    """What cargo resolves for a function, asked for it alone and in another form, as `name@version`."""
    command = ["cargo", "tree", "--locked", "--package", package, "--target", TARGET, "--edges", "normal,no-proc-macro"]
    told = subprocess.run([*command, "--prefix", "none"], cwd=REPOSITORY_ROOT, check=True, capture_output=True, text=True)
    crates = {tuple(line.split(" ")[:2]) for line in told.stdout.splitlines() if line}
    return {f"{name}@{version.removeprefix('v')}" for name, version in crates if name != package}


@pytest.mark.parametrize(("function", "package"), FUNCTIONS)
def test_it_lists_what_cargo_resolves_and_nothing_else(graph, tmp_path, function, package):
    made = sbom.bill(graph, function, package, zipped(tmp_path, function))
    listed = [component["bom-ref"] for component in made["components"] if component["bom-ref"] != "rust-std"]
    assert len(listed) == len(set(listed)) > 100
    assert set(listed) == resolved(package)


def test_what_only_builds_or_only_the_command_line_has_is_not_listed(graph, tmp_path):
    made = sbom.bill(graph, *FUNCTIONS[0], zipped(tmp_path, "reconcile"))
    names = {component["name"] for component in made["components"]}
    assert not names & {"serde_derive", "syn", "cc", "aws-sdk-sso", "aws-sdk-ec2", "proptest", "ecs-sidecar-tests"}
    assert {"ring", "ecs-sidecar-core", "std"} <= names


@pytest.mark.parametrize(("function", "package"), FUNCTIONS)
def test_it_is_cyclonedx_with_licences_that_spdx_knows(graph, tmp_path, function, package):
    made = sbom.bill(graph, function, package, zipped(tmp_path, function))
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(made)) is None
    spdx = get_spdx_licensing()
    for component in [made["metadata"]["component"], *made["components"]]:
        (licence,) = component["licenses"]
        assert not spdx.validate(licence["expression"]).errors, component["name"]


def test_each_crate_of_a_registry_has_the_locks_checksum_and_is_a_dependency(graph, tmp_path):
    made = sbom.bill(graph, *FUNCTIONS[0], zipped(tmp_path, "reconcile"))
    foreign = [component for component in made["components"] if component["bom-ref"] != "rust-std"]
    foreign = [component for component in foreign if not component["name"].startswith("ecs-sidecar")]
    lock = (REPOSITORY_ROOT / "Cargo.lock").read_text()
    assert all(f'checksum = "{component["hashes"][0]["content"]}"' in lock for component in foreign)
    edges = {of["ref"]: of["dependsOn"] for of in made["dependencies"]}
    reached, left = set(), [made["metadata"]["component"]["bom-ref"]]
    while left:
        new = set(edges.get(left.pop(), [])) - reached
        reached |= new
        left += new
    assert reached == {component["bom-ref"] for component in made["components"]}


def test_the_zip_is_named_by_its_checksum(graph, tmp_path):
    archive = zipped(tmp_path, "reconcile")
    (checksum,) = sbom.bill(graph, *FUNCTIONS[0], archive)["metadata"]["component"]["hashes"]
    assert checksum == {"alg": "SHA-256", "content": hashlib.sha256(archive.read_bytes()).hexdigest()}


def test_the_same_zip_gives_the_same_bill_and_another_one_another(tmp_path, monkeypatch):
    def made(content):
        return sbom.bill(sbom.Graph.of(TARGET), *FUNCTIONS[0], zipped(tmp_path, "reconcile", content))

    first, again, other = made(b"program"), made(b"program"), made(b"another")
    assert json.dumps(first) == json.dumps(again) and "timestamp" not in first["metadata"]
    assert first["serialNumber"] != other["serialNumber"]
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1760000000")
    assert made(b"program")["metadata"]["timestamp"] == "2025-10-09T08:53:20+00:00"


def test_a_binary_that_tells_of_a_crate_that_is_not_listed_gets_no_bill(graph, tmp_path):
    ring = next(crate for crate in graph.crates if crate.startswith("ring@")).replace("@", "-")
    path = "/home/builder/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/{}/src/lib.rs".format
    sbom.bill(graph, *FUNCTIONS[0], zipped(tmp_path, "reconcile", path(ring).encode()))
    with pytest.raises(sbom.CannotList, match="openssl@0.10.70"):
        sbom.bill(graph, *FUNCTIONS[0], zipped(tmp_path, "reconcile", path("openssl-0.10.70").encode()))
