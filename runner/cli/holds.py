"""What a run still keeps paused by the record here, in words, and the commands that end it."""

import time
from pathlib import Path

from runner.base.model import OperationName, Outcome
from runner.cli.state import to_type
from runner.report.text import plain
from runner.report.words import connectors, moment_text
from runner.store import Holding, RunRecord, Store
from runner.store.locks import window_lives


def is_open(store: Store, record: RunRecord) -> bool:
    """Whether a run is a window whose process lives: it ends its pauses itself. Raises `StorageError`."""
    return record.windowed and window_lives(store.directory, record.run_id)


def process_text(record: RunRecord) -> str:
    """The process that has begun a run, who runs it, and since when."""
    return f"process {record.pid} of {record.user} on {record.host}, since {moment_text(record.started_at)}"


def is_over(record: RunRecord) -> bool:
    """Whether the moment at which a run's pauses were to end has come."""
    return record.until is not None and record.until <= time.time()


def continue_text(record: RunRecord, state_dir: Path | None, options: str = "") -> str:
    """The command that goes on with a run; what nothing would resume by itself has to be given an end."""
    ending = " --for DURATION" if record.windowed or is_over(record) else ""
    return to_type(f"c1-runner continue {record.run_id}{options}{ending}", state_dir)


def undo_text(record: RunRecord, state_dir: Path | None) -> str:
    """The command that resumes what a run has paused."""
    return to_type(f"c1-runner undo {record.run_id}", state_dir)


def ending_text(record: RunRecord, holding: Holding, state_dir: Path | None) -> str | None:
    """When what a run keeps paused ends, and by which command; None if it has no end, or keeps nothing."""
    if record.until is None or not holding.connectors:
        return None
    end, expire = moment_text(record.until), to_type("c1-runner expire", state_dir)
    if is_over(record):
        text = f"These pauses were to end {end}: `{expire}` resumes them."
    else:
        text = f"These pauses end {end}: `{expire}` resumes them then."
    if holding.shared:
        text += " What another run here wants paused, too, stays so until that one has ended."
    return text


def abrupt_text(record: RunRecord, holding: Holding, state_dir: Path | None = None) -> str | None:
    """What a run that has ended without an account has left open, and what to type; None if that is nothing."""
    name = f"run {record.run_id} of job {plain(record.job_name)}"
    undo, go_on = undo_text(record, state_dir), continue_text(record, state_dir)
    held = _held_text(record, holding)
    if record.finished_at is not None:
        if held is None:
            return None
        left = "" if holding.left_by is None else _left_text(holding.left_by, state_dir)
        return (
            f"{name} is a window whose process is gone, and by the record here {held}{left}; "
            f"`{undo}` resumes what is still paused of that, `{go_on}` gives it another end"
        )
    pauses = record.operation == OperationName.PAUSE
    uncertain = holding.uncertain if pauses else record.counts[Outcome.UNKNOWN]
    open_ = record.counts[Outcome.NOT_ATTEMPTED]
    ways = [
        *([f"`{go_on}` finishes it"] if uncertain or open_ else []),
        *([f"`{undo}` takes it back: by the record here {held}"] if held is not None else []),
    ]
    return f"{name} ended abruptly: {uncertain} uncertain, {open_} not attempted; {', '.join(ways)}" if ways else None


def _held_text(record: RunRecord, holding: Holding) -> str | None:
    """How many connectors a run keeps paused, how sure that is, and until when."""
    if not holding.connectors:
        return None
    unsure = "" if not holding.uncertain else f" ({holding.uncertain} of them uncertain)"
    if holding.uncertain == holding.connectors:
        unsure = " (uncertain)"
    if record.until is None:
        until = ", without an end"
    elif is_over(record):
        until = f", although the end was {moment_text(record.until)}"
    else:
        until = f" until {moment_text(record.until)}"
    return f"it keeps {connectors(holding.connectors)} paused{unsure}{until}"


def _left_text(undo_id: str, state_dir: Path | None) -> str:
    report = to_type(f"c1-runner report {undo_id}", state_dir)
    return f", which an undo has left so (`{report}` says why)"
