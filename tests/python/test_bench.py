"""The benchmarks' driver: figures are read strictly, goals are judged, and a part that fails is a failure.

Needs no measurement: parts are small commands here.
"""

import copy
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from bench import __main__ as driver  # noqa: E402
from bench import compare, contract, corpus, parts, table  # noqa: E402
from bench.contract import Figure  # noqa: E402
from bench.runtime_api import Function, FunctionFailed  # noqa: E402


def document(**figure):
    return json.dumps({"part": "calls", "figures": [{"name": "depth", "value": 2, "unit": "calls", **figure}]})


def test_a_figure_is_read_with_all_that_it_says():
    (figure,) = contract.read(document(spread=[1, 3], goal={"at_most": 2}, note="warm", fixed=True), "calls")
    assert figure == Figure("depth", 2, "calls", (1, 3), {"at_most": 2}, "warm", True)
    assert contract.read(contract.write("calls", [figure]), "calls") == [figure]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "figures: none",
        "[]",
        '{"part": "sweep", "figures": [{"name": "a", "value": 1, "unit": ""}]}',
        '{"part": "calls", "figures": []}',
        document(value="2"),
        document(value=True),
        document(spread=[1]),
        document(goal={"exactly": 2}),
        document(goal={"at_least": 1, "at_most": 2}),
        document(colour="red"),
        document() + document(),
    ],
)
def test_what_is_not_the_contract_is_refused(text):
    with pytest.raises(contract.NotTheContract, match="calls"):
        contract.read(text, "calls")


@pytest.mark.parametrize(
    ("value", "goal", "missed", "words"),
    [
        (2.7, {"at_most": 2}, True, "missed by 35%"),
        (2.0, {"at_most": 2}, False, "met"),
        (0.5, {"at_most": 2}, False, "met, 75% to spare"),
        (9000, {"at_least": 10000}, True, "missed by 10%"),
        (9994, {"at_least": 10000}, True, "missed by less than 1%"),
        (15000, {"at_least": 10000}, False, "met, 50% to spare"),
        (3, {"at_most": 0}, True, "missed by 3"),
        (0, {"at_most": 0}, False, "met"),
        (7, None, False, ""),
    ],
)
def test_goals_are_judged_with_by_how_much(value, goal, missed, words):
    figure = Figure("a", value, "ms", goal=goal)
    assert (figure.missed(), table.verdict(figure)) == (missed, words)


def test_columns_are_aligned_and_colour_is_asked_for():
    figures = [Figure("a", 1, "ms", (0.5, 1234.5), {"at_most": 2}, "a note"), Figure("longer name", 12345.678, "")]
    shown = table.text({"calls": figures, "sweep": "it fell over"})
    heading, first, note, second = shown.splitlines()[1:5]
    assert "\x1b" not in shown and "it fell over" in shown
    assert heading.index("value") == first.index("1 ms") == second.index("12,346")
    assert "0.5 - 1,234" in first and first.endswith("met, 50% to spare") and note.strip() == "a note"
    assert "\x1b[32mmet" in table.text({"calls": figures}, colour=True)


def test_a_page_has_its_figures_renewed_and_nothing_else():
    page = f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n"
    once = table.renewed(page, "new\n")
    assert once == f"before\n{table.BEGIN}\n\nnew\n\n{table.END}\nafter\n" == table.renewed(once, "new")
    with pytest.raises(ValueError, match="figures"):
        table.renewed("a page without markers", "new")


def printing(text, code=0):
    return [sys.executable, "-c", f"print({text!r}); raise SystemExit({code})"]


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (printing(document()), 0),
        (printing(document(goal={"at_most": 1})), 0),
        (printing(document(goal={"at_most": 1}, fixed=True)), 1),
        (printing(document(), code=3), 1),
        (printing("no figures"), 1),
        (["no-such-program-anywhere"], 1),
    ],
)
def test_what_makes_a_run_fail(command, code, monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(parts.COMMANDS, "calls", command)
    page = tmp_path / "page.md"
    page.write_text(f"{table.BEGIN}{table.END}")
    written = tmp_path / "figures.json"
    assert driver.main(["--parts", "calls", "--json", str(written), "--write", str(page)]) == code
    told = json.loads(written.read_text())
    assert (told["parts"] == []) == bool(told["failed"]) == ("Failed: " in page.read_text())
    assert "calls" in capsys.readouterr().out and told["machine"]["cores"] >= 1


def test_the_help_has_examples_and_unknown_parts_are_refused():
    def run(*arguments):
        command = [sys.executable, "-m", "bench", *arguments]
        return subprocess.run(command, cwd=TESTS, capture_output=True, text=True, env={**os.environ, "COLUMNS": "120"})

    helped = run("--help")
    assert helped.returncode == 0 and "examples:" in helped.stdout and "--parts functions" in helped.stdout
    refused = run("--parts", "speed")
    assert refused.returncode == 2 and "functions, calls, planning, corpus, sweep" in refused.stderr


@pytest.mark.parametrize(("asked", "profile", "folder"), [({}, "proof", "proof"), ({"BENCH_PROFILE": "dev"}, "dev", "debug")])
def test_programs_and_counts_are_of_one_profile(asked, profile, folder):
    told = "from bench import parts, place; print(place.PROGRAM, place.FAKE, *parts.COMMANDS['sweep'], *parts.COMMANDS['calls'])"
    environment = {name: value for name, value in os.environ.items() if name != "BENCH_PROFILE"} | asked
    shown = subprocess.run([sys.executable, "-c", told], cwd=TESTS, capture_output=True, text=True, env=environment, check=True)
    program, fake, *commands = shown.stdout.split()
    root = TESTS.parent / "target" / folder
    assert (Path(program), Path(fake)) == (root / "ecs-sidecar", root / "ecs-fake")
    assert [after for before, after in zip(commands, commands[1:]) if before == "--profile"] == [profile, profile]


def test_the_peer_in_python_wants_just_what_the_product_wants():
    import sidecar  # of the peers, whose folder `compare` has made known

    case = TESTS / "cases" / "inject-fargate-closed-vpc"
    definition, expected = (json.loads((case / name).read_text()) for name in ("input.json", "result.json"))
    settings = sidecar.Settings("111122223333", "eu-west-1", "ecr-public", "optOut", (), (), None)
    sidecar.eligible(definition, settings)
    result, _ = sidecar.injected(definition, None, settings, "ecr-public", by="cli")
    assert result == expected


DEFINITION = {
    "family": "web",
    "containerDefinitions": [
        {
            "name": "web",
            "cpu": 0,
            "environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
            "command": ["serve", "all"],
            "ulimits": [{"name": "nofile", "softLimit": 1, "hardLimit": 2}],
            "memberOfNextYear": "x",
        }
    ],
    "tags": [{"key": "team", "value": "web"}],
    "memberOfNextYear": {"value": 1},
}


def changed(change):
    definition = copy.deepcopy(DEFINITION)
    change(definition, definition["containerDefinitions"][0])
    return definition


@pytest.mark.parametrize(
    ("change", "losses"),
    [
        (lambda _, app: app["environment"].reverse(), []),
        (lambda task, app: (app.pop("cpu"), app.update(mountPoints=[]), task.update(volumes=[])), []),
        (lambda task, _: task["containerDefinitions"].append({"name": "more", "image": "more"}), []),
        (lambda _, app: app["environment"].pop(), ["containerDefinitions[web].environment[B]"]),
        (lambda _, app: app["environment"][0].update(value="3"), ["containerDefinitions[web].environment[A].value"]),
        (lambda _, app: app["ulimits"][0].update(softLimit=2), ["containerDefinitions[web].ulimits[0]"]),
        (lambda _, app: app["command"].pop(), ["containerDefinitions[web].command[1]"]),
        (lambda task, _: task.pop("memberOfNextYear"), ["memberOfNextYear"]),
        (lambda task, _: task.pop("tags"), ["tags[0]"]),
    ],
)
def test_losses_are_found_and_additions_are_none(change, losses):
    assert compare.losses(DEFINITION, changed(change)) == losses


class Account:
    """What a pipeline is tried on: the revisions of one family."""

    def __init__(self):
        self.revisions = [DEFINITION]

    def newest(self, _family):
        return copy.deepcopy(self.revisions[-1]), len(self.revisions)


class Careful:
    """A pipeline that does what it should."""

    def prepare(self, account, family):
        pass

    def inject(self, account, family):
        definition, _ = account.newest(family)
        if len(definition["containerDefinitions"]) == 1:
            definition["containerDefinitions"].append({"name": "xray-daemon"})
            account.revisions.append(definition)
        return 0.1

    def remove(self, account, family):
        definition, _ = account.newest(family)
        del definition["containerDefinitions"][1:]
        account.revisions.append(definition)


class Careless(Careful):
    """One that drops what it does not know, and registers each time."""

    def inject(self, account, family):
        super().inject(account, family)
        definition, _ = account.newest(family)
        definition.pop("memberOfNextYear", None)
        definition["containerDefinitions"][0].pop("command", None)
        account.revisions.append(definition)
        return 0.1


def test_a_careless_pipeline_is_told_from_a_careful_one():
    careful, careless = corpus.Tally(), corpus.Tally()
    corpus.treat(Careful(), Account(), "web", "a.json", careful)
    corpus.treat(Careless(), Account(), "web", "a.json", careless)
    assert careful == corpus.Tally(seconds=[0.1], injected=1)
    lost = ["a.json: containerDefinitions[web].command"]
    assert careless == corpus.Tally([0.1], 1, 0, [], lost, 1, again=1, drifted=0, unlike=1, unlike_but_for_next_year=1)


LOOP = """
import http.client, os
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
while True:
    api.request("GET", "/2018-06-01/runtime/invocation/next")
    event = api.getresponse()
    body = event.read()
    if body == b"end":
        raise SystemExit("ended on purpose")
    path = "/2018-06-01/runtime/invocation/" + event.headers["Lambda-Runtime-Aws-Request-Id"]
    # A generator is sent in chunks.
    api.request("POST", path + ("/error" if body == b"fail" else "/response"), iter([b"ans", b"wer to ", body]))
    api.getresponse().read()
"""


def test_a_function_is_started_invoked_and_looked_at(tmp_path):
    with Function([sys.executable, "-c", LOOP], {}, tmp_path) as function:
        assert 0 < function.cpu_ns() < 10**10 and function.started_ns > 0 and function.peak_memory_bytes() > 2**20
        before = function.cpu_ns()
        answers = [function.invoke(event)[0] for event in (b"one", b"two" * 100_000)]
        assert answers == [b"answer to one", b"answer to " + b"two" * 100_000]
        assert function.cpu_ns() > before
        with pytest.raises(FunctionFailed, match="/error"):
            function.invoke(b"fail")
    with Function([sys.executable, "-c", LOOP], {}, tmp_path) as function:
        with pytest.raises(FunctionFailed, match="ended on purpose"):
            function.invoke(b"end")
