"""The same behaviour as the function `reconcile`, for Python 3.11 with boto3: a peer to measure it against.

For the events that are measured (somebody registered a definition that asks for the sidecar) it makes the same calls in the
same order, those side by side that the function makes side by side, remembers the same facts while it is warm, and registers
the same definition with the same receipt. That it does is checked before anything is measured.

What it leaves out, which favours Python: policies other than the preset, which is a literal here and needs no parser; network
modes but awsvpc, tasks on instances, updates, removals, withdrawals of leftovers; fetching an image; services; messages that
have to wait, and their queue's client; deadlines; the check of the result against ECS's rules; masking of secrets in receipts
and refusals. A registration whose answer is lost is sent again by boto3's standard retries, and numbers may be spelled
otherwise.
"""

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase

import aws
import canonical
import sidecar
from botocore.exceptions import ClientError
from sidecar import Skip

SETTINGS = sidecar.settings()
ROLE = os.environ["ECS_SIDECAR_ROLE_ARN"]
STACK = os.environ.get("ECS_SIDECAR_STACK") or "ecs-sidecar"
INTERVAL = max(1, 100_000 // int(os.environ.get("ECS_SIDECAR_SWEEP_SHARE") or 50))  # milliseconds of a write
CALLS = {"RegisterTaskDefinition", "DeregisterTaskDefinition"}
LIFE, LEASE = 900, 240
REPOSITORY, TAG = sidecar.UPSTREAM.split("/", 1)[1].rsplit(":", 1)

families = ThreadPoolExecutor(2)


class Memory:
    """Good news, believed for a quarter of an hour."""

    def __init__(self):
        self._facts = {}

    def get(self, key):
        fact, seen = self._facts.get(key, (None, 0))
        return fact if time.monotonic() - seen < LIFE else None

    def look(self, look, key):
        if fact := look(*key):
            self._facts[look, *key] = fact, time.monotonic()
        return fact


memory = Memory()
leases = 0
standing_before = None


def handler(event, context):
    """Answers a batch of SQS."""
    records = event["Records"]
    sent = min(int(record["attributes"]["SentTimestamp"]) for record in records)
    metrics({"Stack": STACK}, QueueAge=("Seconds", time.time() - sent / 1000))
    wanted = {}
    for record in records:
        family = family_of(json.loads(record["body"]))
        if family:
            wanted.setdefault(family, []).append(record["messageId"])
    failed = []
    for family, error in families.map(lambda family: (family, told(family, context)), wanted):
        if error:
            failed += [{"itemIdentifier": id} for id in wanted[family]]
    return {"batchItemFailures": failed}


def family_of(event):
    """The family that an event is about; None if it is nothing for us."""
    if event.get("name") not in CALLS or event.get("errorCode"):
        return None
    if event.get("issuer", "").rsplit("/", 1)[-1] == ROLE.rsplit("/", 1)[-1]:
        return None
    named = event.get("arn") or event.get("family") or event.get("requestFamily")
    if event.get("account") != SETTINGS.account or event.get("region") != SETTINGS.region:
        raise ValueError("it is about another place")
    return named.rsplit("/", 1)[-1].split(":")[0]


def told(family, context):
    """Reconciles a family, with a line of metrics and one of the log; returns what went wrong."""
    begun, outcome, error = time.monotonic(), {}, None
    try:
        outcome = reconcile(family)
    except Exception as failure:
        error = failure
    decision = outcome.get("decision", "failed")
    counts = {"Decisions": ("Count", 1.0), "EcsReads": ("Count", 3.0), "EcsWrites": ("Count", 1.0)}
    counts |= {name: ("Count", 0.0) for name in ("EcsThrottles", "EventsNotSent", "MissedByEvents")}
    if "registered" in outcome:
        counts["ActLatency"] = ("Milliseconds", (time.monotonic() - begun) * 1000)
    metrics({"Stack": STACK, "Decision": decision, "Reason": outcome.get("reason") or "none"}, **counts)
    line = {"timestamp": time.time(), "level": "ERROR" if error else "INFO", "message": "reconciled"}
    line |= {"request_id": context.aws_request_id, "family": family, **outcome}
    if error:
        line |= {"message": "reconcile failed", "error": f"{type(error).__name__}: {error}"}
    print(json.dumps(line), flush=True)
    return error


def metrics(dimensions, **values):
    """A line of CloudWatch's embedded metric format."""
    sets = [list(dimensions)[:1], list(dimensions)] if len(dimensions) > 1 else [list(dimensions)]
    described = [{"Name": name, "Unit": unit} for name, (unit, _) in values.items()]
    directive = [{"Namespace": "EcsSidecar", "Dimensions": sets, "Metrics": described}]
    line = {"_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": directive}, **dimensions}
    print(json.dumps(line | {name: value for name, (_, value) in values.items()}), flush=True)


def reconcile(family):
    """Looks at a family, and gives its newest revision the sidecar."""
    submit = aws.together.submit
    looks = submit(aws.describe, family), submit(aws.inactive, family), submit(aws.query, "standing")
    looks += submit(aws.get, "rollout", "breaker"), submit(aws.get, "family", family)
    body, inactive, standing, breaker, row = (look.result() for look in looks)
    if body is None:
        return {"decision": "skip", "reason": "noActiveRevision"}
    row = row or {"kind": {"S": "family"}, "id": {"S": family}}
    definition, read = sidecar.described(body)
    arn = read["taskDefinitionArn"]
    try:
        decided = decide(definition, arn, inactive)
        if paused(standing, breaker):
            raise Skip("paused")
        result, digest, uses, missing, group = decided
        row = leave(row, arn, missing)
        for role, policy in missing:
            aws.iam.attach_role_policy(RoleName=role.rsplit("/", 1)[1], PolicyArn=policy)
        if group:
            aws.logs.create_log_group(logGroupName=group)
    except Skip as why:
        note(row, None, {"decision": "skip", "reason": why.reason, "source": arn}, standing)
        return {"decision": "skip", "reason": why.reason, "particulars": str(why)}
    kept, there = sidecar.described(aws.register(json.dumps(result, ensure_ascii=False).encode()))
    new = there["taskDefinitionArn"]
    shadows(family, arn, new)
    outcome = {"decision": "inject", "outcome": "registered", "policy": sidecar.POLICY, "source": arn, "registered": new}
    if canonical.definition(result) != canonical.definition(kept):
        outcome["notes"] = "ECS keeps the definition otherwise than it was sent"
    note(row, {"digest": digest, "uses": uses}, outcome, standing)
    return outcome


def decide(definition, arn, inactive):
    """What is to be registered, its digest, what it rests on, what of that is missing, and a log group to be made."""
    if (found := sidecar.receipt(definition)) is not None:
        raise Skip("upToDate" if found["by"] == "operator" else "injectedElsewhere")
    sidecar.eligible(definition, SETTINGS)
    group = sidecar.group_of(sidecar.logs_of(definition), SETTINGS.region)
    roles = definition.get("taskRoleArn"), definition.get("executionRoleArn")
    needs = []
    for role, policy in zip(roles, (SETTINGS.task_policy, SETTINGS.execution_policy), strict=True):
        if not role or not any(fnmatchcase(role.split(":role/", 1)[1], pattern) for pattern in SETTINGS.roles):
            raise Skip("roleNotAllowed", str(role))
        if policy:
            needs.append((role, policy))
    image, log_group = known(locate), known(aws.has_group, group) if group else None
    policies = {role: known(aws.attached, role) for role in dict.fromkeys(roles)}
    prefix = image()
    architecture = (definition.get("runtimePlatform") or {}).get("cpuArchitecture", "X86_64")
    if architecture not in prefix.architectures:
        raise Skip("imageNotCached")
    result, digest = sidecar.injected(definition, arn, SETTINGS, prefix)
    missing = [(role, policy) for role, policy in needs if policy not in policies[role]()]
    withdrawn(digest, arn, inactive)
    return result, digest, needs, missing, group if log_group and not log_group() else None


def known(look, *key):
    """What answers a fact: at once if it is remembered, else by a look that is under way."""
    fact = memory.get((look, *key))
    return (lambda: fact) if fact else aws.together.submit(memory.look, look, key).result


class Prefix(str):
    """The cache rule's prefix, with the architectures of which the whole image is behind it."""

    architectures = frozenset()


def locate():
    """Finds the image: by which rule it comes, and that all of its layers are there."""
    account = SETTINGS.account
    rules = aws.ecr.describe_pull_through_cache_rules(registryId=account)["pullThroughCacheRules"]
    ours = [rule for rule in rules if rule["upstreamRegistryUrl"].removeprefix("https://") == "public.ecr.aws"]
    prefix = Prefix(ours[0]["ecrRepositoryPrefix"] if ours else SETTINGS.prefix)
    repository = f"{prefix}/{REPOSITORY}"
    try:
        found = aws.ecr.describe_images(registryId=account, repositoryName=repository, imageIds=[{"imageTag": TAG}])
    except ClientError as error:
        if aws.is_code(error, "ImageNotFoundException", "RepositoryNotFoundException"):
            raise Skip("imageNotCached", f"{repository}:{TAG} is not there") from error
        raise
    digest = found["imageDetails"][0]["imageDigest"]
    aws.get("image", f"{account}/{repository}:{TAG}")
    index = json.loads(aws.manifests(account, repository, [digest])[digest])
    names = {"amd64": "X86_64", "arm64": "ARM64"}
    children = {
        names[child["platform"]["architecture"]]: child["digest"]
        for child in index["manifests"]
        if child["platform"]["architecture"] in names
    }
    manifests = aws.manifests(account, repository, children.values())
    parts = {}
    for architecture, digest in children.items():
        if digest in manifests:
            manifest = json.loads(manifests[digest])
            parts[architecture] = {manifest["config"]["digest"], *(layer["digest"] for layer in manifest["layers"])}
    missing = aws.missing_layers(account, repository, set().union(*parts.values()))
    prefix.architectures = frozenset(a for a, digests in parts.items() if not digests & missing)
    return prefix


def number_of(arn):
    return int(arn.rsplit(":", 1)[1])


def withdrawn(digest, arn, inactive):
    """Raises Skip if somebody took the same patch back."""
    newer = [other for other in inactive if number_of(other) > number_of(arn)][:5]
    for body in aws.together.map(aws.describe, newer):
        found = body and sidecar.receipt(sidecar.described(body)[0])
        if found and found["source"].get("arn") == arn and found["digest"] == digest:
            raise Skip("withdrawn")


def leave(row, arn, missing):
    """Takes a turn of ECS's bucket and the family's lease; returns the row with the lease."""
    global leases
    now = int(time.time())
    if int(row.get("leaseUntil", {}).get("N", 0)) >= now:
        raise Skip("beingReconciled")
    take_turn()
    leases += 1
    grants = set(row.get("grants", {}).get("SS", ())) | {f"{role} {policy}" for role, policy in missing}
    owner = f"{os.getpid()}-{time.time_ns()}-{leases}"
    leased = {**row, "leaseOwner": {"S": owner}, "leaseUntil": {"N": str(now + LEASE)}}
    if grants:
        leased["grants"] = {"SS": sorted(grants)}
    held = aws.put(leased)
    if held is None:
        raise Skip("beingReconciled")
    looks = [aws.together.submit(aws.describe, row["id"]["S"])]
    looks += [aws.together.submit(aws.get, *key) for key in (("standing", "switch"), ("rollout", "breaker"))]
    body, switch, breaker = (look.result() for look in looks)
    if body is None or sidecar.described(body)[1]["taskDefinitionArn"] != arn:
        raise Skip("beingReconciled")
    if paused([switch] if switch else [], breaker):
        raise Skip("paused")
    return held


def take_turn():
    """A turn of the share of ECS's bucket; what an event brought is written at once, and counts."""
    now = time.time_ns() // 1_000_000
    taken = pace("tat = :tat", "(attribute_not_exists(tat) OR tat < :now)", now + INTERVAL, now)
    if taken is None:
        pace("tat = tat + :tat", "tat >= :now", INTERVAL, now)


def pace(change, condition, tat, now):
    try:
        return aws.dynamodb.update_item(
            TableName=aws.TABLE,
            Key={"kind": {"S": "pace"}, "id": {"S": "ecs"}},
            UpdateExpression=f"SET {change}, v = :v",
            ConditionExpression=f"{condition} AND (attribute_not_exists(slowUntil) OR slowUntil <= :now)",
            ExpressionAttributeValues={":tat": {"N": str(tat)}, ":now": {"N": str(now)}, ":v": {"N": "1"}},
            ReturnValues="ALL_OLD",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except ClientError as error:
        if aws.is_code(error, "ConditionalCheckFailedException"):
            return None
        raise


def paused(standing, breaker):
    """Whether somebody threw the switch, or the breaker tripped."""
    switch = next((item for item in standing if item["id"]["S"] == "switch"), {})
    return switch.get("paused", {}).get("BOOL", False) or bool(breaker and "trippedAt" in breaker)


def shadows(family, source, ours):
    """Deregisters ours if somebody registered something between."""
    between = range(number_of(source) + 1, number_of(ours))
    for body in aws.together.map(lambda number: aws.describe(f"{family}:{number}"), between):
        if body and sidecar.described(body)[1]["status"] == "ACTIVE":
            aws.ecs.deregister_task_definition(taskDefinition=ours)
            raise RuntimeError("somebody registered something newer")


def fingerprint(standing):
    """Changes with anything that decisions depend on."""
    global standing_before
    if standing_before is None or standing_before[0] != standing:
        standing_before = standing, canonical.digest(repr((SETTINGS, standing)))[7:23]
    return standing_before[1]


def note(row, did, outcome, standing):
    """Writes what came of it into the family's row, which gives the lease back, and tells it on the bus."""
    now = str(int(time.time()))
    state = "covered" if did else "skipped"
    before = row.get("state", {}).get("S")
    told = {"state": state, "decision": outcome["decision"], "source": outcome["source"], "standing": fingerprint(standing)}
    after = {key: value for key, value in row.items() if key not in ("leaseOwner", "leaseUntil")}
    after |= {"since": {"N": now}, "seenAt": {"N": now}, "newest": {"N": str(number_of(outcome["source"]))}}
    if did:
        new = outcome["registered"]
        told |= {"policy": sidecar.POLICY, "injected": sidecar.POLICY, "digest": did["digest"], "patched": new}
        after |= {"changedAt": {"N": now}, "newest": {"N": str(number_of(new))}}
        after["uses"] = {"SS": sorted(f"{role} {policy}" for role, policy in did["uses"])}
        after["successors"] = {"SS": [f"{outcome['source']} {new}"]}
    else:
        told["reason"] = outcome["reason"]
    after |= {name: {"S": value} for name, value in told.items()}
    if aws.put(after) is None or before == state:
        return
    detail = {"version": 1, "family": row["id"]["S"], "state": state, "previousState": before, "since": int(now)}
    detail |= {name: told.get(name) for name in ("decision", "reason", "message", "policy", "source", "patched")}
    resources = [told[name] for name in ("patched", "source") if name in told]
    entry = {"EventBusName": aws.BUS, "Source": "ecs-sidecar", "DetailType": "ECS Sidecar Family State Change"}
    answer = aws.events.put_events(Entries=[entry | {"Detail": json.dumps(detail), "Resources": resources}])
    if answer["FailedEntryCount"]:
        print(json.dumps({"level": "WARN", "message": "an event was not sent"}), file=sys.stderr)
