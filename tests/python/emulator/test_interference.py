"""Answers that get lost, services that fail, and people who register while the function is at work."""

from harness.families import active_revisions, newest
from harness.owners import create_roles
from harness.wire import family_in

SIDECAR = "xray-daemon"
NEWER = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/shop/checkout:newer"


def sidecars(revision):
    return [c["name"] for c in revision["containerDefinitions"]].count(SIDECAR)


def test_answer_lost_after_registering_leaves_one_patched_revision(ministack, stack, trail, wire, definition, family):
    lost = []

    def lose_first(call):
        if call.action == "RegisterTaskDefinition" and call.parameters["family"] == family and not lost:
            lost.append(call)
            return "lose"
        return None

    with wire.interfering(lose_first):
        source = trail.register(definition)
        stack.until_idle()
    assert lost, "the answer was lost"
    arns = active_revisions(ministack, family)
    assert len(arns) == 2, arns
    assert arns[0] == source["taskDefinitionArn"]
    assert sidecars(newest(ministack, family)) == 1


def test_failed_call_is_tried_again_by_way_of_the_queue(ministack, stack, trail, wire, definition, family):
    """Only the message that failed comes again, and nothing becomes a dead letter."""
    refused = []
    other = f"{family}-other"

    def refuse_a_while(call):
        # Six times is more than the client tries by itself.
        if call.action == "DescribeTaskDefinition" and family_in(call) == family and len(refused) < 6:
            refused.append(call)
            return "refuse"
        return None

    with wire.interfering(refuse_a_while):
        trail.register(definition)
        trail.register({**definition, "family": other})
        stack.until_idle()
    assert len(refused) == 6
    for name in (family, other):
        assert len(active_revisions(ministack, name)) == 2, name
    assert stack.waiting_messages("DeadLetterQueueUrl") == 0


def test_registration_between_any_two_calls_becomes_the_base(ministack, stack, trail, wire, definition, family):
    """Newer work wins: wherever in our work a person registers, theirs is what the newest revision is made of."""
    interrupted = 0
    while True:
        interrupted += 1
        name = f"{family}-{interrupted}"
        # A role of its own: what a role has is remembered while the function is warm, and then not asked again.
        mine = {**definition, "family": name, "taskRoleArn": f"{definition['taskRoleArn']}-{interrupted}"}
        create_roles(ministack, mine)
        theirs = {**mine, "containerDefinitions": [{**mine["containerDefinitions"][0], "image": NEWER}]}
        seen = []

        def register_theirs(call):
            seen.append(call.action)
            if len(seen) == interrupted:
                trail.register(theirs)

        ministack.client("ecs").register_task_definition(**mine)
        with wire.interfering(register_theirs):
            stack.invoke("reconcile", family=name)
        stack.until_idle()
        if len(seen) < interrupted:
            break  # it makes no such call any more
        where = f"registered before call {interrupted}, {seen[interrupted - 1]}"
        assert newest(ministack, name)["containerDefinitions"][0]["image"] == NEWER, where
        assert sidecars(newest(ministack, name)) == 1, where
        assert patched_from(ministack, name, NEWER) == 1, where
    assert "AttachRolePolicy" in seen and "RegisterTaskDefinition" in seen, seen


def patched_from(ministack, family, image):
    """How many ACTIVE revisions have the sidecar beside that image."""
    described = (
        ministack.client("ecs").describe_task_definition(taskDefinition=arn)["taskDefinition"]
        for arn in active_revisions(ministack, family)
    )
    return sum(sidecars(r) == 1 and r["containerDefinitions"][0]["image"] == image for r in described)
