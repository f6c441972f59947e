"""One target: decide on the state before, intend, attempt, and settle on exactly one outcome.

decide ── settled by the state before ──────────────────────────────► unchanged, skipped, failed
  └─ intent (durable) ─ attempts ─┬─ applied ───────────────────────► changed
          ▲                       ├─ unclear: read, then again
          └──── put off to the ◄──┤  retryable, but the budget or the tries are spent
                last pass         └─ refused for good, or no more ──► a last read ► failed or unknown
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from runner.api.budget import RetryBudget
from runner.api.retry import is_retryable, persist, retrying, until_spent
from runner.api.turn import Tally
from runner.base import trace
from runner.base.errors import ApiError, ExitCode, StoppingError, StorageError
from runner.base.model import (
    AttemptClass,
    ConnectorState,
    Mark,
    OperationName,
    Outcome,
    Planned,
    Result,
    Span,
    Verdict,
)
from runner.base.policy import APPLY_TIME, NOTED_EVERY, RECHECK_DELAYS, REQUEST_LIFE
from runner.base.stop import now
from runner.engine.cadence import Cadence
from runner.engine.decide import Leave, Timing, decide, not_ours, receipt, timing
from runner.engine.session import Session

log = logging.getLogger(__name__)

Finished = Callable[[Planned, Result], None]
"""Told of each outcome: progress, thresholds."""


class Asked(Protocol):
    """Who has its say before each request, and is told of each outcome: see `purpose`."""

    def before_send(self, planned: Planned) -> Result | None:
        """The outcome of a target instead of a request that is about to leave, if it must not."""

    def settled(self, planned: Planned, result: Result) -> None:
        """A target has its outcome."""


_ACCEPTED = 202  # not done yet: a read that shows nothing proves nothing

_OUTGROWN = frozenset({405, 411, 415, 501})
"""Refusals that say the request itself is wrong: the API has changed, or this program has a bug."""


@dataclass(slots=True)
class Course:
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


class Executor:
    """Applies an operation to one target after another; `__call__` is the pool's work.

    What is worth another try later is in `put_off` afterwards, for the last pass.
    """

    def __init__(self, session: Session, asked: Asked, leave: Leave, cadence: Cadence | None = None) -> None:
        self._operation = session.operation
        self._client = session.client
        self._journal = session.journal
        self._stop = session.stop
        self._retry = session.job.retry
        self._budget = RetryBudget(session.job.retry)
        self._asked = asked
        self._leave = leave
        self._cadence = cadence
        self._wall = session.wall
        self._time = session.client.tenant_time
        self._life = max(REQUEST_LIFE, session.client.request_timeout)
        self.finished: Finished | None = None
        self.put_off: list[Course] = []
        self.bugs = 0  # targets that an error inside this program has cost

    async def __call__(self, planned: Planned) -> None:
        """Bring one target to its outcome and record it; an error of any kind is this target's alone."""
        if self._needs_reading(planned):
            self.put_off.append(Course(planned, self._wall()))
            return
        result = self.decide(planned) if planned.since is None else None
        if result is not None:
            self.settle(planned, result)
        else:
            await self.repeat(planned)

    def decide(self, planned: Planned) -> Result | None:
        """The outcome that the state before settles without a request; None: a request is needed."""
        _trace(planned)
        return decide(self._operation, planned, self._leave)

    async def repeat(self, planned: Planned, *, alone: bool = False) -> None:
        """The same for a target on which the state before has nothing to say any more.

        With `alone` it raises `Contended`, and has done nothing, if another run here has a lease on the target.
        """
        _trace(planned)
        course = Course(
            planned, planned.since or self._wall(), alone, ambiguous=planned.since is not None, unclear_at=planned.till
        )
        await self._carry_out(course, last=False)

    async def last_pass(self, course: Course) -> None:
        """Try once more what was put off; after this it has its outcome."""
        _trace(course.planned)
        await self._carry_out(course, last=True)

    def _needs_reading(self, planned: Planned) -> bool:
        """Whether it depends on a state that could not be read: that is tried once more in the last pass."""
        return planned.unread is not None and planned.skip is None and self._operation.name is OperationName.RESUME

    async def _read_once_more(self, course: Course) -> None:
        """Read a state that could not be read before; raises `_Settled` with the outcome that it settles."""
        planned, unread = course.planned, None
        try:
            planned = planned._replace(before=(await self._client.connector(planned.target)).state)
        except ApiError as error:
            unread = None if error.verdict.missing else str(error)
        course.planned = planned._replace(unread=unread)
        settled = self.decide(course.planned)
        if settled is not None:
            raise _Settled(settled)

    def abandon(self, course: Course) -> None:
        """Settle a target that was put off, and whose turn never came."""
        self.settle(course.planned, self._interrupted(course, self._stop.reason or "the run ended"))

    async def _carry_out(self, course: Course, *, last: bool) -> None:
        result: Result | None
        try:
            await self._begin(course)
            await self._attempt_all(course, last=last)
            result = self._result(course, Outcome.CHANGED)
        except ApiError as error:
            result = await self._put_off_or_settle(course, error.verdict, last=last)
        except _Settled as settled:
            result = settled.result
        except Contended:
            raise
        except (StoppingError, StorageError) as error:
            result = self._interrupted(course, str(error))
        except Exception as error:
            self.bugs += 1
            log.error(
                "target %s: this is a bug in c1-runner (%r)", course.planned.target, error, exc_info=self.bugs == 1
            )
            result = self._result(course, Outcome.UNKNOWN, "an error inside c1-runner; see the log")
        except BaseException:  # cut off at the end of the grace: what was never sent is not uncertain
            if course.tally.requests == 0 and not course.ambiguous:
                self.settle(course.planned, Result(Outcome.NOT_ATTEMPTED, self._stop.reason))
            raise
        if result is not None:
            self.settle(course.planned, result)

    async def _begin(self, course: Course) -> None:
        """Return when a request for a target may leave: it is its turn, and the intent is durable."""
        self._stop.check()
        if self._cadence is not None:
            await self._cadence.turn(self._stop)
        if self._needs_reading(course.planned):
            await self._read_once_more(course)
        if course.attempts == 0 and course.planned.since is None:
            await self._intend(course)

    async def _intend(self, course: Course) -> None:
        if not await self._journal.intent(course.planned, course.started_at, self._ahead(course), alone=course.alone):
            raise Contended
        course.alone = False  # from now on the others see it
        course.noted_at = now()

    def _ahead(self, course: Course) -> Span | None:
        """When a request can take effect that leaves before the next one is noted, in the tenant's time."""
        begin, end = self._time.earliest(now()), self._time.latest(now() + NOTED_EVERY + self._life)
        if begin is None or end is None:
            return None
        return Span(begin if course.planned.span is None else min(begin, course.planned.span.begin), end)

    def _span(self, course: Course, *, accepted: bool = False) -> Span | None:
        """When the requests that have left for a target can have taken effect, in the tenant's time."""
        earlier = course.planned.span
        if course.first_sent is None:
            return earlier
        accepted = accepted and not course.ambiguous and earlier is None
        end = self._time.latest(now() + APPLY_TIME) if accepted else course.sent_until
        begin = course.sent_from
        if begin is None:  # the first reply has told the tenant's time
            begin = self._time.earliest(course.first_sent)
        if end is None:
            end = self._time.latest(now() + self._life)
        if begin is None or end is None:
            return earlier
        return Span(begin if earlier is None else min(begin, earlier.begin), end, accepted)

    def settle(self, planned: Planned, result: Result) -> None:
        """Record a target's outcome."""
        if trace.target.get() != planned.target[:2]:
            _trace(planned)
        if log.isEnabledFor(logging.INFO):
            log.info("%s %s", planned.target, result.outcome)
        self._journal.outcome(planned, result)
        self._asked.settled(planned, result)
        if self.finished is not None:
            self.finished(planned, result)

    async def _attempt_all(self, course: Course, *, last: bool) -> None:
        """Return when an attempt was applied; raises `ApiError` with the last verdict otherwise."""
        policy = self._retry
        # The last of several tries is kept for the last pass, when the trouble may be over.
        limit = policy.attempts - 1 if policy.attempts > 2 and not last else policy.attempts
        ends_at = self._client.turns.now() + policy.target_deadline

        def worth(error: BaseException) -> bool:
            return is_retryable(error) and (last or self._budget.grant(self._client.total.requests))

        await persist(
            lambda: self._attempt(course),
            lambda: retrying(
                policy,
                self._stop,
                until=until_spent(lambda: course.tries, limit, ends_at, lambda: course.tally.waited),
                worth=worth,
            ),
        )

    async def _attempt(self, course: Course) -> None:
        course.tries += 1
        trace.attempt.set(course.attempts + 1)
        if course.not_before:
            await self._as_asked(course)
        guarded = course.planned.marks is not None and course.last is not None
        if course.ambiguous or guarded or (course.last is not None and course.last.status == 409):
            await self._look(course)
        if course.planned.since is not None:  # the earlier requests came to nothing: from here on it is a new one
            course.planned = course.planned._replace(before=course.read, since=None, span=None)
            course.started_at, course.began = self._wall(), now()
            await self._intend(course)
        sent = course.tally.requests
        verdict = course.last = await self._client.act(
            self._operation, course.planned.target, course.tally, lambda: self._check_before_sending(course)
        )
        course.attempts += course.tally.requests > sent  # none, if not even a token was to be had
        course.read = None  # what was read before it says nothing of what it did
        if verdict.attempt is AttemptClass.APPLIED and not (verdict.truncated and self._operation.lasting):
            return
        if verdict.attempt in (AttemptClass.AMBIGUOUS, AttemptClass.APPLIED) or verdict.alien:
            course.ambiguous, course.unclear_at = True, self._wall()
        if verdict.attempt is AttemptClass.NOT_SENT and self._client.turns.outage:
            course.tries -= 1  # how long an outage is waited out is decided for the whole run
        if verdict.disconnected and not course.forgiven:
            course.forgiven = True
            course.tries -= 1
        course.not_before = now() + verdict.retry_after if verdict.retry_after else 0.0
        if verdict.fatal:
            self._stop.request(verdict.message, ExitCode.BUG if verdict.status in _OUTGROWN else ExitCode.STOPPED)
        raise ApiError(verdict)

    async def _as_asked(self, course: Course) -> None:
        wait = course.not_before - now()
        if wait > 0:
            await self._stop.sleep(wait)

    def _check_before_sending(self, course: Course) -> None:
        """At the last moment before a request leaves: raises `_Settled` if it must not."""
        moment = now()
        if moment - course.noted_at > NOTED_EVERY:
            first = not course.ambiguous and course.planned.span is None
            self._journal.under_way(course.planned, self._wall(), self._ahead(course), first=first)
            course.noted_at = moment
        if (left := self._asked.before_send(course.planned)) is not None:
            raise _Settled(self._result(course, left.outcome, left.detail)._replace(left_to=left.left_to))
        if course.first_sent is None or not course.ambiguous:  # what was refused, or never sent, had no effect
            course.first_sent, course.sent_from = moment, self._time.earliest(moment)
        course.sent_until = self._time.latest(moment + self._life)

    async def _look(self, course: Course) -> None:
        """Read the connector after an unclear reply; raises `_Settled` if it is as wanted already."""
        course.read = state = (await self._client.connector(course.planned.target)).state
        if self._operation.reached(state):
            raise _Settled(self._result(course, *self._credit(course, state)))
        if self._operation.name is OperationName.FORCE_SYNC and _began_since(course.planned.before, state):
            raise _Settled(self._result(course, Outcome.CHANGED, "the reply was lost; a read shows a new sync running"))
        marks = course.planned.marks
        if marks is not None and not marks.cover(state):
            left = not_ours(course.planned, marks, state)
            raise _Settled(self._result(course, left.outcome, left.detail)._replace(undecided=left.undecided))

    async def _look_again_and_again(self, course: Course) -> None:
        """The last reads before a failure is called one: several, for reads may lag behind writes."""
        await self._as_asked(course)
        await self._look(course)
        for delay in RECHECK_DELAYS:
            await self._stop.sleep(delay)
            await self._look(course)

    def _credit(self, course: Course, now: ConnectorState) -> tuple[Outcome, str]:
        """Whose doing the wanted state is that a read found: ours, or somebody else's."""
        if not course.ambiguous:
            return Outcome.UNCHANGED, "it came into the wanted state by itself, or by somebody else"
        span = self._span(course)
        if course.planned.before is None and (now.paused_at is None or span is None):
            return Outcome.UNKNOWN, "the reply was lost; it is in the wanted state, but since when is not known"
        when = timing(now.paused_at, span, self._read_by())
        if when is Timing.BEFORE and self._time.jumps:  # by which of its clocks?
            when = Timing.DOUBTFUL
        return _CREDITS[when]

    async def _put_off_or_settle(self, course: Course, verdict: Verdict, *, last: bool) -> Result | None:
        if not last and verdict.retryable and course.tries < self._retry.attempts and not self._stop.requested:
            self.put_off.append(course)
            return None
        if self._stop.requested and verdict.retryable and not course.ambiguous:
            return self._interrupted(course, self._stop.reason or "the run ended")
        return await self._settle(course, verdict)

    async def _settle(self, course: Course, verdict: Verdict) -> Result:
        """The outcome when no attempt was clearly applied: only a read makes an unclear one a failure."""
        last = course.last or verdict
        if course.ambiguous and self._operation.lasting:
            try:
                await self._look_again_and_again(course)
            except _Settled as settled:
                return settled.result
            except (ApiError, StoppingError) as error:
                log.debug("target %s: the last reads failed: %s", course.planned.target, error)
                course.read = None  # one read of several is no proof
        if course.ambiguous and (course.read is None or last.status == _ACCEPTED or not self._operation.lasting):
            return self._result(course, Outcome.UNKNOWN, "a request was sent; what came of it is not known", last)
        if course.ambiguous:
            detail = "a request got no clear answer, and reads showed no effect of it"
            return self._result(course, Outcome.FAILED, detail, last)._replace(unproven=True)
        return self._result(course, Outcome.FAILED, None, last)

    def _interrupted(self, course: Course, why: str) -> Result:
        """The outcome of a target whose attempts the end of the run cut short."""
        if course.ambiguous:
            detail = "a request was sent; the run ended before a read could tell what came of it"
            return self._result(course, Outcome.UNKNOWN, detail, course.last)
        if course.attempts == 0:
            return Result(Outcome.NOT_ATTEMPTED, why)
        return self._result(course, Outcome.NOT_ATTEMPTED, f"nothing took effect so far; {why}", course.last)

    def _result(
        self, course: Course, outcome: Outcome, detail: str | None = None, error: Verdict | None = None
    ) -> Result:
        shown = error or course.last
        return Result(
            outcome=outcome,
            detail=detail,
            http_status=shown.status if shown else None,
            error=error.message if error else None,
            request_id=shown.request_id if shown else None,
            attempts=course.attempts,
            throttled=course.tally.throttled,
            started_at=course.started_at,
            finished_at=course.started_at + now() - course.began,  # time that passed, whatever our clock was set to
            after=course.read,
            unclear_at=course.unclear_at,
            waited=course.tally.waited,
            receipt=self._receipt(course, outcome),
            span=self._span(course, accepted=outcome is Outcome.CHANGED and course.read is None),
            verdict=shown,
        )

    def _receipt(self, course: Course, outcome: Outcome) -> Mark | None:
        """The mark of our pause, where a read after its request has shown it already."""
        if course.read is None or outcome is not Outcome.CHANGED or self._operation.name is not OperationName.PAUSE:
            return None
        return receipt(course.planned.before, course.read, self._span(course), self._read_by())

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


def _trace(planned: Planned) -> None:
    """What is logged from here on belongs to this target."""
    trace.target.set(planned.target[:2])
    trace.attempt.set(None)


class Contended(Exception):
    """Another run here has a lease on the target: it may be about to resume it."""


class _Settled(Exception):
    """A read settles it: no request is needed any more."""

    def __init__(self, result: Result) -> None:
        self.result = result
        super().__init__(result.outcome)


def _began_since(before: ConnectorState | None, now: ConnectorState) -> bool:
    return before is not None and now.running and now.sync_started_at != before.sync_started_at
