"""What a finished run leaves behind: the report files, the recap on stdout, the exit code."""

import contextlib
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from runner import report
from runner.errors import ExitCode, StorageError
from runner.model import RunResult
from runner.store import RunRecord, Store, TargetRecord


def account(store: Store, result: RunResult, reports: Sequence[str], *, output_format: str, quiet: bool) -> int:
    """Write the reports and print the recap, both from the store; returns the exit code of the process."""
    exit_code = result.exit_code
    try:
        record = store.run(result.run_id)
        written = [] if result.abandoned else _write_reports(store, record, reports)
        if not (quiet and exit_code == ExitCode.OK):
            _print_recap(store, record, written, output_format)
    except StorageError as error:
        click.echo(f"c1-runner: {error}", err=True)
        exit_code = ExitCode.STORAGE
    if result.stopped is not None:
        click.echo(f"c1-runner: stopped: {result.stopped}", err=True)
    if result.abandoned and reports:
        click.echo(f"c1-runner: no report was written; `c1-runner report {result.run_id}` makes it", err=True)
    return exit_code


def render_to_stdout(
    output_format: str, record: RunRecord, targets: Iterable[TargetRecord], hints: Sequence[str] | None = None
) -> None:
    """Print a run in a report format, or as the recap for `text`; a reader that left is no error."""
    with contextlib.suppress(BrokenPipeError):
        if output_format == "text":
            color = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
            sys.stdout.write(report.recap(record, targets, hints=hints, color=color))
        else:
            report.render(output_format, record, targets, sys.stdout)


def _write_reports(store: Store, record: RunRecord, templates: Sequence[str]) -> list[Path]:
    paths = [report.expand(template, record) for template in templates]
    for path in paths:
        report.write(path, record, store.targets(record))
    return paths


def _print_recap(store: Store, record: RunRecord, written: Sequence[Path], output_format: str) -> None:
    if output_format != "text":
        render_to_stdout(output_format, record, store.targets(record))
        return
    hints = () if written else None
    render_to_stdout(output_format, record, store.targets(record), hints)
    for path in written:
        click.echo(f"report: {path}")
