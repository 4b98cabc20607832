"""The shapes that `ecs-sidecar check` knows are those of ECS's service model, as botocore has it.

A hand-copied table, `crates/core/src/check/model.rs`, is compared member by member: a newer botocore that knows more
makes this fail.
"""

import itertools
import re

import judge
import pytest


@pytest.fixture(scope="session", autouse=True)
def binary():
    judge.need_binary()


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


# Without a list of objects for containers nothing is a task definition: an error of the input, not a finding.
READ_BEFORE = {"containerDefinitions", "containerDefinitions.0"}
MEMBERS = {".".join(map(str, member[0])): member for member in members(judge.service_model())}
MEMBERS = {name: member for name, member in MEMBERS.items() if name not in READ_BEFORE}
WRONG = {"string": 1, "integer": "1", "boolean": "true", "list": {"a": 1}, "map": ["a"], "structure": ["a"]}


def holding(path, value):
    """A definition that holds a value at a path."""
    definition = {"family": "f", "containerDefinitions": [{"name": "c", "image": "i", "memory": 4}]}
    at = definition
    for step, following in itertools.pairwise(path):
        at = at[0] if step == 0 else at.setdefault(step, [{}] if following == 0 else {})
    at[path[-1]] = value
    return definition


def rules_at(path, value):
    """The rules that a value breaks right where it stands."""
    steps = [step for step in path if step != 0]
    findings = judge.check(holding(path, value))
    return {finding["rule"] for finding in findings if re.sub(r"\[[^]]*]", "", finding["path"]).split(".") == steps}


@pytest.mark.parametrize("name", MEMBERS)
def test_types_are_those_of_the_service_model(name):
    path, shape, _ = MEMBERS[name]
    assert "wrongType" in rules_at(path, WRONG[shape.type_name])


@pytest.mark.parametrize("name", [name for name, (_, _, required) in MEMBERS.items() if required])
def test_required_members_are_those_of_the_service_model(name):
    path, _, _ = MEMBERS[name]
    assert "missingMember" in rules_at(path, None)


# Model: an enumeration. ECS: "treats any other specified value as tcp".
TAKEN_ANYWAY = {"containerDefinitions.0.portMappings.0.protocol"}


@pytest.mark.parametrize("name", [name for name, (_, shape, _) in MEMBERS.items() if getattr(shape, "enum", None)])
def test_values_are_those_of_the_service_model(name):
    path, shape, _ = MEMBERS[name]
    for value in shape.enum:
        assert not rules_at(path, value) & {"wrongType", "invalidValue"}
    assert ("invalidValue" in rules_at(path, "nonsense")) == (name not in TAKEN_ANYWAY)
