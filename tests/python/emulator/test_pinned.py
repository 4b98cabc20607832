"""What pins a patched revision, and that the commands which `status --pinned` prints move it and nothing else."""

import json

import judge
import pytest
from harness.pasted import Shell

ROLE = "arn:aws:iam::111122223333:role/runs-tasks"
# What a write changes of a schedule or a state machine by itself.
OF_ITS_OWN = ("ResponseMetadata", "LastModificationDate", "revisionId", "updateDate")


@pytest.fixture
def shell(ministack, wire, stack, tmp_path):
    """As a person has it who looks after the operator."""
    judge.need_binary()
    programs = [judge.BINARY.resolve().parent]
    return Shell(tmp_path, wire.endpoint, ministack.region, ministack.account, "emulator", programs)


def pinned(shell, family):
    return json.loads(shell.run(f"ecs-sidecar status --pinned --format json {family}"))


def rule(ministack, name, bus, task_definition, cluster):
    """A rule with a target that runs a task, with all that such a target may say, and another target."""
    events = ministack.client("events")
    if bus != "default":
        events.create_event_bus(Name=bus)
    pattern = {"source": ["shop"]}
    events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps(pattern))
    runs = {
        "Id": "job",
        "Arn": cluster,
        "RoleArn": ROLE,
        "InputTransformer": {"InputPathsMap": {"id": "$.id"}, "InputTemplate": '{"containerOverrides": [], "id": "<id>"}'},
        "EcsParameters": {
            "TaskDefinitionArn": task_definition,
            "TaskCount": 2,
            "LaunchType": "FARGATE",
            "NetworkConfiguration": {"awsvpcConfiguration": {"Subnets": ["subnet-1"], "AssignPublicIp": "DISABLED"}},
            "PlatformVersion": "LATEST",
            "Group": "jobs",
            "PropagateTags": "TASK_DEFINITION",
        },
        "DeadLetterConfig": {"Arn": f"arn:aws:sqs:{ministack.region}:{ministack.account}:dead"},
        "RetryPolicy": {"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 600},
    }
    other = {"Id": "queue", "Arn": f"arn:aws:sqs:{ministack.region}:{ministack.account}:work"}
    answer = events.put_targets(Rule=name, EventBusName=bus, Targets=[runs, other])
    assert answer["FailedEntryCount"] == 0, answer


def schedule(ministack, group, name, target):
    """A schedule that says all that a schedule may say: what an update leaves out goes back to its default."""
    scheduler = ministack.client("scheduler")
    if group != "default":
        scheduler.create_schedule_group(Name=group)
    scheduler.create_schedule(
        GroupName=group,
        Name=name,
        Description="it's nightly",
        ScheduleExpression="cron(0 3 * * ? *)",
        ScheduleExpressionTimezone="Europe/Berlin",
        FlexibleTimeWindow={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15},
        State="DISABLED",
        Target=target | {"RoleArn": ROLE, "RetryPolicy": {"MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 3600}},
    )


def state_machine(ministack, name, task_definition):
    trusts = {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [trusts]})
    ministack.client("iam").create_role(RoleName=ROLE.rsplit("/", 1)[1], AssumeRolePolicyDocument=trust)
    parameters = {"Cluster": "shop", "TaskDefinition": task_definition, "LaunchType": "FARGATE"}
    run = {"Type": "Task", "Resource": "arn:aws:states:::ecs:runTask.sync", "Parameters": parameters, "End": True}
    definition = {"Comment": "it's \\ \"quoted\" $x", "StartAt": "Run", "States": {"Run": run}}
    states = ministack.client("stepfunctions")
    return states.create_state_machine(name=name, roleArn=ROLE, definition=json.dumps(definition, indent=2))["stateMachineArn"]


def test_pins_are_found_and_their_commands_move_them_and_nothing_else(ministack, stack, shell, definition, family):
    first = ministack.client("ecs").register_task_definition(**definition)["taskDefinition"]["taskDefinitionArn"]
    shell.run(f"ecs-sidecar reconcile {family}")
    cluster = f"arn:aws:ecs:{ministack.region}:{ministack.account}:cluster/shop"
    rule(ministack, "nightly", "default", first, cluster)
    rule(ministack, "hourly", "jobs", first, cluster)
    schedule(ministack, "default", "templated", {"Arn": cluster, "EcsParameters": {"TaskDefinitionArn": first, "TaskCount": 1}})
    run_task = {"Cluster": "shop", "TaskDefinition": first.rsplit("/", 1)[1], "Count": 3}
    universal = {"Arn": "arn:aws:scheduler:::aws-sdk:ecs:runTask", "Input": json.dumps(run_task)}
    schedule(ministack, "reports", "universal", universal)
    machine = state_machine(ministack, "export", first)

    def seen():
        """All of it, as the services have it; texts of JSON are read, since only what they mean is kept."""
        events, scheduler = ministack.client("events"), ministack.client("scheduler")
        rules = {
            name: events.list_targets_by_rule(Rule=name, EventBusName=bus)["Targets"]
            for name, bus in (("nightly", "default"), ("hourly", "jobs"))
        }
        templated = scheduler.get_schedule(GroupName="default", Name="templated")
        universal = scheduler.get_schedule(GroupName="reports", Name="universal")
        universal["Target"]["Input"] = json.loads(universal["Target"]["Input"])
        states = ministack.client("stepfunctions").describe_state_machine(stateMachineArn=machine)
        states["definition"] = json.loads(states["definition"])
        for answer in (templated, universal, states):
            for member in OF_ITS_OWN:
                answer.pop(member, None)
        for targets in rules.values():
            targets.sort(key=lambda target: target["Id"])
        return [rules, templated, universal, states]

    before, answer = seen(), pinned(shell, family)
    assert answer["notLookedAt"] == []
    assert [pin["kind"] for pin in answer["pinned"]] == ["target", "target", "schedule", "schedule", "stateMachine"]
    second = answer["pinned"][0]["shouldPin"]
    assert second == first.removesuffix(":1") + ":2"
    for pin in answer["pinned"]:
        assert (pin["pins"], pin["shouldPin"], pin["because"]) == (first, second, "patched")
        shell.run(pin["command"])
    wanted = json.loads(json.dumps(before, default=str).replace(f"{family}:1", f"{family}:2"))
    assert json.loads(json.dumps(seen(), default=str)) == wanted
    assert pinned(shell, family)["pinned"] == []


def test_a_command_whose_target_is_gone_fails_and_adds_nothing(ministack, stack, shell, definition, family):
    first = ministack.client("ecs").register_task_definition(**definition)["taskDefinition"]["taskDefinitionArn"]
    shell.run(f"ecs-sidecar reconcile {family}")
    rule(ministack, family, "default", first, f"arn:aws:ecs:{ministack.region}:{ministack.account}:cluster/shop")
    (pin,) = pinned(shell, family)["pinned"]
    events = ministack.client("events")
    events.remove_targets(Rule=family, Ids=["job"])
    done = shell.run(f"{pin['command']} && echo moved || echo failed")
    assert done == "failed\n"
    assert [target["Id"] for target in events.list_targets_by_rule(Rule=family)["Targets"]] == ["queue"]
