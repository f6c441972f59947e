"""`report` and `runs`: what the state directory knows of earlier runs."""

from datetime import UTC, datetime
from pathlib import Path

import click

from runner import report as reports_of
from runner.cli import options, state
from runner.cli.account import render_to_stdout
from runner.errors import ExitCode
from runner.model import Outcome
from runner.store import RunRecord, Store


@click.command()
@click.argument("run_id", metavar="[RUN]", required=False)
@options.reports
@options.output_format
@options.state_dir
def report(run_id: str | None, reports: tuple[str, ...], output_format: str, state_dir: Path | None) -> int:
    """Make the report of a run again, in any format; without RUN, of the newest one.

    RUN is a run id, or an unambiguous beginning of one. It also works for a run that ended abruptly.

    \b
    Examples:
      c1-runner report
      c1-runner report 20261123-021500 --report freeze.csv
      c1-runner report --format json | jq .counts
    """
    with Store(state.directory(state_dir)) as store:
        record = store.run(run_id)
        for template in reports:
            path = reports_of.expand(template, record)
            reports_of.write(path, record, store.targets(record))
            click.echo(f"report: {path}")
        if not reports or output_format != "text":
            render_to_stdout(output_format, record, store.targets(record))
    return ExitCode.OK


@click.command()
@options.state_dir
def runs(state_dir: Path | None) -> None:
    """List the runs that the state directory knows, the newest first.

    \b
    Example:
      c1-runner runs
    """
    with Store(state.directory(state_dir)) as store:
        records = store.runs()
    if not records:
        click.echo("no runs yet", err=True)
        return
    rows = [_HEADER, *(_row(record) for record in records)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADER))]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


_HEADER = ("RUN", "STARTED (UTC)", "JOB", "OPERATION", "TENANT", "TARGETS", "RESULT", "EXIT")


def _row(record: RunRecord) -> tuple[str, ...]:
    result = ", ".join(f"{record.counts[outcome]} {outcome}" for outcome in Outcome if record.counts[outcome])
    return (
        record.run_id,
        f"{datetime.fromtimestamp(record.started_at, UTC):%Y-%m-%d %H:%M:%S}",
        record.job_name,
        record.operation,
        record.tenant,
        str(record.planned),
        result,
        "-" if record.exit_code is None else str(record.exit_code),
    )
