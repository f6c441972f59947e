"""`report` and `runs`: what the state directory knows of earlier runs."""

import os
import time
from datetime import UTC, datetime
from pathlib import Path

import click

from runner import report as reports_of
from runner.base import units
from runner.base.errors import ExitCode
from runner.base.model import Outcome
from runner.cli import options, state
from runner.cli.account import Hints, extras_of, render_to_stdout
from runner.cli.holds import is_open, process_text
from runner.cli.table import print_table
from runner.report.document import duration
from runner.report.text import plain, shortened
from runner.report.words import duration_text
from runner.store import ReadOnlyStore, RunRecord, Store


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
    with ReadOnlyStore(state.directory(state_dir)) as store:
        record = store.run(run_id)
        open_ = is_open(store, record)
        possible = not open_ and not _is_gone(record.tenant)
        coming = Hints(state_dir, possible=possible, undoable=possible).after(store, record)
        for template in reports:
            path = reports_of.expand(template, record)
            extras = extras_of(store, record, coming.hints(reported=True))
            reports_of.write(path, record, store.targets(record), extras)
            click.echo(f"report: {path}")
        if not reports or output_format != "text":
            render_to_stdout(output_format, store, record, coming.hints(reported=bool(reports)))
    if output_format == "text" and open_:
        click.echo(f"Its window is open ({process_text(record)}): it resumes what it has paused when its command ends.")
    elif output_format == "text" and coming.ending is not None and not reports:
        click.echo(coming.ending)
    return ExitCode.OK


def _is_gone(tenant: str) -> bool:
    """Whether a tenant was a sandbox that has ended: one of this machine, to which the environment does not lead."""
    leads_there = os.environ.get("CONDUCTORONE_SERVER_URL", "").rstrip("/").endswith(f"//{tenant}")
    return tenant.startswith("127.0.0.1:") and not leads_there


@click.group(invoke_without_command=True)
@options.state_dir
@click.pass_context
def runs(ctx: click.Context, state_dir: Path | None) -> None:
    """List the runs that the state directory knows, the newest first; or compare them, or tidy up.

    \b
    Examples:
      c1-runner runs
      c1-runner runs diff 20261122-0215 20261123-0215
      c1-runner runs prune --keep 90d
    """
    ctx.obj = state_dir
    if ctx.invoked_subcommand is not None:
        return
    with ReadOnlyStore(state.directory(state_dir)) as store:
        records = store.runs()
    if not records:
        click.echo("no runs yet", err=True)
        return
    print_table(_HEADER, [_row(record) for record in records])


@runs.command()
@click.argument("older")
@click.argument("newer")
@click.pass_obj
def diff(state_dir: Path | None, older: str, newer: str) -> int:
    """Say which connectors two runs treated differently, and how.

    \b
    Example:
      c1-runner runs diff 20261122-0215 20261123-0215
    """
    with ReadOnlyStore(state.directory(state_dir)) as store:
        records = [store.run(run_id) for run_id in (older, newer)]
        first, second = ({row.target[:2]: row for row in store.targets(record)} for record in records)
    older, newer = (record.run_id for record in records)
    rows = []
    for key in sorted(first.keys() | second.keys()):
        before, after = first.get(key), second.get(key)
        words = ("not in it" if before is None else before.outcome, "not in it" if after is None else after.outcome)
        if words[0] != words[1]:
            name = next((row.connector_name for row in (after, before) if row and row.connector_name), "")
            rows.append(("/".join(key), shortened(name or "", 60), *words))
    if rows:
        print_table(("ID", "CONNECTOR", older, newer), rows)
    else:
        click.echo(f"the {len(first)} connectors of {older} and the {len(second)} of {newer} fared alike")
    return ExitCode.OK


@runs.command()
@click.option(
    "--keep",
    type=options.Unit("duration", units.duration),
    required=True,
    help="Runs that are younger than this stay, such as 90d.",
)
@click.pass_obj
def prune(state_dir: Path | None, keep: float) -> int:
    """Remove old runs from the state directory.

    Never one that may be under way, that keeps something paused, or that has a target of which it is not known what
    became of it; nor one that such a run undoes, or is undone by.

    \b
    Example:
      c1-runner runs prune --keep 90d
    """
    with Store(state.directory(state_dir)) as store:
        now = time.time()
        removed, kept = store.prune(now - keep, now)
    click.echo(f"{removed} run{'' if removed == 1 else 's'} removed")
    if kept:
        runs = "run is" if kept == 1 else "runs are"
        click.echo(f"{kept} old {runs} kept: under way, keeping something paused, uncertain, or bound to a younger one")
    return ExitCode.OK


_HEADER = ("RUN", "STARTED (UTC)", "TOOK", "BY", "JOB", "OPERATION", "TENANT", "TARGETS", "RESULT", "EXIT")


def _row(record: RunRecord) -> tuple[str, ...]:
    result = ", ".join(f"{record.counts[outcome]} {outcome}" for outcome in Outcome if record.counts[outcome])
    took = duration(record.started_at, record.finished_at)
    return (
        record.run_id,
        f"{datetime.fromtimestamp(record.started_at, UTC):%Y-%m-%d %H:%M:%S}",
        "-" if took is None else duration_text(took),
        shortened(f"{record.user}@{record.host}", 40),
        shortened(record.job_name, 40),
        record.operation,
        plain(record.tenant),
        str(record.planned),
        result,
        "-" if record.exit_code is None else str(record.exit_code),
    )
