"""When a mark was made, against the requests that asked for a pause, and which mark is a receipt."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.base.model import ConnectorState, Look, Mark, Marks, Outcome, Planned, Span, Target
from runner.base.policy import CLOCKS_DISAGREE, DANGER_TIME
from runner.engine.decide import Timing, not_ours, receipt, timing

BEGIN, END = 1_790_000_000.0, 1_790_000_060.0
UNCLEAR, ACCEPTED = Span(BEGIN, END), Span(BEGIN, END, accepted=True)
ACTIVE = ConnectorState(None, "SYNC_STATUS_DONE")
C1S_CHECK = "Sync paused due to significant drop in sync data"


def at(moment: float) -> str:
    """A moment as the tenant writes it."""
    return datetime.fromtimestamp(moment, UTC).isoformat().replace("+00:00", "Z")


def paused(moment: float, category: str | None = "PAUSED", reason: str | None = None) -> ConnectorState:
    return ConnectorState(at(moment), "SYNC_STATUS_DONE", category, reason)


@pytest.mark.parametrize(
    ("moment", "unclear", "accepted"),
    [
        (BEGIN - CLOCKS_DISAGREE - 0.1, Timing.BEFORE, Timing.BEFORE),
        (BEGIN - CLOCKS_DISAGREE, Timing.DOUBTFUL, Timing.DOUBTFUL),
        (BEGIN - 0.1, Timing.DOUBTFUL, Timing.DOUBTFUL),
        (BEGIN, Timing.WITHIN, Timing.WITHIN),
        (END, Timing.WITHIN, Timing.WITHIN),
        (END + 0.1, Timing.DOUBTFUL, Timing.AFTER),
        (END + DANGER_TIME, Timing.DOUBTFUL, Timing.AFTER),
        (END + DANGER_TIME + 0.1, Timing.AFTER, Timing.AFTER),
    ],
)
def test_a_mark_is_judged_by_its_time(moment: float, unclear: Timing, accepted: Timing) -> None:
    assert timing(at(moment), UNCLEAR) is unclear
    assert timing(at(moment), ACCEPTED) is accepted


@pytest.mark.parametrize("mark", [None, "soon", at(BEGIN - 86_400)])
def test_without_the_tenants_time_the_order_of_events_counts(mark: str | None) -> None:
    assert timing(mark, None) is Timing.WITHIN


@given(st.floats(-300, 300), st.booleans())
def test_a_receipt_is_a_mark_made_in_the_time_of_the_request(seconds: float, accepted: bool) -> None:
    span, after = Span(BEGIN, END, accepted), paused(BEGIN + seconds)
    found = receipt(ACTIVE, after, span)

    assert (found is not None) == (timing(after.paused_at, span) is Timing.WITHIN)
    assert found is None or found == Mark(after.paused_at or "", Look("PAUSED", None))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, paused(BEGIN)),  # it was not read before
        (paused(BEGIN - 1), paused(BEGIN)),  # it was paused before
        (ConnectorState(None, "SYNC_STATUS_DISABLED"), paused(BEGIN)),  # it may have been
        (ACTIVE, paused(BEGIN, reason=C1S_CHECK)),  # C1's own check has paused it meanwhile
        (ACTIVE, ConnectorState(None, "SYNC_STATUS_DISABLED")),  # no mark was shown
    ],
)
def test_no_other_mark_is_taken_for_a_receipt(before: ConnectorState | None, after: ConnectorState) -> None:
    assert receipt(before, after, ACCEPTED) is None


@pytest.mark.parametrize(
    ("marks", "state", "undecided"),
    [
        (Marks(), paused(BEGIN), False),
        (Marks(unread=True), paused(BEGIN), True),
        (Marks(unread=True), paused(BEGIN, reason=C1S_CHECK), False),
        (Marks((), (ACCEPTED,), unread=True), paused(BEGIN - 5), True),
        (Marks((), (ACCEPTED,), unread=True), paused(BEGIN - 3600), False),
        (Marks((), (ACCEPTED,), unread=True), paused(END + 100), False),
        (Marks((), (UNCLEAR,), unread=True), paused(END + 100), True),
        (Marks((), (UNCLEAR,), unread=True), paused(END + 3600), False),
    ],
)
def test_what_cannot_be_told_to_be_somebody_elses_is_held_on(
    marks: Marks, state: ConnectorState, undecided: bool
) -> None:
    result = not_ours(Planned(0, Target("app1", "con1")), marks, state)

    assert (result.outcome, result.undecided) == (Outcome.SKIPPED, undecided)
    if state.reason is None:
        assert "`c1-runner resume app1/con1`" in (result.detail or "")
