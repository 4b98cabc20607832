"""Every command of every page is one: what no other test runs is at least judged, and a program that nobody judges is an error.

Commands of the program are run where nobody listens, so that each ends where it would ask AWS, behind its arguments. Those of the
AWS CLI are judged by its service models, those of make and cargo by what they name.
"""

import os
import re
import subprocess
import tomllib
from concurrent.futures import ThreadPoolExecutor

import botocore.session
import judge
import pytest
from awscli.customizations.cloudformation.deploy import DeployCommand
from botocore import xform_name
from harness import template
from harness.pages import block_lines, blocks, other_lines, pages, text_of, words
from harness.stack import REPOSITORY_ROOT

PAGES = pages()
MAKE = (REPOSITORY_ROOT / "Makefile").read_text()
# What AWS's own command line has, and no service: options, and which are needed. logs tail: cli/latest/reference/logs/tail.html
ON_TOP_OF_SERVICES = {
    ("cloudformation", "deploy"): ({one["name"] for one in DeployCommand.ARG_TABLE}, {"template-file", "stack-name"}),
    ("logs", "tail"): ({"since", "filter-pattern", "follow", "format"}, set()),
    ("s3", "cp"): (set(), set()),
}
FOR_ALL_CALLS = {"query", "output", "region", "profile", "cli-binary-format"}
# The program that a line of a block begins with, and who judges it.
JUDGED_BY = {
    "ecs-sidecar": "test_every_command_of_the_program_is_one",
    "aws": "test_every_call_of_aws_is_one",
    "make": "test_every_target_of_make_is_one",
    "cargo": "test_every_package_of_cargo_is_one",
    # Of examples/python-app: test_python_app.py installs what its requirements name and runs both apps.
    "python3.11": "test_what_the_example_names_is_there",
    "python3": "test_what_the_example_names_is_there",
    "/tmp/python-app/bin/pip": "test_what_the_example_names_is_there",
    "/tmp/python-app/bin/python": "test_what_the_example_names_is_there",
    "docker": "test_what_the_example_names_is_there",
}
EXAMPLE = "examples/python-app/README.md"
INCOMPLETE = "the following required arguments were not provided"


def beginning_with(program, page):
    """(command, whether it is a whole one) of a page, beginning with that program."""
    text = text_of(page)
    told = [(line, True) for line in block_lines(text)] + [(line, False) for line in other_lines(text)]
    return [(line, whole) for line, whole in told if line.startswith(f"{program} ")]


def test_no_program_of_a_page_is_unjudged():
    for page in PAGES:
        for line in block_lines(text_of(page)):
            # A variable or a function is set to something; what it is set to is looked at as well.
            first = re.sub(r"^(\w+=\$\(|\w+\(\) \{ )", "", line).split()[0]
            assert first in JUDGED_BY or re.fullmatch(r"\w+=\S+", first), f"{page}: {line}"
    assert set(JUDGED_BY.values()) <= set(globals())


def test_blocks_are_shell():
    seen = [block for page in PAGES for block in blocks(text_of(page))]
    assert len(seen) > 20
    for block in seen:
        told = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True)
        assert told.returncode == 0, f"{block}: {told.stderr}"


@pytest.mark.parametrize("page", [page for page in PAGES if beginning_with("ecs-sidecar", page)])
def test_every_command_of_the_program_is_one(page, tmp_path):
    judge.need_binary()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nobody",
        "AWS_MAX_ATTEMPTS": "1",
    }

    def run(told):
        line, whole = told
        command = [str(judge.BINARY.resolve()), *words(line)[1:]]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120
        )
        return line, whole, done.stderr

    with ThreadPoolExecutor(8) as several:
        for line, whole, told in several.map(run, sorted(set(beginning_with("ecs-sidecar", page)))):
            if not whole and INCOMPLETE in told:
                continue  # a text may name a verb or an option without its subject
            assert "For more information, try '--help'" not in told, f"{line}: {told}"


def calls_of_aws(page):
    """(service, call, the rest) of the page, also within other commands and in what the program is shown to print."""
    lines = [*block_lines(text_of(page)), *(line for line, _ in beginning_with("aws", page))]
    lines = [re.sub(r"\$\(ecs-sidecar [^)]*\)", "REVISION", line) for line in lines]
    return [found for line in lines for found in re.findall(r"\baws ([a-z0-9]+) ([a-z-]+)((?:(?!\baws ).)*)", line)]


@pytest.mark.parametrize("page", [page for page in PAGES if calls_of_aws(page)])
def test_every_call_of_aws_is_one(page):
    session = botocore.session.get_session()
    for service, call, rest in calls_of_aws(page):
        given = set(re.findall(r"(?<=\s)--([a-z0-9-]+)", rest)) - FOR_ALL_CALLS
        if (service, call) in ON_TOP_OF_SERVICES:
            names, required = ON_TOP_OF_SERVICES[service, call]
        else:
            model = session.get_service_model(service)
            (operation,) = [name for name in model.operation_names if xform_name(name, "-") == call]
            taken = model.operation_model(operation).input_shape
            names = {xform_name(name, "-") for name in taken.members}
            required = {xform_name(name, "-") for name in taken.required_members}
        if "cli-input-json" in given:
            given, required = given - {"cli-input-json"}, set()
        assert given <= names, f"{page}: {service} {call}: {given - names}"
        assert required <= given, f"{page}: {service} {call}: {required - given}"


@pytest.mark.parametrize("page", [page for page in PAGES if "--parameter-overrides" in text_of(page)])
def test_every_parameter_that_is_overridden_is_one(page):
    for line in [*block_lines(text_of(page)), *(line for line, _ in beginning_with("aws", page))]:
        if "--parameter-overrides" in line:
            (file,) = re.findall(r"--template-file (\S+)", line)
            given = re.findall(r"(?<=\s)(\w+)=", line.split("--parameter-overrides")[1])
            assert given and set(given) <= set(template.load(REPOSITORY_ROOT / file)["Parameters"]), line


def test_every_target_of_make_is_one():
    known = set(re.findall(r"^([a-z-]+):", MAKE, re.MULTILINE))
    named = {word for page in PAGES for line, _ in beginning_with("make", page) for word in words(line)[1:] if "=" not in word}
    assert {"demo", "test", "test-all", "package", "test-registry"} <= named <= known


def test_every_package_of_cargo_is_one():
    workspace = tomllib.loads((REPOSITORY_ROOT / "Cargo.toml").read_text())["workspace"]["members"]
    manifests = [tomllib.loads((REPOSITORY_ROOT / member / "Cargo.toml").read_text()) for member in workspace]
    packages = {manifest["package"]["name"]: member for manifest, member in zip(manifests, workspace, strict=True)}
    lines = [line for page in PAGES for line, _ in beginning_with("cargo", page) + beginning_with("UPDATE_CASES=1", page)]
    lines += [line for page in PAGES for line, _ in beginning_with("UPDATE_TEMPLATES=1", page)]
    assert lines
    for line in lines:
        package = re.findall(r"(?:-p|--package) (\S+)", line)
        assert set(package) <= set(packages), line
        for path in re.findall(r"--path (\S+)", line):
            assert path in workspace, line
        for test in re.findall(r"--test (\S+)", line):
            assert (REPOSITORY_ROOT / packages[package[0]] / "tests" / f"{test}.rs").is_file(), line


def test_what_the_example_names_is_there():
    folder = (REPOSITORY_ROOT / EXAMPLE).parent
    lines = block_lines(text_of(EXAMPLE))
    files = {name for line in lines for name in re.findall(r"(?:file://|(?<=\s))([\w-]+\.(?:txt|py|json))", line)}
    made = {name for line in lines for name in re.findall(r"> (\S+)", line)}
    assert {"requirements.txt", "app.py", "task-definition.json"} <= files
    assert not [name for name in files - made if not (folder / name).is_file()]
    (argument,) = [name for line in lines for name in re.findall(r"docker build --build-arg (\w+)=", line)]
    assert re.search(rf"^ARG {argument}\b", (folder / "Dockerfile").read_text(), re.MULTILINE)
    (script,) = [words(line)[2] for line in lines if line.startswith("python3 -c")]
    compile(script, EXAMPLE, "exec")
