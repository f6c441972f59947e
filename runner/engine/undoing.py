"""The pauses that an undo ends, as the store has them: one run's, less what another run still wants paused."""

import time
from collections.abc import Callable, Mapping

from runner.base.model import Outcome, Planned, Result
from runner.base.pauses import Moment
from runner.base.policy import DANGER_TIME, LAST_LOOK
from runner.base.stop import now
from runner.store import Ending, RunRecord, Store, TargetRecord

_OPEN = (Outcome.FAILED, Outcome.UNKNOWN, Outcome.NOT_ATTEMPTED)
_FRESH = 5.0  # seconds until a lease is asked about again: others rely on its pause only much later


class Undoing:
    """The pauses that an undo ends: those of one run that nobody has resumed, and no other run wants."""

    def __init__(self, store: Store, undone: RunRecord, wall: Callable[[], float] = time.time) -> None:
        self.tenant_time: Callable[[], float | None] = lambda: None  # now, at the earliest, as soon as it is known
        self._store = store
        self._leases = store.leases(undone.tenant, undone.run)
        self._wall = wall
        self._undone = undone
        self._asked: dict[int, float] = {}  # when the lease on a target was last asked about, loop time
        self.unclear: list[Planned] = []  # a request for their pause could still be on its way

    def plan(self, *, left_too: bool = False) -> list[Planned]:
        """What the undone run still keeps paused: first what is uncertain, then what was paused last.

        At the end stands what has to wait: a pause that got no clear answer a short while ago holds up nothing else.
        With `left_too` also what an earlier undo has left alone, because it was somebody else's by then.
        """
        now = self._wall()

        def place(item: tuple[Planned, float | None]) -> tuple[int, int]:
            planned, unclear_at = item
            group = 1 if unclear_at is None else 0 if unclear_at + DANGER_TIME <= now else 2
            return group, -planned.seq

        held = self._store.held(self._undone) + (self._store.left(self._undone) if left_too else [])
        return [planned._replace(seq=seq) for seq, (planned, _) in enumerate(sorted(held, key=place))]

    def end(self, planned: Planned) -> Ending:
        """Begin to end the pause of a target."""
        self._asked[planned.seq] = now()
        ending = self._leases.end(planned.target, self._moment())
        if ending.left_to is None and ending.safe_in is not None and ending.safe_in + LAST_LOOK > 0:
            self.unclear.append(planned)
        return ending

    def sending(self, planned: Planned) -> Result | None:
        """A request is about to leave; its outcome instead, if another run has come to want the target paused."""
        moment = now()
        if moment - self._asked.get(planned.seq, -_FRESH) < _FRESH:
            return None
        ending = self._leases.end(planned.target, self._moment())
        self._asked[planned.seq] = moment
        return left_to(ending)

    def _moment(self) -> Moment:
        return Moment(self._wall(), self.tenant_time())

    def settle(self, planned: Planned, result: Result) -> None:
        """A target of the undo has its outcome; what cannot be told to be somebody else's is held on."""
        outcome = Outcome.UNKNOWN if result.undecided else result.outcome
        self._leases.settle(planned.target, outcome, self._wall())

    def judged(self, undo: RunRecord) -> Mapping[Outcome, int]:
        """The outcomes that decide on the exit code: to leave a target to another run is as it should be.

        What looked resumed and turned out not to be is held again.
        """
        stays = 0
        for row in self._store.targets(undo):
            if row.outcome in _OPEN and not _seen_active(row):  # a sync that goes on or fails keeps nothing paused
                self._leases.settle(row.target, row.outcome, self._wall())
            stays += row.outcome is Outcome.SKIPPED and row.left_to is not None
        return {**undo.counts, Outcome.SKIPPED: undo.counts[Outcome.SKIPPED] - stays}


def _seen_active(row: TargetRecord) -> bool:
    """Whether the last that was seen of a target of an undo is that it is not paused."""
    return row.after is not None and not row.after.paused


def left_to(ending: Ending) -> Result | None:
    """The outcome of a target that another run still wants paused; None if none does.

    Where this run had read it as active after the other one's pause, that run may be over: it is no good end then.
    """
    lease = ending.left_to
    if lease is None:
        return None
    if not ending.contradicted:
        words = f"stays paused for run {lease.run_id} (job {lease.job_name}), which still wants it so"
        return Result(Outcome.SKIPPED, words, left_to=lease.run_id)
    words = (
        f"left paused for run {lease.run_id} (job {lease.job_name}), which had paused it earlier, although this "
        f"run read it as active: `c1-runner undo {lease.run_id}` resumes it"
    )
    return Result(Outcome.SKIPPED, words)
