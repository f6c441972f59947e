"""What a read decides of a target: without a request, or after one that got no clear answer. Pure."""

from collections.abc import Collection
from enum import Enum
from typing import NamedTuple

from runner.base.model import (
    ConnectorState,
    Look,
    Mark,
    Marks,
    OperationName,
    Outcome,
    PauseKind,
    Planned,
    Result,
    Span,
    epoch,
)
from runner.base.operations import Operation
from runner.base.pauses import looks_deliberate
from runner.base.policy import CLOCKS_DISAGREE, DANGER_TIME


class Leave(NamedTuple):
    """What a resume leaves alone besides what is not its own."""

    c1s_own: bool = True  # what C1 has paused itself: on an anomaly always, for another reason what a selection found
    looks: Collection[Look] = ()  # what deliberate pauses look like here
    unbelieved: Collection[tuple[str, str]] = ()  # held here, and this credential was never shown a pause


LEAVE = Leave()
"""What is left alone unless somebody says otherwise."""


class Timing(Enum):
    """When a pause was made, against the requests that asked for one."""

    BEFORE = "before"  # it was there already
    DOUBTFUL = "doubtful"  # so shortly before, or so long after, that it may be theirs all the same
    WITHIN = "within"  # it can be theirs, and nothing says otherwise
    AFTER = "after"  # none of them can take effect so late


def timing(mark: str | None, span: Span | None, read_by: float | None = None) -> Timing:
    """Judge a mark by its time; where the tenant's time is not known, the order of events alone counts.

    So it does for a mark that is later than the read which has shown it, `read_by` in the tenant's time: it was made
    by another clock.
    """
    at = epoch(mark)
    if at is None or span is None or span.begin <= at <= span.end or (read_by is not None and at > read_by):
        return Timing.WITHIN
    if at < span.begin:
        return Timing.DOUBTFUL if span.begin - at <= CLOCKS_DISAGREE else Timing.BEFORE
    return Timing.DOUBTFUL if not span.accepted and at - span.end <= DANGER_TIME else Timing.AFTER


def receipt(
    before: ConnectorState | None, after: ConnectorState, span: Span | None, read_by: float | None = None
) -> Mark | None:
    """The mark of our own pause, if that is what a read after our request shows.

    It is, whatever category stands beside it, if the connector was read as active before and the mark was made in the
    time of our request. C1's own check says so in its reason.
    """
    if before is None or before.paused or after.checked_by_c1:
        return None
    return Mark.of(after) if timing(after.paused_at, span, read_by) is Timing.WITHIN else None


def decide(operation: Operation, planned: Planned, leave: Leave = LEAVE) -> Result | None:
    """The outcome that the state before settles without a request; None: a request is needed."""
    before = planned.before
    if planned.skip is not None:
        return Result(Outcome.SKIPPED, planned.skip)
    if planned.unread is not None and operation.name is OperationName.RESUME:
        detail = f"its state could not be read ({planned.unread}), and C1 may have paused it itself: not resumed"
        return Result(Outcome.FAILED, detail, error=planned.unread)
    if before is None:
        return None
    if before.deleted:
        return Result(Outcome.FAILED, "nothing can be done with it", error="the connector is deleted")
    if operation.reached(before):
        if operation.name is OperationName.RESUME and planned.named and planned.target[:2] in leave.unbelieved:
            return None  # it reads as active, and that proves nothing
        return Result(Outcome.UNCHANGED, operation.unchanged)
    if operation.name is OperationName.FORCE_SYNC and before.paused:
        return Result(Outcome.SKIPPED, "paused: a sync would not run; resume it first")
    if operation.name is OperationName.RESUME:
        return _left_alone(planned, before, leave)
    return None


def _left_alone(planned: Planned, before: ConnectorState, leave: Leave) -> Result | None:
    """Why a paused connector is not to be resumed; None if it is."""
    if planned.marks is not None:
        return None if planned.marks.cover(before) else not_ours(planned, planned.marks, before)
    if looks_deliberate(before, leave.looks):
        return None
    why = before.reason or before.category or "no reason given"
    if not leave.c1s_own:
        return None
    if before.kind is PauseKind.ANOMALY:
        return Result(Outcome.SKIPPED, f"C1 paused it itself ({why}): check it there, or use --include-anomalies")
    if before.kind is PauseKind.SYSTEM and not planned.named:
        by_name = f"`c1-runner resume {planned.target}` resumes it by name"
        return Result(Outcome.SKIPPED, f"C1 paused it itself ({why}), and not on an anomaly: left alone; {by_name}")
    return None


def not_ours(planned: Planned, marks: Marks, state: ConnectorState) -> Result:
    """A paused connector is left alone that no pause of ours keeps so for certain."""
    by_name = f"`c1-runner resume {planned.target}` resumes it by name"
    if state.kind is PauseKind.ANOMALY:
        why = f"C1 paused it itself ({state.reason or state.category or 'no reason given'}): left alone"
    elif marks.undecided(state):
        why = f"left alone: whose pause it is cannot be told, no mark of this run's own is known; {by_name}"
        return Result(Outcome.SKIPPED, why, undecided=True)
    else:
        why = f"somebody else has paused it since ({state.paused_at or 'no time given'}): left alone; {by_name}"
    return Result(Outcome.SKIPPED, why)
