"""Which calls of AWS stand in the Rust code, and which a program was linked with.

Knows how a call of the SDK looks in a source, and in a program's symbols. Knows nothing of permissions.
"""

import re
import subprocess
from functools import cache

import botocore.session
from botocore import xform_name

# The SDK's crates whose service has another name in IAM and botocore.
SERVICES = {"cloudwatchlogs": "logs", "eventbridge": "events", "sfn": "stepfunctions", "ssooidc": "sso-oidc"}
PREFIXES = {"stepfunctions": "states"}


@cache
def operations_of(crate):
    """Calls by the name of their method, of the SDK's crate for a service: `update_service` is `ecs:UpdateService`."""
    service = SERVICES.get(crate, crate)
    names = botocore.session.get_session().get_service_model(service).operation_names
    return {xform_name(name): f"{PREFIXES.get(service, service)}:{name}" for name in names}


def called_in(folder):
    """The calls in the sources below a folder. A file names the SDK's crates that it uses."""
    calls = set()
    for file in folder.rglob("*.rs"):
        text = re.sub(r"^ *//.*$", "", file.read_text(), flags=re.MULTILINE)
        known = {}
        for crate in re.findall(r"\baws_sdk_(\w+?)\b", text):
            known |= operations_of(crate)
        methods = set(re.findall(r"\.\s*([a-z_0-9]+)\(\)", text))
        calls |= {call for method, call in known.items() if method in methods}
    return calls


def linked_with(program):
    """The calls of a program that was not stripped: what no way leads to, the linker has left out."""
    listed = subprocess.run(["nm", "--defined-only", "--format=just-symbols", program], capture_output=True, text=True, check=True)
    calls = set()
    # A call's way through the SDK: aws_sdk_ecs::operation::update_service::UpdateService::orchestrate, each name behind its length.
    for crate, length, rest in re.findall(r"aws_sdk_([a-z0-9]+?)9operation(\d+)(\w*?)11orchestrate", listed.stdout):
        calls.add(operations_of(crate)[rest[: int(length)]])
    assert calls, f"{program} has no symbols"
    # And the two ways to the registry, which are methods of our own.
    return calls | {f"registry:{way}" for way in re.findall(r"registry8Registry\d(small|by_tag)", listed.stdout)}
