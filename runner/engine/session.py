"""What a run works with: what it is given from outside, who is told of it, and what it has of its own."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import NamedTuple

from runner.api.client import Client
from runner.base.model import Job, Planned, Result
from runner.base.operations import OPERATIONS
from runner.base.pauses import Moment
from runner.base.settings import Settings
from runner.base.signals import Signals, heed
from runner.base.stop import Stop, now
from runner.store import Journal, RunRecord, Store


class Observer:
    """Told of what a run does, for progress; every method may be left as it is."""

    tick_every: float | None = None
    """Seconds between calls of `tick`, if there are to be any."""

    def tick(self) -> None:
        """Time has passed, whether or not anything has happened."""

    def abrupt(self, record: RunRecord) -> None:
        """An earlier run of this job ended without an account, and may have left targets uncertain."""

    def listing(self, apps: int, connectors: int) -> None:
        """The tenant is being listed, and has at least so many."""

    def started(self, run_id: str, total: int, client: Client) -> None:
        """The plan is durable; `total` targets are to be worked on."""

    def finished(self, planned: Planned, result: Result) -> None:
        """A target has its outcome."""

    def planned(self, total: int, *, whole: bool) -> None:
        """The plan has grown to `total` targets; unless it is `whole`, it may grow further."""

    def asked_to_stop(self, signal_name: str) -> None:
        """A signal that is only noted: what is under way had better be finished."""

    def interrupted(self, signal_name: str, in_flight: int) -> None:
        """The first signal: nothing new is started, `in_flight` requests come to their end."""

    def following(self) -> None:
        """What was resumed is syncing; its syncs are followed to their end."""

    def last_pass(self, targets: int) -> None:
        """The list is through; so many targets, put off meanwhile, get their last try in a moment."""

    def verifying(self) -> None:
        """All targets have their outcome; the tenant is asked whether it shows them."""


class Context(NamedTuple):
    """What a run needs from outside."""

    settings: Settings
    store: Store
    observer: Observer = Observer()
    include_anomalies: bool = False
    include_protected: bool = False
    signals: bool = False  # whether to handle SIGINT, SIGTERM and SIGHUP
    heard: Signals | None = None  # those that are heeded already, by what this run is a part of
    patience: int = 0  # signals that are only noted before one ends the run
    lock_wait: float = 0.0  # seconds to wait for another run of the same job to end
    windowed: bool = False  # a command runs while the pauses last
    living: ExitStack | None = None  # of the window that this run opens: takes what says that it lives
    sync_wait: float | None = None  # seconds an undo waits at most for the syncs that it starts; None: not at all
    wall: Callable[[], float] = time.time

    def heed(self) -> AbstractContextManager[Signals]:
        """The signals that end the run, heeded within the block."""
        if self.heard is not None or not self.signals:
            return nullcontext(self.heard or Signals(None))
        return heed()


class Session:
    """One run at work, from the first request to the account."""

    def __init__(self, job: Job, context: Context, run_id: str, client: Client, stop: Stop, journal: Journal) -> None:
        self.job = job
        self.context = context
        self.run_id = run_id
        self.client = client
        self.stop = stop
        self.journal = journal
        self.store = context.store
        self.wall = context.wall
        self.operation = OPERATIONS[job.operation]
        self._began = context.wall() - now()  # our clock when the loop's stood at 0, as it is set now

    @property
    def record(self) -> RunRecord:
        """The run as the store has it, without what was not committed yet."""
        return self.store.run(self.run_id)

    @property
    def opened(self) -> Moment:
        """When this process has begun to ask the tenant: whatever it read was so later."""
        opened_at = self.client.opened_at
        return Moment(self._began + opened_at, self.client.tenant_time.earliest(opened_at))

    @property
    def ends_at(self) -> float:
        """Now, epoch seconds: so long after the start as it took, whatever our clock was set to meanwhile."""
        return self._began + now()

    @property
    def sees_pauses(self) -> bool:
        """Whether this credential was shown a pause by an earlier run: one that may not see any believes none."""
        return self.store.sees_marks(self.context.settings.tenant, self.context.settings.identity)
