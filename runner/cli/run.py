"""`run` and `plan`: a job file, carried out or only looked at."""

import sys
from pathlib import Path
from typing import Any

import anyio
import click

from runner import jobfile, report
from runner.cli import logs, options, state
from runner.cli.account import Hints, account
from runner.cli.plan_text import plan_text
from runner.cli.process import allow_connections
from runner.cli.progress import observer
from runner.cli.tenant import connected
from runner.conduct import Context
from runner.errors import ApiError, ExitCode, NothingSelectedError, OutageError
from runner.model import Job, RunResult
from runner.preview import Preview, preview
from runner.run import run as carry_out
from runner.store import Store


@click.command()
@click.argument("job_path", metavar="JOB")
@options.overrides
@options.output_format
@options.state_dir
@options.sandbox
@options.faults
@options.include_anomalies
@options.lock_wait
@options.verbosity
def run(
    job_path: str,
    output_format: str,
    state_dir: Path | None,
    sandbox: bool,
    faults: str | None,
    include_anomalies: bool,
    lock_wait: float,
    quiet: bool,
    verbose: int,
    log_format: str,
    progress: str,
    **overrides: Any,
) -> int:
    """Carry out a job file; `-` is standard input.

    Ctrl-C once: nothing new starts, what is in flight ends, the account is written. Twice: leave now.

    \b
    Examples:
      c1-runner run jobs/demo.yaml --sandbox
      c1-runner run freeze.yaml --report freeze.json --report freeze.csv
    """
    logs.configure(verbose=verbose, quiet=quiet, log_format=log_format)
    job = _load(job_path, options.Overrides(**overrides))
    allow_connections(job.limits.concurrency)
    with Store(state.directory(state_dir)) as store:

        async def main() -> RunResult:
            async with connected(job, sandbox=sandbox, faults=faults) as settings:
                with observer(progress, quiet=quiet) as shown:
                    context = Context(settings, store, shown, include_anomalies, lock_wait=lock_wait)
                    return await carry_out(job, context)

        result = anyio.run(main)
        hints = Hints(state_dir, possible=not sandbox)
        return account(store, result, job.reports, hints, output_format=output_format, quiet=quiet)


@click.command()
@click.argument("job_path", metavar="JOB")
@options.overrides
@options.output_format
@options.sandbox
@options.faults
@options.include_anomalies
@options.verbosity
def plan(
    job_path: str,
    output_format: str,
    sandbox: bool,
    faults: str | None,
    include_anomalies: bool,
    quiet: bool,
    verbose: int,
    log_format: str,
    progress: str,
    **overrides: Any,
) -> int:
    """Show what a job would do, from live state; no mutating request is sent and nothing is recorded.

    \b
    Example:
      c1-runner plan jobs/demo.yaml --sandbox
    """
    del progress  # a plan is listed in a moment
    logs.configure(verbose=verbose, quiet=quiet, log_format=log_format)
    job = _load(job_path, options.Overrides(**overrides))

    async def main() -> Preview:
        async with connected(job, sandbox=sandbox, faults=faults) as settings:
            return await preview(job, settings, include_anomalies=include_anomalies)

    try:
        shown = anyio.run(main)
    except ApiError as error:
        raise OutageError(str(error)) from None
    for template in job.reports:
        report.write(report.expand(template, shown.run), shown.run, shown.targets)
    if output_format == "text":
        click.echo(plan_text(shown, f"c1-runner run {job_path}"), nl=False)
    else:
        report.render(output_format, shown.run, shown.targets, sys.stdout)
    return shown.run.exit_code or ExitCode.OK


def _load(path: str, overrides: options.Overrides) -> Job:
    """The job as it will be carried out; raises before anything is sent."""
    job = overrides.apply(jobfile.load(path))
    state.check_reports(job.reports)
    if not job.targets:
        raise NothingSelectedError(f"{path}: the job selects no connector")
    return job
