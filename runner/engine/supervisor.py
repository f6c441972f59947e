"""The conduct of one run: state before -> pool of attempts -> last pass -> verification -> account.

The work stands in one cancel scope, what watches over it beside it: the journal's commits, the deadline,
the signals. First signal, deadline, threshold or fatal reply: nothing new starts, what is in flight ends,
and the account is written. Second signal, or the end of the grace: what is in flight is left, as unknown.
"""

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import NamedTuple, TypeVar

import anyio

from runner.api.client import Client
from runner.base.errors import SIGNAL_CODES, AccessError, ApiError, ExitCode, StoppingError, StorageError
from runner.base.model import Job, OperationName, Outcome, Planned, Result, RunResult
from runner.base.operations import OPERATIONS
from runner.base.pauses import Moment
from runner.base.policy import DRAIN_GRACE
from runner.base.settings import Settings
from runner.base.signals import Signals, heed
from runner.base.stop import Stop, now
from runner.engine.cadence import Cadence
from runner.engine.decide import Leave
from runner.engine.execute import Course, Executor
from runner.engine.followup import Aftermath
from runner.engine.join import Joiner
from runner.engine.pool import Feed, Put, work_through
from runner.engine.release import Releaser, Undoing
from runner.engine.thresholds import Watch
from runner.engine.verify import Doubt, Touched, Verifier, by_app
from runner.store import Journal, PaceLog, RunRecord, Store

Item = TypeVar("Item")

_GOOD = (Outcome.CHANGED, Outcome.UNCHANGED)


class Observer:
    """Told of what a run does, for progress; every method may be left as it is."""

    tick_every: float | None = None
    """Seconds between calls of `tick`, if there are to be any."""

    def tick(self) -> None:
        """Time has passed, whether or not anything has happened."""

    def abrupt(self, record: RunRecord) -> None:
        """An earlier run of this job ended without an account, and may have left targets uncertain."""

    def listing(self, apps: int, connectors: int) -> None:
        """The tenant is being listed, and has at least so many."""

    def started(self, run_id: str, total: int, client: Client) -> None:
        """The plan is durable; `total` targets are to be worked on."""

    def finished(self, planned: Planned, result: Result) -> None:
        """A target has its outcome."""

    def planned(self, total: int, *, whole: bool) -> None:
        """The plan has grown to `total` targets; unless it is `whole`, it may grow further."""

    def asked_to_stop(self, signal_name: str) -> None:
        """A signal that is only noted: what is under way had better be finished."""

    def interrupted(self, signal_name: str, in_flight: int) -> None:
        """The first signal: nothing new is started, `in_flight` requests come to their end."""

    def following(self) -> None:
        """What was resumed is syncing; its syncs are followed to their end."""

    def last_pass(self, targets: int) -> None:
        """The list is through; so many targets, put off meanwhile, get their last try in a moment."""

    def verifying(self) -> None:
        """All targets have their outcome; the tenant is asked whether it shows them."""


class Context(NamedTuple):
    """What a run needs from outside."""

    settings: Settings
    store: Store
    observer: Observer = Observer()
    include_anomalies: bool = False
    include_protected: bool = False
    signals: bool = True  # whether to handle SIGINT, SIGTERM and SIGHUP
    heard: Signals | None = None  # those that are heeded already, by what this run is a part of
    patience: int = 0  # signals that are only noted before one ends the run
    lock_wait: float = 0.0  # seconds to wait for another run of the same job to end
    windowed: bool = False  # a command runs while the pauses last
    living: ExitStack | None = None  # of the window that this run opens: takes what says that it lives
    sync_wait: float | None = None  # seconds an undo waits at most for the syncs that it starts; None: not at all
    wall: Callable[[], float] = time.time

    def heed(self) -> AbstractContextManager[Signals]:
        """The signals that end the run, heeded within the block."""
        if self.heard is not None or not self.signals:
            return nullcontext(self.heard or Signals(None))
        return heed()


class Wave(NamedTuple):
    """Targets that are worked on before the next wave begins."""

    feed: Feed[Planned]
    size: int


class Conduct:
    """The conduct of one run, from the first request to the account."""

    def __init__(
        self,
        job: Job,
        context: Context,
        run_id: str,
        journal: Journal,
        client: Client,
        stop: Stop,
        undoing: Undoing | None = None,
    ) -> None:
        self._job = job
        self._context = context
        self._run_id = run_id
        self._journal = journal
        self._stop = stop
        self._operation = OPERATIONS[job.operation]
        self._client = client
        self._watch = Watch(job, stop)
        self._executor = Executor(
            self._operation,
            self._client,
            journal,
            stop,
            job.retry,
            leave=self._leave(),
            finished=self._finished,
            cadence=Cadence(job.limits.resume_rate) if job.operation is OperationName.RESUME and not undoing else None,
            sending=undoing.sending if undoing is not None else None,
            wall=context.wall,
        )
        self._undoing = undoing
        self._releaser: Releaser | None = None
        self._perform = self._work_of_the_pool()
        self._abandoned = False
        self._began = context.wall() - now()  # our clock when the loop's stood at 0, as it is set now
        self._seqs = set[int]()  # what this process works on; what an earlier one has settled is not told again
        self._whole = True  # nothing is added to the plan any more
        self._repeating = False  # what is worked on has had an outcome already

    def _leave(self) -> Leave:
        """What a resume leaves alone, and which reads it does not believe."""
        store, settings = self._context.store, self._context.settings
        looks, unbelieved = store.looks(settings.tenant), set[tuple[str, str]]()
        if self._job.operation is OperationName.RESUME and not store.sees_marks(settings.tenant, settings.identity):
            unbelieved = {pair for pair, hold in store.holds(settings.tenant).items() if hold.leases}
        return Leave(not self._context.include_anomalies, looks, unbelieved)

    def _work_of_the_pool(self) -> Callable[[Planned], Awaitable[None]]:
        """What is done to each target: the executor's work, and around it what leases ask for."""
        context, job = self._context, self._job
        parts = (self._client, self._stop, context.wall)
        if self._undoing is not None:
            tenant, reader = context.settings.tenant, context.settings.identity
            self._releaser = Releaser(
                self._executor,
                self._undoing,
                *parts,
                resume_rate=job.limits.resume_rate,
                streak=job.retry.missing_streak,
                sees_pauses=context.store.sees_marks(tenant, reader),
                c1s_own_too=context.include_anomalies,
            )
            return self._releaser
        if job.operation is OperationName.PAUSE:
            leases = context.store.leases(context.settings.tenant, self._journal.run)
            must_know = job.window is not None or context.windowed
            sees = context.store.sees_marks(context.settings.tenant, context.settings.identity)
            return Joiner(self._executor, leases, self._journal, *parts, must_know=must_know, sees_pauses=sees)
        return self._executor

    def plan(self, targets: Sequence[Planned], *, recorded: bool = False) -> None:
        """Put targets into the plan before anything is sent; `recorded` if they are in the store already."""
        if not recorded:
            self._journal.plan(targets)
        self._watch.planned += len(targets)
        self._seqs.update(planned.seq for planned in targets)

    def add(self, planned: Planned) -> Planned:
        """Put one more target into the plan, at its end; returns it with its place."""
        placed = planned._replace(seq=self._watch.planned)
        self._watch.planned += 1
        self._seqs.add(placed.seq)
        self._journal.add(placed)
        self._context.observer.planned(self._watch.planned, whole=False)
        return placed

    def plan_will_grow(self) -> None:
        """More is added to the plan while it is worked on."""
        self._whole = False

    def plan_is_whole(self) -> None:
        """Nothing is added to the plan any more."""
        self._whole = True
        self._journal.whole()
        self._context.observer.planned(self._watch.planned, whole=True)

    async def supervise(self, waves: Sequence[Wave]) -> None:
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
            if self._releaser is not None:
                self._releaser.drained()
            watchers.cancel_scope.cancel()

    async def _work(self, waves: Sequence[Wave]) -> None:
        self._context.observer.started(self._run_id, self._watch.planned, self._client)
        if not self._whole:
            self._context.observer.planned(self._watch.planned, whole=False)
        if not await self._signed_in():
            return
        for number, wave in enumerate(waves, 1):
            await self._pass(wave.feed, self._perform)
            if self._releaser is not None:
                self._releaser.drained()
            self._watch.drained()
            if self._executor.put_off:
                await self._last_pass()
            if number < len(waves):
                self._watch.wave_ended(number, wave.size)
            if self._stop.requested:
                return
        if self._job.verify and self._operation.lasting:
            await self._verify()
        if self._undoing is not None and not self._stop.requested:
            await self._aftermath()

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

        async def feed(put: Put[Course]) -> None:
            await self._stop.sleep(self._job.retry.last_pass_delay)
            for course in reversed(courses):
                await put(course)

        async def work(course: Course) -> None:
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
        concurrency = self._job.limits.concurrency
        parts = (self._operation, self._client, self._journal, self._stop)
        verifier = Verifier(*parts, concurrency=concurrency, wall=self._context.wall)
        changed = self._context.store.touched_by_app(self._context.store.run(self._run_id))
        doubts = await verifier.confirm(
            Touched(rows[0].target.app_id, {row.target.connector_id: row for row in rows}) for rows in changed
        )
        again = [doubt for doubt in doubts if doubt.without_effect]
        if again:
            doubts = [doubt for doubt in doubts if not doubt.without_effect] + await self._repeat(again, verifier)
        if not self._stop.requested:
            verifier.give_up(doubts)

    async def _aftermath(self) -> None:
        """After an undo: follow the syncs that it has started, and look once more at what could be paused again."""
        self._journal.commit()  # the rows that are read now have just been written
        record = self._context.store.run(self._run_id)
        after = Aftermath(self._client, self._journal, self._stop, workers=self._job.limits.concurrency)
        if self._context.sync_wait is not None:
            self._context.observer.following()
            resumed = [row for rows in self._context.store.touched_by_app(record) for row in rows]
            await after.follow(resumed, self._context.sync_wait)
        if self._undoing is not None and self._undoing.unclear:
            self._journal.commit()
            active = {row.seq for row in self._context.store.targets(record) if row.outcome in _GOOD}
            await after.last_look([planned for planned in self._undoing.unclear if planned.seq in active])

    async def _repeat(self, doubts: list[Doubt], verifier: Verifier) -> list[Doubt]:
        """Send again what was accepted without effect; returns what is in doubt even then."""

        async def feed(put: Put[Planned]) -> None:
            for doubt in doubts:
                row = doubt.target
                names = (row.app_name, row.connector_name)
                again = Planned(row.seq, row.target, *names, row.before, span=row.span)
                await put(again if self._undoing is None else self._undoing.guarded(again))

        self._repeating = True
        await self._pass(feed, self._executor.repeat)
        if self._executor.put_off:
            await self._last_pass()
        self._repeating = False
        self._journal.commit()
        seqs = {doubt.target.seq for doubt in doubts}
        record = self._context.store.run(self._run_id)
        return await verifier.confirm(by_app(row for row in self._context.store.targets(record) if row.seq in seqs))

    @property
    def _opened(self) -> Moment:
        """When this process has begun to ask the tenant: whatever it read was so later."""
        opened_at = self._client.opened_at
        return Moment(self._began + opened_at, self._client.tenant_time.earliest(opened_at))

    def _note_reader(self) -> None:
        client, offset = self._client, self._client.tenant_time.offset
        self._journal.reader(self._context.settings.identity, sees_marks=client.sees_marks, offset=offset)

    def _finished(self, planned: Planned, result: Result) -> None:
        if not self._repeating:
            self._watch.finished(result)
        if self._undoing is not None:
            self._undoing.settle(planned, result)
        self._client.turns.expect(self._watch.remaining if self._whole else None)
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
            record = self._context.store.run(self._run_id)
            counts = judged = record.counts
            if self._undoing is not None:
                judged = self._undoing.judged(record)
            elif self._job.operation is OperationName.RESUME:
                self._context.store.release_resumed(record, self._seqs, self._opened, self._context.wall())
            exit_code = _exit_code(
                judged,
                self._stop,
                self._job,
                complete=ended and (partial or not unlisted),
                bug=self._executor.bugs > 0,
            )
            tally = (total.requests, total.retries, total.throttled)
            self._journal.finish(self._began + now(), exit_code, words, tally)  # so long after its start as it took
        except StorageError as error:
            self._stop.request(str(error), ExitCode.STORAGE)
            exit_code, partial, words = ExitCode.STORAGE, False, self._stop.reason
        unwritten = (*self._journal.lost, *self._journal.unreadable())
        return RunResult(self._run_id, exit_code, words, counts, self._abandoned, unwritten, partial)


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
