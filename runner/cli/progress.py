"""Progress on stderr: two lines that change on a terminal, a line a minute elsewhere, JSON for programs, or nothing."""

import json
import logging
import os
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from runner.api.client import Client
from runner.base.model import Planned, Result
from runner.cli.counting import BAD, Counting, Silent, asked_to_stop_text, interrupted_text
from runner.cli.holds import abrupt_text
from runner.cli.logs import notice
from runner.cli.screen import Live, say
from runner.report.text import json_safe, plain, shortened
from runner.store import RunRecord, Store

if TYPE_CHECKING:
    from runner.cli.bar import Picture

LINE_EVERY = 60.0
"""Seconds between lines where there is no terminal."""


class Lines(Counting):
    """A line at the start, one a minute, one at the end."""

    tick_every = 1.0

    def __init__(self) -> None:
        super().__init__()
        self._next = time.monotonic() + LINE_EVERY

    def listing(self, apps: int, connectors: int) -> None:
        """Say how far the listing is when a minute is over."""
        super().listing(apps, connectors)
        if not self.run_id and time.monotonic() >= self._next:
            self._next += LINE_EVERY
            notice(f"listing: {self.progress}", level=logging.INFO, prefix="")

    def started(self, run_id: str, total: int, client: Client) -> None:
        """Say what begins."""
        super().started(run_id, total, client)
        self._say(_connectors(total))

    def tick(self) -> None:
        """Say how far it is when a minute is over."""
        super().tick()
        now = time.monotonic()
        if now >= self._next:
            self._next = now + LINE_EVERY
            self._say(f"{self.progress} done", self.trouble, self.waiting, *self.work, self.left)

    def __exit__(self, *_: object) -> None:
        if self.run_id:
            self._say(f"{self.progress} done", self.trouble)

    def _say(self, *words: str) -> None:
        notice(f"run {self.run_id}: {', '.join(filter(None, words))}", level=logging.INFO, prefix="")


def _connectors(total: int) -> str:
    if not total:
        return "a selection of connectors"
    return f"{total} connector{'' if total == 1 else 's'}"


class JsonLines(Counting):
    """An object per event, and one a minute that says how far it is."""

    tick_every = 1.0

    def __init__(self) -> None:
        super().__init__()
        self._next = time.monotonic() + LINE_EVERY
        self._whole = True

    def started(self, run_id: str, total: int, client: Client) -> None:
        """The run begins."""
        super().started(run_id, total, client)
        self._say("started", targets=total)

    def planned(self, total: int, *, whole: bool) -> None:
        """The plan begins to grow, or is known to its end; not every target that is found."""
        super().planned(total, whole=whole)
        if whole is not self._whole:
            self._whole = whole
            self._say("planned", targets=total, whole=whole)

    def finished(self, planned: Planned, result: Result) -> None:
        """A target is done."""
        super().finished(planned, result)
        self._say(
            "finished",
            target=str(planned.target),
            name=planned.connector_name,
            outcome=result.outcome,
            error=result.error,
            done=self.done,
            targets=self.total,
        )

    def tick(self) -> None:
        """How far it is, when a minute is over."""
        super().tick()
        now = time.monotonic()
        if now >= self._next:
            self._next = now + LINE_EVERY
            self._say(
                "progress", done=self.done, targets=self.total, bad=self.bad, state=self.waiting or ", ".join(self.work)
            )

    def last_pass(self, targets: int) -> None:
        """The list is through."""
        super().last_pass(targets)
        self._say("last_pass", targets=targets)

    def verifying(self) -> None:
        """All targets are done."""
        super().verifying()
        self._say("verifying")

    def following(self) -> None:
        """What was resumed is syncing."""
        super().following()
        self._say("following")

    def abrupt(self, record: RunRecord) -> None:
        """An earlier run left things open."""
        holding = self.holding(record)
        text = abrupt_text(record, holding, self.state_dir)
        if text is not None:
            self._say("abrupt", earlier=record.run_id, held=holding.connectors, message=text)

    def asked_to_stop(self, signal_name: str) -> None:
        """A signal was heard that ends nothing yet."""
        self._say("asked_to_stop", signal=signal_name, message=asked_to_stop_text(signal_name))

    def interrupted(self, signal_name: str, in_flight: int) -> None:
        """A signal was heard."""
        self._say("interrupted", signal=signal_name, message=interrupted_text(signal_name, in_flight))

    def __exit__(self, *_: object) -> None:
        if self.run_id:
            self._say("ended", done=self.done, targets=self.total, bad=self.bad)

    def _say(self, event: str, **facts: Any) -> None:
        say(json_safe(json.dumps({"event": event, "run_id": self.run_id or None} | facts, ensure_ascii=False)))


class Bar(Counting):
    """Two lines that change in their place; above them each failure as it comes."""

    tick_every = 0.2

    def __init__(self) -> None:
        super().__init__()
        self._stack = ExitStack()
        self._picture: Picture | None = None
        self._live: Live | None = None
        self._next_look = 0.0

    def __enter__(self) -> Self:
        from runner.cli.bar import Picture

        self._picture = Picture(self)
        self._live = self._stack.enter_context(Live(self._picture))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def tick(self) -> None:
        """Draw it anew: a wait is counted down even when nothing happens."""
        super().tick()
        if self._live is not None and self.run_id:
            self._live.refresh()

    def listing(self, apps: int, connectors: int) -> None:
        """Show that the plan is being made."""
        super().listing(apps, connectors)
        now = time.monotonic()
        if self._live is not None and not self.run_id and now >= self._next_look:
            self._next_look = now + self.tick_every
            self._live.refresh()

    def finished(self, planned: Planned, result: Result) -> None:
        """A failure gets a line of its own, which stays."""
        super().finished(planned, result)
        if self._picture is not None and result.outcome in BAD:
            name = f"{shortened(planned.connector_name, 60)}  " if planned.connector_name else ""
            why = plain(result.error or result.detail or "no reason is recorded")
            say(self._picture.failure(result.outcome, f"{name}{planned.target}: {why}"))


def observer(kind: str, store: Store, *, quiet: bool, state_dir: Path | None = None) -> Silent:
    """The observer for `--progress`; use it as a context manager around the run.

    A bar needs a terminal that can move its cursor: without one there are lines. `store` knows the earlier runs.
    `state_dir` is where the user has the state, if that was said: the commands that are worth typing next name it, too.
    """
    shown = _observer(kind, quiet=quiet)
    shown.state_dir, shown.holding = state_dir, store.holding
    return shown


def _observer(kind: str, *, quiet: bool) -> Silent:
    if quiet or kind == "none":
        return Silent()
    if kind == "json":
        return JsonLines()
    if kind in ("auto", "bar") and sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        return Bar()
    return Lines()
