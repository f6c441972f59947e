"""The supervisor of one run: waves through the pool -> last pass -> verification -> account.

The work stands in one cancel scope, what watches over it beside it: the journal's commits, the deadline,
the signals. First signal, deadline, threshold or fatal reply: nothing new starts, what is in flight ends,
and the account is written. Second signal, or the end of the grace: what is in flight is left, as unknown.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

import anyio

from runner.base.errors import SIGNAL_CODES, AccessError, ApiError, ExitCode, StoppingError, StorageError
from runner.base.model import Job, Outcome, Planned, Result, RunResult
from runner.base.policy import DRAIN_GRACE
from runner.base.stop import Stop
from runner.engine.plan import Plan, Wave
from runner.engine.pool import Feed, Put, work_through
from runner.engine.progress import TargetProgress
from runner.engine.purpose import Purpose
from runner.engine.session import Session
from runner.engine.thresholds import Watch
from runner.engine.verify import Doubt, Touched, Verifier, by_app
from runner.store import PaceLog

Item = TypeVar("Item")

_GOOD = (Outcome.CHANGED, Outcome.UNCHANGED)


class Supervisor:
    """Runs one job: sign-in, waves, last pass, verification; owns deadline and signals."""

    def __init__(self, session: Session, plan: Plan, purpose: Purpose) -> None:
        self._session = session
        self._plan = plan
        self._purpose = purpose
        self._job = session.job
        self._context = session.context
        self._client = session.client
        self._journal = session.journal
        self._stop = session.stop
        self._watch = Watch(session.job, session.stop, lambda: plan.total)
        self._executor = purpose.executor
        self._executor.finished = self._finished
        self._abandoned = False
        self._repeating = False  # what is worked on has had an outcome already

    async def run(self, waves: Sequence[Wave]) -> None:
        """Do the work, wave after wave, with its watchers beside it; returns when all is done, or left.

        The client is open, and stays so.
        """
        async with anyio.create_task_group() as watchers:
            work = anyio.CancelScope()
            watchers.start_soon(self._commit)
            watchers.start_soon(self._note_the_pace)
            if self._job.limits.deadline is not None:
                watchers.start_soon(self._keep_the_deadline, self._job.limits.deadline)
            if self._context.observer.tick_every is not None:
                watchers.start_soon(self._tick, self._context.observer.tick_every)
            watchers.start_soon(self._heed_signals, work)
            with work, _storage_failure_stops(self._stop):
                await self._work(waves)
            self._purpose.drained()
            watchers.cancel_scope.cancel()

    async def _work(self, waves: Sequence[Wave]) -> None:
        self._context.observer.started(self._session.run_id, self._plan.total, self._client)
        if not self._plan.whole:
            self._context.observer.planned(self._plan.total, whole=False)
        if not await self._signed_in():
            return
        for number, wave in enumerate(waves, 1):
            await self._pass(wave.feed, self._purpose.work)
            self._purpose.drained()
            self._watch.drained()
            if self._executor.put_off:
                await self._last_pass()
            if number < len(waves):
                self._watch.wave_ended(number, wave.size)
            if self._stop.requested:
                return
        if self._job.verify and self._session.operation.lasting:
            await self._verify()
        if not self._stop.requested:
            await self._purpose.afterwards()

    async def _signed_in(self) -> bool:
        """Whether the tenant gives us a token; asked before anything else, so a refusal costs one request."""
        try:
            await self._client.sign_in()
        except AccessError as error:
            self._stop.request(str(error), ExitCode.ACCESS)
        except ApiError as error:
            self._stop.request(str(error), ExitCode.STOPPED)
        except StoppingError:
            pass
        return not self._stop.requested

    async def _pass(self, feed: Feed[Item], work: Callable[[Item], Awaitable[None]]) -> None:
        await work_through(feed, work, workers=self._job.limits.concurrency, stop=self._stop)

    async def _last_pass(self) -> None:
        """What was put off gets its last try, a little later; what the end of the run overtakes is settled."""
        courses = self._executor.put_off
        self._context.observer.last_pass(len(courses))

        async def feed(put: Put[TargetProgress]) -> None:
            await self._stop.sleep(self._job.retry.last_pass_delay)
            for course in reversed(courses):
                await put(course)

        async def work(course: TargetProgress) -> None:
            begun.add(id(course))
            await self._executor.last_pass(course)

        begun = set[int]()
        await self._pass(feed, work)
        for course in courses:
            if id(course) not in begun:  # not even one that was handed over at the moment of the stop is lost
                self._executor.abandon(course)
        courses.clear()

    async def _verify(self) -> None:
        """Ask the tenant whether it shows the changes; what is as before is done again, once."""
        self._context.observer.verifying()
        self._client.turns.expect(None)  # how many reads it takes is not known
        self._journal.commit()  # what is read now, the pool has just written
        verifier = Verifier(self._session)
        changed = self._session.store.touched_by_app(self._session.record)
        doubts = await verifier.confirm(
            Touched(rows[0].target.app_id, {row.target.connector_id: row for row in rows}) for rows in changed
        )
        again = [doubt for doubt in doubts if doubt.without_effect]
        if again:
            doubts = [doubt for doubt in doubts if not doubt.without_effect] + await self._repeat(again, verifier)
        if not self._stop.requested:
            verifier.give_up(doubts)

    async def _repeat(self, doubts: list[Doubt], verifier: Verifier) -> list[Doubt]:
        """Send again what was accepted without effect; returns what is in doubt even then."""

        async def feed(put: Put[Planned]) -> None:
            for doubt in doubts:
                row = doubt.target
                names = (row.app_name, row.connector_name)
                again = Planned(row.seq, row.target, *names, row.before, span=row.span)
                await put(self._purpose.guarded(again))

        self._repeating = True
        await self._pass(feed, self._executor.repeat)
        if self._executor.put_off:
            await self._last_pass()
        self._repeating = False
        self._journal.commit()
        seqs = {doubt.target.seq for doubt in doubts}
        rows = self._session.store.targets(self._session.record)
        return await verifier.confirm(by_app(row for row in rows if row.seq in seqs))

    def _note_reader(self) -> None:
        client, offset = self._client, self._client.tenant_time.offset
        self._journal.reader(self._context.settings.identity, sees_marks=client.sees_marks, offset=offset)

    def _finished(self, planned: Planned, result: Result) -> None:
        if not self._repeating:
            self._watch.finished(result)
        self._client.turns.expect(self._watch.remaining if self._plan.whole else None)
        if not self._repeating:  # it has been counted
            self._context.observer.finished(planned, result)

    async def _commit(self) -> None:
        with _storage_failure_stops(self._stop):
            await self._journal.serve(self._client.turns.patience)

    async def _note_the_pace(self) -> None:
        """Keep how the limit was learned, for the report; the last note is made when the work is over."""
        log = PaceLog(self._journal)
        begun = anyio.current_time()
        try:
            while True:
                await anyio.sleep(log.pause_after(anyio.current_time() - begun))
                self._note_pace(log)
        finally:
            self._note_pace(log)

    def _note_pace(self, log: PaceLog) -> None:
        log.note(self._context.wall(), self._client.turns.snapshot().rate, self._client.total.throttled)

    async def _tick(self, seconds: float) -> None:
        while True:
            await anyio.sleep(seconds)
            self._context.observer.tick()

    async def _keep_the_deadline(self, seconds: float) -> None:
        await anyio.sleep_until(self._client.turns.ends_at)
        self._stop.request(f"the deadline of {seconds:g} s has passed", ExitCode.STOPPED)

    async def _heed_signals(self, work: anyio.CancelScope) -> None:
        with self._context.heed() as signals:
            for _ in range(self._context.patience):
                self._context.observer.asked_to_stop((await signals.next()).name)
            first = await signals.next()
            self._stop.request(f"{first.name} received", 128 + first)
            self._context.observer.interrupted(first.name, self._client.in_flight)
            with anyio.move_on_after(DRAIN_GRACE) as grace:
                await signals.next()
            self._abandoned = not grace.cancelled_caught  # one signal alone costs nobody the report
            work.cancel()
            await anyio.sleep_forever()  # a third signal must not cut the account short

    def close(self, unlisted: str | None = None, *, ended: bool = True) -> RunResult:
        """Write the end of the account; a disk that refuses is told in the exit code.

        `unlisted` names what of a selection could not be had, and `ended` says whether the listing came to its
        end: otherwise the run is not complete, however well its targets fared. A job may do without what is
        unlisted; it is named all the same.
        """
        partial, words = False, self._stop.reason
        if unlisted and not self._stop.requested:
            partial, words = self._job.partial, f"not everything could be listed, so it is not in the plan: {unlisted}"
            if not partial:
                self._stop.request(words, ExitCode.STOPPED)
        total = self._client.total
        counts: Mapping[Outcome, int] = {}
        try:
            self._note_reader()
            self._journal.commit()
            self._journal.check()
            record = self._session.record
            counts, judged = record.counts, self._purpose.judged(record, self._plan)
            exit_code = _exit_code(
                judged,
                self._stop,
                self._job,
                complete=ended and (partial or not unlisted),
                bug=self._executor.bugs > 0,
            )
            tally = (total.requests, total.retries, total.throttled)
            self._journal.finish(self._session.ends_at, exit_code, words, tally)
        except StorageError as error:
            self._stop.request(str(error), ExitCode.STORAGE)
            exit_code, partial, words = ExitCode.STORAGE, False, self._stop.reason
        unwritten = (*self._journal.lost, *self._journal.unreadable())
        return RunResult(self._session.run_id, exit_code, words, counts, self._abandoned, unwritten, partial)


def _exit_code(counts: Mapping[Outcome, int], stop: Stop, job: Job, *, complete: bool, bug: bool) -> int:
    """What the process tells its caller: 0 only if every target is in the wanted state."""
    if bug and stop.exit_code not in (ExitCode.ACCESS, ExitCode.STORAGE):
        return ExitCode.BUG
    if stop.exit_code in (*SIGNAL_CODES, ExitCode.STORAGE, ExitCode.BUG):
        return stop.exit_code
    if not any(counts.values()) and not stop.requested:
        return ExitCode.OK if job.allow_empty else ExitCode.NOTHING
    if complete and any(counts.values()) and all(counts[outcome] == 0 for outcome in Outcome if outcome not in _GOOD):
        return ExitCode.OK
    return stop.exit_code if stop.requested else ExitCode.INCOMPLETE


@contextmanager
def _storage_failure_stops(stop: Stop) -> Iterator[None]:
    try:
        yield
    except* StorageError as group:  # alone, or out of a task group
        stop.request(_words(group), ExitCode.STORAGE)


def _words(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error)
