"""What the demo prints: results on stdout, progress on stderr, colour only where a person looks."""

import difflib
import json
import os
import sys
import time
from contextlib import contextmanager

WIDEST = 140
COLOURS = {"red": "31", "green": "32", "yellow": "33", "cyan": "36", "bold": "1", "dim": "2"}


def paint(text, colour, stream=None):
    """`text` in that colour, if the stream is a terminal and NO_COLOR is not set."""
    stream = stream or sys.stdout
    if not stream.isatty() or os.environ.get("NO_COLOR"):
        return text
    return f"\033[{COLOURS[colour]}m{text}\033[0m"


@contextmanager
def progress(what):
    """Says on stderr what is being done, and how long it took."""
    started = time.monotonic()
    print(f"{what} ...", file=sys.stderr, end="", flush=True)
    try:
        yield
    except BaseException:
        print(file=sys.stderr)
        raise
    print(paint(f" {time.monotonic() - started:.1f} s", "dim", sys.stderr), file=sys.stderr, flush=True)


def heading(text):
    """A title on stdout."""
    print(f"\n{paint(text, 'bold')}\n", flush=True)


def table(rows, columns):
    """Rows as a table; the colour of a row is that of its decision."""
    texts = [[str(cell) if cell is not None else "-" for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *texts)]
    print("  " + "  ".join(c.ljust(w) for c, w in zip(columns, widths)).rstrip())
    print("  " + "  ".join("-" * w for w in widths))
    for row in texts:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
        print("  " + paint(line, {"inject": "green", "upToDate": "cyan"}.get(row[3], "yellow")))
    sys.stdout.flush()


def diff(before, after, names):
    """A unified diff of two JSON values on stdout."""
    texts = [json.dumps(value, indent=2).splitlines() for value in (before, after)]
    for line in difflib.unified_diff(*texts, *names, n=2, lineterm=""):
        if len(line) > WIDEST:  # the receipt is JSON within JSON
            line = f"{line[:WIDEST]}... ({len(line)} characters)"
        colour = {"+": "green", "-": "red", "@": "cyan"}.get(line[0])
        print("  " + (paint(line, colour) if colour else line))
    sys.stdout.flush()
