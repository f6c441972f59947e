"""`undo`, `expire` and `extend`: how pauses end, and when."""

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from runner.base import settings
from runner.base.errors import ExitCode, LockedError, RunnerError, UsageError
from runner.base.model import Job, RunResult, Window
from runner.base.units import window_end
from runner.cli import options, state
from runner.cli.again import recorded_job
from runner.cli.carry_out import carry_out, prepare
from runner.cli.holds import is_open, process_text
from runner.cli.notices import say_what_ended_abruptly
from runner.engine.session import Context
from runner.report.words import moment_text
from runner.store import RunRecord, Store
from runner.windows.undo import check_undoable, due, undo_job
from runner.windows.undo import undo as undo_run


@click.command()
@click.argument("run_id", metavar="[RUN]", required=False)
@click.option(
    "--receipt",
    "receipt",
    type=options.GivenPath(path_type=Path, dir_okay=False),
    help="Undo the run that this JSON report is of, also where its state directory is gone.",
)
@click.option("--force", is_flag=True, help="End the pauses of a window although its command is under way.")
@options.sync_wait
@options.wait_timeout
@options.resume_rate
@options.manner_of_undo
def undo(
    overrides: options.Overrides,
    manner: options.Manner,
    run_id: str | None,
    receipt: Path | None,
    force: bool,
    wait_for: str | None,
    wait_timeout: float,
    resume_rate: float | None,
) -> int:
    """Resume exactly what a run has paused, where it is still paused by that very pause; without RUN, the newest.

    Left alone is what somebody else has paused since, what C1 paused itself, and what another run still wants
    paused; `c1-runner resume APP/CONNECTOR` resumes it by name. Undoing twice changes nothing. Each resume starts a
    sync, so they go out at a pace of their own.

    \b
    Examples:
      c1-runner undo
      c1-runner undo 20261123-021500 --wait sync
      c1-runner undo --receipt freeze.json
    """
    if run_id is not None and receipt is not None:
        raise click.UsageError("give a run, or --receipt, and not both")
    with Store(state.directory(manner.state_dir)) as store:
        found = settings.from_environment(os.environ)
        if receipt is not None:
            from runner.windows import receipts  # reads what only this option brings

            record = receipts.adopt(receipt, store, found.tenant)
        else:
            newest = next(iter(store.pausing_runs(found.tenant)), None)
            if run_id is None and newest is None:
                click.echo(f"nothing that runs known here have paused on {found.tenant} is left to undo")
                return ExitCode.OK
            record = newest if run_id is None and newest is not None else store.run(run_id)
        check_undoable(record, found.tenant)
        if not force and is_open(store, record):
            raise UsageError(
                f"run {record.run_id} is a window whose command is under way ({process_text(record)}), "
                "and relies on its pauses; nothing was sent. It resumes them itself when the command ends; "
                "--force resumes them now"
            )
        say_what_ended_abruptly(store, found.tenant, manner.state_dir, but=record)
        job = _job(record, overrides, resume_rate, manner)
        sync_wait = wait_timeout if wait_for else None
        return _undo(record, job, manner, store, sync_wait=sync_wait)


@click.command()
@options.sync_wait
@options.wait_timeout
@options.resume_rate
@options.manner_of_undo
def expire(
    overrides: options.Overrides,
    manner: options.Manner,
    wait_for: str | None,
    wait_timeout: float,
    resume_rate: float | None,
) -> int:
    """Resume everything whose window is over. Run it from cron or a timer every few minutes.

    It says nothing when nothing is due, and needs no run to be named: what is due is in the state directory.

    \b
    Example:
      */5 * * * *  c1-runner expire --quiet
    """
    with Store(state.directory(manner.state_dir)) as store:
        tenant = settings.from_environment(os.environ).tenant
        over = due(store, tenant, time.time())
        if not over and sys.stdout.isatty() and not manner.quiet:
            click.echo(_nothing_due(store.pausing_runs(tenant)))
        codes: list[int] = []
        for record in over:
            if is_open(store, record):
                words = f"run {record.run_id} is a window whose command is under way ({process_text(record)})"
                force = state.to_type(f"c1-runner undo {record.run_id} --force", manner.state_dir)
                click.echo(f"c1-runner: {words}: it ends itself; `{force}` resumes now", err=True)
                codes.append(ExitCode.LOCKED)
                continue
            job = _job(record, overrides, resume_rate, manner)
            try:
                codes.append(_undo(record, job, manner, store, sync_wait=wait_timeout if wait_for else None))
            except LockedError as error:  # whoever holds it may be ending this very window
                click.echo(f"c1-runner: {error}", err=True)
                codes.append(error.exit_code)
            except RunnerError as error:
                click.echo(f"c1-runner: run {record.run_id} is not resumed: {error}", err=True)
                codes.append(error.exit_code)
    return gravest(codes)


@click.command()
@click.argument("run_id", metavar="RUN")
@options.ending
@options.state_dir
def extend(run_id: str, state_dir: Path | None, window: Window | None) -> int:
    """Move the end of a window: --for adds to it (from now, if it is over or had no end), --until sets it.

    \b
    Examples:
      c1-runner extend 20261123-021500 --for 1h
      c1-runner extend 20261123-021500 --until 2026-12-01T06:00+01:00
    """
    if window is None:
        raise click.UsageError("say by how much (--for), or to when (--until)")
    with Store(state.directory(state_dir)) as store:
        record = store.run(run_id)
        check_undoable(record, record.tenant)
        if not store.held(record):
            raise UsageError(f"run {record.run_id} keeps nothing paused any more: there is nothing to extend")
        now = time.time()
        until = window_end(window, now if window.until else max(now, record.until or now))
        if until <= now:
            raise UsageError(f"{window.until} is over already: `c1-runner undo {record.run_id}` ends the window now")
        store.extend(record, until, now)
    click.echo(f"run {record.run_id} ends {moment_text(until)}")
    return ExitCode.OK


def gravest(codes: Sequence[int]) -> int:
    """The exit code for several runs: storage before access, then stopped, incomplete, and anything else."""
    order = (ExitCode.STORAGE, ExitCode.ACCESS, ExitCode.STOPPED, ExitCode.INCOMPLETE)
    bad = [code for code in codes if code != ExitCode.OK]
    return min(bad, key=lambda code: order.index(ExitCode(code)) if code in order else len(order), default=ExitCode.OK)


def _job(record: RunRecord, overrides: options.Overrides, rate: float | None, manner: options.Manner) -> Job:
    """The job that ends the pauses of a run: its own, as it was recorded, and what the command line says of it."""
    recorded = replace(recorded_job(record), reports=())
    recorded = replace(recorded, limits=replace(recorded.limits, deadline=None))
    job = overrides.apply(undo_job(recorded, record))
    limits = replace(job.limits, resume_rate=rate or job.limits.resume_rate)
    return prepare(replace(job, limits=limits, verify=True, preflight=False), manner, ends_pauses=True)


def _undo(record: RunRecord, job: Job, manner: options.Manner, store: Store, *, sync_wait: float | None) -> int:
    async def work(job: Job, context: Context) -> RunResult | None:
        result = await undo_run(record, job, context)
        if result is None and not manner.quiet:
            click.echo(f"run {record.run_id} keeps nothing paused: nothing to undo")
        return result

    return carry_out(job, manner, work, store=store, sync_wait=sync_wait)


def _nothing_due(open_runs: Sequence[RunRecord]) -> str:
    ends = [record.until for record in open_runs if record.until is not None]
    if not ends:
        return "nothing is due: no window has an end to come"
    return f"nothing is due: the next window ends {moment_text(min(ends))}"
