"""What a finished run leaves behind: the report files, the recap on stdout, the exit code."""

import logging
import os
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import click

from runner import report
from runner.base import trace
from runner.base.errors import ExitCode, RunnerError, StorageError, UsageError
from runner.base.model import OperationName, Outcome, RunResult
from runner.cli.holds import continue_text, ending_text, undo_text
from runner.cli.logs import notice
from runner.cli.process import undisturbed
from runner.cli.state import to_type
from runner.cli.streams import note_loss
from runner.report.text import plain
from runner.store import Holding, RunRecord, Store, TargetRecord

_Targets = Callable[[RunRecord], Iterable[TargetRecord]]

_TO_REPEAT = (Outcome.FAILED, Outcome.UNKNOWN, Outcome.NOT_ATTEMPTED)
_TOUCHED = (Outcome.CHANGED, Outcome.UNKNOWN)


class Next(NamedTuple):
    """What there is to say after a run."""

    commands: tuple[str, ...]  # worth typing
    report: str  # the one that makes a report, for who has none
    ending: str | None  # when its pauses end, and by which command

    def hints(self, *, reported: bool) -> tuple[str, ...]:
        """The commands to show."""
        return self.commands if reported else (*self.commands, self.report)


class Hints(NamedTuple):
    """What to say of commands worth typing next."""

    state_dir: Path | None = None  # where it was given; the commands name it, too
    possible: bool = True  # a sandbox is gone when its run ends
    undoable: bool = True  # a window that is open resumes what it has paused itself
    include_anomalies: bool = False

    def after(self, store: Store, record: RunRecord) -> Next:
        """What makes sense after a run, by what the store has of it."""
        commands, ending = list[str](), None
        holding = store.holding(record) if self.possible and self.undoable else Holding()
        if self.possible and (options := self._to_repeat(record)) is not None:
            commands.append(continue_text(record, self.state_dir, options))
        elif record.windowed and holding.connectors:
            commands.append(continue_text(record, self.state_dir))  # which gives its pauses another end
        if holding.connectors:
            commands.append(undo_text(record, self.state_dir))
            ending = ending_text(record, holding, self.state_dir)
        report = self.command(f"c1-runner report {record.run_id} --report report.json")
        return Next(tuple(commands), report, ending)

    def _to_repeat(self, record: RunRecord) -> str | None:
        """The options with which `continue` does what is left to do; None if that is nothing."""
        outcomes = [outcome for outcome in _TO_REPEAT if record.counts[outcome]]
        if not outcomes:
            return None
        only = f" --only {','.join(outcomes)}" if record.counts[Outcome.FAILED] else ""
        return only + (" --include-anomalies" if self.include_anomalies else "")

    def undo_by(self, receipt: Path) -> str:
        """The command that undoes a run by its JSON report, also where the state is gone."""
        return self.command(f"c1-runner undo --receipt {shlex.quote(str(receipt))}")

    def command(self, command: str) -> str:
        """A command as it has to be typed here."""
        return to_type(command, self.state_dir)


class Account(NamedTuple):
    """What was made of a run's account."""

    exit_code: int
    written: list[Path]  # the reports that are there now


def account(
    store: Store, result: RunResult, reports: Sequence[str], hints: Hints, *, output_format: str, quiet: bool
) -> Account:
    """Write the reports and print the recap, both from the store; the exit code is that of the process."""
    trace.run_id.set(result.run_id)
    exit_code, written = result.exit_code, list[Path]()
    known: Sequence[str] = result.unwritten
    try:
        record = store.run(result.run_id)
        coming = hints.after(store, record)
        with undisturbed():
            written = [] if result.abandoned else _write_reports(store, record, reports, coming)
        _append_step_summary(store, record, coming)
        if not (quiet and exit_code == ExitCode.OK):
            _print_recap(store, record, written, coming, output_format)
        if len(written) < len(reports) and not result.abandoned:
            exit_code = ExitCode.STORAGE
    except (StorageError, UsageError) as error:  # UsageError: its state file is not the run's any more
        exit_code = _complain(error)
        written, known = _rescue(store, result, reports, hints)
    _say_what_is_missing(known)
    if result.stopped is not None:
        notice(f"{'partial' if result.partial else 'stopped'}: {plain(result.stopped)}")
    if result.abandoned and reports and store.in_place:
        notice(f"no report was written; `c1-runner report {result.run_id}` makes it")
    return Account(exit_code, written)


def _complain(error: RunnerError) -> int:
    """Say what was not put down; returns the exit code that goes with it, and sees to it that it is not 0."""
    notice(str(error), level=logging.ERROR)
    note_loss()
    return ExitCode.STORAGE


def _rescue(
    store: Store, result: RunResult, templates: Sequence[str], hints: Hints
) -> tuple[list[Path], Sequence[str]]:
    """The reports of a run whose state cannot be read any more, from what this process has of it; and its outcomes."""
    remembered = store.remembered(result.run_id)
    if remembered is None:
        return [], result.unwritten
    record, rows = remembered
    written = _write_each(record, lambda _: rows, templates, None)
    receipt = json_report(written) if record.operation == OperationName.PAUSE else None
    paused = _pause_of(store, record, rows)
    if receipt is None and paused is not None:
        receipt = rescue_receipt(store, paused)
        written += [receipt] if receipt is not None else []
    if receipt is not None:
        notice(f"the state is lost, but {receipt} is there: `{hints.undo_by(receipt)}` resumes what was paused")
    return written, result.unwritten or [f"{row.target} {row.outcome}" for row in rows]


def _pause_of(store: Store, record: RunRecord, rows: Sequence[TargetRecord]) -> str | None:
    """The run that has paused, and may have left something paused: this one, or the one it undoes."""
    if record.undoes is not None:
        try:
            return store.undone_by(record).run_id
        except StorageError:
            return None
    pauses = record.operation == OperationName.PAUSE
    return record.run_id if pauses and any(row.outcome in _TOUCHED for row in rows) else None


def rescue_receipt(store: Store, run_id: str) -> Path | None:
    """Where the state is lost: a run's receipts, in a JSON report of ours; None if that cannot be written."""
    remembered = store.remembered(run_id)
    if remembered is None:
        return None
    try:
        path = Path(tempfile.mkdtemp(prefix="c1-runner-")) / f"{run_id}.json"
        report.write(path, *remembered)
    except (OSError, StorageError):
        return None
    return path


def json_report(written: Iterable[Path]) -> Path | None:
    """The first JSON report among those that were written."""
    return next((path for path in written if path.suffix == ".json"), None)


def render_to_stdout(output_format: str, store: Store, record: RunRecord, commands: Sequence[str]) -> None:
    """Print a run in a report format, or as the recap for `text`."""
    targets = store.targets(record)
    if output_format == "text":
        color = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        sys.stdout.write(report.recap(record, targets, hints=commands, color=color))
    else:
        report.render(output_format, record, targets, sys.stdout, extras_of(store, record, commands))


def _write_reports(store: Store, record: RunRecord, templates: Sequence[str], coming: Next) -> list[Path]:
    extras = extras_of(store, record, coming.hints(reported=True))
    return _write_each(record, store.targets, templates, extras)


def _write_each(
    record: RunRecord, targets: _Targets, templates: Sequence[str], extras: report.Extras | None
) -> list[Path]:
    """Write the reports; returns those that are there now. One is not lost with another."""
    written = []
    for path in [report.expand(template, record) for template in templates]:
        try:
            report.write(path, record, targets(record), extras)
            written.append(path)
        except StorageError as error:
            _complain(error)
    return written


def extras_of(store: Store, record: RunRecord, commands: Sequence[str]) -> report.Extras:
    """What reports for people show besides the targets."""
    return report.Extras(tuple(commands), tuple(store.pace(record)))


def _append_step_summary(store: Store, record: RunRecord, coming: Next) -> None:
    """On a CI system that asks for a summary in Markdown, it gets one."""
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        return
    try:
        with Path(path).open("a", encoding="utf-8") as out:
            extras = extras_of(store, record, coming.hints(reported=True))
            report.render("markdown", record, store.targets(record), out, extras)
    except OSError as error:
        notice(f"{plain(path)}: the summary could not be written (GITHUB_STEP_SUMMARY: {error.strerror or error})")
        note_loss()


def _print_recap(store: Store, record: RunRecord, written: Sequence[Path], coming: Next, output_format: str) -> None:
    render_to_stdout(output_format, store, record, coming.hints(reported=bool(written)))
    if output_format == "text":
        for path in written:
            click.echo(f"report: {path}")
        if coming.ending is not None:
            click.echo(coming.ending)


def _say_what_is_missing(known: Sequence[str]) -> None:
    """What is known and could not be recorded, for whoever has to go on by hand."""
    if known:
        lines = "".join(f"\n  {plain(line)}" for line in known)
        notice(f"these outcomes are known, but could not be recorded:{lines}", level=logging.ERROR)
