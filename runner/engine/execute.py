"""One target: decide on the state before, intend, attempt, and settle on exactly one outcome.

decide ── settled by the state before ──────────────────────────────► unchanged, skipped, failed
  └─ intent (durable) ─ attempts ─┬─ applied ───────────────────────► changed
          ▲                       ├─ unclear: read, then again
          └──── put off to the ◄──┤  retryable, but the budget or the tries are spent
                last pass         └─ refused for good, or no more ──► a last read ► failed or unknown
"""

import logging
from collections.abc import Callable
from typing import Protocol

from runner.api.budget import RetryBudget
from runner.api.retry import is_retryable, persist, retrying, until_spent
from runner.base import trace
from runner.base.errors import ApiError, ExitCode, StoppingError, StorageError
from runner.base.model import (
    AttemptClass,
    ConnectorState,
    OperationName,
    Outcome,
    Planned,
    Result,
    Verdict,
)
from runner.base.policy import NOTED_EVERY, RECHECK_DELAYS
from runner.base.stop import now
from runner.engine.cadence import Cadence
from runner.engine.decide import Leave, decide, not_ours
from runner.engine.progress import Results, TargetProgress
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


_OUTGROWN = frozenset({405, 411, 415, 501})
"""Refusals that say the request itself is wrong: the API has changed, or this program has a bug."""


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
        self._results = Results(session)
        self.finished: Finished | None = None
        self.put_off: list[TargetProgress] = []
        self.bugs = 0  # targets that an error inside this program has cost

    async def __call__(self, planned: Planned) -> None:
        """Bring one target to its outcome and record it; an error of any kind is this target's alone."""
        if self._needs_reading(planned):
            self.put_off.append(TargetProgress(planned, self._wall()))
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
        progress = TargetProgress(
            planned, planned.since or self._wall(), alone, ambiguous=planned.since is not None, unclear_at=planned.till
        )
        await self._carry_out(progress, last=False)

    async def last_pass(self, progress: TargetProgress) -> None:
        """Try once more what was put off; after this it has its outcome."""
        _trace(progress.planned)
        await self._carry_out(progress, last=True)

    def _needs_reading(self, planned: Planned) -> bool:
        """Whether it depends on a state that could not be read: that is tried once more in the last pass."""
        return planned.unread is not None and planned.skip is None and self._operation.name is OperationName.RESUME

    async def _read_once_more(self, progress: TargetProgress) -> None:
        """Read a state that could not be read before; raises `_Settled` with the outcome that it settles."""
        planned, unread = progress.planned, None
        try:
            planned = planned._replace(before=(await self._client.connector(planned.target)).state)
        except ApiError as error:
            unread = None if error.verdict.missing else str(error)
        progress.planned = planned._replace(unread=unread)
        settled = self.decide(progress.planned)
        if settled is not None:
            raise _Settled(settled)

    def abandon(self, progress: TargetProgress) -> None:
        """Settle a target that was put off, and whose turn never came."""
        self.settle(progress.planned, self._results.interrupted(progress, self._stop.reason or "the run ended"))

    async def _carry_out(self, progress: TargetProgress, *, last: bool) -> None:
        result: Result | None
        try:
            await self._begin(progress)
            await self._attempt_all(progress, last=last)
            result = self._results.of(progress, Outcome.CHANGED)
        except ApiError as error:
            result = await self._put_off_or_settle(progress, error.verdict, last=last)
        except _Settled as settled:
            result = settled.result
        except Contended:
            raise
        except (StoppingError, StorageError) as error:
            result = self._results.interrupted(progress, str(error))
        except Exception as error:
            self.bugs += 1
            log.error(
                "target %s: this is a bug in c1-runner (%r)", progress.planned.target, error, exc_info=self.bugs == 1
            )
            result = self._results.of(progress, Outcome.UNKNOWN, "an error inside c1-runner; see the log")
        except BaseException:  # cut off at the end of the grace: what was never sent is not uncertain
            if progress.tally.requests == 0 and not progress.ambiguous:
                self.settle(progress.planned, Result(Outcome.NOT_ATTEMPTED, self._stop.reason))
            raise
        if result is not None:
            self.settle(progress.planned, result)

    async def _begin(self, progress: TargetProgress) -> None:
        """Return when a request for a target may leave: it is its turn, and the intent is durable."""
        self._stop.check()
        if self._cadence is not None:
            await self._cadence.turn(self._stop)
        if self._needs_reading(progress.planned):
            await self._read_once_more(progress)
        if progress.attempts == 0 and progress.planned.since is None:
            await self._intend(progress)

    async def _intend(self, progress: TargetProgress) -> None:
        if not await self._journal.intent(
            progress.planned, progress.started_at, self._results.ahead(progress), alone=progress.alone
        ):
            raise Contended
        progress.alone = False  # from now on the others see it
        progress.noted_at = now()

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

    async def _attempt_all(self, progress: TargetProgress, *, last: bool) -> None:
        """Return when an attempt was applied; raises `ApiError` with the last verdict otherwise."""
        policy = self._retry
        # The last of several tries is kept for the last pass, when the trouble may be over.
        limit = policy.attempts - 1 if policy.attempts > 2 and not last else policy.attempts
        ends_at = self._client.turns.now() + policy.target_deadline

        def worth(error: BaseException) -> bool:
            return is_retryable(error) and (last or self._budget.grant(self._client.total.requests))

        await persist(
            lambda: self._attempt(progress),
            lambda: retrying(
                policy,
                self._stop,
                until=until_spent(lambda: progress.tries, limit, ends_at, lambda: progress.tally.waited),
                worth=worth,
            ),
        )

    async def _attempt(self, progress: TargetProgress) -> None:
        progress.tries += 1
        trace.attempt.set(progress.attempts + 1)
        if progress.not_before:
            await self._as_asked(progress)
        guarded = progress.planned.marks is not None and progress.last is not None
        if progress.ambiguous or guarded or (progress.last is not None and progress.last.status == 409):
            await self._look(progress)
        if progress.planned.since is not None:  # the earlier requests came to nothing: from here on it is a new one
            progress.planned = progress.planned._replace(before=progress.read, since=None, span=None)
            progress.started_at, progress.began = self._wall(), now()
            await self._intend(progress)
        sent = progress.tally.requests
        verdict = progress.last = await self._client.act(
            self._operation, progress.planned.target, progress.tally, lambda: self._check_before_sending(progress)
        )
        progress.attempts += progress.tally.requests > sent  # none, if not even a token was to be had
        progress.read = None  # what was read before it says nothing of what it did
        if verdict.attempt is AttemptClass.APPLIED and not (verdict.truncated and self._operation.lasting):
            return
        if verdict.attempt in (AttemptClass.AMBIGUOUS, AttemptClass.APPLIED) or verdict.alien:
            progress.ambiguous, progress.unclear_at = True, self._wall()
        if verdict.attempt is AttemptClass.NOT_SENT and self._client.turns.outage:
            progress.tries -= 1  # how long an outage is waited out is decided for the whole run
        if verdict.disconnected and not progress.forgiven:
            progress.forgiven = True
            progress.tries -= 1
        progress.not_before = now() + verdict.retry_after if verdict.retry_after else 0.0
        if verdict.fatal:
            self._stop.request(verdict.message, ExitCode.BUG if verdict.status in _OUTGROWN else ExitCode.STOPPED)
        raise ApiError(verdict)

    async def _as_asked(self, progress: TargetProgress) -> None:
        wait = progress.not_before - now()
        if wait > 0:
            await self._stop.sleep(wait)

    def _check_before_sending(self, progress: TargetProgress) -> None:
        """At the last moment before a request leaves: raises `_Settled` if it must not."""
        moment = now()
        if moment - progress.noted_at > NOTED_EVERY:
            first = not progress.ambiguous and progress.planned.span is None
            self._journal.under_way(progress.planned, self._wall(), self._results.ahead(progress), first=first)
            progress.noted_at = moment
        if (left := self._asked.before_send(progress.planned)) is not None:
            raise _Settled(self._results.of(progress, left.outcome, left.detail)._replace(left_to=left.left_to))
        self._results.leaves(progress, moment)

    async def _look(self, progress: TargetProgress) -> None:
        """Read the connector after an unclear reply; raises `_Settled` if it is as wanted already."""
        progress.read = state = (await self._client.connector(progress.planned.target)).state
        if self._operation.reached(state):
            raise _Settled(self._results.of(progress, *self._results.credit(progress, state)))
        if self._operation.name is OperationName.FORCE_SYNC and _began_since(progress.planned.before, state):
            raise _Settled(
                self._results.of(progress, Outcome.CHANGED, "the reply was lost; a read shows a new sync running")
            )
        marks = progress.planned.marks
        if marks is not None and not marks.cover(state):
            left = not_ours(progress.planned, marks, state)
            raise _Settled(self._results.of(progress, left.outcome, left.detail)._replace(undecided=left.undecided))

    async def _look_again_and_again(self, progress: TargetProgress) -> None:
        """The last reads before a failure is called one: several, for reads may lag behind writes."""
        await self._as_asked(progress)
        await self._look(progress)
        for delay in RECHECK_DELAYS:
            await self._stop.sleep(delay)
            await self._look(progress)

    async def _put_off_or_settle(self, progress: TargetProgress, verdict: Verdict, *, last: bool) -> Result | None:
        if not last and verdict.retryable and progress.tries < self._retry.attempts and not self._stop.requested:
            self.put_off.append(progress)
            return None
        if self._stop.requested and verdict.retryable and not progress.ambiguous:
            return self._results.interrupted(progress, self._stop.reason or "the run ended")
        return await self._settle(progress, verdict)

    async def _settle(self, progress: TargetProgress, verdict: Verdict) -> Result:
        """The outcome when no attempt was clearly applied: only a read makes an unclear one a failure."""
        last = progress.last or verdict
        if progress.ambiguous and self._operation.lasting:
            try:
                await self._look_again_and_again(progress)
            except _Settled as settled:
                return settled.result
            except (ApiError, StoppingError) as error:
                log.debug("target %s: the last reads failed: %s", progress.planned.target, error)
                progress.read = None  # one read of several is no proof
        return self._results.unsettled(progress, last)


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
