"""How the stack runs: what wakes the functions, whether times and lengths fit each other, and what is looked at."""

import json
import re

import pytest
from harness import template
from harness.stack import REPOSITORY_ROOT

TEMPLATE = template.load()
PARAMETERS = TEMPLATE["Parameters"]
RESOURCES = TEMPLATE["Resources"]
FUNCTIONS = {"Function": "Queue", "SweepFunction": "SweepQueue"}
LONGEST_DELAY = 900  # of a message of SQS, and of an invocation of Lambda, in seconds


def properties(name):
    return RESOURCES[name]["Properties"]


def arn(name):
    return {"Fn::GetAtt": f"{name}.Arn"}


def lease(file, name):
    """Seconds that something is its holder's: a constant of the Rust code, which nothing else in Python knows."""
    source = (REPOSITORY_ROOT / "crates" / "aws" / "src" / file).read_text()
    (seconds,) = re.findall(rf"const {name}: Duration = Duration::from_secs\((\d+)\)", source)
    return int(seconds)


# --- times ---


def test_a_lease_outlives_its_holder_and_can_be_waited_for():
    assert properties("Function")["Timeout"] < lease("rows.rs", "LEASE") <= LONGEST_DELAY
    assert properties("SweepFunction")["Timeout"] < lease("sweep_state.rs", "SWEEP_LEASE")
    # Each time it comes back after five seconds at most, sixty times.
    assert lease("rows.rs", "LEASE") <= 60 * 5


@pytest.mark.parametrize(("function", "queue"), FUNCTIONS.items())
def test_no_message_is_handed_out_twice_while_under_work(function, queue):
    assert properties(queue)["VisibilityTimeout"] >= 6 * properties(function)["Timeout"]
    assert properties(queue)["MessageRetentionPeriod"] > 5 * properties(queue)["VisibilityTimeout"], "all its receipts"


@pytest.mark.parametrize(("queue", "source"), [("Queue", "EventSource"), ("SweepQueue", "SweepEventSource")])
def test_failed_messages_end_in_the_dead_letter_queue(queue, source):
    redrive = properties(queue)["RedrivePolicy"]
    assert redrive == {"deadLetterTargetArn": arn("DeadLetterQueue"), "maxReceiveCount": 5}
    assert properties(source)["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


@pytest.mark.parametrize("queue", ["Queue", "SweepQueue", "DeadLetterQueue"])
def test_queues_are_encrypted(queue):
    assert properties(queue)["SqsManagedSseEnabled"] is True


# --- what wakes the functions ---


def test_at_most_so_many_reconcile_at_one_time():
    source = properties("EventSource")
    assert (source["EventSourceArn"], source["FunctionName"]) == (arn("Queue"), {"Ref": "Function"})
    assert source["ScalingConfig"] == {"MaximumConcurrency": {"Ref": "MaximumConcurrency"}}


def test_the_queue_wakes_one_sweep_a_message():
    source = properties("SweepEventSource")
    assert (source["EventSourceArn"], source["FunctionName"]) == (arn("SweepQueue"), {"Ref": "SweepFunction"})
    assert source["BatchSize"] == 1
    assert source["ScalingConfig"] == {"MaximumConcurrency": 2}


def test_the_clock_wakes_the_sweep():
    rule = properties("ScheduleRule")
    assert rule["ScheduleExpression"] == {"Ref": "SweepSchedule"} and rule["State"] == "ENABLED"
    (target,) = rule["Targets"]
    assert target["Arn"] == arn("SweepQueue")
    assert json.loads(target["Input"]) == {"name": "Schedule"}
    assert target["DeadLetterConfig"] == {"Arn": arn("DeadLetterQueue")}


@pytest.mark.parametrize("schedule", ["rate(1 hour)", "rate(15 minutes)", "cron(0 6 ? * MON-FRI *)", "cron(0/30 * * * ? *)"])
def test_schedule(schedule):
    assert re.fullmatch(PARAMETERS["SweepSchedule"]["AllowedPattern"], schedule)


@pytest.mark.parametrize(
    "schedule", ["", "1 hour", "rate(0 hours)", "rate(1 week)", "cron(0 6 * * *)", "at(2027-01-01T00:00:00)"]
)
def test_no_schedule(schedule):
    assert not re.fullmatch(PARAMETERS["SweepSchedule"]["AllowedPattern"], schedule)


def test_a_written_policy_wakes_the_sweep_and_is_set_aside_if_it_cannot():
    source = properties("PolicySource")
    assert source["EventSourceArn"] == {"Fn::GetAtt": "Table.StreamArn"}
    assert source["FunctionName"] == {"Ref": "SweepFunction"}
    assert source["StartingPosition"] == "LATEST"
    assert source["DestinationConfig"] == {"OnFailure": {"Destination": arn("DeadLetterQueue")}}
    assert source["BisectBatchOnFunctionError"] is True
    told = {name: source[name] for name in ("BatchSize", "MaximumBatchingWindowInSeconds", "MaximumRetryAttempts")}
    assert told == {"BatchSize": 10, "MaximumBatchingWindowInSeconds": 5, "MaximumRetryAttempts": 3}


@pytest.mark.parametrize(("kind", "wakes"), [("standing", True), ("family", False), ("pace", False), ("sweep", False)])
def test_only_what_people_write_wakes(ministack, kind, wakes):
    """The sweep writes rows itself: it would wake itself for ever. (Filters have the language of the rules' patterns.)"""
    (of_stream,) = properties("PolicySource")["FilterCriteria"]["Filters"]
    record = {"eventName": "MODIFY", "dynamodb": {"Keys": {"kind": {"S": kind}, "id": {"S": "policy/web"}}}}
    about = {"id": "1", "account": "1", "source": "x", "time": "2026-01-01T00:00:00Z", "region": "x", "resources": []}
    told = {**about, "detail-type": "x", "detail": record}
    pattern = json.dumps({"detail": json.loads(of_stream["Pattern"])})
    assert ministack.client("events").test_event_pattern(EventPattern=pattern, Event=json.dumps(told))["Result"] is wakes


# --- the table ---


def test_the_table_outlives_the_stack_and_can_be_restored():
    assert RESOURCES["Table"]["DeletionPolicy"] == RESOURCES["Table"]["UpdateReplacePolicy"] == "Retain"
    assert properties("Table")["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


def test_the_tables_keys_and_stream():
    table = properties("Table")
    assert {(key["AttributeName"], key["KeyType"]) for key in table["KeySchema"]} == {("kind", "HASH"), ("id", "RANGE")}
    assert {(a["AttributeName"], a["AttributeType"]) for a in table["AttributeDefinitions"]} == {("kind", "S"), ("id", "S")}
    assert table["StreamSpecification"] == {"StreamViewType": "KEYS_ONLY"}
    assert table["BillingMode"] == "PAY_PER_REQUEST"


# --- the functions' settings ---

# Lengths of what is no parameter, at the most. The functions' names have at most 64 characters, so that a stack's has 54;
# CloudFormation makes the other names of it, the resource's and 13 characters. A Region's name has at most 14.
STACK = 54
QUEUE_URL = len("https://sqs..amazonaws.com.cn//") + 14 + 12 + 80
LONGEST = {
    "AWS::StackName": STACK,
    "AWS::AccountId": 12,
    "Table": STACK + len("-Table-") + 13,
    "ExecutionPolicy": len("arn:aws-us-gov:iam::111122223333:policy/") + STACK + len("-ExecutionPolicy-") + 13,
    "OperatorRole.Arn": len("arn:aws-us-gov:iam::111122223333:role/") + 64,
    "Queue": QUEUE_URL,
    "SweepQueue": QUEUE_URL,
    "DeadLetterQueue": QUEUE_URL,
}
# Lambda measures the environment as JSON: a quote or the end of a line has two characters there. The preset, as YAML, gets 5 %
# longer by that, and as JSON 14 %.
ESCAPED = 1.15


def longest(value):
    """The most characters that a variable may come to have."""
    if "Fn::If" in value:
        _, value, _ = value["Fn::If"]
    name = value.get("Ref") or value["Fn::GetAtt"]
    if name in LONGEST:
        return LONGEST[name]
    parameter = PARAMETERS[name]
    if "AllowedValues" in parameter:
        return max(map(len, parameter["AllowedValues"]))
    if "MaxValue" in parameter:
        return len(str(parameter["MaxValue"]))
    if name == "RegistryId":
        return 12
    return parameter["MaxLength"] * (ESCAPED if name == "Policy" else 1)


def test_the_longest_environment_is_one_that_lambda_takes():
    variables = properties("Function")["Environment"]["Variables"]
    size = sum(len(name) + longest(value) + len('"":"",') for name, value in variables.items())
    assert size <= 4096


def test_a_policy_as_long_as_the_preset_fits():
    preset = (REPOSITORY_ROOT / "crates" / "core" / "presets" / "xray-daemon.yaml").read_text()
    told = [line for line in preset.splitlines() if not line.lstrip().startswith("#")]
    assert len("\n".join(told)) <= PARAMETERS["Policy"]["MaxLength"]


def test_both_functions_have_the_same_settings():
    first, second = (properties(function)["Environment"] for function in FUNCTIONS)
    assert first == second
    for name in ("Runtime", "Architectures", "Handler"):
        assert properties("Function")[name] == properties("SweepFunction")[name]


def test_the_settings_of_the_sweep_and_of_who_is_told():
    variables = properties("Function")["Environment"]["Variables"]
    assert variables["ECS_SIDECAR_SWEEP_QUEUE_URL"] == {"Ref": "SweepQueue"}
    assert variables["ECS_SIDECAR_SWEEP_SHARE"] == {"Ref": "SweepShare"}
    assert variables["ECS_SIDECAR_EVENT_BUS"] == {"Ref": "EventBusName"}
    assert variables["ECS_SIDECAR_STACK"] == {"Ref": "AWS::StackName"}
    share = PARAMETERS["SweepShare"]
    assert (share["Default"], share["MinValue"], share["MaxValue"]) == (50, 1, 100000)
    assert PARAMETERS["EventBusName"]["Default"] == "default"


def test_each_function_has_its_own_code_role_and_log():
    for function, key, version, role, log, name in (
        ("Function", "CodeKey", "CodeObjectVersion", "OperatorRole", "LogGroup", "reconcile"),
        ("SweepFunction", "SweepCodeKey", "SweepCodeObjectVersion", "SweepRole", "SweepLogGroup", "sweep"),
    ):
        code = properties(function)["Code"]
        assert (code["S3Bucket"], code["S3Key"]) == ({"Ref": "CodeBucket"}, {"Ref": key})
        assert code["S3ObjectVersion"]["Fn::If"] == [f"Has{version}", {"Ref": version}, {"Ref": "AWS::NoValue"}]
        assert TEMPLATE["Conditions"][f"Has{version}"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": version}, ""]}]}
        assert properties(function)["Role"] == arn(role)
        assert properties(function)["LoggingConfig"] == {"LogGroup": {"Ref": log}}
        assert properties(function)["FunctionName"] == {"Fn::Sub": f"${{AWS::StackName}}-{name}"}
        assert properties(log)["LogGroupName"] == {"Fn::Sub": f"/aws/lambda/${{AWS::StackName}}-{name}"}
        assert PARAMETERS[key]["Default"] == f"{name}-x86_64.zip"


# --- what is looked at ---

# Metrics that the functions write in their logs.
OWN = {
    *("Decisions", "ActLatency", "EcsReads", "EcsWrites", "EcsThrottles", "QueueAge"),
    *("FailingFamilies", "CoveredFamilies", "OutdatedFamilies", "SkippedFamilies"),
    *("SweepFinished", "MissedByEvents", "EventsNotSent", "Services", "BreakerTripped"),
}
ALARMS = {
    # metric: statistic, goes off if, threshold, seconds of a period, periods, without data
    "FailingFamilies": ("Maximum", "GreaterThanThreshold", 0, 3600, 3, "ignore"),
    "SweepFinished": ("Sum", "LessThanThreshold", 1, 86400, 1, "breaching"),
    "MissedByEvents": ("Sum", "GreaterThanThreshold", 0, 3600, 1, "notBreaching"),
    "BreakerTripped": ("Sum", "GreaterThanThreshold", 0, 900, 1, "notBreaching"),
    "EcsThrottles": ("Sum", "GreaterThanThreshold", 50, 900, 1, "notBreaching"),
}
OF_AN_ALARM = ("Statistic", "ComparisonOperator", "Threshold", "Period", "EvaluationPeriods", "TreatMissingData")


def alarms():
    return [resource["Properties"] for resource in RESOURCES.values() if resource["Type"] == "AWS::CloudWatch::Alarm"]


def test_alarms_on_our_own_metrics():
    own = [alarm for alarm in alarms() if alarm["Namespace"] == "EcsSidecar"]
    assert {alarm["MetricName"]: tuple(alarm[name] for name in OF_AN_ALARM) for alarm in own} == ALARMS
    for alarm in own:
        assert alarm["Dimensions"] == [{"Name": "Stack", "Value": {"Ref": "AWS::StackName"}}]


def test_alarms_on_what_aws_measures():
    watched = {(a["MetricName"], json.dumps(a["Dimensions"][0]["Value"])) for a in alarms() if a["Namespace"] != "EcsSidecar"}
    assert watched == {
        ("ApproximateNumberOfMessagesVisible", '{"Fn::GetAtt": "DeadLetterQueue.QueueName"}'),
        ("ApproximateAgeOfOldestMessage", '{"Fn::GetAtt": "Queue.QueueName"}'),
        ("Errors", '{"Ref": "Function"}'),
        ("Throttles", '{"Ref": "Function"}'),
        ("Errors", '{"Ref": "SweepFunction"}'),
    }


def test_every_alarm_tells_the_topic():
    for alarm in alarms():
        topic = ["HasAlarmTopic", [{"Ref": "AlarmTopicArn"}], {"Ref": "AWS::NoValue"}]
        assert alarm["AlarmActions"] == {"Fn::If": topic}, alarm["MetricName"]


@pytest.fixture(scope="module")
def widgets():
    """The dashboard's widgets by title, as CloudFormation would write them."""
    text = properties("Dashboard")["DashboardBody"]["Fn::Sub"]
    given = {
        "AWS::Region": "eu-west-1",
        "AWS::StackName": "ops",
        "LogGroup": "/aws/lambda/ops-reconcile",
        "DeadLetterQueue.QueueName": "ops-dead",
    }
    body = json.loads(re.sub(r"\$\{([^}]+)\}", lambda named: given[named[1]], text))
    return {widget["properties"]["title"]: widget["properties"] for widget in body["widgets"]}


def shown(widget):
    """(namespace, metric, dimensions, statistic) of a widget, each metric."""
    lines = []
    for metric in widget["metrics"]:
        *named, options = metric
        if named:
            lines.append((*named, options.get("stat", widget.get("stat"))))
    return lines


def test_the_dashboard_is_the_stacks():
    assert properties("Dashboard")["DashboardName"] == {"Ref": "AWS::StackName"}


def test_widgets_do_not_lie_upon_each_other(widgets):
    text = properties("Dashboard")["DashboardBody"]["Fn::Sub"]
    cells = [
        (x, y)
        for left, top, width, height in re.findall(r'"x": (\d+), "y": (\d+), "width": (\d+), "height": (\d+)', text)
        for x in range(int(left), int(left) + int(width))
        for y in range(int(top), int(top) + int(height))
    ]
    assert len(cells) == len(set(cells)) and max(x for x, _ in cells) < 24 and len(widgets) == 7


def test_every_widget_is_in_this_region_and_of_this_stack(widgets):
    for title, widget in widgets.items():
        assert widget["region"] == "eu-west-1", title
        for metric in shown(widget) if "metrics" in widget else []:
            assert metric[2:4] in (("Stack", "ops"), ("QueueName", "ops-dead")), title


def test_the_dashboard_shows_metrics_that_there_are(widgets):
    metrics = [metric for widget in widgets.values() if "metrics" in widget for metric in shown(widget)]
    seen = {metric[1] for metric in metrics if metric[0] == "EcsSidecar"}
    assert seen == OWN - {"Decisions", "Services", "SweepFinished"}, "two are searched for, and sweeps have their alarm"


def test_decisions_are_searched_for_by_all_that_tells_them_apart(widgets):
    ((metric,),) = widgets["Decisions by reason"]["metrics"]
    assert metric["expression"] == (
        "SEARCH('{EcsSidecar,Stack,Decision,Reason} MetricName=\"Decisions\" Stack=\"ops\"', 'Sum', 300)"
    )


def test_latency_calls_and_queues(widgets):
    assert [metric[1::3] for metric in shown(widgets["Time to act"])] == [("ActLatency", "p50"), ("ActLatency", "p95")]
    assert [metric[1::3] for metric in shown(widgets["Calls to ECS"])] == [
        ("EcsReads", "Sum"),
        ("EcsWrites", "Sum"),
        ("EcsThrottles", "Sum"),
    ]
    waiting = shown(widgets["Waiting, and set aside"])
    assert ("EcsSidecar", "QueueAge", "Stack", "ops", "Maximum") in waiting
    assert ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", "ops-dead", "Maximum") in waiting


def test_skips_come_from_the_functions_log(widgets):
    query = widgets["Latest skips by reason"]["query"]
    assert query.startswith("SOURCE '/aws/lambda/ops-reconcile' | ")
    assert 'filter decision = "skip"' in query and " by reason " in query


@pytest.mark.parametrize(
    ("output", "value"),
    [
        ("SweepFunctionName", {"Ref": "SweepFunction"}),
        ("SweepQueueUrl", {"Ref": "SweepQueue"}),
        ("TableName", {"Ref": "Table"}),
        ("PolicyWriterRoleArn", arn("PolicyWriterRole")),
        ("ReadStatusPolicyArn", {"Ref": "ReadStatusPolicy"}),
        ("InvokePolicyArn", {"Ref": "InvokePolicy"}),
        ("DashboardName", {"Ref": "Dashboard"}),
    ],
)
def test_outputs(output, value):
    assert TEMPLATE["Outputs"][output]["Value"] == value
