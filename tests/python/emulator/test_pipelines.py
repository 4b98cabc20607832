"""The recipes of docs/pipelines.md deploy what has its sidecar, and leave the operator nothing to do."""

import json
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import judge
import pytest
from harness.families import active_revisions, newest
from harness.owners import create_log_groups, create_roles
from harness.pasted import Shell
from harness.pipelines import RECIPES, run_buildspec, run_workflow, write_ecspresso
from harness.stack import REPOSITORY_ROOT
from harness.waiting import until

BUCKET = "tools"
PAGE = (REPOSITORY_ROOT / "docs" / "pipelines.md").read_text()
SIDECAR = ["checkout", "xray-daemon"]


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """The program where a recipe finds it: in a bucket, or on the path."""
    judge.need_binary()
    folder = tmp_path_factory.mktemp("programs")
    Shell.write(folder / "ecs-sidecar", f'#!/bin/sh\nexec "{judge.BINARY.resolve()}" "$@"\n')
    return folder


@pytest.fixture(scope="module")
def bucket(ministack, programs):
    s3 = ministack.client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": ministack.region})
    s3.put_object(Bucket=BUCKET, Key="ecs-sidecar", Body=(programs / "ecs-sidecar").read_bytes())
    return BUCKET


@pytest.fixture
def shell(ministack, stack, tmp_path):
    """What a runner has: the AWS CLI and a role, and no ecs-sidecar."""
    # Not over the wire, where registrations are told as the operator's own.
    return Shell(tmp_path, ministack.endpoint, ministack.region, ministack.account, "emulator")


@pytest.fixture
def service(ministack, definition, family):
    """The family's service, deployed from a revision without a sidecar; returns the task definition that it runs."""
    ecs = ministack.client("ecs")
    ecs.create_cluster(clusterName="shop")
    declined = definition | {"tags": [{"key": "ecs-sidecar/inject", "value": "false"}]}
    first = ecs.register_task_definition(**declined)["taskDefinition"]["taskDefinitionArn"]
    ecs.create_service(cluster="shop", serviceName=family, taskDefinition=first, desiredCount=0)
    return lambda: ecs.describe_services(cluster="shop", services=[family])["services"][0]["taskDefinition"]


@pytest.fixture
def checkout(definition, tmp_path):
    """The app's repository."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    (folder / "task-definition.json").write_text(json.dumps(definition))
    return folder


@pytest.fixture
def variables(ministack, bucket, family):
    """What recipes get from whoever set them up."""
    return {"AWS_REGION": ministack.region, "CLUSTER": "shop", "SERVICE": family, "TOOLS_BUCKET": bucket}


@pytest.fixture
def operator(wire, programs, shell):
    """Asks the program about the family; returns its answer."""

    def operator(*line):
        there = {"PATH": f"{programs}:{shell.environment['PATH']}", "AWS_ENDPOINT_URL": wire.endpoint}
        return json.loads(shell.run(" ".join(["ecs-sidecar", *line, "--format json"]), **there))

    return operator


@pytest.fixture
def waited_for(ministack, trail, family):
    """Runs something, and tells the operator of the registration that it makes, as CloudTrail would."""

    def waited_for(run):
        known = len(active_revisions(ministack, family))
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(run)
            until(lambda: running.done() or len(active_revisions(ministack, family)) > known, "a registration")
            if running.done():
                running.result()
            trail.tell_registered(newest(ministack, family))
            running.result()

    return waited_for


def names(revision):
    return [container["name"] for container in revision["containerDefinitions"]]


def assert_injected(ministack, service, operator, family):
    """One revision was registered; it has the sidecar, the service runs it, and nothing is left to do."""
    arns = active_revisions(ministack, family)
    assert len(arns) == 2 and service() == arns[-1]
    assert names(newest(ministack, family)) == SIDECAR
    assert operator("plan", f"{family}:2")["decision"] == "upToDate"
    assert operator("reconcile", family)["decision"] == "upToDate"
    assert active_revisions(ministack, family) == arns


def assert_waited(ministack, service, family):
    """The operator made one more revision of the one that was registered, and the service runs that one."""
    arns = active_revisions(ministack, family)
    assert len(arns) == 3 and service() == arns[-1]
    described = ministack.client("ecs").describe_task_definition(taskDefinition=arns[1])["taskDefinition"]
    assert (names(described), names(newest(ministack, family))) == (["checkout"], SIDECAR)


@pytest.mark.parametrize("runner", ["github-actions", "codebuild"])
def test_what_is_injected_before_it_is_registered_leaves_nothing_to_do(
    ministack, shell, service, checkout, variables, operator, family, runner
):
    run = {"github-actions": run_workflow, "codebuild": run_buildspec}[runner]
    run(shell, RECIPES / runner / "inject.yml", checkout, variables)
    assert_injected(ministack, service, operator, family)


@pytest.mark.parametrize("runner", ["github-actions", "codebuild"])
def test_what_is_waited_for_is_deployed_once(
    ministack, shell, service, checkout, variables, waited_for, family, runner
):
    run = {"github-actions": run_workflow, "codebuild": run_buildspec}[runner]
    waited_for(lambda: run(shell, RECIPES / runner / "wait.yml", checkout, variables))
    assert_waited(ministack, service, family)


@pytest.fixture
def ecspresso(ministack, shell, programs, service, tmp_path, family):
    """Runs a script of ecspresso's recipe in a folder of its own."""
    folder = tmp_path / "ecspresso"
    shutil.copytree(RECIPES / "ecspresso", folder)
    write_ecspresso(programs / "ecspresso")
    environment = {
        "PATH": f"{programs}:{shell.environment['PATH']}",
        "ACCOUNT": ministack.account,
        "CLUSTER": "shop",
        "SERVICE": family,
        "IMAGE_TAG": "2026.11.3",
    }
    rendered = json.loads(shell.run("ecspresso render --config ecspresso.yml taskdef", folder=folder, **environment))
    create_roles(ministack, rendered)
    create_log_groups(ministack, rendered)
    return lambda script: shell.run(f"./{script}", folder=folder, **environment)


def test_ecspresso_deploys_what_was_injected(ministack, service, ecspresso, operator, family):
    ecspresso("inject.sh")
    assert_injected(ministack, service, operator, family)


def test_ecspresso_deploys_what_was_waited_for(ministack, service, ecspresso, waited_for, family):
    waited_for(lambda: ecspresso("wait.sh"))
    assert_waited(ministack, service, family)


@pytest.mark.parametrize("asks, code", [("true", 0), ("false", 1)])
def test_the_page_tells_how_to_fail_where_nothing_is_injected(shell, programs, checkout, asks, code):
    (line,) = re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    file = checkout / "task-definition.json"
    file.write_text(file.read_text().replace('"value": "true"', f'"value": "{asks}"'))
    shell.run(line, code, folder=checkout, PATH=f"{programs}:{shell.environment['PATH']}")


def test_the_workflows_are_of_githubs_schema():
    files = sorted(str(file) for file in (RECIPES / "github-actions").glob("*.yml"))
    assert len(files) == 2
    program = Path(sys.executable).parent / "check-jsonschema"
    line = [str(program), "--builtin-schema", "vendor.github-workflows", *files]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
