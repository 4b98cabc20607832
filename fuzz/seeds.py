"""What the fuzz targets begin with: inputs as they really come, each in a file of its own.

They are written anew for each run: what other people wrote (`TASKDEF_CORPUS`) is not in the repository.
"""

import json
import os
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
RECEIPT = "ecs-sidecar/receipt"
REVISION = "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:42"
SERVICE = "arn:aws:ecs:eu-west-1:111122223333:service/prod/web"
TASK = "arn:aws:ecs:eu-west-1:111122223333:task/prod/1"
HOME = {"account": "111122223333", "region": "eu-west-1"}


def write(target, folder):
    """Writes a target's seeds into a folder, and returns how many they are."""
    count = 0
    for count, seed in enumerate(SEEDS[target](), start=1):
        (folder / f"{count:04}").write_bytes(seed if isinstance(seed, bytes) else seed.encode())
    if count == 0:
        raise RuntimeError(f"there are no seeds for {target}")
    return count


def corpus(kind):
    """Texts of the corpus; none where nobody said where it is."""
    place = os.environ.get("TASKDEF_CORPUS")
    files = sorted(Path(place, kind).glob("*.json")) if place else []
    return [file.read_text() for file in files]


def files(*patterns):
    return [file.read_text() for pattern in patterns for file in sorted(ROOT.glob(pattern))]


def events():
    """As EventBridge's rules make them, as CloudTrail has them, as messages of both queues, and by hand."""
    flat = [
        HOME | {"id": "e", "name": name, "family": "web", "requestFamily": "web", "arn": REVISION, "issuer": "", "errorCode": ""}
        for name in ("RegisterTaskDefinition", "DeregisterTaskDefinition")
    ]
    flat += [HOME | {"id": "e", "name": name, "family": "web", "waits": "3"} for name in ("LookAgain", "Sweep", "Turn")]
    flat += [
        HOME | {"name": "LookAtService", "service": SERVICE, "waits": "1"},
        HOME | {"name": "UpdateService", "service": SERVICE, "principal": "arn:aws:iam::111122223333:user/jane"},
        HOME | {"name": "ECS Task State Change", "task": TASK, "arn": REVISION, "code": "TaskFailedToStart",
                "because": "why", "containers": [{"name": "web", "reason": "CannotPull"}]},
        HOME | {"detail-type": "ECS Deployment State Change", "resources": [SERVICE], "detail": {"eventName": "X"}},
        HOME | {"detail-type": "ECS Task State Change",
                "detail": {"taskArn": TASK, "taskDefinitionArn": REVISION, "stopCode": "EssentialContainerExited",
                           "stoppedReason": "why", "containers": [{"name": "web"}], "overrides": {"environment": "x"}}},
    ]  # fmt: skip
    flat += [{"name": "Schedule"}, {"name": "Again", "round": 17}, {"name": "GoOn", "run": "r"}]
    texts = [json.dumps(event) for event in flat] + corpus("events")
    wrapped = [json.dumps({"Records": [message(text)]}) for text in texts]
    by_hand = [
        {"action": "reconcile", "family": "web"}, {"action": "plan", "taskDefinition": "web:7"},
        {"action": "retry", "service": SERVICE}, {"action": "plan", "families": ["web-*"], "from": "web-7"},
        {"Records": [{"eventSource": "aws:dynamodb"}]},
    ]  # fmt: skip
    return texts + wrapped + [json.dumps(asked) for asked in by_hand]


def message(body):
    return {"messageId": "m", "body": body, "attributes": {"SentTimestamp": "1760000000000"}}


def definitions():
    return corpus("taskdefs") + files("tests/cases/*/input.json", "tests/cases/*/result.json")


def receipts():
    """One byte for the policy, and then the label's text."""
    for text in files("tests/cases/*/input.json", "tests/cases/*/result.json"):
        definition = json.loads(text)
        for container in definition.get("taskDefinition", definition).get("containerDefinitions") or []:
            label = (container.get("dockerLabels") or {}).get(RECEIPT)
            if isinstance(label, str):
                yield from (bytes([policy]) + label.encode() for policy in range(6))


def policies():
    return files("crates/core/presets/*.yaml", "tests/cases/*/policy.yaml", "tests/templates/*/policy.yaml")


def requests():
    for folder in sorted((ROOT / "tests/templates").iterdir()):
        case, fragment = (yaml.safe_load((folder / name).read_text()) for name in ("case.yaml", "template.yaml"))
        request = {
            "region": case.get("region", "eu-west-1"), "accountId": "111122223333", "fragment": fragment, "params": {},
            "transformId": "111122223333::EcsSidecar", "requestId": "1", "templateParameterValues": case.get("parameters", {}),
        }  # fmt: skip
        yield json.dumps(request, default=str)


def answers():
    """Of registries and of ECR."""
    digests = [f"sha256:{digit * 64}" for digit in "0123"]
    described = [{"mediaType": "a/b", "digest": digest, "size": 7} for digest in digests]
    platforms = [{"os": "linux", "architecture": "amd64"}, {"os": "linux", "architecture": "arm64", "variant": "v8"},
                 {"os": "windows", "architecture": "amd64"}, {"os": "unknown", "architecture": "unknown"}]  # fmt: skip
    entries = [entry | {"platform": platform} for entry, platform in zip(described, platforms, strict=True)]
    expire = {"type": "expire"}
    rules = [
        {"rulePriority": 1, "action": expire, "selection": {"tagStatus": "untagged", "countType": "imageCountMoreThan"}},
        {"rulePriority": 2, "action": expire, "selection": {"tagStatus": "tagged", "tagPrefixList": ["3"]}},
        {"rulePriority": 3, "action": expire, "selection": {"tagStatus": "tagged", "tagPatternList": ["3.*"]}},
    ]
    yield from map(json.dumps, [
        {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": entries},
        {"schemaVersion": 2, "config": described[0], "layers": [*described[1:], described[1]]},
        {"architecture": "arm64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": digests}},
        {"errors": [{"code": "MANIFEST_UNKNOWN", "message": "no"}]},
        {"rules": rules},
    ])  # fmt: skip


SEEDS = {
    "definition": definitions,
    "event": events,
    "macro_request": requests,
    "policy": policies,
    "receipt": receipts,
    "registry": answers,
}
