"""What a run has come to, counted, and what it waits for, in words: the ground of every kind of progress."""

import sys
from contextlib import AbstractContextManager, suppress

from runner.api.client import Client
from runner.cli.listing import words
from runner.conduct import Observer
from runner.model import OperationName, Outcome, Planned, Result
from runner.report.text import plain
from runner.store import RunRecord

_WORTH_TELLING = 1000.0  # requests a second: a learned limit above this limits nothing

BAD = (Outcome.FAILED, Outcome.UNKNOWN)


def say(line: str) -> None:
    """A line on stderr; a reader that left must not end the run."""
    with suppress(OSError):
        print(line, file=sys.stderr, flush=True)


class Silent(Observer, AbstractContextManager["Silent"]):
    """Says nothing, unless somebody must know."""

    def abrupt(self, record: RunRecord) -> None:
        """Say that an earlier run left things open, and how to go on with it."""
        uncertain, open_ = record.counts[Outcome.UNKNOWN], record.counts[Outcome.NOT_ATTEMPTED]
        undo = f", `c1-runner undo {record.run_id}` takes it back" if record.operation == OperationName.PAUSE else ""
        say(
            f"c1-runner: run {record.run_id} of job {plain(record.job_name)} ended abruptly: {uncertain} uncertain, "
            f"{open_} not attempted; `c1-runner continue {record.run_id}` finishes it{undo}"
        )

    def asked_to_stop(self, signal_name: str) -> None:
        """Say why the signal ends nothing yet."""
        say(f"c1-runner: {signal_name} received: what was paused is still being resumed; again to leave it as it is")

    def interrupted(self, signal_name: str, in_flight: int) -> None:
        """Say at once that the signal was heard."""
        requests = f"{in_flight} request{'' if in_flight == 1 else 's'} in flight"
        say(f"c1-runner: {signal_name} received: nothing new is started, waiting for {requests}; again to leave now")

    def __exit__(self, *_: object) -> None:
        """Nothing to end."""


class Counting(Silent):
    """Knows how far the run is."""

    def __init__(self) -> None:
        self.run_id = ""
        self.done = self.bad = self.total = 0
        self.growing = False  # the plan is not known to its end yet
        self.client: Client | None = None
        self._found: tuple[int, int] | None = None

    def listing(self, apps: int, connectors: int) -> None:
        """Remember what was found so far."""
        self._found = (apps, connectors)

    def started(self, run_id: str, total: int, client: Client) -> None:
        """Remember what the run works on."""
        self.run_id, self.total, self.client = run_id, total, client

    def planned(self, total: int, *, whole: bool) -> None:
        """The plan has grown, or is known to its end."""
        self.total, self.growing = total, not whole

    def finished(self, planned: Planned, result: Result) -> None:
        """Count."""
        self.done += 1
        self.bad += result.outcome in BAD

    @property
    def progress(self) -> str:
        """How far it is, in words."""
        if self._found is not None and not self.run_id:
            return words(*self._found)
        return f"{self.done} of {self.total}{' found so far' if self.growing else ''}"

    @property
    def state(self) -> str:
        """What it waits for, in words; empty while it simply works."""
        if self.client is None:
            return ""
        turns = self.client.turns
        pace = turns.snapshot()
        if turns.outage:
            return "the tenant does not answer: one request every half minute until it does"
        if pace.gate_closed_for > 0:
            return f"the tenant asks to wait {pace.gate_closed_for:.0f} s"
        if pace.rate is not None and pace.rate < _WORTH_TELLING:
            return f"limit about {pace.rate:.2g}/s"
        return ""
