"""One target: decide on the state before, intend, attempt, and settle on exactly one outcome."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from runner.api.client import Client, Tally
from runner.api.retry import retrying
from runner.errors import AccessError, ApiError, ExitCode, StoppingError, StorageError
from runner.model import (
    AttemptClass,
    ConnectorState,
    OperationName,
    Outcome,
    Planned,
    Result,
    Target,
    Verdict,
)
from runner.operations import Operation
from runner.policy import CLOCK_SKEW, RetryPolicy
from runner.stop import Stop
from runner.store import Journal

log = logging.getLogger(__name__)

Finished = Callable[[Planned, Result], None]
"""Told of each outcome: progress, thresholds."""


@dataclass(slots=True)
class _Course:
    """What has happened to a target so far."""

    started_at: float
    tally: Tally = field(default_factory=Tally)
    attempts: int = 0
    last: Verdict | None = None
    ambiguous: bool = False  # a request may have taken effect, and no read has shown yet
    read: ConnectorState | None = None  # the latest read after an ambiguous attempt


class Executor:
    """Applies an operation to one target after another; `__call__` is the pool's work."""

    def __init__(
        self,
        operation: Operation,
        client: Client,
        journal: Journal,
        stop: Stop,
        retry: RetryPolicy,
        *,
        include_anomalies: bool = False,
        finished: Finished | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._operation = operation
        self._client = client
        self._journal = journal
        self._stop = stop
        self._retry = retry
        self._include_anomalies = include_anomalies
        self._finished = finished
        self._wall = wall

    async def __call__(self, planned: Planned) -> None:
        """Bring one target to its outcome and record it; an error of any kind is this target's alone."""
        result = decide(self._operation, planned, include_anomalies=self._include_anomalies)
        if result is None:
            result = await self._carry_out(planned)
        if result is not None:
            self._journal.outcome(planned, result)
            if self._finished is not None:
                self._finished(planned, result)

    async def _carry_out(self, planned: Planned) -> Result | None:
        """Intent, attempts, outcome; None when the run ended before anything was sent."""
        course = _Course(self._wall())
        try:
            self._stop.check()
            await self._journal.intent(planned, course.started_at)
            await self._attempt_all(planned, course)
            return self._result(course, Outcome.CHANGED, None)
        except ApiError as error:
            return await self._settle(planned, course, error.verdict)
        except _Reached as reached:
            return self._result(course, reached.outcome, str(reached))
        except AccessError as error:
            self._stop.request(str(error), ExitCode.ACCESS)
            return self._interrupted(course, str(error))
        except (StoppingError, StorageError) as error:
            return self._interrupted(course, str(error))
        except Exception as error:
            log.exception("target %s: this is a bug in c1-runner", planned.target)
            self._stop.request(f"a bug in c1-runner ({type(error).__name__})", ExitCode.BUG)
            return self._result(course, Outcome.UNKNOWN, "an error inside c1-runner; see the log")

    async def _attempt_all(self, planned: Planned, course: _Course) -> None:
        """Return when an attempt was applied; raises `ApiError` with the last verdict otherwise."""
        await retrying(self._retry, self._stop)(self._attempt, planned.target, planned.before, course)

    async def _attempt(self, target: Target, before: ConnectorState | None, course: _Course) -> None:
        if course.ambiguous or (course.last is not None and course.last.status == 409):
            await self._look(target, before, course)
        course.attempts += 1
        sent = course.tally.requests
        verdict = course.last = await self._client.act(self._operation, target, course.tally)
        if verdict.attempt is AttemptClass.APPLIED and not (verdict.truncated and self._operation.lasting):
            return
        if verdict.attempt is AttemptClass.NOT_SENT and course.tally.requests == sent:
            course.attempts -= 1  # not even a request: no token could be had
        if verdict.attempt in (AttemptClass.AMBIGUOUS, AttemptClass.APPLIED):
            course.ambiguous, course.read = True, None
        if verdict.forbidden or verdict.fatal:
            self._consider_stopping(verdict)
        raise ApiError(verdict)

    async def _look(self, target: Target, before: ConnectorState | None, course: _Course) -> None:
        """Read the connector after an unclear reply; raises `_Reached` if it is as wanted already."""
        course.read = (await self._client.connector(target)).state
        if self._operation.reached(course.read):
            raise _Reached(*self._credit(before, course))
        if self._operation.name is OperationName.FORCE_SYNC and _began_since(before, course.read):
            raise _Reached(Outcome.CHANGED, "the reply was lost; a read shows a new sync running")

    def _credit(self, before: ConnectorState | None, course: _Course) -> tuple[Outcome, str]:
        """Whose doing the wanted state is that a read found: ours, or somebody else's."""
        mark = _epoch(course.read.paused_at if course.read else None)
        if mark is not None and mark < course.started_at - CLOCK_SKEW:
            return Outcome.UNCHANGED, "it was in the wanted state before this run's request"
        if mark is None and before is None:
            return (
                Outcome.UNKNOWN,
                "the reply was lost; it is in the wanted state, but since when is not known",
            )
        return Outcome.CHANGED, "the reply was lost; a read shows that it took effect"

    async def _settle(self, planned: Planned, course: _Course, verdict: Verdict) -> Result:
        """The outcome when no attempt was clearly applied: only a read makes an unclear one a failure."""
        if course.ambiguous and course.read is None and self._operation.lasting:
            try:
                await self._look(planned.target, planned.before, course)
            except _Reached as reached:
                return self._result(course, reached.outcome, str(reached))
            except (ApiError, StoppingError, AccessError) as error:
                log.debug("target %s: the last read failed: %s", planned.target, error)
        last = course.last or verdict
        if course.ambiguous and course.read is None:
            return self._result(course, Outcome.UNKNOWN, "a request was sent; what came of it is not known", last)
        return self._result(course, Outcome.FAILED, None, last)

    def _interrupted(self, course: _Course, why: str) -> Result | None:
        """The outcome of a target whose attempts the end of the run cut short."""
        if course.ambiguous:
            return self._result(course, Outcome.UNKNOWN, "a request was sent; the run ended before a read", course.last)
        if course.tally.requests == 0:
            return Result(Outcome.NOT_ATTEMPTED, why)
        return self._result(course, Outcome.NOT_ATTEMPTED, f"refused so far; {why}", course.last)

    def _consider_stopping(self, verdict: Verdict) -> None:
        if verdict.fatal:
            self._stop.request(verdict.message, ExitCode.STOPPED)

    def _result(self, course: _Course, outcome: Outcome, detail: str | None, error: Verdict | None = None) -> Result:
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
            finished_at=self._wall(),
            after=course.read,
        )


class _Reached(Exception):
    """A read found the wanted state."""

    def __init__(self, outcome: Outcome, detail: str) -> None:
        self.outcome = outcome
        super().__init__(detail)


def decide(operation: Operation, planned: Planned, *, include_anomalies: bool = False) -> Result | None:
    """The outcome that the state before settles without a request; None: a request is needed."""
    before = planned.before
    if planned.unread is not None and operation.name is OperationName.RESUME:
        detail = f"its state could not be read ({planned.unread}), and C1 may have paused it itself: not resumed"
        return Result(Outcome.FAILED, detail, error=planned.unread)
    if before is None:
        return None
    if before.deleted:
        return Result(Outcome.FAILED, "the connector is deleted", error="deleted")
    if operation.reached(before):
        return Result(Outcome.UNCHANGED, operation.unchanged)
    if operation.name is OperationName.FORCE_SYNC and before.paused:
        return Result(Outcome.SKIPPED, "paused: a sync would not run; resume it first")
    if operation.name is OperationName.RESUME and before.anomaly and not include_anomalies:
        why = before.reason or before.category or "no reason given"
        return Result(Outcome.SKIPPED, f"C1 paused it itself ({why}): check it there, or use --include-anomalies")
    return None


def _began_since(before: ConnectorState | None, now: ConnectorState) -> bool:
    return before is not None and now.running and now.sync_started_at != before.sync_started_at


def _epoch(timestamp: str | None) -> float | None:
    """Seconds since the epoch of an RFC 3339 time, None if it is none."""
    try:
        return datetime.fromisoformat(timestamp).timestamp() if timestamp else None
    except ValueError:
        return None
