"""examples/python-app: with just the environment that injection gives it, what the app traces comes to its sidecar."""

import base64
import json
import os
import re
import socket
import subprocess
from pathlib import Path

import judge
import pytest
import segment
from harness import listeners
from harness.ministack import free_port

ROOT = Path(__file__).resolve().parents[2]
APP = ROOT / "examples" / "python-app"
APP_PYTHON = Path(os.environ.get("APP_PYTHON", ROOT / ".venv-app/bin/python"))
DEFINITION = json.loads((APP / "task-definition.json").read_text())
SITE = ["--account", "111122223333", "--region", "eu-west-1"]
SAYS = "2 open orders\n"


@pytest.fixture(autouse=True, scope="module")
def built():
    """The program and the app's own Python."""
    judge.need_binary()
    judge.need(APP_PYTHON.exists(), f"{APP_PYTHON} is not there: make .venv-app/stamp")


def run_app(script, environment):
    """The app with this environment and no other; fails unless it does its work."""
    done = subprocess.run(
        [APP_PYTHON, "-B", APP / script], env=environment, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, SAYS), done.stderr
    return done


def injected(definition):
    """The containers of the patched definition, by name."""
    answer = judge.run("inject", definition, *SITE)
    assert answer.returncode == 0, answer.stderr
    return {container["name"]: container for container in json.loads(answer.stdout)["containerDefinitions"]}


def environment(container):
    return {variable["name"]: variable["value"] for variable in container.get("environment", [])}


def on_a_bridge(definition):
    """The same task on a container instance, where containers have addresses of their own."""
    left_out = ("runtimePlatform", "networkMode", "requiresCompatibilities")
    rest = {key: value for key, value in definition.items() if key not in left_out}
    return {**rest, "networkMode": "bridge", "requiresCompatibilities": ["EC2"]}


def receive(listener):
    """The only segment that came, which must keep the rules."""
    listener.settimeout(20)
    received, faults = segment.parse(listener.recv(65535))
    assert faults == []
    listener.setblocking(False)
    with pytest.raises(BlockingIOError):
        listener.recv(65535)
    return received


def check_segment(received):
    """One segment around main, from a container of ECS, with what patch_all recorded in it."""
    assert received["name"] == "python-app"
    assert received["origin"] == "AWS::ECS::Container"
    assert received["aws"]["ecs"] == {"container": socket.gethostname()}
    (work,) = received["subsegments"]
    assert (work["name"], work["annotations"]) == ("count-open-orders", {"open": 2})
    assert {part["sql"]["database_type"] for part in work["subsegments"]} == {"sqlite3"}


def test_the_definition_is_in_order_and_asks_for_the_sidecar():
    assert judge.check(DEFINITION) == []
    answer = judge.run("plan", DEFINITION, *SITE, "--format", "json")
    assert json.loads(answer.stdout)["decision"] == "inject"


def test_fargate_the_segment_comes_to_the_sdks_default_address():
    containers = injected(DEFINITION)
    assert containers["app"] == DEFINITION["containerDefinitions"][0], "awsvpc needs nothing of the app"
    assert {"containerPort": 2000, "protocol": "udp"} in containers["xray-daemon"]["portMappings"]
    with listeners.udp(2000) as listener:
        run_app("app.py", environment(containers["app"]))
        check_segment(receive(listener))


def test_bridge_the_segment_comes_to_the_address_that_was_injected():
    app = injected(on_a_bridge(DEFINITION))["app"]
    assert app["links"] == ["xray-daemon"]
    given = environment(app)
    assert given == {"AWS_XRAY_DAEMON_ADDRESS": "xray-daemon:2000"}
    with listeners.udp() as listener:
        # The link's name, as Docker would resolve it. A free port, so that the default address cannot pass for it.
        host, port = listener.getsockname()
        run_app("app.py", {**given, "AWS_XRAY_DAEMON_ADDRESS": f"{host}:{port}"})
        check_segment(receive(listener))


@pytest.mark.parametrize(
    ("script", "variable", "form"),
    [
        ("app.py", "AWS_XRAY_DAEMON_ADDRESS", "127.0.0.1:{port}"),
        ("app_otel.py", "OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:{port}"),
    ],
)
def test_without_a_sidecar_the_app_does_its_work(script, variable, form):
    # Not at the default port: the listener of another run may be there.
    run_app(script, {variable: form.format(port=free_port())})


def test_opentelemetry_the_spans_come_to_a_collector_in_the_task():
    with listeners.http(4318) as received:
        run_app("app_otel.py", {})
    (request,) = received
    assert (request.path, request.content_type) == ("/v1/traces", "application/x-protobuf")
    (resource_spans,) = decode(request.body)["resourceSpans"]
    named = {attribute["key"]: attribute["value"] for attribute in resource_spans["resource"]["attributes"]}
    assert named["service.name"] == {"stringValue": "python-app"}
    (scope,) = resource_spans["scopeSpans"]
    spans = {span["name"]: span for span in scope["spans"]}
    assert set(spans) == {"main", "count-open-orders"}
    for span in spans.values():
        assert len(base64.b64decode(span["traceId"])) == 16 and len(base64.b64decode(span["spanId"])) == 8
        assert int(span["endTimeUnixNano"]) >= int(span["startTimeUnixNano"]) > 0
    main, work = spans["main"], spans["count-open-orders"]
    assert "parentSpanId" not in main
    assert (work["parentSpanId"], work["traceId"]) == (main["spanId"], main["traceId"])
    assert work["attributes"] == [{"key": "open", "value": {"intValue": "2"}}]


def decode(body):
    """An export request as JSON has it."""
    decoder = Path(__file__).with_name("otlp_as_json.py")
    return json.loads(subprocess.run([APP_PYTHON, "-B", decoder], input=body, capture_output=True, check=True).stdout)


def test_the_image_is_built_from_the_cache_and_runs_as_nobody():
    lines = (APP / "Dockerfile").read_text().splitlines()
    assert "FROM ${REGISTRY}/docker/library/python:3.11-slim AS base" in lines
    stages = re.split(r"^FROM ", "\n".join(lines), flags=re.MULTILINE)[2:]
    assert [stage.split()[2] for stage in stages] == ["otel", "xray"]
    for stage in stages:
        assert re.findall(r"^USER (.+)$", stage, re.MULTILINE) == ["10001"]
        (script,) = re.findall(r'^ENTRYPOINT \["python", "(.+)"\]$', stage, re.MULTILINE)
        copied = [name for names in re.findall(r"^COPY (.+) \S+$", stage, re.MULTILINE) for name in names.split()]
        assert script in copied and all((APP / name).is_file() for name in copied)


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-otel.txt"])
def test_every_requirement_is_pinned(name):
    lines = [line for line in (APP / name).read_text().splitlines() if not line.startswith("#")]
    assert lines and all(re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][0-9a-z.]*", line) for line in lines)
