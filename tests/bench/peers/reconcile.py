"""The same behaviour as the function `reconcile`, for Python 3.11 with boto3: a peer to measure it against.

For the events that are measured (somebody registered a definition that asks for the sidecar) it makes the same calls in the
same order, those side by side that the function makes side by side, remembers the same facts while it is warm, and registers
the same definition with the same receipt. That it does is checked before anything is measured.

What it leaves out, which favours Python: policies other than the preset, which is a literal here and needs no parser; network
modes but awsvpc, tasks on instances, updates, removals, withdrawals of leftovers; fetching an image; services; messages that
have to wait, and their queue's client; a second look where memory does not do; deadlines; the check of the result against ECS's
rules; masking of secrets in receipts and refusals. A registration whose answer is lost is sent again by boto3's standard retries,
and numbers may be spelled otherwise.
"""

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatchcase

import aws
import canonical
import sidecar
import turns
from botocore.exceptions import ClientError
from sidecar import Skip

SETTINGS = sidecar.settings()
ROLE = os.environ["ECS_SIDECAR_ROLE_ARN"]
STACK = os.environ.get("ECS_SIDECAR_STACK") or "ecs-sidecar"
REGISTRATION = "RegisterTaskDefinition"
CALLS = {REGISTRATION, "DeregisterTaskDefinition"}
LIFE = 900  # seconds
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
standing_before = None


def handler(event, context):
    """Answers a batch of SQS."""
    records = event["Records"]
    sent = min(int(record["attributes"]["SentTimestamp"]) for record in records)
    metrics({"Stack": STACK}, QueueAge=("Seconds", time.time() - sent / 1000))
    wanted, registered = {}, {}
    for record in records:
        event = json.loads(record["body"])
        if family := family_of(event):
            wanted.setdefault(family, []).append(record["messageId"])
            if event["name"] == REGISTRATION and event.get("arn"):
                registered[family] = max(registered.get(family, 0), number_of(event["arn"]))
    failed = []
    tell = lambda family: (family, told(family, registered.get(family), context))  # noqa: E731
    for family, error in families.map(tell, wanted):
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


def told(family, registered, context):
    """Reconciles a family, with a line of metrics and one of the log; returns what went wrong."""
    begun, outcome, error = time.monotonic(), {}, None
    try:
        outcome = reconcile(family, registered)
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


def reconcile(family, registered):
    """Looks at a family, and gives its newest revision the sidecar. `registered` is the number of the revision that somebody
    is told to have registered: the lease is asked for beside the look."""
    view = look(family, registered)
    if view.body is None:
        return {"decision": "skip", "reason": "noActiveRevision"}
    definition, read = sidecar.described(view.body)
    arn = read["taskDefinitionArn"]
    try:
        decided = decide(definition, arn, view.inactive)
        if paused(view.standing, view.breaker):
            raise Skip("paused")
        confirm(view, arn, decided) if view.firm else leave(view, arn, decided)
        kept, there = act(family, arn, view, decided)
    except Skip as why:
        if view.held or not turns.is_leased(view.row):
            note(view.row, None, {"decision": "skip", "reason": why.reason, "source": arn}, view.standing)
        return {"decision": "skip", "reason": why.reason, "particulars": str(why)}
    new = there["taskDefinitionArn"]
    outcome = {"decision": "inject", "outcome": "registered", "policy": sidecar.POLICY, "source": arn, "registered": new}
    if canonical.definition(decided.result) != canonical.definition(kept):
        outcome["notes"] = "ECS keeps the definition otherwise than it was sent"
    note(view.row, decided, outcome, view.standing)
    return outcome


@dataclass
class View:
    """What was seen at once. `firm`: the lease is ours, and nobody else can have acted on what was seen."""

    body: bytes | None
    inactive: list
    standing: list
    breaker: dict | None
    row: dict
    held: bool
    firm: bool = False
    tat: int = 0
    slow_for: int = 0


def look(family, registered):
    """All that is asked for at once; once more where the lease came too late to vouch for what was seen beside it."""
    submit, row = aws.together.submit, None
    while True:
        looks = submit(aws.describe, family), submit(aws.inactive, family), submit(aws.query, "standing")
        looks += (submit(aws.get, "rollout", "breaker"),)
        if registered is None:
            looks += (submit(aws.get, "family", family),)
            *seen, row = (look.result() for look in looks)
            return View(*seen, row or {"kind": {"S": "family"}, "id": {"S": family}}, False)
        pace, claiming = submit(turns.schedule), None if row else submit(turns.claim, family, registered)
        claim = claiming and claiming.result()
        seen, (tat, slow_for) = [look.result() for look in looks], pace.result()
        if claim and not claim.held:
            return View(*seen, claim.row, False)
        number = number_of(sidecar.described(seen[0])[1]["taskDefinitionArn"]) if seen[0] else 0
        if row or claim.proves_untouched(number):
            return View(*seen, row or claim.row, True, True, tat, slow_for)
        row = claim.row


@dataclass
class Decided:
    """What is to be registered, its digest, what it rests on, what of that is missing, a log group to be made, and whether
    nothing had to be asked for."""

    result: dict
    digest: str
    uses: list
    missing: list
    group: str | None
    at_once: bool


def decide(definition, arn, inactive):
    """Whether it gets the sidecar; raises Skip if not."""
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
    facts = [(locate,), *((aws.attached, role) for role in dict.fromkeys(roles)), *([(aws.has_group, group)] if group else ())]
    remembered = all(memory.get(fact) for fact in facts)
    answer = {fact: known(*fact) for fact in facts}
    prefix = answer[locate,]()
    architecture = (definition.get("runtimePlatform") or {}).get("cpuArchitecture", "X86_64")
    if architecture not in prefix.architectures:
        raise Skip("imageNotCached")
    result, digest = sidecar.injected(definition, arn, SETTINGS, prefix)
    missing = [(role, policy) for role, policy in needs if policy not in answer[aws.attached, role]()]
    if group and answer[aws.has_group, group]():
        group = None
    newer = [other for other in inactive if number_of(other) > number_of(arn)]
    withdrawn(digest, arn, newer)
    return Decided(result, digest, needs, missing, group, remembered and not newer)


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


def withdrawn(digest, arn, newer):
    """Raises Skip if somebody took the same patch back."""
    for body in aws.together.map(aws.describe, newer[:5]):
        found = body and sidecar.receipt(sidecar.described(body)[0])
        if found and found["source"].get("arn") == arn and found["digest"] == digest:
            raise Skip("withdrawn")


def confirm(view, arn, decided):
    """Whether to act, where the lease is ours. What the look has brought is not asked for again if that was all."""
    if view.slow_for:
        raise Skip("throttled")
    if decided.at_once:
        return note_grants(view, decided)
    checks = submit_checks(view)
    note_grants(view, decided)
    still_so(checks, arn)


def note_grants(view, decided):
    """Notes what is to be attached before it is."""
    before = set(view.row.get("grants", {}).get("SS", ()))
    grants = before | {f"{role} {policy}" for role, policy in decided.missing}
    if grants != before:
        noted = aws.put({**view.row, "grants": {"SS": sorted(grants)}})
        if noted is None:
            view.held = False
            raise Skip("beingReconciled")
        view.row = noted


def leave(view, arn, decided):
    """The same where the lease has to be taken first, after a turn of ECS's bucket."""
    if turns.is_leased(view.row):
        raise Skip("beingReconciled")
    turns.take_turn()
    leased = {**view.row, "leaseOwner": turns.owner(), "leaseUntil": {"N": str(int(time.time()) + turns.LEASE)}}
    grants = set(view.row.get("grants", {}).get("SS", ())) | {f"{role} {policy}" for role, policy in decided.missing}
    if grants:
        leased["grants"] = {"SS": sorted(grants)}
    held = aws.put(leased)
    if held is None:
        raise Skip("beingReconciled")
    view.row, view.held = held, True
    still_so(submit_checks(view), arn)


def submit_checks(view):
    """Asks once more for what may have changed since the look."""
    checks = [aws.together.submit(aws.describe, view.row["id"]["S"])]
    return checks + [aws.together.submit(aws.get, *key) for key in (("standing", "switch"), ("rollout", "breaker"))]


def still_so(checks, arn):
    body, switch, breaker = (check.result() for check in checks)
    if paused([switch] if switch else [], breaker):
        raise Skip("paused")
    if body is None or sidecar.described(body)[1]["taskDefinitionArn"] != arn:
        raise Skip("beingReconciled")


def act(family, arn, view, decided):
    """Makes what is missing, and registers. Whoever waited for no turn takes it beside that."""
    turn = aws.together.submit(turns.count_turn, view.tat) if view.firm else None
    if decided.group:
        aws.logs.create_log_group(logGroupName=decided.group)
    attach = lambda pair: aws.iam.attach_role_policy(RoleName=pair[0].rsplit("/", 1)[1], PolicyArn=pair[1])  # noqa: E731
    list(aws.together.map(attach, decided.missing))
    kept, there = sidecar.described(aws.register(json.dumps(decided.result, ensure_ascii=False).encode()))
    shadows(family, arn, there["taskDefinitionArn"])
    if turn:
        turn.result()
    return kept, there


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
        told |= {"policy": sidecar.POLICY, "injected": sidecar.POLICY, "digest": did.digest, "patched": new}
        after |= {"changedAt": {"N": now}, "newest": {"N": str(number_of(new))}}
        after["uses"] = {"SS": sorted(f"{role} {policy}" for role, policy in did.uses)}
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
