"""The threat model names tests, and they are there: what stops somebody is shown, or it is only said."""

import re
from pathlib import Path

import pytest
from test_runbook import SECURITY, cells, section

ROOT = Path(__file__).resolve().parents[2]
THREATS = cells(section(SECURITY, "Who could try what"))
ACTORS = {
    "policy writers",
    "whoever writes the table directly",
    "receipt forgers",
    "authors of definitions who name roles",
    "event forgers",
    "registry, upstream image",
    "service owners",
    "template authors",
    "whoever may invoke the functions",
    "readers of the table and the logs",
}


def shown_by(row):
    """What a row names in its last cell."""
    return re.findall(r"`([^`]+)`", row[-1])


NAMED = sorted({name for row in THREATS for name in shown_by(row)})


def test_every_actor_is_there_and_every_threat_is_answered():
    assert {row[0] for row in THREATS if row[0]} == ACTORS
    for row in THREATS:
        assert len(row) == 5, row
        has, tries, stops = row[1:4]
        assert tries and stops and shown_by(row), row
        assert bool(row[0]) == bool(has), row


@pytest.mark.parametrize("name", NAMED)
def test_what_is_named_is_a_test(name):
    file, *within = name.split("::")
    if not within:
        assert re.fullmatch(r"tests/(cases|templates)/[\w-]+", file) and (ROOT / file / "case.yaml").is_file()
        return
    text = (ROOT / file).read_text()
    if file.endswith(".rs"):
        (function,) = within
        # The attribute that makes it a test stands above it, maybe with others between.
        assert re.search(rf"^ *#\[(?:tokio::)?test\b.*\n(?: *#\[.*\n)* *(?:async )?fn {function}\(", text, re.MULTILINE)
        return
    *classes, function = within
    for holder in classes:
        text = re.search(rf"^class {holder}:\n(.*?)(?=^\S|\Z)", text, re.DOTALL | re.MULTILINE)[1]
    assert function.startswith("test_")
    assert re.search(rf"^{'    ' * len(classes)}def {function}\(", text, re.MULTILINE)
