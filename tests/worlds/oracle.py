"""What must hold of every course in every world, judged by what was so and by nothing that is only shown."""

from collections.abc import Iterator

from runner.base.model import Outcome
from tests.worlds.courses import Played
from tests.worlds.dials import HELD_UP, Dials
from tests.worlds.truth import FOREIGN, LATE, OURS, Pair
from tests.worlds.world import World

HARMLESS = ("words", "status", "clock", "mark", "plan")
"""Dials that are no reason to leave anything paused, whatever their setting."""

HARMLESS_SETTINGS = {
    # Marks that are all 3 s older than the requests could be those of somebody who pauses the same at the same moment.
    "date": ("present", "absent", "3 s behind", "garbage"),
    "listing": ("plain", "overshoot", "null page", "page twice"),
    "replies": ("plain", "closed soon", "applied later", "held up 45 s", "held up 100 s"),
}
"""Settings of other dials that are none either; what is not named here is plain."""


def faults(played: Played) -> list[str]:
    """What is wrong with a course, in words; nothing if all is well."""
    return [
        *_ended(played),
        *resumed_foreign(played.world),
        *_nothing_of_ours_is_forgotten(played),
        *_ok_means_paused(played),
        *_each_target_has_one_outcome(played),
        *(_all_was_done(played) if is_harmless(played.dials) else ()),
    ]


def is_harmless(dials: Dials) -> bool:
    """Whether nothing stands in the way: then to give up, however honestly, is a fault."""
    if dials.renews and dials.replies in HELD_UP:
        return False
    return all(name in HARMLESS or value in HARMLESS_SETTINGS.get(name, ()) for name, value in dials.turned().items())


def _ended(played: Played) -> Iterator[str]:
    if played.errors:
        yield f"a command died: {'; '.join(played.errors)}"
    if played.world.runaway:
        yield f"it asked and asked: {played.world.arrived} requests"
    if played.code is None:
        yield "no command has given an exit code"


def resumed_foreign(world: World) -> Iterator[str]:
    """Each request of ours that has ended a pause of somebody else's."""
    for event in world.truth.events:
        pause = event.before.pause if event.before else None
        if (event.who, event.what) == (OURS, "resume") and event.changed and pause and pause.by in FOREIGN:
            yield f"resumed a pause that is not ours: {event}"


def _nothing_of_ours_is_forgotten(played: Played) -> Iterator[str]:
    """What stays paused by us is told by the exit code, and later commands know of it."""
    for pair in played.world.truth.pairs:
        by = played.world.truth.paused_by(pair)
        if by in (OURS, LATE) and played.code == 0:
            yield f"{'/'.join(pair)} stays paused by us, and the exit code is 0"
        if by == OURS and pair not in played.held:
            yield f"{'/'.join(pair)} stays paused by us, and it is forgotten: no lease is held"


def _ok_means_paused(played: Played) -> Iterator[str]:
    """A run that says OK has paused what it planned; nor does a window's command begin otherwise."""
    planned = [_pair(row.target) for row in played.pause_rows]
    missing = ["/".join(pair) for pair in planned if not played.paused.get(pair, False)]
    if missing and played.pause_code == 0:
        yield f"the pause says 0, and these are not paused: {', '.join(missing)}"
    if missing and played.command_ran:
        yield f"the command has run, and these were not paused: {', '.join(missing)}"


def _each_target_has_one_outcome(played: Played) -> Iterator[str]:
    for what, rows in (("pause", played.pause_rows), ("undo", played.undo_rows)):
        pairs = [_pair(row.target) for row in rows]
        if len(set(pairs)) != len(pairs):
            yield f"the {what} has a target twice: {pairs}"
        if missing := [str(row.target) for row in rows if row.outcome not in Outcome]:
            yield f"the {what} has no outcome for {', '.join(missing)}"


def _all_was_done(played: Played) -> Iterator[str]:
    truth = played.world.truth
    left = ["/".join(pair) for pair in truth.pairs if truth.paused_by(pair) == OURS]
    if (played.pause_code, played.code) != (0, 0):
        yield f"nothing stands in the way, and the exit codes are {played.pause_code} and {played.code}"
    if left:
        yield f"nothing stands in the way, and these stay paused: {', '.join(left)}"
    if played.course == "window" and not played.command_ran:
        yield "nothing stands in the way, and the command has not run"


def _pair(target: tuple[str, str, str | None]) -> Pair:
    return target[0], target[1]


def account(played: Played) -> str:
    """Everything that is needed to understand a cell that fails."""
    lines = [f"world: {played.dials}", f"course: {played.course}, exit code {played.code}, pause {played.pause_code}"]
    lines += [f"  said: {text}" for text in played.said]
    for what, rows in (("pause", played.pause_rows), ("undo", played.undo_rows)):
        lines += [f"  {what} {row.target}: {row.outcome} | {row.detail} | {row.error}" for row in rows]
    lines.append(f"  held in the end: {sorted(played.held)}")
    lines += [f"  {event}" for event in played.world.truth.events]
    last = played.world.requests[-40:]
    lines += [f"  {at:.3f} {request} -> {status}" for at, request, status in last]
    return "\n".join(lines)
