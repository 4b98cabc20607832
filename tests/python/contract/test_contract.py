"""Our world answers as two emulators do that other people wrote, where those are right."""

import pytest

from .calls import CALLS, FAILING, ask
from .deviations import MINISTACK, MOTO
from .worlds import Fake, MinistackWorld, Moto


def answers_of(world):
    """What came of each call."""
    clients, found = {}, {}
    for name, service, operation, request in CALLS:
        client = clients.setdefault(service, world.client(service))
        if "QueueUrl" in request:
            request = {**request, "QueueUrl": world.queue()}
        found[name] = ask(client, operation, request)
    return found


def differences(ours, theirs):
    """Call and member, with what each says."""
    for name in ours:
        for path in sorted(ours[name].keys() | theirs[name].keys()):
            said = ours[name].get(path), theirs[name].get(path)
            if said[0] != said[1]:
                yield name, path, said


def excuses(deviation, name, path):
    """Whether a deviation is about that member."""
    calls, members, _ = deviation
    return name in calls and any(path == member or path.startswith((f"{member}.", f"{member}[")) for member in members)


@pytest.fixture(scope="module")
def ours():
    """What our world answers."""
    with Fake() as world:
        return answers_of(world)


@pytest.mark.parametrize(("emulator", "deviations"), [(MinistackWorld, MINISTACK), (Moto, MOTO)])
def test_our_world_answers_as_the_emulator_does(ours, emulator, deviations):
    """Member by member, but for what is listed."""
    with emulator() as world:
        theirs = answers_of(world)
    found = list(differences(ours, theirs))
    used, unexcused = set(), []
    for name, path, said in found:
        about = [number for number, deviation in enumerate(deviations) if excuses(deviation, name, path)]
        used.update(about)
        if not about:
            unexcused.append(f"{name}: {path}: ours {said[0]!r}, theirs {said[1]!r}")
    assert not unexcused, "\n".join(unexcused)
    stale = [deviation for number, deviation in enumerate(deviations) if number not in used]
    assert not stale, f"listed, and equal by now: {stale}"


def test_calls_fail_where_they_are_meant_to(ours):
    """And nowhere else: two worlds could agree on nothing."""
    assert {name for name, answer in ours.items() if "error" in answer} == FAILING
