"""The words in which the recap and the reports for people speak: outcomes, verdict, durations."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Literal

from runner.errors import ExitCode
from runner.model import OperationName, Outcome
from runner.operations import OPERATIONS
from runner.report.text import plain
from runner.store.records import RunRecord

Tone = Literal["good", "attention", "bad", "open"]
"""good: nothing to do; attention: incomplete; bad: failed, unknown or stopped; open: no recorded end."""

ATTENTION = (Outcome.FAILED, Outcome.UNKNOWN)
"""The outcomes that somebody has to look at, the first one first."""

_CALM = (ExitCode.OK, ExitCode.INCOMPLETE)
"""Exit codes that say no more than the counts do."""

_WANTED: Mapping[OperationName, str] = MappingProxyType(
    {
        OperationName.PAUSE: "paused",
        OperationName.RESUME: "active",
        OperationName.FORCE_SYNC: "queued for a sync",
    }
)
_TITLES: Mapping[OperationName, str] = MappingProxyType(
    {OperationName.PAUSE: "Pause", OperationName.RESUME: "Resume", OperationName.FORCE_SYNC: "Force sync"}
)


@dataclass(frozen=True, slots=True)
class Conclusion:
    """How a run came out, for a person who reads one line."""

    tone: Tone
    headline: str
    notes: tuple[str, ...] = ()  # whole sentences: what the headline leaves open


def operation_title(run: RunRecord) -> str:
    """The operation as a heading says it."""
    return _TITLES[OperationName(run.operation)]


def outcome_words(run: RunRecord) -> dict[Outcome, str]:
    """What each outcome is called for this run's operation, in the order people want to read them."""
    operation = OPERATIONS[OperationName(run.operation)]
    return {
        Outcome.CHANGED: operation.changed,
        Outcome.UNCHANGED: operation.unchanged,
        Outcome.FAILED: "failed",
        Outcome.UNKNOWN: "unknown",
        Outcome.SKIPPED: "skipped",
        Outcome.NOT_ATTEMPTED: "not attempted",
    }


def conclusion(run: RunRecord) -> Conclusion:
    """The verdict on a run: all of it or how much, and why not the rest."""
    wanted = _WANTED[OperationName(run.operation)]
    reached = run.counts[Outcome.CHANGED] + run.counts[Outcome.UNCHANGED]
    headline = _headline(run, reached, wanted)
    return Conclusion(_tone(run, reached), headline, tuple(_notes(run)))


def _tone(run: RunRecord, reached: int) -> Tone:
    if run.finished_at is None:
        return "open"
    if any(run.counts[outcome] for outcome in ATTENTION) or run.stopped or run.exit_code not in _CALM:
        return "bad"
    return "good" if run.exit_code == ExitCode.OK and reached == run.planned else "attention"


def _headline(run: RunRecord, reached: int, wanted: str) -> str:
    if not run.planned:
        return "Nothing was selected"
    are = "is" if reached == 1 else "are"
    if reached == run.planned:
        every = "The one connector" if reached == 1 else f"All {count_text(reached)} connectors"
        return f"{every} {are} {wanted}"
    some = count_text(reached) if reached else "None"
    return f"{some} of {connectors(run.planned)} {are if reached else 'is'} {wanted}"


def _notes(run: RunRecord) -> list[str]:
    notes = []
    if run.finished_at is None:
        notes.append("No end of this run is recorded: it is still under way, or it was cut off.")
    if run.stopped:
        notes.append(f"Stopped early: {plain(run.stopped).rstrip('.')}.")
    if failed := run.counts[Outcome.FAILED]:
        notes.append(f"{connectors(failed)} failed.")
    if unknown := run.counts[Outcome.UNKNOWN]:
        notes.append(f"Of {connectors(unknown)} it is not known whether the request took effect.")
    if skipped := run.counts[Outcome.SKIPPED]:
        notes.append(f"{connectors(skipped)} left alone on purpose.")
    if left := run.counts[Outcome.NOT_ATTEMPTED]:
        notes.append(f"The run ended before the turn of {connectors(left)}.")
    return notes


def connectors(count: int) -> str:
    """`1 connector`, `12,000 connectors`."""
    return f"{count_text(count)} connector{'' if count == 1 else 's'}"


def count_text(count: int) -> str:
    """A number as people read it: `12,000`."""
    return f"{count:,}"


def moment_text(epoch: float) -> str:
    """Seconds since the epoch as `2026-11-23 16:26:11 UTC`."""
    return f"{datetime.fromtimestamp(epoch, UTC):%Y-%m-%d %H:%M:%S} UTC"


def duration_text(seconds: float) -> str:
    """Seconds as people say them: `38 ms`, `4.2 s`, `3 min 7 s`, `2 h 5 min`."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
