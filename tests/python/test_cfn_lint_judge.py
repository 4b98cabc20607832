"""What `ecs-sidecar check` finds, and what `inject` writes, judged by cfn-lint."""

import copy
import json
import re

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
    "dependency on nobody": (
        FARGATE,
        lambda d: web(d).update(dependsOn=needs("START", "db")),
        "dependsOnUnknown",
        None,
    ),
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
    judge.need_binary()


@pytest.fixture(scope="session")
def corpus():
    return judge.corpus()


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
    """Whether cfn-lint objects where ECS does not."""
    sizes = f"{definition.get('cpu')} {definition.get('memory')}"
    role = definition.get(path[:1].lower() + path[1:]) or ""
    return (
        # A member that is unknown is no finding: a future ECS may have it.
        error == "E3002"
        # ECS takes units in any case.
        or (error == "E3047" and ("vcpu" in sizes or "gb" in sizes))
        # CloudFormation wants an ARN, ECS takes a name.
        or (error in ("E1156", "E3511") and re.fullmatch(r"[\w+=,.@-]+", role))
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
    assert judged > 10, "cfn-lint hardly objected to anything"


def test_inject_adds_no_finding_to_the_corpus(corpus):
    options = ["--account", "111122223333", "--region", "eu-west-1", "--trust-instance-role"]
    options += ["--default-task-role", ROLE + "app", "--default-execution-role", ROLE + "execution"]
    pairs = {}
    for name, definition in corpus.items():
        answer = judge.run("inject", definition, *options)
        if answer.returncode == 0:
            pairs[name] = (definition, json.loads(answer.stdout))
    before = judge.cfn_lint([original for original, _ in pairs.values()])
    after = judge.cfn_lint([injected for _, injected in pairs.values()])
    new = {name: now - then for name, then, now in zip(pairs, before, after, strict=True) if now - then}
    assert not new
    containers = [[len(form["containerDefinitions"]) for form in pair] for pair in pairs.values()]
    assert sum(then < now for then, now in containers) > 20, "hardly anything was injected"
