"""The figures as people read them: a table on the terminal, and the same in Markdown.

Knows: figures. Must not know: where they come from.
"""

HEADINGS = ("figure", "value", "least - most", "goal", "verdict")
GREEN, RED, PLAIN = "\x1b[32m", "\x1b[31m", "\x1b[0m"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


def number(value):
    """Four figures that count, and no more digits after the point than these need."""
    if float(value).is_integer() or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def verdict(figure):
    """`met, 40 % to spare`, `missed by 35 %`, or nothing without a goal."""
    off = figure.off()
    if off is None:
        return ""
    goal = next(iter(figure.goal.values()))
    if off > 0:
        by = f"{off:.0%}" if off >= 0.005 else "less than 1%"
        return f"missed by {by if goal else number(figure.value)}"
    return f"met, {-off:.0%} to spare" if off < 0 and goal else "met"


def goal(figure):
    """`at most 2 ms`, or nothing."""
    if figure.goal is None:
        return ""
    ((kind, value),) = figure.goal.items()
    return f"{kind.replace('_', ' ')} {number(value)} {figure.unit}".strip()


def cells(figure):
    """A figure as a row of the table."""
    spread = " - ".join(map(number, figure.spread)) if figure.spread else ""
    return (figure.name, f"{number(figure.value)} {figure.unit}".strip(), spread, goal(figure), verdict(figure))


def text(parts, colour=False):
    """All parts, each a section with aligned columns; `parts` maps a name to figures, or to why there are none."""
    sections = []
    for part, outcome in parts.items():
        if isinstance(outcome, str):
            sections.append(f"{part}\n  {_painted(f'failed: {outcome}', RED, colour)}\n")
            continue
        rows = [HEADINGS, *(cells(figure) for figure in outcome)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
        lines = [part]
        for row, figure in zip(rows, [None, *outcome], strict=True):
            padded = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
            if figure and figure.goal:
                padded[-1] = _painted(row[-1], RED if figure.missed() else GREEN, colour)
            lines.append(f"  {'  '.join(padded).rstrip()}")
            if figure and figure.note:
                lines.append(f"      {figure.note}")
        sections.append("\n".join(lines) + "\n")
    return "\n".join(sections)


def _painted(words, paint, colour):
    return f"{paint}{words}{PLAIN}" if colour else words


def markdown(report):
    """The whole report in Markdown, headed by where and when it was measured."""
    machine, versions = report["machine"], report["versions"]
    lines = [
        f"Measured on {report['date']}, commit `{report['commit']}`: {machine['cores']} cores of {machine['model']}, "
        f"{machine['memory_gib']} GiB, Linux {machine['kernel']}; "
        + ", ".join(f"{name} {version}" for name, version in versions.items() if version)
        + ".",
    ]
    for part, outcome in report["outcomes"].items():
        lines += ["", f"### {part}", ""]
        if isinstance(outcome, str):
            lines.append(f"Failed: {outcome}")
            continue
        lines += [_row(HEADINGS), _row(["---"] * len(HEADINGS)), *(_row(cells(figure)) for figure in outcome)]
        notes = [f"- {figure.name}: {figure.note}" for figure in outcome if figure.note]
        lines += ["", *notes] if notes else []
    return "\n".join(lines) + "\n"


def _row(row):
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"


def renewed(page, figures):
    """A page with new figures between its markers. Raises ValueError if it has none."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the page has no {BEGIN} with {END} behind it")
    return f"{before}{BEGIN}\n\n{figures.strip()}\n\n{END}{after}"
