"""Progress on stderr: a bar on a terminal, a line a minute elsewhere, JSON for programs, or nothing."""

import json
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from runner.api.client import Client
from runner.cli.counting import BAD, Counting, Silent, say
from runner.model import Planned, Result
from runner.report.text import plain, shortened

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

LINE_EVERY = 60.0
"""Seconds between lines where there is no terminal."""


class Lines(Counting):
    """A line a minute; `chatty` adds one at the start and one at the end."""

    def __init__(self, *, chatty: bool) -> None:
        super().__init__()
        self._chatty = chatty
        self._next = time.monotonic() + LINE_EVERY

    def listing(self, apps: int, connectors: int) -> None:
        """Say how far the listing is when a minute is over."""
        super().listing(apps, connectors)
        if not self.run_id and time.monotonic() >= self._next:
            self._next += LINE_EVERY
            say(f"listing: {self.progress}")

    def started(self, run_id: str, total: int, client: Client) -> None:
        """Say what begins, if asked to."""
        super().started(run_id, total, client)
        if self._chatty:
            say(f"run {run_id}: {total or 'a selection of'} connectors")

    tick_every = 1.0

    def tick(self) -> None:
        """Say how far it is when a minute is over."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + LINE_EVERY
            self._say_how_far()

    def __exit__(self, *_: object) -> None:
        if self._chatty:
            self._say_how_far()

    def _say_how_far(self) -> None:
        extra = "".join(
            f", {words}" for words in (f"{self.bad} failed or unknown" if self.bad else "", self.state) if words
        )
        say(f"run {self.run_id}: {self.progress} done{extra}")


class JsonLines(Silent):
    """An object per event."""

    def __init__(self) -> None:
        self._whole = True

    def started(self, run_id: str, total: int, client: Client) -> None:
        """The run begins."""
        say(json.dumps({"event": "started", "run_id": run_id, "targets": total}))

    def planned(self, total: int, *, whole: bool) -> None:
        """The plan begins to grow, or is known to its end; not every target that is found."""
        if whole is not self._whole:
            self._whole = whole
            say(json.dumps({"event": "planned", "targets": total, "whole": whole}))

    def finished(self, planned: Planned, result: Result) -> None:
        """A target is done."""
        line = {"event": "finished", "target": str(planned.target), "outcome": result.outcome, "error": result.error}
        say(json.dumps(line))

    def verifying(self) -> None:
        """All targets are done."""
        say(json.dumps({"event": "verifying"}))


class Bar(Counting):
    """A bar; above it each failure as it comes, in it what the run is waiting for."""

    def __init__(self) -> None:
        super().__init__()
        self._stack = ExitStack()
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._next_look = 0.0

    tick_every = 0.2

    def tick(self) -> None:
        """Draw it anew: a wait is counted down even when nothing happens."""
        if self._bar is not None:
            self._bar.refresh()

    def __enter__(self) -> Self:
        from runner.cli.bar import bar

        self._bar = self._stack.enter_context(bar(self))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def listing(self, apps: int, connectors: int) -> None:
        """Show that the plan is being made."""
        super().listing(apps, connectors)
        if self._bar is not None and self._task is None:
            self._task = self._bar.add_task("listing", total=None)
        now = time.monotonic()
        if self._bar is not None and not self.run_id and now >= self._next_look:
            self._next_look = now + self.tick_every
            self._bar.refresh()

    def started(self, run_id: str, total: int, client: Client) -> None:
        """Draw the bar."""
        super().started(run_id, total, client)
        if self._bar is not None and self._task is not None:
            self._bar.remove_task(self._task)
        if self._bar is not None:
            self._task = self._bar.add_task("", total=total or None)

    def planned(self, total: int, *, whole: bool) -> None:
        """Lengthen the bar."""
        super().planned(total, whole=whole)
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, total=total)

    def finished(self, planned: Planned, result: Result) -> None:
        """Move the bar on; a failure gets a line of its own above it."""
        super().finished(planned, result)
        if self._bar is None or self._task is None:
            return
        self._bar.update(self._task, advance=1)
        if result.outcome in BAD:
            name = f"{shortened(planned.connector_name, 60)}  " if planned.connector_name else ""
            why = plain(result.error or result.detail or "")
            self._bar.console.print(
                f"{result.outcome}: {name}{planned.target}: {why}", markup=False, highlight=False, soft_wrap=True
            )

    def verifying(self) -> None:
        """Say what goes on after the last target."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, description="verifying")


def observer(kind: str, *, quiet: bool) -> Silent:
    """The observer for `--progress`; use it as a context manager around the run."""
    if quiet or kind == "none":
        return Silent()
    if kind == "json":
        return JsonLines()
    if kind == "bar" or (kind == "auto" and sys.stderr.isatty()):
        return Bar()
    return Lines(chatty=kind == "text")
