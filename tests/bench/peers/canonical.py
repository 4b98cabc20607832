"""One text for all spellings of a definition that ECS stores as the same: for fingerprints and comparisons.

Knows: the defaults that ECS fills in, and which lists have no order, as the product's `normalize.rs` has them.
"""

import hashlib
import json

ABSENT = object()


def unless(*defaults):
    return lambda value, _: ABSENT if any(value is d or (type(value) is type(d) and value == d) for d in defaults) else value


def size(value, _):
    """`1 vCPU`, `1024` and 1024 are one size."""
    text = str(value).lower().replace(" ", "")
    for unit, factor in (("vcpu", 1024), ("gb", 1024), ("mb", 1)):
        if text.endswith(unit):
            return str(int(float(text.removesuffix(unit)) * factor))
    return text or ABSENT


def host_port(value, mapping):
    return ABSENT if value == mapping.get("containerPort") else value


def one(table=None):
    return lambda value, _: members(value, table or {}) or ABSENT


def objects(table=None, by_name=False, kept=False):
    def canonical(value, _):
        items = [members(item, table or {}) for item in value]
        if not kept:
            items.sort(key=(lambda item: item.get("name", "")) if by_name else text)
        return items or ABSENT

    return canonical


def values(kept=False):
    return lambda value, _: (list(value) if kept else sorted(value)) or ABSENT


FALSE = unless(False)
PORT_MAPPING = {"protocol": unless("tcp"), "hostPort": host_port}
CONTAINER = {
    "cpu": unless(0),
    "essential": unless(True),
    "portMappings": objects(PORT_MAPPING),
    "environment": objects(by_name=True),
    "environmentFiles": objects(kept=True),
    "secrets": objects(by_name=True),
    "mountPoints": objects({"readOnly": FALSE}),
    "volumesFrom": objects({"readOnly": FALSE}),
    "dependsOn": objects(),
    "links": values(),
    "ulimits": objects(),
    "systemControls": objects(),
    "extraHosts": objects(),
    "resourceRequirements": objects(),
    "command": values(kept=True),
    "entryPoint": values(kept=True),
    "dnsServers": values(kept=True),
    "dnsSearchDomains": values(kept=True),
    "dockerLabels": one(),
    "logConfiguration": one({"options": one(), "secretOptions": objects(by_name=True)}),
    "healthCheck": one(
        {"command": values(kept=True), "interval": unless(30), "timeout": unless(5), "retries": unless(3)}
    ),
    "restartPolicy": one({"ignoredExitCodes": values(), "restartAttemptPeriod": unless(300)}),
    "linuxParameters": one({"initProcessEnabled": FALSE}),
    "versionConsistency": unless("enabled"),
    "privileged": FALSE,
    "readonlyRootFilesystem": FALSE,
    "disableNetworking": FALSE,
    "interactive": FALSE,
    "pseudoTerminal": FALSE,
}
VOLUME = {"host": one({"sourcePath": unless("")}), "configuredAtLaunch": FALSE}
TASK = {
    "tags": unless(),
    "containerDefinitions": objects(CONTAINER, by_name=True),
    "volumes": objects(VOLUME, by_name=True),
    "cpu": size,
    "memory": size,
    "networkMode": unless("", "bridge"),
    "requiresCompatibilities": values(),
    "placementConstraints": objects(),
    "taskRoleArn": unless(""),
    "executionRoleArn": unless(""),
    "pidMode": unless(""),
    "ipcMode": unless(""),
    "runtimePlatform": one(),
    "enableFaultInjection": FALSE,
}


def members(value, table):
    """An object of a known shape, without what says nothing."""
    if not isinstance(value, dict):
        return value
    found = {}
    for key, member in value.items():
        if member is None:
            continue
        form = table.get(key)
        member = form(member, value) if form else member
        if member is not ABSENT:
            found[key] = member
    return found


def text(value):
    """Sorted keys, no white space."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def definition(value):
    """Canonical text of a definition, without its tags."""
    return text({key: member for key, member in members(value, TASK).items() if key != "tags"})


def digest(canonical):
    return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()
