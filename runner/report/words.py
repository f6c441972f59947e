"""The words in which the recap and the reports for people speak: outcomes, states, numbers, times."""

from collections.abc import Mapping
from types import MappingProxyType

from runner.base.errors import ExitCode
from runner.base.model import OperationName, Outcome
from runner.base.operations import OPERATIONS
from runner.base.units import moment_text as moment_text
from runner.report.document import state_word
from runner.store.records import RunRecord, TargetRecord

ATTENTION = (Outcome.FAILED, Outcome.UNKNOWN)
"""The outcomes that somebody has to look at, the first one first."""

_EXITS: Mapping[int, str] = MappingProxyType(
    {
        ExitCode.OK: "every connector is in the wanted state",
        ExitCode.BUG: "an error inside c1-runner",
        ExitCode.ACCESS: "the credential is refused or not allowed",
        ExitCode.INCOMPLETE: "finished, but not every connector is in the wanted state",
        ExitCode.STOPPED: "stopped early",
        ExitCode.NOTHING: "nothing was selected",
        ExitCode.STORAGE: "the state or a report could not be written",
        ExitCode.HANGUP: "ended by SIGHUP",
        ExitCode.INTERRUPTED: "ended by SIGINT",
        ExitCode.TERMINATED: "ended by SIGTERM",
    }
)
_TITLES: Mapping[OperationName, str] = MappingProxyType(
    {OperationName.PAUSE: "Pause", OperationName.RESUME: "Resume", OperationName.FORCE_SYNC: "Force sync"}
)


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


def connectors(count: int) -> str:
    """`1 connector`, `12,000 connectors`."""
    return f"{count_text(count)} connector{'' if count == 1 else 's'}"


def requests_text(run: RunRecord) -> str:
    """How many requests there were, and how many of them more than one hopes for."""
    extra = [
        *([f"{count_text(run.retries)} sent again"] if run.retries else []),
        *([f"{count_text(run.throttled)} throttled"] if run.throttled else []),
    ]
    requests = f"{count_text(run.requests)} request{'' if run.requests == 1 else 's'}"
    return f"{requests} ({', '.join(extra)})" if extra else requests


def attempts_text(count: int) -> str:
    """`1 attempt`, `5 attempts`."""
    return f"{count_text(count)} attempt{'' if count == 1 else 's'}"


def waits_text(count: int) -> str:
    """How often the tenant asked to slow down: `1 wait`, `2 waits`."""
    return f"{count_text(count)} wait{'' if count == 1 else 's'}"


def exit_text(run: RunRecord) -> str:
    """The exit code with its meaning: `4 (finished, but not every connector is in the wanted state)`."""
    if run.exit_code is None:
        return "none recorded"
    meaning = _EXITS.get(run.exit_code)
    return f"{run.exit_code} ({meaning})" if meaning else str(run.exit_code)


def state_change(target: TargetRecord) -> str:
    """The state before and after in a word each: `active → paused`."""
    words = [state_word(state) for state in (target.before, target.after) if state is not None]
    if target.before is None and words:
        return f"? → {words[0]}"
    return " → ".join(words)


def count_text(count: int) -> str:
    """A number as people read it: `12,000`."""
    return f"{count:,}"


def duration_text(seconds: float) -> str:
    """Seconds as people say them: `38 ms`, `4.2 s`, `3 min 7 s`, `2 h 5 min`."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
