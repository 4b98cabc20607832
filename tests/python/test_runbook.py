"""The runbook has a place for everything that can be told, and names nothing that there is not; so does SECURITY.md."""

import re
from pathlib import Path

import pytest
from harness import template

ROOT = Path(__file__).resolve().parents[2]
RUNBOOK = (ROOT / "docs/runbook.md").read_text()
SECURITY = (ROOT / "SECURITY.md").read_text()
TEMPLATE = template.load()

# When each alarm goes off: threshold, seconds of all its periods, and the words for that.
GOES_OFF = {
    "DeadLetterAlarm": (0, 300, "A message is in the dead-letter queue"),
    "BacklogAlarm": (1800, 300, "more than half an hour (1,800 s)"),
    "ErrorAlarm": (3, 900, "three times in a quarter of an hour"),
    "ThrottleAlarm": (10, 900, "more than ten times in a quarter of an hour"),
    "SweepErrorAlarm": (3, 900, "three times in a quarter of an hour"),
    "FailingFamiliesAlarm": (0, 3 * 3600, "In three sweeps on end"),
    "SweepOverdueAlarm": (1, 86400, "within a day"),
    "MissedByEventsAlarm": (0, 3600, "found a registration"),
    "BreakerAlarm": (0, 900, "The alarm goes back to OK by itself"),
    "EcsThrottleAlarm": (50, 900, "more than fifty times in a quarter of an hour"),
}
TEMPLATE_FILE = "infra/cloudformation/operator.yaml"
# What we set: the limit, what is told of it, and where it is set so.
SET = [
    ("policies in one definition", "1", "README.md", "One policy per definition."),
    ("a policy", "1,152 characters", TEMPLATE_FILE, "MaxLength: 1152"),
    ("a policy", "64 KB in the table", "crates/cli/src/policy/apply.rs", "LIMIT: usize = 64 * 1024"),
    ("an input of the program", "1 MiB", "crates/core/src/definition.rs", "MAX_INPUT: usize = 1024 * 1024"),
    ("an input of the program", "100 levels", "crates/core/src/json.rs", "MAX_DEPTH: usize = 100"),
    ("a sweep's share of ECS's quotas", "50 percent", TEMPLATE_FILE, "SweepShare:\n    Type: Number\n    Default: 50"),
    ("a function's time", "180 s for `reconcile`", TEMPLATE_FILE, "Timeout: 180"),
    ("a function's time", "900 s for `sweep`", TEMPLATE_FILE, "Timeout: 900"),
    ("a family's lease", "240 s", "crates/aws/src/rows.rs", "LEASE: Duration = Duration::from_secs(240)"),
    ("a message", "after 1,080 s", TEMPLATE_FILE, "VisibilityTimeout: 1080"),
    ("a message", "five times", TEMPLATE_FILE, "maxReceiveCount: 5"),
    ("a message", "kept for 4 days", TEMPLATE_FILE, "MessageRetentionPeriod: 345600"),
    ("a message", "dead letters for 14", TEMPLATE_FILE, "MessageRetentionPeriod: 1209600"),
    ("a family that waits", "up to 60 times", "functions/reconcile/src/handler.rs", "MOST_WAITS: u32 = 60"),
    ("a family that fails", "an hour at first, a day at most", "crates/aws/src/rows.rs", "clamp(3600, 24 * 3600)"),
    ("a family without an ACTIVE revision", "a week", "crates/aws/src/due.rs", "GONE: u64 = 7 * 24 * 3600"),
    ("what a role has", "15 minutes", "crates/aws/src/memory.rs", "LIFE: Duration = Duration::from_secs(15 * 60)"),
    ("one fetch of an image", "90 s", "crates/aws/src/warm.rs", "LONGEST: Duration = Duration::from_secs(90)"),
    ("the breaker", "3 tasks", "crates/aws/src/breaker.rs", "TOO_MANY: usize = 3"),
    ("the breaker", "15 minutes", "crates/aws/src/breaker.rs", "WITHIN: u64 = 900"),
    ("a tug-of-war over a service", "3 set-backs", "crates/core/src/rollout/mod.rs", "SET_BACKS: usize = 3"),
    ("services moved at one time", "5 (`RolloutAtOnce`)", TEMPLATE_FILE, "RolloutAtOnce:\n    Type: Number\n    Default: 5"),
]


def section(text, title):
    """What stands under a heading, down to the next one of its kind."""
    (body,) = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    return body


def cells(text):
    """The rows of the tables in a text, without their heads."""
    rows = re.findall(r"^\|(.*)\|$", text, re.MULTILINE)
    rows = [[cell.strip() for cell in row.split("|")] for row in rows]
    heads = {index for index, row in enumerate(rows) if all(re.fullmatch(r"-+", cell) for cell in row)}
    return [row for index, row in enumerate(rows) if index not in heads and index + 1 not in heads]


def first_cells(text):
    """The codes in the first cells of the tables in a text."""
    return [code for row in cells(text) for code in re.findall(r"`([^`]+)`", row[0])]


def documented():
    """The codes of docs/reasons.md: of families, of services."""
    families, services = (ROOT / "docs/reasons.md").read_text().split("## Of services")
    return first_cells(families), first_cells(services)


def labels(file, of):
    """What `label` of a type answers, in the words of its source."""
    text = (ROOT / file).read_text()
    (body,) = re.findall(rf"^impl {of} \{{.*?fn label\(.*?\{{(.*?)^    \}}", text, re.DOTALL | re.MULTILINE)
    found = re.findall(r'=> "(\w+)"', body)
    assert found, file
    return set(found)


def test_each_alarm_has_its_place_and_all_that_one_needs():
    alarms = {name for name, resource in TEMPLATE["Resources"].items() if resource["Type"] == "AWS::CloudWatch::Alarm"}
    _, *parts = re.split(r"^### ", section(RUNBOOK, "Alarms"), flags=re.MULTILINE)
    told = dict(part.split("\n", 1) for part in parts)
    assert len(told) == len(parts) and set(told) == alarms
    for name, body in told.items():
        assert re.findall(r"^\*\*(\w+)\.\*\*", body, re.MULTILINE) == ["Means", "Causes", "Look", "Mend"], name
        alarm = TEMPLATE["Resources"][name]["Properties"]
        threshold, seconds, words = GOES_OFF[name]
        assert (alarm["Threshold"], alarm["Period"] * alarm["EvaluationPeriods"]) == (threshold, seconds), name
        assert words in re.sub(r"\s+", " ", body), name


def test_each_limit_of_ours_is_the_one_that_is_set():
    ours = section(RUNBOOK, "Limits").split("What we set:")[1].split("What we measured")[0]
    told = {limit: (value, sources) for limit, value, sources in cells(ours)}
    assert list(told) == list(dict.fromkeys(limit for limit, *_ in SET))
    for limit, value, file, source in SET:
        said, sources = told[limit]
        assert value in said and f"(../{file}" in sources, limit
        assert source in (ROOT / file).read_text(), f"{limit}: not {value} any more?"


@pytest.mark.parametrize("of", ["families", "services"])
def test_each_reason_has_its_place_once(of):
    known = documented()[["families", "services"].index(of)]
    told = first_cells(section(RUNBOOK, f"Reason codes of {of}"))
    assert known and sorted(told) == sorted(known)


def test_each_kind_of_failure_has_its_place_once():
    kinds = labels("crates/aws/src/error.rs", "Error") | labels("functions/reconcile/src/handler.rs", "FunctionError")
    told = first_cells(section(RUNBOOK, "Kinds of failure"))
    assert len(told) == len(set(told)) and set(told) == kinds


def test_each_reason_of_a_dead_letter_is_told():
    asked = {"unknownAction", "notOneFamily"}
    letters = labels("crates/core/src/trigger.rs", "Problem")
    by_hand = labels("crates/core/src/trigger/sweep.rs", "Problem") - letters | asked
    text = section(RUNBOOK, "Dead letters").split("Values of the attribute `reason`:")[1]
    table, told_by_hand = text.split("Whoever invokes a function by hand", 1)
    told = first_cells(table)
    assert len(told) == len(set(told)) and set(told) == letters - asked
    assert set(re.findall(r"`(\w+)`", told_by_hand.split("\n\n")[0])) == by_hand


def test_outputs_and_log_lines_are_there():
    named = set(re.findall(r"\$\(out (\w+)\)", RUNBOOK))
    assert named and named <= set(TEMPLATE["Outputs"])
    said = set(re.findall(r"--filter-pattern '\"([^\"]+)\"'", RUNBOOK))
    sources = "".join(file.read_text() for file in (ROOT / "functions").glob("*/src/**/*.rs"))
    assert said and all(f'"{words}"' in sources for words in said)


@pytest.mark.parametrize("page", ["docs/runbook.md", "SECURITY.md", "README.md"])
def test_links_lead_somewhere(page):
    folder = (ROOT / page).parent
    links = re.findall(r"\]\(([^)\s]+)\)", (ROOT / page).read_text())
    assert links
    for link in links:
        if link.startswith("https://"):
            continue
        file, _, place = link.partition("#")
        target = (folder / file) if file else ROOT / page
        assert target.exists(), link
        if place:
            titles = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
            anchors = {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}
            assert place in anchors, link
