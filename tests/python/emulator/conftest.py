"""What the tests of the deployed stack share."""

import copy
import json

import pytest
from harness.owners import create_log_groups, create_roles
from harness.stack import REPOSITORY_ROOT

EXAMPLE = json.loads((REPOSITORY_ROOT / "examples" / "closed-vpc-fargate.json").read_text())
SECRET = "canary-5d1f0a"  # a value of the environment that must be seen nowhere outside the definition


@pytest.fixture
def definition(ministack, family):
    """A definition that asks for the sidecar, in the test's own family, with a role of its own."""
    mine = copy.deepcopy(EXAMPLE)
    mine["family"] = family
    mine["taskRoleArn"] = f"arn:aws:iam::{ministack.account}:role/app/{family[:60]}"  # a role's name has at most 64
    mine["containerDefinitions"][0]["environment"].append({"name": "TOKEN", "value": SECRET})
    create_roles(ministack, mine)
    create_log_groups(ministack, mine)
    return mine
