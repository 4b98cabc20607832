"""A registration's way through rule, queue and deployed function, and what must not set anything off."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness.families import active_revisions, newest, revision_of
from harness.owners import attached_policies

from .conftest import SECRET

SIDECAR = "xray-daemon"


def names(revision):
    return [container["name"] for container in revision["containerDefinitions"]]


def message(stack, family, arn, **more):
    """A message as the rules' transformer makes it."""
    body = {
        "account": stack.ministack.account,
        "region": stack.ministack.region,
        "id": "0a1b2c3d-0000-0000-0000-000000000000",
        "name": "RegisterTaskDefinition",
        "family": family,
        "requestFamily": family,
        "arn": arn,
        "issuer": f"arn:aws:iam::{stack.ministack.account}:role/ci/deployer",
        "errorCode": "",
    }
    return json.dumps(body | more)


def test_registration_gets_its_sidecar(ministack, stack, trail, definition, family):
    before = trail.register(definition)
    stack.until_idle()
    after = newest(ministack, family)
    assert after["revision"] == before["revision"] + 1
    assert names(after) == ["checkout", SIDECAR]
    assert after["containerDefinitions"][0] == before["containerDefinitions"][0]
    assert sorted(t["key"] for t in after["tags"]) == ["ecs-sidecar/inject", "team"]
    for member in ("cpu", "memory", "runtimePlatform", "taskRoleArn", "executionRoleArn", "networkMode"):
        assert after[member] == before[member], member


def test_roles_get_what_the_sidecar_needs(ministack, stack, trail, definition):
    trail.register(definition)
    stack.until_idle()
    assert attached_policies(ministack, definition["taskRoleArn"]) == ["arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess"]
    assert attached_policies(ministack, definition["executionRoleArn"]) == [stack.outputs["ExecutionPolicyArn"]]


def test_duplicate_event_leaves_no_more_revisions(ministack, stack, trail, wire, definition, family):
    revision = trail.register(definition)
    stack.until_idle()
    patched = active_revisions(ministack, family)
    since = len(wire.calls)
    for _ in range(3):
        trail.tell_registered(revision)
    stack.until_idle()
    assert active_revisions(ministack, family) == patched
    assert len(patched) == 2
    told = wire.of_family(family, since)
    assert "DescribeTaskDefinition" in told, "the duplicates were looked at"
    assert "RegisterTaskDefinition" not in told


def test_two_at_once_leave_one_patched_revision(ministack, stack, definition, family):
    ministack.client("ecs").register_task_definition(**definition)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: stack.invoke("reconcile", family=family), range(2)))
    stack.invoke("reconcile", family=family)
    assert len(active_revisions(ministack, family)) == 2


@pytest.mark.parametrize("why", ["own-role", "failed-call"])
@pytest.mark.parametrize("way", ["through-the-rule", "past-the-rule"])
def test_event_that_must_set_nothing_off(ministack, stack, trail, wire, definition, family, why, way):
    revision = ministack.client("ecs").register_task_definition(**definition)["taskDefinition"]
    own, failed = stack.outputs["RoleArn"], "ClientException"
    if way == "through-the-rule":
        trail.tell_registered(revision, **({"issuer": own} if why == "own-role" else {"error": failed}))
    else:
        more = {"issuer": own} if why == "own-role" else {"errorCode": failed}
        stack.send(message(stack, family, revision["taskDefinitionArn"], **more))
    # A message behind it, so that an empty queue means that it too has been dealt with.
    other = f"{family}-other"
    trail.register({**definition, "family": other})
    stack.until_idle()
    assert len(active_revisions(ministack, other)) == 2
    assert active_revisions(ministack, family) == [revision["taskDefinitionArn"]]
    assert "RegisterTaskDefinition" not in wire.of_family(family)


def test_registration_by_an_iam_user(ministack, stack, trail, definition, family):
    trail.register(definition, issuer=None)
    stack.until_idle()
    assert names(newest(ministack, family)) == ["checkout", SIDECAR]


def test_response_that_cloudtrail_left_out(ministack, stack, trail, definition, family):
    ministack.client("ecs").register_task_definition(**definition)
    trail.tell("RegisterTaskDefinition", {"family": family}, None)
    stack.until_idle()
    assert names(newest(ministack, family)) == ["checkout", SIDECAR]


def test_registration_on_top_of_a_patched_revision(ministack, stack, trail, definition, family):
    """Pipelines take the newest definition, swap the image and register that."""
    trail.register(definition)
    stack.until_idle()
    patched = newest(ministack, family)
    again = {k: v for k, v in patched.items() if k in (*definition, "containerDefinitions")}
    again["containerDefinitions"][0]["image"] += "-next"
    trail.register(again)
    stack.until_idle()
    after = newest(ministack, family)
    assert names(after) == ["checkout", SIDECAR]
    assert after["containerDefinitions"][0]["image"].endswith("-next")


def test_source_that_is_deregistered_takes_ours_with_it(ministack, stack, trail, definition, family):
    """CloudFormation rolls back: the patched revision of what is gone must not stay the latest."""
    quiet = {**definition, "tags": [{"key": "team", "value": "shop"}]}
    first = ministack.client("ecs").register_task_definition(**quiet)["taskDefinition"]
    second = trail.register(definition)
    stack.until_idle()
    assert len(active_revisions(ministack, family)) == 3
    trail.deregister(second["taskDefinitionArn"])
    stack.until_idle()
    assert active_revisions(ministack, family) == [first["taskDefinitionArn"]]


@pytest.mark.parametrize(
    "body",
    [f"garbage {SECRET} {{", "[]", "{}", '{"account": "", "family": ""}', '{"family": 7}', "\u0416" * 100],
    ids=["not-json", "a-list", "empty", "empty-strings", "a-number", "not-ascii"],
)
def test_garbage_goes_to_the_dead_letter_queue_with_a_reason(stack, body):
    sent = stack.send(body)
    (letter,) = stack.dead_letters()
    stack.until_idle()
    assert json.loads(letter["Body"])["messageId"] == sent
    assert SECRET not in letter["Body"], "what is not understood may hold anything, so only its ids are kept"
    assert letter["MessageAttributes"]["reason"]["StringValue"]
    assert letter["Attributes"].get("DeadLetterQueueSourceArn") is None, "set aside at once, not after five failures"


def test_garbage_in_a_batch_does_not_hold_up_the_others(ministack, stack, definition, family):
    families = [f"{family}-{n}" for n in range(4)]
    revisions = [
        ministack.client("ecs").register_task_definition(**{**definition, "family": name})["taskDefinition"]
        for name in families
    ]
    bodies = [message(stack, r["family"], r["taskDefinitionArn"]) for r in revisions]
    bodies.insert(2, "garbage {")
    answer = ministack.client("sqs").send_message_batch(
        QueueUrl=stack.outputs["QueueUrl"],
        Entries=[{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies)],
    )
    assert not answer.get("Failed")
    assert len(stack.dead_letters()) == 1
    stack.until_idle()
    for name in families:
        assert len(active_revisions(ministack, name)) == 2, name


def test_plan_by_hand_writes_nothing(ministack, stack, wire, definition, family):
    arn = ministack.client("ecs").register_task_definition(**definition)["taskDefinition"]["taskDefinitionArn"]
    since = len(wire.calls)
    for target in ({"family": family}, {"taskDefinition": arn}):
        report = stack.invoke("plan", **target)
        assert (report["family"], report["decision"], report["reason"]) == (family, "inject", None)
        assert (report["source"], report["registered"], report["outcome"]) == (arn, None, "planned")
        assert report["edits"] and report["digest"] and report["policy"] == SIDECAR
    assert active_revisions(ministack, family) == [arn]
    assert not {"RegisterTaskDefinition", "AttachRolePolicy"} & {call.action for call in wire.calls[since:]}


def test_reconcile_by_hand(ministack, stack, definition, family):
    arn = ministack.client("ecs").register_task_definition(**definition)["taskDefinition"]["taskDefinitionArn"]
    report = stack.invoke("reconcile", family=family)
    assert (report["decision"], report["outcome"], report["source"]) == ("inject", "registered", arn)
    assert report["registered"] == active_revisions(ministack, family)[-1]
    assert revision_of(report["registered"]) == 2
    again = stack.invoke("reconcile", family=family)
    assert (again["decision"], again["registered"], again["outcome"]) == ("upToDate", None, "nothing")


def test_log_tells_the_decision_and_no_environment(ministack, stack, trail, definition, family):
    since = stack.now()
    trail.register(definition)
    stack.until_idle()
    lines = [line for line in stack.log_lines(since) if line.get("family") == family and line.get("decision")]
    assert [line["decision"] for line in lines] == ["inject"]
    assert "requestid" in json.dumps(lines).lower().replace("_", "")
    pages = ministack.client("logs").get_paginator("filter_log_events").paginate(
        logGroupName=stack.outputs["LogGroupName"]
    )
    assert not [e for page in pages for e in page["events"] if SECRET in e["message"]]
