"""The commands that our pages tell people to type. Knows where a page has them. Knows nothing of what they do."""

import re
import shlex

from .stack import REPOSITORY_ROOT

PROGRAMS = ("ecs-sidecar", "aws", "make", "cargo", "UPDATE_CASES=1", "UPDATE_TEMPLATES=1")
# What is told of the past: commands as they were then.
HISTORY = {"CHANGELOG.md", "docs/decisions.md"}


def pages():
    """Paths of all pages for users, below the repository's root."""
    found = [*REPOSITORY_ROOT.glob("*.md"), *REPOSITORY_ROOT.glob("docs/*.md"), *REPOSITORY_ROOT.glob("examples/**/*.md")]
    return sorted({str(file.relative_to(REPOSITORY_ROOT)) for file in found} - HISTORY)


def text_of(page):
    """A page's text."""
    return (REPOSITORY_ROOT / page).read_text()


def blocks(text):
    """The shell blocks of a text."""
    return [block for _, block in re.findall(r"^( *)```(?:sh|bash)\n(.*?)^\1```", text, re.DOTALL | re.MULTILINE)]


def block_lines(text):
    """The lines of its shell blocks, one for each command."""
    lines = [line.strip() for block in blocks(text) for line in re.sub(r"\\\n *", "", block).splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def other_lines(text):
    """Commands elsewhere: in running text, and as examples, hints or a session that a text block shows."""
    running = re.sub(r"^ *```.*?^ *```", "", text, flags=re.DOTALL | re.MULTILINE)
    spans = [re.sub(r"\s+", " ", span) for span in re.findall(r"`([^`]+)`", running)]
    shown = "\n".join(re.findall(r"^ *```text\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE))
    # Behind an example stands what it is good for, some way off.
    examples = [re.split(r" {2,}", line.strip())[0] for line in re.findall(r"^ *(?:hint: )?((?:ecs-sidecar|aws) .*)$", shown, re.MULTILINE)]
    return [line for line in [*spans, *examples] if line.startswith(tuple(f"{program} " for program in PROGRAMS))]


def words(line):
    """The words of a command, up to where its output goes."""
    found = shlex.split(line, comments=True)
    ends = [index for index, word in enumerate(found) if word in ("|", ">", ">>", "&&", ";") or word.startswith(">")]
    return found[: ends[0]] if ends else found
