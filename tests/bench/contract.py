"""What a part of the benchmarks tells: one JSON document of figures, and whether each goal is met.

Knows: the document's shape and what a goal means. Must not know: what is measured, or how it is shown.
"""

import json
from dataclasses import asdict, dataclass

MEMBERS = {"name", "value", "unit", "spread", "goal", "note", "fixed"}


class NotTheContract(ValueError):
    """A part wrote something else than the document that it owes."""


@dataclass(frozen=True)
class Figure:
    """A measured figure. `spread` is the least and the most of what `value` is the median of. `goal` is
    `{"at_least": x}` or `{"at_most": x}` in the same unit. `fixed`: it does not depend on the machine's speed, so that a
    missed goal is a failure on any machine."""

    name: str
    value: float
    unit: str
    spread: tuple | None = None
    goal: dict | None = None
    note: str | None = None
    fixed: bool = False

    def off(self):
        """By how much of the goal the figure is off it: 0.35 is 35 % on the wrong side, -0.6 is 60 % on the right one.
        None without a goal; infinite beyond a goal of zero."""
        if self.goal is None:
            return None
        ((kind, goal),) = self.goal.items()
        beyond = self.value - goal if kind == "at_most" else goal - self.value
        if goal:
            return beyond / abs(goal)
        return float("inf") if beyond > 0 else beyond and float("-inf")

    def missed(self):
        """Whether there is a goal, and it is not met."""
        off = self.off()
        return off is not None and off > 0


def read(text, part):
    """The figures of a part's standard output. Raises NotTheContract."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise NotTheContract(f"{part} wrote no JSON document: {error}") from error
    if not isinstance(document, dict) or document.get("part") != part or not isinstance(document.get("figures"), list):
        raise NotTheContract(f'{part} wrote no {{"part": "{part}", "figures": [..]}}')
    if not document["figures"]:
        raise NotTheContract(f"{part} measured nothing")
    return [_figure(figure, part) for figure in document["figures"]]


def _figure(figure, part):
    if not isinstance(figure, dict) or not figure.keys() <= MEMBERS or not {"name", "value", "unit"} <= figure.keys():
        raise NotTheContract(f"{part}: a figure has name, value and unit, and of others only {sorted(MEMBERS)}: {figure}")
    name, spread, goal = figure["name"], figure.get("spread"), figure.get("goal")
    if not _is_number(figure["value"]):
        raise NotTheContract(f"{part}: the value of {name} is no number: {figure['value']}")
    if spread is not None and not (isinstance(spread, list) and len(spread) == 2 and all(map(_is_number, spread))):
        raise NotTheContract(f"{part}: the spread of {name} is no pair of numbers: {spread}")
    if goal is not None and not (
        isinstance(goal, dict)
        and len(goal) == 1
        and goal.keys() <= {"at_least", "at_most"}
        and all(map(_is_number, goal.values()))
    ):
        raise NotTheContract(f"{part}: the goal of {name} is neither at_least nor at_most: {goal}")
    return Figure(**{**figure, "spread": tuple(spread) if spread else None, "fixed": bool(figure.get("fixed"))})


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def write(part, figures):
    """The document of a part, as it prints it."""
    return json.dumps({"part": part, "figures": [asdict(figure) for figure in figures]})
