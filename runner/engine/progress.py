"""What has happened to a target so far, and the result that follows from it: whose doing, since when, which receipt."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from runner.api.turn import Tally
from runner.base.model import ConnectorState, Mark, OperationName, Outcome, Planned, Result, Span, Verdict
from runner.base.policy import APPLY_TIME, NOTED_EVERY, REQUEST_LIFE
from runner.base.stop import now
from runner.engine.decide import Timing, receipt, timing
from runner.engine.session import Session

_ACCEPTED = 202  # not done yet: a read that shows nothing proves nothing


@dataclass(slots=True)
class TargetProgress:
    """What has happened to a target so far."""

    planned: Planned
    started_at: float
    alone: bool = False  # nothing may be sent while another run has a lease on it
    tally: Tally = field(default_factory=Tally)
    tries: int = 0  # attempts that count against the policy
    attempts: int = 0  # requests that were judged
    forgiven: bool = False  # one closed connection does not count
    last: Verdict | None = None
    ambiguous: bool = False  # a request may have taken effect
    unclear_at: float | None = None  # when the latest such request was given up, epoch seconds
    began: float = field(default_factory=now)  # loop time that goes with `started_at`
    noted_at: float = 0.0  # when a request was last noted durably, loop time
    first_sent: float | None = None  # when the first request left that may have had effect, loop time
    sent_from: float | None = None  # the same in the tenant's time, as it was known then: a machine may sleep meanwhile
    sent_until: float | None = None  # and how long the latest one can live
    read: ConnectorState | None = None  # the latest read since then
    not_before: float = 0.0  # loop time until which the tenant asked to leave this target alone


class Results:
    """Makes results of progress, in the tenant's time as this run knows it."""

    def __init__(self, session: Session) -> None:
        self._operation = session.operation
        self._time = session.client.tenant_time
        self._life = max(REQUEST_LIFE, session.client.request_timeout)

    def leaves(self, progress: TargetProgress, moment: float) -> None:
        """A request leaves at a moment of the loop's clock."""
        if progress.first_sent is None or not progress.ambiguous:  # what was refused, or never sent, had no effect
            progress.first_sent, progress.sent_from = moment, self._time.earliest(moment)
        progress.sent_until = self._time.latest(moment + self._life)

    def ahead(self, progress: TargetProgress) -> Span | None:
        """When a request can take effect that leaves before the next one is noted, in the tenant's time."""
        begin, end = self._time.earliest(now()), self._time.latest(now() + NOTED_EVERY + self._life)
        if begin is None or end is None:
            return None
        return Span(begin if progress.planned.span is None else min(begin, progress.planned.span.begin), end)

    def span(self, progress: TargetProgress, *, accepted: bool = False) -> Span | None:
        """When the requests that have left for a target can have taken effect, in the tenant's time."""
        earlier = progress.planned.span
        if progress.first_sent is None:
            return earlier
        accepted = accepted and not progress.ambiguous and earlier is None
        end = self._time.latest(now() + APPLY_TIME) if accepted else progress.sent_until
        begin = progress.sent_from
        if begin is None:  # the first reply has told the tenant's time
            begin = self._time.earliest(progress.first_sent)
        if end is None:
            end = self._time.latest(now() + self._life)
        if begin is None or end is None:
            return earlier
        return Span(begin if earlier is None else min(begin, earlier.begin), end, accepted)

    def credit(self, progress: TargetProgress, now: ConnectorState) -> tuple[Outcome, str]:
        """Whose doing the wanted state is that a read found: ours, or somebody else's."""
        if not progress.ambiguous:
            return Outcome.UNCHANGED, "it came into the wanted state by itself, or by somebody else"
        span = self.span(progress)
        if progress.planned.before is None and (now.paused_at is None or span is None):
            return Outcome.UNKNOWN, "the reply was lost; it is in the wanted state, but since when is not known"
        when = timing(now.paused_at, span, self._read_by())
        if when is Timing.BEFORE and self._time.jumps:  # by which of its clocks?
            when = Timing.DOUBTFUL
        return _CREDITS[when]

    def interrupted(self, progress: TargetProgress, why: str) -> Result:
        """The outcome of a target whose attempts the end of the run cut short."""
        if progress.ambiguous:
            detail = "a request was sent; the run ended before a read could tell what came of it"
            return self.of(progress, Outcome.UNKNOWN, detail, progress.last)
        if progress.attempts == 0:
            return Result(Outcome.NOT_ATTEMPTED, why)
        return self.of(progress, Outcome.NOT_ATTEMPTED, f"nothing took effect so far; {why}", progress.last)

    def unsettled(self, progress: TargetProgress, last: Verdict) -> Result:
        """The outcome when no attempt was clearly applied, after the last reads."""
        if progress.ambiguous and (progress.read is None or last.status == _ACCEPTED or not self._operation.lasting):
            return self.of(progress, Outcome.UNKNOWN, "a request was sent; what came of it is not known", last)
        if progress.ambiguous:
            detail = "a request got no clear answer, and reads showed no effect of it"
            return self.of(progress, Outcome.FAILED, detail, last)._replace(unproven=True)
        return self.of(progress, Outcome.FAILED, None, last)

    def of(
        self, progress: TargetProgress, outcome: Outcome, detail: str | None = None, error: Verdict | None = None
    ) -> Result:
        """The result of a target with this outcome; `error` is the verdict that is told."""
        shown = error or progress.last
        return Result(
            outcome=outcome,
            detail=detail,
            http_status=shown.status if shown else None,
            error=error.message if error else None,
            request_id=shown.request_id if shown else None,
            attempts=progress.attempts,
            throttled=progress.tally.throttled,
            started_at=progress.started_at,
            finished_at=progress.started_at + now() - progress.began,  # time that passed, whatever our clock was set to
            after=progress.read,
            unclear_at=progress.unclear_at,
            waited=progress.tally.waited,
            receipt=self._receipt(progress, outcome),
            span=self.span(progress, accepted=outcome is Outcome.CHANGED and progress.read is None),
            verdict=shown,
        )

    def _receipt(self, progress: TargetProgress, outcome: Outcome) -> Mark | None:
        """The mark of our pause, where a read after its request has shown it already."""
        if progress.read is None or outcome is not Outcome.CHANGED or self._operation.name is not OperationName.PAUSE:
            return None
        return receipt(progress.planned.before, progress.read, self.span(progress), self._read_by())

    def _read_by(self) -> float | None:
        """When what was just read was so, at the latest, in the tenant's time."""
        return self._time.latest(now())


_CREDITS: Mapping[Timing, tuple[Outcome, str]] = MappingProxyType(
    {
        Timing.BEFORE: (Outcome.UNCHANGED, "it was in the wanted state before this run's request"),
        Timing.WITHIN: (Outcome.CHANGED, "the reply was lost; a read shows that it took effect"),
        Timing.DOUBTFUL: (Outcome.UNKNOWN, "it is paused, but by its mark's time perhaps not by this run's request"),
        Timing.AFTER: (Outcome.UNCHANGED, "somebody else has paused it since this run's request"),
    }
)
"""What becomes of a target whose request got no clear answer, and that reads as it was wanted."""
