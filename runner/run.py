"""One run, composed: plan -> read the state before -> pool of attempts -> verification -> account.

The work stands in one cancel scope, what watches over it beside it: the journal's commits, the deadline,
the signals. First signal, deadline, threshold or fatal reply: nothing new starts, what is in flight ends,
and the account is written. Second signal, or the end of the grace: what is in flight is left, as unknown.
"""

import getpass
import os
import platform
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace

import anyio

from runner import __version__
from runner.api.client import Client
from runner.errors import SIGNAL_CODES, AccessError, ApiError, ExitCode, StoppingError, StorageError
from runner.execute import Executor
from runner.model import Job, Outcome, Planned, Result, RunResult
from runner.operations import OPERATIONS
from runner.policy import DRAIN_GRACE
from runner.pool import work_through
from runner.settings import Settings
from runner.stop import Stop
from runner.store import Journal, Store
from runner.store.database import new_run_id
from runner.store.journal import RunStart
from runner.targets import as_listed, with_state
from runner.verify import Verifier
from runner.watch import Watch

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_GOOD = (Outcome.CHANGED, Outcome.UNCHANGED)


class Observer:
    """Told of what a run does, for progress; every method may be left as it is."""

    def started(self, run_id: str, total: int, client: Client) -> None:
        """The plan is durable; `total` targets are in it."""

    def finished(self, planned: Planned, result: Result) -> None:
        """A target has its outcome."""

    def verifying(self) -> None:
        """All targets have their outcome; the tenant is asked whether it shows them."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a run needs from outside."""

    settings: Settings
    store: Store
    observer: Observer = field(default_factory=Observer)
    include_anomalies: bool = False
    signals: bool = True  # whether to handle SIGINT, SIGTERM and SIGHUP
    wall: Callable[[], float] = time.time


async def run(job: Job, context: Context) -> RunResult:
    """Carry out `job`; its account is in the store, whatever happened.

    Raises `StorageError` only if the run could not even be recorded: then nothing was sent.
    """
    started_at = context.wall()
    run_id = new_run_id(started_at)
    stop = Stop()
    journal = context.store.journal(_start(job, context, run_id, started_at))
    journal.plan(enumerate(job.targets))
    this = _Run(job, context, run_id, journal, stop)
    await this.supervise()
    return this.close()


class _Run:
    """The parts of one run, from the first request to the account."""

    def __init__(self, job: Job, context: Context, run_id: str, journal: Journal, stop: Stop) -> None:
        self._job = job
        self._context = context
        self._run_id = run_id
        self._journal = journal
        self._stop = stop
        self._operation = OPERATIONS[job.operation]
        self._client = Client(
            context.settings,
            stop=stop,
            limits=job.limits,
            retry=job.retry,
            timeouts=job.timeouts,
            wall=context.wall,
        )
        self._watch = Watch(job, stop, len(job.targets))
        self._abandoned = False

    async def supervise(self) -> None:
        """Do the work, with its watchers beside it; returns when all is done, or left."""
        async with anyio.create_task_group() as watchers:
            work = anyio.CancelScope()
            watchers.start_soon(self._commit)
            if self._job.limits.deadline is not None:
                watchers.start_soon(self._keep_the_deadline, self._job.limits.deadline)
            if self._context.signals:
                watchers.start_soon(self._heed_signals, work)
            with work:
                async with self._client:
                    await self._work()
            watchers.cancel_scope.cancel()

    async def _work(self) -> None:
        self._context.observer.started(self._run_id, len(self._job.targets), self._client)
        if not await self._signed_in():
            return
        concurrency, targets = self._job.limits.concurrency, enumerate(self._job.targets)
        if self._job.preflight:
            feed = with_state(targets, self._client, concurrency=concurrency, stop=self._stop)
        else:
            feed = as_listed(targets)
        await work_through(feed, self._executor(), workers=concurrency, stop=self._stop)
        self._watch.drained()
        if self._job.verify and self._operation.lasting and not self._stop.requested:
            await self._verify()

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

    def _executor(self) -> Executor:
        return Executor(
            self._operation,
            self._client,
            self._journal,
            self._stop,
            self._job.retry,
            include_anomalies=self._context.include_anomalies,
            finished=self._finished,
            wall=self._context.wall,
        )

    def _finished(self, planned: Planned, result: Result) -> None:
        self._watch.finished(result)
        self._context.observer.finished(planned, result)

    async def _verify(self) -> None:
        self._context.observer.verifying()
        self._journal.commit()  # the verifier reads what the pool has written
        verifier = Verifier(
            self._operation,
            self._client,
            self._context.store,
            self._journal,
            self._stop,
            concurrency=self._job.limits.concurrency,
        )
        await verifier.verify(self._run_id)

    async def _commit(self) -> None:
        with _storage_failure_stops(self._stop):
            await self._journal.serve()

    async def _keep_the_deadline(self, seconds: float) -> None:
        await anyio.sleep(seconds)
        self._stop.request(f"the deadline of {seconds:g} s has passed", ExitCode.STOPPED)

    async def _heed_signals(self, work: anyio.CancelScope) -> None:
        # What the parent had us ignore (nohup, a background job of a script) stays ignored.
        wanted = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        if not wanted:
            return
        with anyio.open_signal_receiver(*wanted) as received:
            first = await anext(received)
            self._stop.request(f"{first.name} received", 128 + first)
            with anyio.move_on_after(DRAIN_GRACE):
                await anext(received)
            self._abandoned = True
            work.cancel()
            await anyio.sleep_forever()  # a third signal must not cut the account short

    def close(self) -> RunResult:
        """Write the end of the account; a disk that refuses is told in the exit code."""
        total = self._client.total
        counts: Mapping[Outcome, int] = {}
        try:
            self._journal.commit()
            counts = self._context.store.run(self._run_id).counts
            exit_code = _exit_code(counts, self._stop)
            tally = (total.requests, total.retries, total.throttled)
            self._journal.finish(self._context.wall(), exit_code, self._stop.reason, tally)
        except StorageError as error:
            self._stop.request(str(error), ExitCode.STORAGE)
            exit_code = ExitCode.STORAGE
        return RunResult(self._run_id, exit_code, self._stop.reason, counts, self._abandoned)


def _exit_code(counts: Mapping[Outcome, int], stop: Stop) -> int:
    """What the process tells its caller: 0 only if every target is in the wanted state."""
    complete = all(counts[outcome] == 0 for outcome in Outcome if outcome not in _GOOD)
    if stop.exit_code in (*SIGNAL_CODES, ExitCode.STORAGE, ExitCode.BUG):
        return stop.exit_code
    if complete:
        return ExitCode.OK
    return stop.exit_code if stop.requested else ExitCode.INCOMPLETE


@contextmanager
def _storage_failure_stops(stop: Stop) -> Iterator[None]:
    try:
        yield
    except StorageError as error:
        stop.request(str(error), ExitCode.STORAGE)


def _start(job: Job, context: Context, run_id: str, started_at: float) -> RunStart:
    return RunStart(
        run_id=run_id,
        job=asdict(replace(job, targets=())),
        job_name=job.name,
        job_path=job.path,
        job_sha256=job.sha256,
        operation=job.operation,
        tenant=context.settings.tenant,
        reason=job.reason,
        version=__version__,
        host=platform.node(),
        user=_user(),
        pid=os.getpid(),
        started_at=started_at,
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return str(os.getuid())
