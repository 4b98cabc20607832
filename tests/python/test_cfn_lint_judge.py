"""What `ecs-sidecar check` finds, and what `inject` writes, judged by others: cfn-lint and botocore's service model."""

import copy
import os

import judge
import pytest

ROLE = "arn:aws:iam::111122223333:role/"

FARGATE = {
    "family": "web",
    "networkMode": "awsvpc",
    "requiresCompatibilities": ["FARGATE"],
    "cpu": "256",
    "memory": "512",
    "executionRoleArn": ROLE + "execution",
    "taskRoleArn": ROLE + "web",
    "containerDefinitions": [
        {
            "name": "web",
            "image": "nginx:1",
            "cpu": 128,
            "memory": 256,
            "portMappings": [{"containerPort": 80, "hostPort": 80, "protocol": "tcp"}],
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {"awslogs-group": "/ecs/web", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "web"},
            },
        },
        {"name": "side", "image": "side:1", "cpu": 128, "memory": 256, "essential": False},
    ],
}
EC2 = {
    "family": "web",
    "networkMode": "bridge",
    "requiresCompatibilities": ["EC2"],
    "containerDefinitions": [
        {"name": "web", "image": "nginx:1", "memory": 128, "links": ["side"]},
        {"name": "side", "image": "side:1", "memoryReservation": 64},
    ],
}


def web(definition):
    return definition["containerDefinitions"][0]


def side(definition):
    return definition["containerDefinitions"][1]


def needs(condition, name="side"):
    return [{"containerName": name, "condition": condition}]


# What is wrong: the base, the change, the rule of ours that says so, and the error of cfn-lint if it knows it.
INVALID = {
    "no memory on EC2": (EC2, lambda d: web(d).pop("memory"), "memoryMissing", None),
    "pid mode host on Fargate": (FARGATE, lambda d: d.update(pidMode="host"), "fargatePidMode", None),
    "cpu that Fargate has not": (FARGATE, lambda d: d.update(cpu="300"), "fargateSize", "E3048"),
    "pair that Fargate has not": (FARGATE, lambda d: d.update(memory="8192"), "fargateSize", "E3047"),
    "no cpu on Fargate": (FARGATE, lambda d: d.pop("cpu"), "fargateSizeMissing", "E3048"),
    "no memory on Fargate": (FARGATE, lambda d: d.pop("memory"), "fargateSizeMissing", "E3048"),
    "bridge on Fargate": (FARGATE, lambda d: d.update(networkMode="bridge"), "fargateNetworkMode", "E3048"),
    "constraints on Fargate": (
        FARGATE,
        lambda d: d.update(placementConstraints=[{"type": "memberOf", "expression": "a == b"}]),
        "fargateUnsupported",
        "E3048",
    ),
    "cpu above the task's": (FARGATE, lambda d: web(d).update(cpu=129), "cpuSum", None),
    "memory above the task's": (FARGATE, lambda d: web(d).update(memory=257), "memorySum", None),
    "the same container twice": (
        FARGATE,
        lambda d: d["containerDefinitions"].append(dict(side(d))),
        "duplicateContainer",
        "E3037",
    ),
    "the same name twice": (FARGATE, lambda d: side(d).update(name="web"), "duplicateContainer", None),
    "the same port twice": (
        FARGATE,
        lambda d: side(d).update(portMappings=[{"containerPort": 80}]),
        "duplicatePort",
        None,
    ),
    "two ports in awsvpc": (
        FARGATE,
        lambda d: web(d)["portMappings"][0].update(hostPort=8080),
        "hostPortMismatch",
        "E3053",
    ),
    "no essential container": (FARGATE, lambda d: web(d).update(essential=False), "noEssentialContainer", "E3042"),
    "family with a dot": (FARGATE, lambda d: d.update(family="web.app"), "familyName", None),
    "dependency on nobody": (FARGATE, lambda d: web(d).update(dependsOn=needs("START", "db")), "dependsOnUnknown", None),
    "cycle": (
        FARGATE,
        lambda d: (web(d).update(dependsOn=needs("START")), side(d).update(dependsOn=needs("START", "web"))),
        "dependsOnCycle",
        None,
    ),
    "healthy without a health check": (
        FARGATE,
        lambda d: web(d).update(dependsOn=needs("HEALTHY")),
        "dependsOnUnhealthy",
        None,
    ),
    "unknown volume": (
        FARGATE,
        lambda d: web(d).update(mountPoints=[{"sourceVolume": "gone", "containerPath": "/gone"}]),
        "volumeUnknown",
        None,
    ),
    "eleven containers": (
        FARGATE,
        lambda d: d["containerDefinitions"].extend({"name": f"c{n}", "image": f"i{n}"} for n in range(9)),
        "tooManyContainers",
        None,
    ),
    "links in awsvpc": (FARGATE, lambda d: web(d).update(links=["side"]), "linksNeedBridge", None),
    "secrets without a role": (
        FARGATE,
        lambda d: (d.pop("executionRoleArn"), web(d).update(secrets=[{"name": "K", "valueFrom": "parameter"}])),
        "executionRoleMissing",
        None,
    ),
    "logs without a role": (FARGATE, lambda d: d.pop("executionRoleArn"), "fargateExecutionRole", None),
    "placeholder for a role": (FARGATE, lambda d: d.update(taskRoleArn="<TASK_ROLE_ARN>"), "roleMalformed", "E1156"),
    "51 tags": (
        FARGATE,
        lambda d: d.update(tags=[{"key": f"k{n}", "value": ""} for n in range(51)]),
        "tooManyTags",
        None,
    ),
    "tag of AWS": (FARGATE, lambda d: d.update(tags=[{"key": "AWS:x", "value": ""}]), "tagReserved", None),
    "more than 64 KiB": (FARGATE, lambda d: web(d).update(command=["x" * 65536]), "tooLarge", None),
    "logs without a region": (
        FARGATE,
        lambda d: web(d)["logConfiguration"]["options"].pop("awslogs-region"),
        "logOptionMissing",
        "E3046",
    ),
    "no image": (FARGATE, lambda d: web(d).pop("image"), "missingMember", "E3003"),
    "network mode of another cloud": (EC2, lambda d: d.update(networkMode="vpc"), "invalidValue", "E3030"),
    "text for a number": (EC2, lambda d: web(d).update(memory="a lot"), "wrongType", "E3012"),
}


def broken(name):
    base, change, _, _ = INVALID[name]
    definition = copy.deepcopy(base)
    change(definition)
    return definition


@pytest.fixture(scope="session", autouse=True)
def binary():
    if not judge.BINARY.exists():
        message = f"{judge.BINARY} is not built (cargo build -p ecs-sidecar), or set ECS_SIDECAR_BIN"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(message)


@pytest.fixture(scope="session")
def corpus():
    definitions = judge.corpus()
    if definitions is None:
        message = "TASKDEF_CORPUS is not set"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(message)
    return definitions


@pytest.fixture(scope="session")
def lint_of_invalid():
    return dict(zip(INVALID, judge.cfn_lint([broken(name) for name in INVALID]), strict=True))


def test_both_find_nothing_in_what_is_valid():
    assert judge.cfn_lint([FARGATE, EC2]) == [{}, {}]
    assert judge.check(FARGATE) == judge.check(EC2) == []


@pytest.mark.parametrize("name", INVALID)
def test_what_is_documented_as_invalid_is_found(name, lint_of_invalid):
    _, _, rule, error = INVALID[name]
    assert rule in {finding["rule"] for finding in judge.check(broken(name))}
    # The judge itself is known to judge: the day it learns a rule that it did not know, this says so.
    assert {found for found, _ in lint_of_invalid[name]} >= ({error} if error else set())
    assert bool(lint_of_invalid[name]) == bool(error)


def explained(definition, error, path):
    """Why cfn-lint may object where ECS does not."""
    sizes = str(definition.get("cpu", "")) + str(definition.get("memory", ""))
    role = definition.get(path[:1].lower() + path[1:], "")
    return (
        error == "E3002"  # a member that is unknown is no finding: a future ECS may have it
        or (error == "E3047" and any(unit in sizes for unit in ("vcpu", "gb")))  # ECS takes the units in any case
        or (error in ("E1156", "E3511") and ":" not in role and role.isascii() and "<" not in role)  # CloudFormation wants an ARN, ECS takes a name
    )


def test_what_cfn_lint_refuses_in_the_corpus_is_found(corpus):
    missed = {}
    judged = 0
    for (name, definition), errors in zip(corpus.items(), judge.cfn_lint(corpus.values()), strict=True):
        errors = [pair for pair in errors if not explained(definition, *pair)]
        judged += bool(errors)
        if errors and not judge.check(definition):
            missed[name] = errors
    assert not missed
    assert judged > 20


def test_inject_adds_no_finding_to_the_corpus(corpus):
    options = ["--account", "111122223333", "--region", "eu-west-1", "--trust-instance-role"]
    options += ["--default-task-role", ROLE + "app", "--default-execution-role", ROLE + "execution"]
    pairs = {}
    for name, definition in corpus.items():
        answer = judge.run("inject", definition, *options)
        if answer.returncode == 0:
            pairs[name] = (definition, judge.json.loads(answer.stdout))
    before = judge.cfn_lint([original for original, _ in pairs.values()])
    after = judge.cfn_lint([injected for _, injected in pairs.values()])
    new = {name: now - then for name, then, now in zip(pairs, before, after, strict=True) if now - then}
    assert not new
    containers = [[len(form["containerDefinitions"]) for form in pair] for pair in pairs.values()]
    assert sum(then < now for then, now in containers) > 20, "hardly anything was injected"


def members(shape, path=(), inside=()):
    """Every member below a shape of the service model: how to reach it, and its shape."""
    if shape.type_name == "structure" and shape.name not in inside:
        for name, member in shape.members.items():
            yield (*path, name), member, name in shape.required_members
            yield from members(member, (*path, name), (*inside, shape.name))
    elif shape.type_name == "list":
        yield (*path, 0), shape.member, False
        yield from members(shape.member, (*path, 0), inside)
    elif shape.type_name == "map":
        yield (*path, "key"), shape.value, False


MEMBERS = {".".join(map(str, path)): (path, shape, required) for path, shape, required in members(judge.service_model())}
WRONG = {"string": 1, "integer": "1", "boolean": "true", "list": {"a": 1}, "map": ["a"], "structure": ["a"]}


def holding(path, value):
    """A definition that holds a value at a path, with nothing else but what it takes to be read as one."""
    definition = {"family": "f", "containerDefinitions": [{"name": "c", "image": "i", "memory": 4}]}
    at = definition
    for step, following in zip(path, path[1:], strict=False):
        empty = [{}] if following == 0 else {}
        if isinstance(at, list):
            at = at[0] if at[0] or following != 0 else at
            continue
        at = at.setdefault(step, empty)
    at[path[-1]] = value
    return definition


def rules_at(definition, path):
    plain = [str(step) for step in path if step != 0]
    found = judge.check(definition)
    strip = lambda text: [part.split("[")[0] for part in text.split(".")]
    return {finding["rule"] for finding in found if strip(finding["path"]) == plain}


@pytest.mark.parametrize("name", [name for name in MEMBERS if name not in ("containerDefinitions", "containerDefinitions.0")])
def test_types_are_those_of_the_service_model(name):
    path, shape, _ = MEMBERS[name]
    assert "wrongType" in rules_at(holding(path, WRONG[shape.type_name]), path)


@pytest.mark.parametrize("name", [name for name, (_, _, required) in MEMBERS.items() if required and name != "containerDefinitions"])
def test_required_members_are_those_of_the_service_model(name):
    path, _, _ = MEMBERS[name]
    assert "missingMember" in rules_at(holding(path, None), path)


# Model: an enumeration. ECS: "treats any other specified value as tcp".
TAKEN_ANYWAY = {"containerDefinitions.0.portMappings.0.protocol"}


@pytest.mark.parametrize("name", [name for name, (_, shape, _) in MEMBERS.items() if getattr(shape, "enum", None)])
def test_values_are_those_of_the_service_model(name):
    path, shape, _ = MEMBERS[name]
    for value in shape.enum:
        assert not rules_at(holding(path, value), path) & {"wrongType", "invalidValue"}
    assert ("invalidValue" in rules_at(holding(path, "nonsense"), path)) == (name not in TAKEN_ANYWAY)
