"""The stand-in for Lambda, with a function that needs no build."""

import sys

import pytest
from harness.runtime import FunctionFailed, Runtime

FUNCTION = f"""#!{sys.executable}
import http.client, json, os, sys, time

print(json.dumps({{"message": "started", "name": os.environ["AWS_LAMBDA_FUNCTION_NAME"]}}), flush=True)
print("no JSON", flush=True)
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])

def ask(method, path, content=None):
    api.request(method, "/2018-06-01/runtime" + path, None if content is None else json.dumps(content))
    answer = api.getresponse()
    return answer, json.loads(answer.read())

if os.environ.get("REFUSES"):
    ask("POST", "/init/error", {{"errorType": "Settings", "errorMessage": "cannot start"}})
    sys.exit(1)
while True:
    answer, event = ask("GET", "/invocation/next")
    path = "/invocation/" + answer.headers["Lambda-Runtime-Aws-Request-Id"]
    if "exit" in event:
        sys.exit(event["exit"])
    if "hang" in event:
        time.sleep(600)
    if "allocate" in event:
        bytearray(event["allocate"])[::4096] = b"x" * len(range(0, event["allocate"], 4096))
    left = int(answer.headers["Lambda-Runtime-Deadline-Ms"]) / 1000 - time.time()
    if "fail" in event:
        ask("POST", path + "/error", {{"errorType": event["fail"], "errorMessage": "as asked for"}})
    else:
        arn, trace = (answer.headers["Lambda-Runtime-" + name] for name in ("Invoked-Function-Arn", "Trace-Id"))
        ask("POST", path + "/response", {{"event": event, "left": left, "arn": arn, "trace": trace}})
"""


@pytest.fixture
def bootstrap(tmp_path):
    file = tmp_path / "bootstrap"
    file.write_text(FUNCTION)
    file.chmod(0o755)
    return file


@pytest.fixture
def function(bootstrap):
    with Runtime(bootstrap, {}) as running:
        yield running


def test_answers_come_back(function):
    for number in range(3):
        answer = function.invoke({"number": number}, timeout=30)
        assert answer["event"] == {"number": number}
        assert 20 < answer["left"] <= 30
        assert answer["arn"].endswith(":function:reconcile")
        assert answer["trace"].startswith("Root=1-")


def test_error_is_an_error(function):
    with pytest.raises(FunctionFailed, match="as asked for") as failed:
        function.invoke({"fail": "Kind"})
    assert failed.value.kind == "Kind"
    function.invoke({})


def test_function_that_ends(function):
    with pytest.raises(FunctionFailed, match="Runtime.ExitError"):
        function.invoke({"exit": 3})


def test_function_that_does_not_end(function):
    with pytest.raises(FunctionFailed, match="Sandbox.Timedout"):
        function.invoke({"hang": True}, timeout=0.5)


def test_function_that_refuses_to_start(bootstrap):
    with Runtime(bootstrap, {"REFUSES": "yes"}) as function:
        with pytest.raises(FunctionFailed, match="cannot start"):
            function.invoke({})


def test_log_lines(function):
    function.invoke({})
    assert function.log_lines() == [{"message": "started", "name": "reconcile"}]
    assert "no JSON" in function.output()


def test_nothing_of_the_caller_gets_in(bootstrap, monkeypatch):
    monkeypatch.setenv("REFUSES", "yes")
    with Runtime(bootstrap, {}) as function:
        function.invoke({})


def test_peak_memory_is_that_since_the_reset(function):
    function.invoke({})
    before = function.peak_memory_mib()
    function.invoke({"allocate": 64 << 20})
    assert before + 60 < function.peak_memory_mib() < before + 80
    function.reset_peak_memory()
    assert function.peak_memory_mib() < before + 20
