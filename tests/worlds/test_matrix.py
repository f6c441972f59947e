"""Window, undo and expire in worlds that differ from the one anybody imagines: each dial, and each two of them.

In every cell everything of ours is resumed, or the exit code and the leases say that it is not; nothing foreign is
touched. Where nothing stands in the way, all of it must succeed: to give up is right only where one has to.
"""

import os

import pytest

from tests.worlds.courses import COURSES, play
from tests.worlds.dials import ONCE_WRONG, Dials, pairs, singles
from tests.worlds.oracle import account, faults
from tests.worlds.truth import OURS

pytestmark = pytest.mark.anyio

EVERY = os.environ.get("C1_RUNNER_TEST_WORLDS") == "all"
"""Whether each two dials are played with every setting of both, and not with one."""

CELLS = [
    (dials, course)
    for dials in dict.fromkeys([Dials(), *singles(), *ONCE_WRONG, *pairs(every=EVERY)])
    for course in COURSES
]


@pytest.mark.parametrize(("dials", "course"), CELLS, ids=[f"{course}: {dials}" for dials, course in CELLS])
async def test_everything_of_ours_is_resumed_or_told_and_nothing_foreign_is_touched(dials: Dials, course: str) -> None:
    played = await play(dials, course)

    wrong = faults(played)
    assert not wrong, "\n".join([*wrong, account(played)])


WEATHER = ("gateway", "ids", "listing", "replies")
"""Dials that are about what happens on the way, and passes."""

ROUGH = [(dials, course) for dials in singles() if not dials.turned().keys().isdisjoint(WEATHER) for course in COURSES]


@pytest.mark.parametrize(("dials", "course"), ROUGH, ids=[f"{course}: {dials}" for dials, course in ROUGH])
async def test_what_is_left_is_resumed_by_an_undo_when_the_weather_has_cleared(dials: Dials, course: str) -> None:
    """All but what was paused unread: whether anybody wanted it paused before nobody can tell."""
    played = await play(dials, course, then_calm=True)

    truth = played.world.truth
    unread = {row.target[:2] for row in played.pause_rows if row.before is None}
    left = {pair for pair in truth.pairs if truth.paused_by(pair) == OURS}
    assert left <= unread & played.held, account(played)
    assert played.held <= unread, account(played)
