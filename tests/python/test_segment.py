"""The rules of a segment find what they are for; test_python_app relies on them."""

import json

import pytest
import segment

# The examples of the developer guide.
MINIMAL = {
    "name": "example.com",
    "id": "70de5b6f19ff9a0a",
    "start_time": 1.478293361271e9,
    "trace_id": "1-581cf771-a006649127e371903a2de979",
    "end_time": 1.478293361449e9,
}
CHILD = {"id": "53995c3f42cd8ad8", "name": "api.example.com", "start_time": 1461096053.37769, "end_time": 1461096053.40379}
IN_PROGRESS = {**{key: value for key, value in MINIMAL.items() if key != "end_time"}, "in_progress": True}


def faults(document, header='{"format": "json", "version": 1}'):
    return segment.parse(f"{header}\n{json.dumps(document)}".encode())[1]


@pytest.mark.parametrize(
    "document", [MINIMAL, IN_PROGRESS, {**MINIMAL, "subsegments": [CHILD]}], ids=["minimal", "in progress", "child"]
)
def test_the_guides_examples_are_in_order(document):
    assert faults(document) == []


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"name": "n" * 201},
        {"name": "what?"},
        {"id": "70de5b6f19ff9a0"},
        {"trace_id": "1-581cf771-a006649127e371903a2de97"},
        {"trace_id": "2-581cf771-a006649127e371903a2de979"},
        {"start_time": "1478293361.271"},
        {"start_time": True},
        {"end_time": 1478293361},
        {"end_time": None},
        {"in_progress": True},
        {"origin": "AWS::Lambda::Function"},
        {"aws": "ecs"},
        {"annotations": {"a-b": 1}},
        {"annotations": {"a": [1]}},
        {"metadata": "m" * 65536},
        {"subsegments": [{**CHILD, "id": MINIMAL["id"]}]},
        {"subsegments": [{**CHILD, "parent_id": "0000000000000000"}]},
        {"subsegments": [{**CHILD, "trace_id": "1-00000000-a006649127e371903a2de979"}]},
        {"subsegments": [{**CHILD, "subsegments": [{**CHILD, "id": "x"}]}]},
    ],
    ids=lambda change: json.dumps(change)[:60],
)
def test_a_broken_rule_is_found(change):
    assert len(faults({**MINIMAL, **change})) == 1


def test_the_header_is_asked_for():
    assert faults(MINIMAL, header='{"format": "json"}')
    assert segment.parse(json.dumps(MINIMAL).encode())[1]
