"""What a definition lost on its way, apart from what was asked for.

Knows: definitions as ECS describes them, in the canonical text of the peers. Must not know: who changed them. Written
without the product's code, and the same for all.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "peers"))

import canonical  # noqa: E402

# Lists whose items are known by a name.
NAMED = ("containerDefinitions", "environment", "secrets", "volumes")


def lost(before, after, path=""):
    """Places of the first that are missing in the second, or hold something else. What is only in the second was added,
    and is no loss."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key, value in before.items():
            place = f"{path}.{key}" if path else key
            if key not in after:
                yield place
            elif key in NAMED and isinstance(value, list):
                yield from _lost_named(value, after[key], place)
            elif isinstance(value, list) and isinstance(after[key], list):
                rest = [canonical.text(item) for item in after[key]]
                items = enumerate(map(canonical.text, value))  # told by number: an item may hold what is secret
                yield from (f"{place}[{number}]" for number, text in items if not _take(rest, text))
            else:
                yield from lost(value, after[key], place)
    elif before != after:
        yield path


def _lost_named(before, after, path):
    named = {}
    for item in after:
        named.setdefault(item.get("name"), []).append(item)
    for item in before:
        others = named.get(item.get("name"))
        if others:
            yield from lost(item, others.pop(0), f"{path}[{item.get('name')}]")
        else:
            yield f"{path}[{item.get('name')}]"


def _take(texts, text):
    if text in texts:
        texts.remove(text)
        return True
    return False


def canonical_members(definition):
    """A definition without what says nothing, its tags included."""
    members = canonical.members(definition, canonical.TASK)
    return {**members, "tags": sorted(definition.get("tags") or [], key=lambda tag: tag["key"])}


def losses(before, after):
    """Places that the first definition has lost in the second."""
    return sorted(lost(canonical_members(before), canonical_members(after)))


def same(one, other):
    """Whether ECS stores both as the same."""
    return canonical.text(canonical_members(one)) == canonical.text(canonical_members(other))
