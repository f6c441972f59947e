"""`continue`: going on with an earlier run."""

from pathlib import Path
from typing import Any

import anyio
import click
from pydantic import TypeAdapter

from runner.cli import logs, options, state
from runner.cli.account import Hints, account
from runner.cli.process import allow_connections
from runner.cli.progress import observer
from runner.cli.tenant import connected
from runner.conduct import Context
from runner.model import Job, Outcome, RunResult
from runner.run import OPEN, proceed
from runner.store import RunRecord, Store


class _Outcomes(click.ParamType[tuple[Outcome, ...]]):
    """A list of outcomes, separated by commas."""

    name = "outcomes"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Outcome, ...]:
        """The outcomes; anything else is refused with the list of words."""
        if isinstance(value, tuple):
            return value
        words = [word.strip() for word in str(value).split(",")]
        known = (Outcome.FAILED, Outcome.UNKNOWN, Outcome.NOT_ATTEMPTED, Outcome.SKIPPED)
        for word in words:
            if word not in known:
                self.fail(f"{word!r} cannot be repeated; choose from {', '.join(known)}", param, ctx)
        return tuple(Outcome(word) for word in words)


@click.command("continue")
@click.argument("run_id", metavar="[RUN]", required=False)
@click.option(
    "--only", "outcomes", type=_Outcomes(), metavar="OUTCOMES", help="What to work on. Default: unknown,not_attempted."
)
@options.overrides
@options.output_format
@options.state_dir
@options.include_anomalies
@options.lock_wait
@options.verbosity
def continue_(
    run_id: str | None,
    outcomes: tuple[Outcome, ...] | None,
    output_format: str,
    state_dir: Path | None,
    include_anomalies: bool,
    lock_wait: float,
    quiet: bool,
    verbose: int,
    log_format: str,
    progress: str,
    **overrides: Any,
) -> int:
    """Go on with a run that was interrupted, or repeat what failed; without RUN, the newest one.

    The plan is the recorded one: the job file is not read again. What is uncertain comes first, and is read
    before anything is sent for it. Afterwards the run has one account, as if it had never been interrupted.

    \b
    Examples:
      c1-runner continue
      c1-runner continue 20261123-021500 --only failed,unknown
    """
    logs.configure(verbose=verbose, quiet=quiet, log_format=log_format)
    with Store(state.directory(state_dir)) as store:
        record = store.run(run_id)
        job = options.Overrides(**overrides).apply(_job(record))
        state.check_reports(job.reports)
        allow_connections(job.limits.concurrency)

        async def main() -> RunResult:
            async with connected(job, sandbox=False, faults=None) as settings:
                with observer(progress, quiet=quiet) as shown:
                    context = Context(settings, store, shown, include_anomalies, lock_wait=lock_wait)
                    return await proceed(record, job, outcomes or OPEN, context)

        result = anyio.run(main)
        return account(store, result, job.reports, Hints(state_dir), output_format=output_format, quiet=quiet)


def _job(record: RunRecord) -> Job:
    """The job as it was recorded, without its targets: these are in the plan."""
    job: Job = TypeAdapter(Job).validate_python(dict(record.job))
    return job
