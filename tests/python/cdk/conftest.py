"""What the tests of CDK's templates share."""

import json
import os
from pathlib import Path

import pytest
from harness.stack import REPOSITORY_ROOT
from macro.conftest import macro, ministack, operator, surroundings, wire  # noqa: F401 (fixtures)

APP = REPOSITORY_ROOT / "tests" / "cdk"


@pytest.fixture(scope="session")
def templates():
    """The templates that `make test-cdk` has had the app write into the folder CDK_TEMPLATES, by their stacks' names."""
    folder = os.environ.get("CDK_TEMPLATES")
    if not folder:
        give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        give_up("CDK_TEMPLATES is not set; run make test-cdk")
    files = sorted(Path(folder).glob("*.template.json"))
    assert files, f"{folder} has no template"
    return {file.name.removesuffix(".template.json"): json.loads(file.read_text()) for file in files}


@pytest.fixture(scope="session")
def shop(templates):
    return templates["Shop"]
