"""Carrying out a job from the command line: tenant, store, progress, account."""

import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import anyio
import click

from runner import report
from runner.base.errors import ApiError, ExitCode, OutageError
from runner.base.model import Job, RunResult
from runner.base.settings import Settings
from runner.cli import logs, state
from runner.cli.account import Hints, account
from runner.cli.listing import Listing
from runner.cli.mcp_text import mcp_lines
from runner.cli.options import Manner
from runner.cli.plan_text import plan_text
from runner.cli.process import allow_connections, spare_the_collector
from runner.cli.progress import observer
from runner.cli.tenant import connected
from runner.engine.session import Context, Observer
from runner.jobfile import load_config
from runner.planning.preview import Preview, preview
from runner.store import Store

Work = Callable[[Job, Context], Awaitable[RunResult | None]]
"""`run.run`, or another thing that makes a run of a job; None when there is nothing to make one of."""


def prepare(job: Job, manner: Manner, *, ends_pauses: bool = False) -> Job:
    """The job with the user's protected connectors, checked as far as can be without the tenant.

    What ends the pauses of a run touches nothing else: no list of what is protected can keep it from that.
    """
    logs.configure(verbose=manner.verbose, quiet=manner.quiet, log_format=manner.log_format)
    state.check_reports(job.reports)
    allow_connections(job.limits.concurrency)
    if ends_pauses:
        return job
    return replace(job, protected=job.protected + load_config(state.config_file()).protected)


def carry_out(
    job: Job,
    manner: Manner,
    work: Work,
    *,
    store: Store,
    sandbox: bool = False,
    faults: str | None = None,
    sync_wait: float | None = None,
) -> int:
    """Do `work` on a prepared job; returns the exit code of the process."""

    async def main() -> RunResult | None:
        async with connected(job, sandbox=sandbox, faults=faults) as settings:
            with observer(manner.progress, store, quiet=manner.quiet, state_dir=manner.state_dir) as shown:
                return await work(job, context(settings, store, manner, shown, sync_wait=sync_wait))

    spare_the_collector()
    result = anyio.run(main)
    if result is None:
        return ExitCode.OK
    hints = Hints(manner.state_dir, possible=not sandbox, include_anomalies=manner.include_anomalies)
    done = account(store, result, job.reports, hints, output_format=manner.output_format, quiet=manner.quiet)
    return done.exit_code


def context(settings: Settings, store: Store, manner: Manner, shown: Observer, **more: Any) -> Context:
    """What a run needs from outside, as the command line says it; `more` are further fields of `Context`."""
    given = {
        "include_anomalies": manner.include_anomalies,
        "include_protected": manner.include_protected,
        "lock_wait": manner.lock_wait,
        "signals": True,
        **more,
    }
    return Context(settings, store, shown, **given)


def look_ahead(job: Job, manner: Manner, *, sandbox: bool = False, faults: str | None = None) -> Preview:
    """What a prepared job would do, from live state; raises `OutageError` when the tenant cannot be asked."""

    async def main() -> Preview:
        async with connected(job, sandbox=sandbox, faults=faults) as settings:
            return await preview(
                job,
                settings,
                include_anomalies=manner.include_anomalies,
                include_protected=manner.include_protected,
                told=None if manner.quiet else listing,
                kinds=True,
            )

    try:
        with Listing() as listing:
            return anyio.run(main)
    except KeyboardInterrupt:
        click.echo("c1-runner: interrupted while it was listing; nothing was sent", err=True)
        raise
    except ApiError as error:
        raise OutageError(str(error)) from None


def show_plan(shown: Preview, output_format: str, command: str) -> None:
    """Print a plan on stdout, as text or in a report format."""
    if output_format == "text":
        click.echo(plan_text(shown, command), nl=False)
    else:
        report.render(output_format, shown.run, shown.targets, sys.stdout)
        if shown.mcp is not None and shown.mcp.hidden:
            for line in mcp_lines(shown.mcp):
                click.echo(f"c1-runner: {line}", err=True)
