"""`continue`: going on with an earlier run."""

from dataclasses import replace

import click
from pydantic import TypeAdapter

from runner.cli import options, state
from runner.cli.carry_out import carry_out, prepare
from runner.conduct import Context
from runner.errors import NothingSelectedError
from runner.model import Job, Outcome, RunResult
from runner.run import OPEN, proceed
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
@options.manner
def continue_(
    overrides: options.Overrides, manner: options.Manner, run_id: str | None, outcomes: tuple[Outcome, ...] | None
) -> int:
    """Go on with a run that was interrupted, or repeat what failed; without RUN, the newest one.

    The plan is the recorded one: the job file is not read again. What is uncertain comes first, and is read
    before anything is sent for it. Afterwards the run has one account, as if it had never been interrupted.

    \b
    Examples:
      c1-runner continue
      c1-runner continue 20261123-021500 --only failed,unknown
    """
    with Store(state.directory(manner.state_dir)) as store:
        record = store.run(run_id)
        job = prepare(overrides.apply(recorded_job(record)), manner)
        if record.finished_at is not None and not any(record.counts[outcome] for outcome in outcomes or OPEN):
            words = " or ".join(outcomes or OPEN)
            raise NothingSelectedError(f"run {record.run_id} has no target that is {words}: nothing to go on with")

        async def work(job: Job, context: Context) -> RunResult:
            return await proceed(record, job, outcomes or OPEN, context)

        return carry_out(job, manner, work, store=store)


def recorded_job(record: RunRecord) -> Job:
    """The job as it was recorded, without its targets: these are in the plan."""
    job: Job = TypeAdapter(Job).validate_python(dict(record.job))
    return replace(job, partial=False)  # to do without the rest is for this command to say
