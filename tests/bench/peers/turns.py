"""Who may act on a family, and how fast ECS is written to: the lease, and the schedule of the operator's share.

Knows: the rows' attributes for both. Must not know: what is decided.
"""

import json
import os
import sys
import time
from dataclasses import dataclass
from itertools import count

import aws
from botocore.exceptions import ClientError

LEASE, SKEW = 240, 300  # seconds
DEBT = 300_000  # milliseconds
INTERVAL = max(1, 100_000 // int(os.environ.get("ECS_SIDECAR_SWEEP_SHARE") or 50))  # milliseconds of a write

CLAIMABLE = (
    "(attribute_not_exists(leaseUntil) OR leaseUntil < :now OR leaseUntil > :longest)"
    " AND (attribute_not_exists(newest) OR newest < :revision)"
    " AND (attribute_not_exists(#version) OR attribute_type(#version, :number))"
)
CLAIMED = "SET leaseOwner = :owner, leaseUntil = :until, v = if_not_exists(v, :v) ADD #version :one"

leases = count(1)


@dataclass
class Claim:
    """A family's row, whether its lease is ours, and the number below which nobody else can have acted (None: nobody knows)."""

    row: dict
    held: bool
    seen: float | None = None

    def proves_untouched(self, number):
        return self.seen is not None and self.seen < number


def owner():
    return {"S": f"{os.getpid()}-{time.time_ns()}-{next(leases)}"}


def is_leased(row):
    now = int(time.time())
    return now <= int(row.get("leaseUntil", {}).get("N", -1)) <= now + LEASE + SKEW


def claim(family, revision):
    """Takes the lease of a family whose row does not know of that revision yet, and reads the row."""
    now = int(time.time())
    who, until = owner(), {"N": str(now + LEASE)}
    values = {":owner": who, ":until": until, ":v": {"N": "1"}, ":one": {"N": "1"}, ":now": {"N": str(now)}}
    values |= {":longest": {"N": str(now + LEASE + SKEW)}, ":revision": {"N": str(revision)}, ":number": {"S": "N"}}
    set_, old = _update("family", family, CLAIMED, CLAIMABLE, values, ExpressionAttributeNames={"#version": "version"})
    if not set_:
        return Claim(old, old.get("leaseOwner") == who)
    row = old or {"kind": {"S": "family"}, "id": {"S": family}}
    version = {"N": str(int(row.get("version", {"N": "0"})["N"]) + 1)}
    row = {**row, "leaseOwner": who, "leaseUntil": until, "version": version}
    if not old:
        return Claim(row, True, -1)
    return Claim(row, True, float(old["newest"]["N"]) if "newest" in old and "leaseUntil" not in old else None)


def schedule():
    """When the share is unused again, and for how long nobody writes; in milliseconds."""
    item = aws.get("pace", "ecs") or {}
    tat, slow = (int(item.get(name, {}).get("N", 0)) for name in ("tat", "slowUntil"))
    return tat, max(0, slow - time.time_ns() // 1_000_000)


def count_turn(tat):
    """Counts a write of an event while it is made. Best effort."""
    now = time.time_ns() // 1_000_000
    if tat > now + DEBT:
        return
    try:
        # What was so a moment ago is so most probably.
        any(attempt(now) for attempt in ((_append, _begin) if tat >= now else (_begin, _append)))
    except ClientError as error:
        print(json.dumps({"level": "WARN", "message": "a write was not counted", "error": str(error)}), file=sys.stderr)


def take_turn():
    """The same before the write; what an event brought does not wait for it."""
    now = time.time_ns() // 1_000_000
    return _begin(now) or _append(now)


def _begin(now):
    return _pace("tat = :tat", "(attribute_not_exists(tat) OR tat < :now)", now + INTERVAL, now)


def _append(now):
    return _pace("tat = tat + :tat", "tat >= :now", INTERVAL, now)


def _pace(change, condition, tat, now):
    condition = f"{condition} AND (attribute_not_exists(slowUntil) OR slowUntil <= :now)"
    values = {":tat": {"N": str(tat)}, ":now": {"N": str(now)}, ":v": {"N": "1"}}
    return _update("pace", "ecs", f"SET {change}, v = :v", condition, values)[0]


def _update(kind, id, change, condition, values, **more):
    """Whether the condition held, and the item as it was before."""
    try:
        answer = aws.dynamodb.update_item(
            TableName=aws.TABLE,
            Key={"kind": {"S": kind}, "id": {"S": id}},
            UpdateExpression=change,
            ConditionExpression=condition,
            ExpressionAttributeValues=values,
            ReturnValues="ALL_OLD",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
            **more,
        )
    except ClientError as error:
        if aws.is_code(error, "ConditionalCheckFailedException"):
            return False, error.response.get("Item", {})
        raise
    return True, answer.get("Attributes", {})
