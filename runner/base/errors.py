"""Every error this package raises, and the exit code each one leads to.

RunnerError
├── UsageError              2   the command line, the job file or the settings are wrong; nothing was sent
│   ├── JobFileError            one or more problems in a job file, each with its place
│   └── SettingsError           tenant, credentials, CA or proxy
├── AccessError             3   the credential is refused, or not allowed to do this, run-wide
├── OutageError             5   the tenant cannot be reached or used at all
├── NothingSelectedError    6   the job names no target
├── StorageError            7   state or report could not be written or read
├── InterruptedRunError  128+   a signal came before anything was sent
├── LockedError            75   another run of the same job holds the lock
├── WindowError             4   a window of the library did not begin, or not all could be resumed
├── ApiError                    one request that did not succeed; carries what the reply said of the attempt
└── StoppingError               a wait was cut short because the run is stopping (internal, never shown)
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from runner.base.model import RunResult, Verdict


class ExitCode(IntEnum):
    """What the process tells its caller. A code that is not listed here means failure."""

    OK = 0
    """Every target is in the wanted state."""
    BUG = 1
    """A fault in this program."""
    USAGE = 2
    """Usage, job file or settings are wrong; nothing was sent."""
    ACCESS = 3
    """Credentials are refused or not allowed, run-wide."""
    INCOMPLETE = 4
    """Finished, but some targets failed, are unknown or were left out of the wanted state."""
    STOPPED = 5
    """Stopped early: failure threshold, deadline or outage."""
    NOTHING = 6
    """Nothing was selected."""
    STORAGE = 7
    """State, report or output could not be written."""
    LOCKED = 75
    """Another run holds the lock (EX_TEMPFAIL of sysexits.h)."""
    HANGUP = 129
    INTERRUPTED = 130
    TERMINATED = 143


SIGNAL_CODES = (ExitCode.HANGUP, ExitCode.INTERRUPTED, ExitCode.TERMINATED)
"""128 plus the number of the signal that ended the run."""


class RunnerError(Exception):
    """The root: its text is one clear message for a person (where, what, what to do)."""

    exit_code: ExitCode = ExitCode.BUG


class UsageError(RunnerError):
    """The request cannot be carried out as written; nothing was sent."""

    exit_code = ExitCode.USAGE


class Problem(NamedTuple):
    """One thing wrong with a file: a 1-based place in it, and a message that says what to do."""

    line: int
    column: int
    message: str


class JobFileError(UsageError):
    """A job file with one or more problems; `str()` is one `file:line:column: message` per line."""

    def __init__(self, path: str, problems: Sequence[Problem]) -> None:
        self.path = path
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(f"{path}:{p.line}:{p.column}: {p.message}" for p in self.problems))


class SettingsError(UsageError):
    """The tenant, the credentials, the CA or the proxy settings cannot be used."""


class AccessError(RunnerError):
    """The tenant refuses the credential, or the credential may not do this."""

    exit_code = ExitCode.ACCESS


class OutageError(RunnerError):
    """The tenant cannot be reached, or what answers is not its API."""

    exit_code = ExitCode.STOPPED


class NothingSelectedError(RunnerError):
    """The job selects no target."""

    exit_code = ExitCode.NOTHING


class StorageError(RunnerError):
    """The state store or a report could not be read or written."""

    exit_code = ExitCode.STORAGE


class InterruptedRunError(RunnerError):
    """A signal came before the run began; nothing was sent."""

    def __init__(self, number: int, name: str) -> None:
        super().__init__(f"{name} received before anything was sent")
        self.exit_code = ExitCode(128 + number)


class LockedError(RunnerError):
    """Another run of this job on this tenant is under way."""

    exit_code = ExitCode.LOCKED


class WindowError(RunnerError):
    """A window of the library did not begin, or could not end as it should; `result` is the run that says why."""

    exit_code = ExitCode.INCOMPLETE

    def __init__(self, message: str, result: "RunResult") -> None:
        self.result = result
        super().__init__(message)


class ApiError(RunnerError):
    """One request did not succeed; `verdict` says what that means for the target."""

    def __init__(self, verdict: "Verdict") -> None:
        self.verdict = verdict
        super().__init__(verdict.message)


class StoppingError(RunnerError):
    """A wait ended because the run is stopping."""
