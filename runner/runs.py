"""A run, and going on with one: lock and plan first, then the supervisor, then the account.

Everything a run does is in the store as it happens; what is returned is only how it ended.
"""

import logging
import math
import os
import platform
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, replace
from functools import partial
from typing import TypeVar

import anyio

from runner.api.client import Client
from runner.base import trace, units
from runner.base.errors import InterruptedRunError, OutageError, RunnerError, SettingsError, UsageError
from runner.base.model import Job, OperationName, Outcome, Planned, RunResult
from runner.base.settings import Settings, check_pin
from runner.base.signals import Signals
from runner.base.stop import Stop
from runner.base.units import moment_text
from runner.base.version import __version__
from runner.engine.join import Pausing
from runner.engine.plan import Plan, Wave
from runner.engine.pool import as_listed
from runner.engine.purpose import Purpose, Resuming
from runner.engine.release import Releasing
from runner.engine.session import Context, Session
from runner.engine.supervisor import Supervisor
from runner.engine.undoing import Undoing
from runner.planning.planner import Planner
from runner.planning.states import with_state
from runner.store import RunRecord, TargetRecord
from runner.store.database import new_run_id
from runner.store.journal import RunStart
from runner.store.locks import lock, user_name, window_lock

log = logging.getLogger(__name__)

Value = TypeVar("Value")

_UNLISTED = "the run had not found its selection to the end; repeat the command it came from"

_PURPOSES: Mapping[OperationName, type[Purpose]] = {OperationName.PAUSE: Pausing, OperationName.RESUME: Resuming}
"""What asks for more around its requests than an operation alone."""

OPEN = (Outcome.UNKNOWN, Outcome.NOT_ATTEMPTED)
"""What an interrupted run has left open."""


async def run(job: Job, context: Context) -> RunResult:
    """Carry out `job`; its account is in the store, whatever happens.

    Raises, before anything but reads was sent: `LockedError` when another run of it is under way,
    `UsageError` when its plan breaks a limit or has an ambiguous name in it, `AccessError` and `OutageError`
    when a plan that must be known first cannot be had, `StorageError` if the run could not be recorded.
    """
    store, tenant, started_at = context.store, context.settings.tenant, context.wall()
    check_pin(job.tenant, context.settings)
    until = end_of(job, started_at, windowed=context.windowed)
    check_credential(context.settings, until, windowed=context.windowed)
    run_id = new_run_id(started_at)
    trace.run_id.set(run_id)
    async with locked(job.name, context):
        for record in store.abrupt_runs(tenant, holding=job.name):
            context.observer.abrupt(record)
        stop = Stop()
        recorded, job = job, _ending_with(job, until, context.wall())
        # Settings that cannot be used are found out before there is a run.
        async with client_of(job, context, stop) as client:
            planner = Planner(
                job, client, stop, include_protected=context.include_protected, told=context.observer.listing
            )
            found = await _until_a_signal(context, partial(_survey, planner, job, client.turns.ends_at))
            start = start_of(recorded, context, run_id, started_at, whole=planner.whole)
            if context.living is not None:
                context.living.enter_context(window_lock(store.directory, run_id))
            journal = store.journal(start._replace(until=until, windowed=context.windowed))
            session = Session(job, context, run_id, client, stop, journal)
            plan = Plan(journal, context.observer)
            supervisor = Supervisor(session, plan, _purpose_of(session))
            await supervisor.run(planner.waves(plan, found))
        return supervisor.close(planner.unlisted, ended=planner.ended)


async def proceed(
    record: RunRecord, job: Job, outcomes: Collection[Outcome], context: Context, *, until: float | None = None
) -> RunResult:
    """Go on with an earlier run: its targets with one of `outcomes` are worked on, the rest stay as they are.

    The plan is the one that was recorded. Uncertain targets come first, and are read before anything is sent
    for them. `until` (epoch seconds) becomes the end of its pauses, whatever was to end them before. Raises
    `UsageError` when the run belongs to another tenant; otherwise as `run`.
    """
    store, tenant = context.store, context.settings.tenant
    trace.run_id.set(record.run_id)
    if record.tenant != tenant:
        raise UsageError(f"run {record.run_id} was on {record.tenant}, but the credentials lead to {tenant}")
    async with locked(job.name, context):
        record = store.run(record.run_id)  # whoever held the lock until now may have gone on with it
        stop = Stop()
        async with client_of(job, context, stop) as client:
            if until is not None:
                store.give_end(record, until, context.wall())
            undoing = None if record.undoes is None else Undoing(store, store.undone_by(record), context.wall)
            session = Session(job, context, record.run_id, client, stop, store.reopen(record))
            plan = Plan(session.journal, context.observer)
            if undoing is not None and not record.planned:  # it was cut off before it had a plan
                again = undoing.plan()
                plan.record(again)
            else:
                again = list(_planned_again(store.open_targets(record, outcomes)))
                plan.record(again, recorded=True)
            supervisor = Supervisor(session, plan, _purpose_of(session, undoing))
            feed = with_state(again, client, concurrency=job.limits.concurrency, stop=stop)
            await supervisor.run([Wave(feed if job.preflight else as_listed(again), len(again))])
        return supervisor.close(None if record.whole else _UNLISTED)


def _purpose_of(session: Session, undoing: Undoing | None = None) -> Purpose:
    if undoing is not None:
        return Releasing(session, undoing)
    return _PURPOSES.get(session.job.operation, Purpose)(session)


def end_of(job: Job, now: float, *, windowed: bool) -> float | None:
    """When the pauses of a run that starts now end, epoch seconds, None for never by themselves.

    Raises `UsageError` when that is no time to come, and for a job that would not know what to resume then.
    """
    if (windowed or job.window is not None) and not job.preflight:
        words = "what was paused before is not to be resumed: a window needs `preflight`; nothing was sent"
        raise UsageError(words)
    if job.window is None:
        return None
    if job.operation is not OperationName.PAUSE:
        raise UsageError(f"only a pause ends by itself: a {job.operation} takes no `for` or `until`; nothing was sent")
    until = units.window_end(job.window, now)
    if until <= now:
        raise UsageError(f"the window's end, {job.window.until}, is over already; nothing was sent")
    return until


def check_credential(settings: Settings, until: float | None, *, windowed: bool) -> None:
    """Raise `SettingsError` for a window that outlives a ready token: its process could not resume what it pauses.

    Where another command ends the pauses, or no end is known, it is a warning: that may be another credential's work.
    """
    ends_at = settings.credential.expires_at
    if ends_at is None:
        return
    token_end = moment_text(ends_at)
    if until is None:
        if windowed:
            log.warning("this window has no end, and the access token ends %s: later it can resume nothing", token_end)
    elif until > ends_at and windowed:
        raise SettingsError(
            f"the window would end {moment_text(until)}, and the access token ends {token_end}: it could not resume "
            "what it pauses; nothing was sent. Use client credentials, which renew themselves, or a shorter window"
        )
    elif until > ends_at:
        end = moment_text(until)
        log.warning("these pauses end %s, and the access token ends %s: resume them with another one", end, token_end)


def _ending_with(job: Job, until: float | None, now: float) -> Job:
    """The job with a deadline at the end of its pauses: nothing is paused later, nor waited for."""
    if until is None:
        return job
    deadline = min(max(0.0, until - now), math.inf if job.limits.deadline is None else job.limits.deadline)
    return replace(job, limits=replace(job.limits, deadline=deadline))


@asynccontextmanager
async def locked(job_name: str, context: Context) -> AsyncIterator[None]:
    """Hold a job's lock within the block; raises as `lock`, and `InterruptedRunError` on a signal while it waits."""
    directory, tenant = context.store.directory, context.settings.tenant
    async with AsyncExitStack() as held:
        taking = lock(directory, tenant, job_name, now=context.wall(), wait=context.lock_wait)
        await _until_a_signal(context, partial(held.enter_async_context, taking))
        yield


async def _survey(planner: Planner, job: Job, ends_at: float) -> list[Planned] | None:
    """The planner's survey, unless the deadline passes meanwhile."""
    with anyio.CancelScope(deadline=ends_at):
        return await planner.survey()
    raise OutageError(f"the deadline of {job.limits.deadline:g} s passed before the plan was known; nothing was sent")


async def _until_a_signal(context: Context, work: Callable[[], Awaitable[Value]]) -> Value:
    """What is done before there is a run: its value, unless a signal ends it with `InterruptedRunError`."""
    heard: list[signal.Signals] = []
    results: list[Value] = []
    failure: RunnerError | None = None

    async def listen(signals: Signals) -> None:
        for _ in range(context.patience):
            context.observer.asked_to_stop((await signals.next()).name)
        heard.append(await signals.next())
        group.cancel_scope.cancel()

    with context.heed() as signals:
        async with anyio.create_task_group() as group:
            group.start_soon(listen, signals)
            try:
                results.append(await work())
            except RunnerError as error:  # kept out of the group, which would wrap it
                failure = error
            group.cancel_scope.cancel()
    if heard:
        raise InterruptedRunError(heard[0], heard[0].name)
    if failure is not None:
        raise failure
    return results[0]


def _planned_again(rows: Iterator[tuple[TargetRecord, tuple[float, float] | None]]) -> Iterator[Planned]:
    for row, uncertain in rows:
        yield Planned(
            row.seq,
            row.target,
            row.app_name,
            row.connector_name,
            before=row.before if uncertain else None,
            since=uncertain[0] if uncertain else None,
            till=uncertain[1] if uncertain else None,
            span=row.span if uncertain else None,
        )


def client_of(job: Job, context: Context, stop: Stop) -> Client:
    """The client that a run of `job` works with."""
    return Client(
        context.settings, stop=stop, limits=job.limits, retry=job.retry, timeouts=job.timeouts, wall=context.wall
    )


def start_of(job: Job, context: Context, run_id: str, started_at: float, *, whole: bool) -> RunStart:
    """What is recorded of a run of `job` when it begins."""
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
        user=user_name(),
        pid=os.getpid(),
        started_at=started_at,
        whole=whole,
        credential_until=context.settings.credential.expires_at,
    )
