"""`status`: what is paused, whose doing that is, and until when."""

import time
from collections.abc import Sequence
from pathlib import Path

import click

from runner.base.errors import ExitCode
from runner.base.model import Selection
from runner.cli import options
from runner.cli.plan_text import credential_lines
from runner.cli.seeing import View, look
from runner.cli.seen import FORMATS, Seen, print_seen
from runner.cli.table import print_table
from runner.report.text import shortened
from runner.report.words import moment_text
from runner.store import Lease

_RUNS_HEADER = ("KEPT PAUSED BY", "JOB", "WHO", "WHY", "UNTIL", "CONNECTORS")

_UNCHECKED = "What runs known here keep paused, as it is recorded and not checked: the tenant could not be listed.\n"
_BLIND = "This credential was never shown a pause on this tenant, and may not see any: look in C1 what is paused."


@click.command()
@click.option("--format", "output_format", type=FORMATS, default="text", show_default=True)
@options.partial
@options.state_dir
@options.sandbox
@options.faults
def status(output_format: str, partial: bool, state_dir: Path | None, sandbox: bool, faults: str | None) -> int:
    """Say what is paused, since when, by whom, why and until when; exit code 4 when something is overdue.

    What a run known to this state directory has paused is told by the tenant's own mark of that pause. If the tenant
    cannot be listed, what is recorded here is shown instead, and the exit code is that of the failure.

    \b
    Examples:
      c1-runner status
      c1-runner status --format json | jq '.[] | select(.overdue)'
    """

    def unchecked(seen: list[Seen]) -> None:
        if seen:  # an empty list would read as if nothing were paused
            if output_format == "text":
                click.echo(_UNCHECKED)
            _print(seen, output_format)

    view = look(Selection(all=True), state_dir, sandbox=sandbox, faults=faults, partial=partial, instead=unchecked)
    seen = [one for one in view.seen if one.connector.state.paused or one.leases]
    if output_format == "text" and not seen:
        click.echo("nothing is paused" if view.whole else "nothing that could be listed is paused")
        overdue = 0
    else:
        overdue = _print(seen, output_format)
    if output_format == "text":
        for line in (*_blind_lines(view), *credential_lines(view.settings.credential.expires_at)):
            click.echo(f"\n{line}")
    return ExitCode.INCOMPLETE if overdue else ExitCode.OK


def _print(seen: Sequence[Seen], output_format: str) -> int:
    """Print connectors, and as text the runs that keep them paused; returns how many are overdue."""
    moment = time.time()
    print_seen(seen, output_format)
    if output_format == "text":
        _print_runs(seen, moment)
    overdue = sum(one.overdue(moment) for one in seen)
    if overdue:
        click.echo(f"c1-runner: {overdue} overdue: `c1-runner expire` resumes what is due", err=True)
    return overdue


def _blind_lines(view: View) -> list[str]:
    """Why what a run has paused is not shown as paused, where this listing shows no pause at all."""
    hidden = any(one.hidden for one in view.seen)
    shows_none = not any(one.connector.state.paused for one in view.seen)
    return [_BLIND] if hidden and shows_none and not view.sighted else []


def _print_runs(seen: Sequence[Seen], moment: float) -> None:
    """The runs that keep something paused, with who, why and until when."""
    kept: dict[str, list[Lease]] = {}
    for one in seen:
        for lease in one.leases:
            kept.setdefault(lease.run_id, []).append(lease)
    rows = [(*_run_cells(leases[0], moment), str(len(leases))) for _, leases in sorted(kept.items())]
    if rows:
        click.echo()
        print_table(_RUNS_HEADER, rows)


def _run_cells(lease: Lease, moment: float) -> tuple[str, ...]:
    if lease.until is None:
        until = "its command ends" if lease.windowed else "it is undone"
    else:
        until = moment_text(lease.until) + (" OVERDUE" if lease.until <= moment else "")
    cells = (lease.job_name, f"{lease.user}@{lease.host}", lease.reason or "")
    return (lease.run_id, *(shortened(cell, 50) for cell in cells), until)
