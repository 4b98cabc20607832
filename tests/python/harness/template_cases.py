"""The templates of `tests/templates`, as the Rust test reads them too: what is sent, what is told beside it, what must come."""

import json
from typing import NamedTuple

import yaml

from .stack import REPOSITORY_ROOT

FOLDER = REPOSITORY_ROOT / "tests" / "templates"
# What the Rust test says of the stack, in the results.
EXECUTION_POLICY = "arn:aws:iam::111122223333:policy/ecs-sidecar-ExecutionPolicy"


class TemplateCase(NamedTuple):
    """One folder. `result` is None where the template is refused."""

    name: str
    template: dict
    told: dict
    policy: str | None
    result: dict | None

    @property
    def injects(self):
        """Logical ids of the definitions that get a sidecar."""
        return [resource for resource, decision in self.told.get("expect", {}).items() if decision == "inject"]

    @property
    def parameters(self):
        """Parameter values, as CloudFormation has them: texts."""
        return {name: str(value) for name, value in self.told.get("parameters", {}).items()}


def all_cases():
    """All of them, by name."""
    return [_read(folder) for folder in sorted(FOLDER.iterdir())]


def _read(folder):
    def text(name):
        path = folder / name
        return path.read_text() if path.exists() else None

    result = text("result.json")
    return TemplateCase(
        folder.name,
        yaml.safe_load(text("template.yaml")),
        yaml.safe_load(text("case.yaml")),
        text("policy.yaml"),
        result and json.loads(result),
    )
