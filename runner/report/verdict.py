"""The verdict on a run: all of it or how much of it, why not the rest, and what to type next."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from runner.base.errors import ExitCode
from runner.base.model import OperationName, Outcome
from runner.report.text import plain
from runner.report.words import ATTENTION, connectors, count_text
from runner.store.records import RunRecord

Tone = Literal["good", "attention", "bad", "open"]
"""good: nothing to do; attention: incomplete; bad: failed, unknown or stopped; open: no recorded end."""

_CALM = (ExitCode.OK, ExitCode.INCOMPLETE)
"""Exit codes that say no more than the counts do."""

_WANTED: Mapping[OperationName, str] = MappingProxyType(
    {
        OperationName.PAUSE: "paused",
        OperationName.RESUME: "active",
        OperationName.FORCE_SYNC: "queued for a sync",
    }
)


class Conclusion(NamedTuple):
    """How a run came out, for a person who reads one line."""

    tone: Tone
    headline: str
    notes: tuple[str, ...] = ()  # whole sentences: what the headline leaves open


def conclusion(run: RunRecord) -> Conclusion:
    """The verdict on a run: all of it or how much, and why not the rest."""
    wanted = _WANTED[OperationName(run.operation)]
    reached = run.counts[Outcome.CHANGED] + run.counts[Outcome.UNCHANGED]
    headline = _headline(run, reached, wanted)
    return Conclusion(_tone(run, reached), headline, tuple(_notes(run)))


def _tone(run: RunRecord, reached: int) -> Tone:
    if run.finished_at is None:
        return "open"
    stopped = run.stopped and not _partial(run)
    if any(run.counts[outcome] for outcome in ATTENTION) or stopped or run.exit_code not in _CALM:
        return "bad"
    return "good" if run.exit_code == ExitCode.OK and reached == run.planned and not run.stopped else "attention"


def _partial(run: RunRecord) -> bool:
    """Whether it came to its end without what could not be listed, as its job allows."""
    return bool(run.job.get("partial")) and not run.whole and run.exit_code in _CALM


def _headline(run: RunRecord, reached: int, wanted: str) -> str:
    if not run.planned:
        return "Nothing was selected"
    are = "is" if reached == 1 else "are"
    if reached == run.planned:
        if not run.whole:
            return f"{connectors(reached).capitalize()} {are} {wanted}; not everything that was selected"
        every = "The one connector" if reached == 1 else f"All {count_text(reached)} connectors"
        return f"{every} {are} {wanted}"
    some = count_text(reached) if reached else "None"
    return f"{some} of {connectors(run.planned)} {are if reached else 'is'} {wanted}"


def _notes(run: RunRecord) -> list[str]:
    notes = []
    if run.finished_at is None:
        notes.append("No end of this run is recorded: it is still under way, or it was cut off.")
    if run.stopped:
        notes.append(f"{'Partial' if _partial(run) else 'Stopped early'}: {plain(run.stopped).rstrip('.')}.")
    if run.finished_at is not None and not run.whole and not _partial(run):
        notes.append("What the run had not found yet is not in this account: repeat its command.")
    if failed := run.counts[Outcome.FAILED]:
        notes.append(f"{connectors(failed)} failed.")
    if unknown := run.counts[Outcome.UNKNOWN]:
        notes.append(f"For {connectors(unknown)} it is not known whether the request took effect.")
    if skipped := run.counts[Outcome.SKIPPED]:
        notes.append(f"{connectors(skipped)} {'was' if skipped == 1 else 'were'} left alone on purpose.")
    if left := run.counts[Outcome.NOT_ATTEMPTED]:
        notes.append(f"The run ended before the turn of {connectors(left)}.")
    return notes


def default_hints(run: RunRecord) -> tuple[str, ...]:
    """The commands that make sense after any run."""
    return (f"c1-runner report {run.run_id} --report out.json",)
