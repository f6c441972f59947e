"""Undo: resume exactly what a run has paused, where it is still paused by that run and wanted so by no other.

store: what the run holds ─► reverse order, unclear ones last ─► pool: lease ─ read ─ resume ─► verify ─► syncs
"""

from dataclasses import replace

from runner.base import trace
from runner.base.errors import ExitCode, UsageError
from runner.base.model import Job, OperationName, RunResult
from runner.base.stop import Stop
from runner.engine.plan import Plan, Wave
from runner.engine.pool import as_listed
from runner.engine.release import Releasing
from runner.engine.session import Context, Session
from runner.engine.supervisor import Supervisor
from runner.engine.undoing import Undoing
from runner.runs import client_of, locked, start_of
from runner.store import RunRecord, Store
from runner.store.database import new_run_id


def undo_job(job: Job, undone: RunRecord) -> Job:
    """The job that ends what `undone` has paused: how the given job goes about it, but without its limits on what."""
    return replace(
        job,
        operation=OperationName.RESUME,
        name=undone.job_name,
        targets=(),
        select=None,
        exclude=(),
        protected=(),
        waves=(),
        window=None,
        tenant=undone.tenant,
        allow_empty=True,
        preflight=False,
        verify=True,
        limits=replace(job.limits, max_targets=None, max_failures=None),
    )


async def undo(undone: RunRecord, job: Job, context: Context) -> RunResult | None:
    """Resume what `undone` keeps paused; None when there is nothing (any more) that it does.

    `job` is what `undo_job` has made. The undo is a run like any other: its journal, its report, its
    continuation after a crash. Raises as `run.run`; `UsageError` for a run that paused nothing, or another
    tenant's.
    """
    store, tenant, started_at = context.store, context.settings.tenant, context.wall()
    check_undoable(undone, tenant)
    async with locked(undone.job_name, context):
        undoing = Undoing(store, undone, context.wall)
        held = undoing.plan(left_too=context.include_anomalies)
        if not held:
            return None
        stop, run_id = Stop(), new_run_id(started_at)
        trace.run_id.set(run_id)
        async with client_of(job, context, stop) as client:
            start = start_of(job, context, run_id, started_at, whole=True)._replace(undoes=undone.run)
            session = Session(job, context, run_id, client, stop, store.journal(start))
            plan = Plan(session.journal, context.observer)
            plan.record(held)
            supervisor = Supervisor(session, plan, Releasing(session, undoing))
            await supervisor.run([Wave(as_listed(held), len(held))])
        result = supervisor.close()
        if not store.held(undone):
            store.close_abrupt(
                undone, f"it ended abruptly, and run {run_id} has undone it", ExitCode.STOPPED, context.wall()
            )
        return result


async def undo_run(run_id: str, context: Context, like: Job | None = None) -> RunResult | None:
    """Resume what a run keeps paused, by its id; None when there is nothing (any more) that it does.

    `like` is a job whose limits, retries and reports are to be used. Raises as `undo`, and `UsageError` for a run that
    the store does not know.
    """
    record = context.store.run(run_id)
    return await undo(record, undo_job(like or Job(OperationName.RESUME, record.job_name), record), context)


def due(store: Store, tenant: str, now: float) -> list[RunRecord]:
    """The runs whose pauses have come to their end (`now` is epoch seconds), the longest overdue first."""
    over = [record for record in store.pausing_runs(tenant) if record.until is not None and record.until <= now]
    return sorted(over, key=lambda record: record.until or 0.0)


def check_undoable(record: RunRecord, tenant: str) -> None:
    """Raise `UsageError` for a run that has paused nothing, or did so elsewhere."""
    if record.operation != OperationName.PAUSE:
        raise UsageError(f"run {record.run_id} is a {record.operation}: only what a run has paused can be undone")
    if record.tenant != tenant:
        raise UsageError(f"run {record.run_id} was on {record.tenant}, but the credentials lead to {tenant}")
