"""`continue`: going on with an earlier run."""

import time
from collections.abc import Collection
from dataclasses import replace

import click

from runner.base.errors import ExitCode, LockedError, UsageError
from runner.base.model import Job, OperationName, Outcome, RunResult, Window
from runner.cli import options, state
from runner.cli.account import Hints, account
from runner.cli.carry_out import carry_out, prepare
from runner.cli.holds import abrupt_text, continue_text, is_open, is_over, process_text, undo_text
from runner.cli.logs import notice
from runner.engine.session import Context
from runner.jobfile import recorded
from runner.report.words import connectors, moment_text
from runner.runs import OPEN, end_of, proceed
from runner.store import RunRecord, Store


@click.command("continue")
@click.argument("run_id", metavar="[RUN]", required=False)
@click.option(
    "--only",
    "outcomes",
    type=options.Outcomes(options.REPEATABLE),
    metavar="OUTCOMES",
    help="What to work on. Default: unknown,not_attempted.",
)
@options.ending
@options.manner
def continue_(
    overrides: options.Overrides,
    manner: options.Manner,
    run_id: str | None,
    outcomes: tuple[Outcome, ...] | None,
    window: Window | None,
) -> int:
    """Go on with a run that was interrupted, or repeat what failed; without RUN, the newest one.

    The plan is the recorded one: the job file is not read again. What is uncertain comes first, and is read
    before anything is sent for it. Afterwards the run has one account, as if it had never been interrupted.

    With nothing left to do, nothing is sent: its reports are made again, and the exit code is the run's own.
    A window that was cut off needs an end (--for or --until), since its command does not run again.

    \b
    Examples:
      c1-runner continue
      c1-runner continue 20261123-021500 --only failed,unknown
      c1-runner continue 20261123-021500 --for 2h
    """
    wanted = outcomes or OPEN
    with Store(state.directory(manner.state_dir)) as store:
        record = store.run(run_id)
        _check_that_it_is_closed(record, store)
        job = prepare(overrides.apply(recorded_job(record)), manner)
        pauses = record.operation == OperationName.PAUSE
        if record.exit_code is not None and not any(record.counts[outcome] for outcome in wanted):
            if window is not None and pauses and store.holding(record).connectors:
                record = _ended_anew(record, replace(job, window=window), store)
            return _reported_again(record, wanted, job, manner, store)
        job = replace(job, window=window or job.window)
        until = None if window is None else end_of(job, time.time(), windowed=record.windowed)
        if pauses:
            _check_that_it_ends(record, until, wanted, manner)

        async def work(job: Job, context: Context) -> RunResult:
            return await proceed(record, job, wanted, context, until=until)

        return carry_out(job, manner, work, store=store)


def _ended_anew(record: RunRecord, job: Job, store: Store) -> RunRecord:
    """The run with the end that the job's window says for what it has paused; nothing else is left of it to do."""
    now = time.time()
    until = end_of(job, now, windowed=record.windowed)
    if until is not None:
        store.give_end(record, until, now)
    return store.run(record.run_id)


def _reported_again(
    record: RunRecord, wanted: Collection[Outcome], job: Job, manner: options.Manner, store: Store
) -> int:
    """The account of a run that leaves nothing to be done, made again from the store; returns the run's own code."""
    if not manner.quiet:
        words = " or ".join(wanted)
        notice(f"run {record.run_id} has no target that is {words}: nothing to go on with, this is its account again")
    left = abrupt_text(record, store.holding(record), manner.state_dir) if record.windowed else None
    if left is not None:
        notice(left)
    result = RunResult(record.run_id, record.exit_code or ExitCode.OK, record.stopped, record.counts)
    hints = Hints(manner.state_dir, include_anomalies=manner.include_anomalies)
    made = account(store, result, job.reports, hints, output_format=manner.output_format, quiet=manner.quiet)
    return made.exit_code


def _check_that_it_is_closed(record: RunRecord, store: Store) -> None:
    """Raise `LockedError` for a window that is open: what is paused for it while it ends would be resumed by nobody."""
    if is_open(store, record):
        raise LockedError(
            f"run {record.run_id} is being worked on by another run: its window is open ({process_text(record)}); "
            "it resumes what it has paused when its command ends; nothing was sent"
        )


def _check_that_it_ends(
    record: RunRecord, until: float | None, wanted: Collection[Outcome], manner: options.Manner
) -> None:
    """Raise `UsageError` unless something ends what going on with a pause would pause."""
    if until is not None or not (record.windowed or is_over(record)):
        return
    lost = "its command does not run again" if record.windowed else "its end is over"
    when = f" (it was to end {moment_text(record.until)})" if record.until is not None else ""
    left = sum(record.counts[outcome] for outcome in wanted)
    go_on, undo = continue_text(record, manner.state_dir), undo_text(record, manner.state_dir)
    raise UsageError(
        f"run {record.run_id} would pause {connectors(left)} that nothing resumes, for {lost}{when}; "
        f"`{go_on}` gives it an end, `{undo}` takes it back; nothing was sent"
    )


def recorded_job(record: RunRecord) -> Job:
    """The job as it was recorded, without its targets: these are in the plan."""
    return replace(recorded.job_of(record.job), partial=False)  # to do without the rest is for this command to say
