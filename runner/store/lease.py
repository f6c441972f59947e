"""One lease as the journal has it: what follows from the row of a target, and what it says of a pause and its time."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from runner.base.model import ConnectorState, Look, Mark, Marks, Outcome, Span, epoch
from runner.base.pauses import Moment
from runner.base.policy import DANGER_TIME, READ_LAG, REQUEST_LIFE
from runner.store.records import HELD, UNCLEAR_AT, mark_of, span_of, state_of

LEASES = f"""
    SELECT t.app_id, t.connector_id, t.run, r.run_id, r.job_name, r.user, r.host, r.reason, r.until, r.windowed,
        r.started_at, r.sees_marks, t.outcome, t.unproven, t.before, t.after, t.intent_at, t.finished_at,
        {UNCLEAR_AT} AS unclear_at, t.joined_at, t.ending_at, t.receipt, t.sent_from, t.sent_until, {HELD} AS held
    FROM targets t JOIN runs r USING (run) WHERE r.tenant = ? AND r.operation = 'pause'
"""
"""The leases of all runs on a tenant, as `read` takes them."""


class Lease(NamedTuple):
    """A run's wish that a connector stays paused, given up already or not. Times are epoch seconds."""

    run: int
    run_id: str
    job_name: str
    user: str
    host: str
    reason: str | None
    until: float | None
    windowed: bool  # a command is at work while it lasts
    started_at: float  # of the run
    settled_at: float | None
    held: bool
    ending_at: float | None
    unclear_at: float | None
    ours: bool  # this run itself has paused it: it was active before
    unseen: bool  # it has asked for a pause, and no read has shown one since
    marks: tuple[Mark, ...]
    span: Span | None  # for who knows no mark
    sighted: bool  # its run was shown a pause: what that has read as active was so
    sent: Span | None  # when its requests can have taken effect, in the tenant's time; None for one that has joined

    def shown_in(self, moment: Moment) -> float:
        """Seconds from a moment until every read shows its pause, if it took effect at all."""
        if self.sent is not None and moment.tenant is not None:
            return self.sent.end + READ_LAG - moment.tenant
        settled = (self.settled_at or self.started_at) + READ_LAG
        return (settled if self.unclear_at is None else max(settled, self.unclear_at + DANGER_TIME)) - moment.wall

    def safe_in(self, moment: Moment) -> float:
        """Seconds from a moment until none of its requests can arrive any more."""
        if self.unclear_at is None:
            return 0.0
        if self.sent is not None and moment.tenant is not None:
            return self.sent.end - REQUEST_LIFE + DANGER_TIME - moment.tenant
        return self.unclear_at + DANGER_TIME - moment.wall

    @property
    def read_as_active(self) -> Moment:
        """When its run had read the connector as active, at the latest: then it asked for the pause."""
        return Moment(self.started_at, self.sent.begin if self.sent is not None else None)

    def began_before(self, moment: Moment) -> bool:
        """Whether it was asked for before a moment."""
        if self.sent is not None and moment.tenant is not None:
            return self.sent.begin < moment.tenant
        return (self.settled_at or self.started_at) <= moment.wall

    def is_over(self, state: ConnectorState, moment: Moment, *, sighted: bool) -> bool:
        """Whether somebody has ended its pause, if a read has shown the connector as active.

        A read that only lags behind shows no sync that has begun since, and not so late; and only who is `sighted`,
        a credential that has been shown a pause, is believed to see none.
        """
        if state.paused:
            return False
        late = sighted and self.shown_in(moment) < 0
        return late or any(state.synced_since(mark.at) for mark in self.marks)

    def is_ending(self, now: float) -> bool:
        """Whether a resume of it may be under way."""
        return self.held and self.ending_at is not None and now < self.ending_at + DANGER_TIME


def in_force(leases: Sequence[Lease]) -> Iterator[Lease]:
    """The leases that count: not given up, and not outlived.

    A pause has been outlived when a later run found the connector active, and paused it anew; so much later
    that the read was no late echo of the time before.
    """
    for lease in leases:
        later = (other for other in leases if other.ours and other.sighted and other.run > lease.run)
        if lease.held and not any(lease.shown_in(other.read_as_active) < 0 for other in later):
            yield lease


def marks_of(leases: Iterable[Lease], looks: frozenset[Look]) -> Marks:
    """How the pauses of these leases are known again."""
    found = list(leases)
    return Marks(
        tuple(dict.fromkeys(mark for lease in found for mark in lease.marks)),
        tuple(lease.span for lease in found if lease.span is not None),
        looks,
        any(lease.held and not lease.marks for lease in found),
    )


def read(rows: Iterable[Sequence[Any]]) -> Iterator[tuple[tuple[str, str], Lease]]:
    """The leases in rows of `LEASES`, each with its (app id, connector id)."""
    for (
        app_id, connector_id, run, run_id, job_name, user, host, reason, until, windowed, started_at,
        sees_marks, outcome, unproven, before, after, intent_at, finished_at, unclear_at, joined_at, ending_at,
        receipt, sent_from, sent_until, is_held,
    ) in rows:  # fmt: skip
        joined = joined_at is not None and _is_paused(before)
        ours = _was_active(before) and intent_at is not None
        own = mark_of(receipt)
        # The pause that a run has joined was ours, and so is what its own request, if there was one, made of it.
        marks = tuple(mark for mark in (own, Mark.of(state_of(before)) if joined else None) if mark is not None)
        asked = intent_at is not None and (outcome in _MAYBE or bool(unproven))
        sent = span_of(sent_from, sent_until, unclear_at, outcome)
        span = sent if asked and (ours or joined) else None
        if joined and own is None and (renewed := _made_in(span, after)) is not None:
            marks = (*marks, renewed)
        if own is not None or _is_paused(after):
            span = None
        yield (app_id, connector_id), Lease(
            run, run_id, job_name, user, host, reason, until, bool(windowed), started_at,
            joined_at or finished_at or intent_at, bool(is_held), ending_at, unclear_at,
            ours and outcome in _MAYBE, asked and not _is_paused(after), marks, span, bool(sees_marks or marks),
            sent if joined_at is None else None,
        )  # fmt: skip


_MAYBE = (Outcome.CHANGED, Outcome.UNKNOWN, None)


def _was_active(before: str | None) -> bool:
    state = state_of(before)
    return state is not None and not state.paused


def _is_paused(text: str | None) -> bool:
    state = state_of(text)
    return state is not None and state.paused


def _made_in(span: Span | None, after: str | None) -> Mark | None:
    """The mark that was read after a request, if it was made in the time of that request."""
    mark = Mark.of(state_of(after))
    at = epoch(mark.at) if mark is not None else None
    return mark if span is not None and at is not None and span.begin <= at <= span.end else None
