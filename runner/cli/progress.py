"""Progress on stderr: a bar on a terminal, a line a minute elsewhere, nothing in between."""

import sys
import time
from contextlib import AbstractContextManager, ExitStack, suppress
from typing import TYPE_CHECKING, Self

from runner.api.client import Client
from runner.conduct import Observer
from runner.model import Outcome, Planned, Result
from runner.store import RunRecord

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

LINE_EVERY = 60.0
"""Seconds between lines where there is no terminal; a shorter run prints none."""


def _say(line: str) -> None:
    with suppress(OSError):  # a reader of stderr that left must not end the run
        print(line, file=sys.stderr, flush=True)


class Silent(Observer, AbstractContextManager["Silent"]):
    """Says nothing, unless somebody must know."""

    def abrupt(self, record: RunRecord) -> None:
        """Say that an earlier run left things open, and how to go on with it."""
        uncertain, open_ = record.counts[Outcome.UNKNOWN], record.counts[Outcome.NOT_ATTEMPTED]
        _say(
            f"c1-runner: run {record.run_id} of this job ended abruptly: {uncertain} uncertain, {open_} not attempted; "
            f"`c1-runner continue {record.run_id}` finishes it"
        )

    def interrupted(self, signal_name: str, in_flight: int) -> None:
        """Say at once that the signal was heard."""
        requests = f"{in_flight} request{'' if in_flight == 1 else 's'} in flight"
        _say(f"c1-runner: {signal_name} received: nothing new is started, waiting for {requests}; again to leave now")

    def __exit__(self, *_: object) -> None:
        """Nothing to end."""


class Lines(Silent):
    """A line a minute."""

    def __init__(self) -> None:
        self._done = self._bad = self._total = 0
        self._next = time.monotonic() + LINE_EVERY

    def started(self, run_id: str, total: int, client: Client) -> None:
        """Remember how many there are."""
        self._total = total

    def finished(self, planned: Planned, result: Result) -> None:
        """Count, and say so when a minute is over."""
        self._done += 1
        self._bad += result.outcome in (Outcome.FAILED, Outcome.UNKNOWN)
        now = time.monotonic()
        if now >= self._next:
            self._next = now + LINE_EVERY
            _say(f"{self._done} of {self._total} done, {self._bad} failed or unknown")


class Bar(Silent):
    """A bar that says in words what the run is waiting for."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._client: Client | None = None
        self._bad = 0

    def __enter__(self) -> Self:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self._progress = self._stack.enter_context(
            Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("{task.fields[note]}"),
                console=Console(stderr=True),
                transient=True,
            )
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def started(self, run_id: str, total: int, client: Client) -> None:
        """Draw the bar."""
        self._client = client
        if self._progress is not None:
            self._task = self._progress.add_task(run_id, total=total, note="")

    def finished(self, planned: Planned, result: Result) -> None:
        """Move the bar on."""
        self._bad += result.outcome in (Outcome.FAILED, Outcome.UNKNOWN)
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, advance=1, note=self._note())

    def verifying(self) -> None:
        """Say what goes on after the last target."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, note="verifying")

    def _note(self) -> str:
        parts = [f"{self._bad} failed or unknown"] if self._bad else []
        if self._client is not None and self._client.total.throttled:
            parts.append(f"{self._client.total.throttled} throttled")
        return ", ".join(parts)


def observer(kind: str, *, quiet: bool) -> Silent:
    """The observer for `--progress`; use it as a context manager around the run."""
    if quiet or kind == "none":
        return Silent()
    if kind == "bar" or (kind == "auto" and sys.stderr.isatty()):
        return Bar()
    return Lines()
