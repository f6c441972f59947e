"""What a run has come to, counted, and what it waits for, in words: the ground of every kind of progress."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Self

from runner.api.client import Client
from runner.base.model import Outcome, Planned, Result
from runner.cli.holds import abrupt_text
from runner.cli.listing import words
from runner.cli.logs import notice
from runner.cli.speed import Speed, left_text
from runner.engine.supervisor import Observer
from runner.store import Holding, RunRecord

_WORTH_TELLING = 1000.0  # requests a second: a learned limit above this limits nothing

BAD = (Outcome.FAILED, Outcome.UNKNOWN)


def interrupted_text(signal_name: str, in_flight: int) -> str:
    """That the signal was heard."""
    requests = f"{in_flight} request{'' if in_flight == 1 else 's'} in flight"
    return f"{signal_name} received: nothing new is started, waiting for {requests}; again to leave now"


def asked_to_stop_text(signal_name: str) -> str:
    """Why a signal ends nothing yet."""
    return f"{signal_name} received: what was paused is still being resumed; again to leave it as it is"


class Silent(Observer, AbstractContextManager["Silent"]):
    """Says nothing, unless somebody must know."""

    state_dir: Path | None = None  # where it was given: the commands worth typing name it, too
    holding: Callable[[RunRecord], Holding]  # what a run still keeps paused; of the store that knows the runs

    def abrupt(self, record: RunRecord) -> None:
        """Say that an earlier run left things open, and how to go on with it; nothing if it did not."""
        text = abrupt_text(record, self.holding(record), self.state_dir)
        if text is not None:
            notice(text)

    def asked_to_stop(self, signal_name: str) -> None:
        """Say why the signal ends nothing yet."""
        notice(asked_to_stop_text(signal_name))

    def interrupted(self, signal_name: str, in_flight: int) -> None:
        """Say at once that the signal was heard."""
        notice(interrupted_text(signal_name, in_flight))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to end."""


class Counting(Silent):
    """Knows how far the run is."""

    def __init__(self) -> None:
        self.run_id = ""
        self.done = self.bad = self.total = 0
        self.growing = False  # the plan is not known to its end yet
        self.phase = ""  # what goes on after the list is through, in words
        self.client: Client | None = None
        self.begun = time.monotonic()
        self._speed = Speed()
        self._found: tuple[int, int] | None = None

    def listing(self, apps: int, connectors: int) -> None:
        """Remember what was found so far."""
        self._found = (apps, connectors)

    def started(self, run_id: str, total: int, client: Client) -> None:
        """Remember what the run works on."""
        self.run_id, self.total, self.client = run_id, total, client
        self.growing = not total
        self.begun = time.monotonic()
        self._speed.note(self.begun, 0, 0)

    def planned(self, total: int, *, whole: bool) -> None:
        """The plan has grown, or is known to its end."""
        self.total, self.growing = total, not whole

    def finished(self, planned: Planned, result: Result) -> None:
        """Count."""
        self.done += 1
        self.bad += result.outcome in BAD

    def last_pass(self, targets: int) -> None:
        """Say what the run waits for at the end of the list."""
        self.phase = f"a last try of {targets}"

    def verifying(self) -> None:
        """Say what goes on after the last target."""
        self.phase = "asking the tenant whether it shows the changes"

    def following(self) -> None:
        """Say what the resumed connectors do."""
        self.phase = "following the syncs of what was resumed"

    def tick(self) -> None:
        """Take note of how fast it goes."""
        if self.client is not None:
            self._speed.note(time.monotonic(), self.done, self.client.total.requests)

    @property
    def progress(self) -> str:
        """How far it is, in words."""
        if self._found is not None and not self.run_id:
            return words(*self._found)
        if self.growing and not self.total:
            return "looking for connectors"
        if self.growing:
            return f"{self.done} of {self.total} found so far"
        return f"{self.done} of {self.total}"

    @property
    def trouble(self) -> str:
        """What went wrong so far, in words; empty while nothing did."""
        return f"{self.bad} failed or unknown" if self.bad else ""

    @property
    def waiting(self) -> str:
        """What it waits for, in words; empty while it simply works."""
        if self.client is None:
            return ""
        gate = self.client.turns.snapshot().gate_closed_for
        told, seconds = self.client.told_to_wait
        if self.client.turns.outage:
            return "no answer from the tenant: one request every 30 s until there is"
        if gate > 0:
            return f"server asks for {max(gate, 1):.0f} s"
        if told:
            return f"server asks for {max(seconds, 1):.0f} s ({told} waiting)"
        return self.phase

    @property
    def work(self) -> list[str]:
        """How it works, in words, the most telling ones first."""
        if self.client is None:
            return []
        total, limit, lately = self.client.total, self._limit, self._speed.requests
        words = []
        if lately is not None:
            words.append(_rate(lately) + (f" of about {_rate(limit)}" if limit is not None else ""))
        elif limit is not None:
            words.append(f"limit about {_rate(limit)}")
        if in_flight := self.client.turns.in_flight:
            words.append(f"{in_flight} in flight")
        if total.retries:
            words.append(f"{total.retries} sent again")
        return words

    @property
    def left(self) -> str:
        """The time that is left, in words; empty while it cannot be told honestly."""
        if self.client is None or self.growing or self.phase or self.client.turns.outage or self.done >= self.total:
            return ""
        seconds = self._speed.left(self.total - self.done, limit=self._limit)
        return "" if seconds is None else left_text(seconds + self.client.turns.snapshot().gate_closed_for)

    @property
    def _limit(self) -> float | None:
        """Requests per second that the tenant, or the user, allows; None while nothing limits them."""
        rate = self.client.turns.snapshot().rate if self.client is not None else None
        return rate if rate is not None and rate < _WORTH_TELLING else None


def _rate(rate: float) -> str:
    return f"{rate:.0f}/s" if rate >= 9.95 else f"{rate:.1f}/s"
