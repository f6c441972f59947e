"""What leases ask of one target, around its execution: joining a pause of ours, or being the last to end one.

A pause finds its target paused already ──► ours? join: it stays paused until the last run that wants it so
                                             └─ about to be resumed: wait, read again, and pause it anew
An undo has a target to resume ──► another run wants it paused? leave it to that one
                                    └─ wait out the danger time, read it, and resume it if it is our pause
"""

import logging
import time
from collections.abc import Callable, Mapping

from runner.api.client import Client
from runner.cadence import Cadence
from runner.errors import AccessError, ApiError, ExitCode, StoppingError
from runner.execute import Contended, Executor
from runner.model import STAYS, ConnectorState, Marks, Outcome, Planned, Result, epoch
from runner.policy import CLOCK_SKEW, DANGER_TIME, LAST_LOOK, RECHECK_DELAYS
from runner.stop import Stop
from runner.store import Ending, Journal, Lease, Leases, RunRecord, Standing, Store, TargetRecord

log = logging.getLogger(__name__)

_OPEN = (Outcome.FAILED, Outcome.UNKNOWN, Outcome.NOT_ATTEMPTED)
_FRESH = 5.0  # seconds until a lease is asked about again: others rely on its pause only much later
_SLOW = 15.0  # seconds between later reads of a connector that does not show a pause
_GONE = 404
_UNREAD = "its state could not be read, so it could not be resumed when the window ends: not paused"
_DELETED = "the connector does not exist any more: there is nothing to resume"


class Joiner:
    """The pool's work for a pause: a connector that is paused by us already gets one more lease."""

    def __init__(
        self,
        executor: Executor,
        leases: Leases,
        journal: Journal,
        client: Client,
        stop: Stop,
        wall: Callable[[], float] = time.time,
        *,
        must_know: bool = False,
    ) -> None:
        self._executor = executor
        self._must_know = must_know  # the state before: without it nothing could be resumed by itself
        self._leases = leases
        self._journal = journal
        self._client = client
        self._stop = stop
        self._wall = wall

    async def __call__(self, planned: Planned) -> None:
        """Bring one target to its outcome, as `Executor` does."""
        if planned.since is not None:
            planned, result = await self._resolved(planned)
        else:
            result = self._executor.decide(planned)
        if result is None and planned.unread is not None and self._must_know:
            self._executor.settle(planned, Result(Outcome.FAILED, _UNREAD, error=planned.unread))
        elif result is None:
            await self._pause(planned)
        elif result.outcome is Outcome.UNCHANGED and self._ours(planned):
            await self._join_or_pause(planned)
        else:
            self._executor.settle(planned, result)

    async def _pause(self, planned: Planned) -> None:
        """Pause a target, unless another run here has a lease on it: then join that one, or wait for its resume."""
        try:
            if planned.since is not None and self._leases.contended(planned):  # its intent is recorded already
                raise Contended
            await self._executor.repeat(planned, alone=planned.since is None)
        except Contended:
            await self._join_or_pause(planned)

    async def _resolved(self, planned: Planned) -> tuple[Planned, Result | None]:
        """An uncertain target: paused already, if that is the doing of another run here, and not of its own request."""
        try:
            state = (await self._client.connector(planned.target)).state
        except (ApiError, AccessError, StoppingError):
            return planned, None  # whatever it is, the executor meets it again
        mark, since, till = epoch(state.paused_at), planned.since, planned.till
        own = mark is None or since is None or since - CLOCK_SKEW <= mark <= (till or since) + CLOCK_SKEW
        if own or not self._leases.ours(planned.target, state):
            return planned, None
        planned = planned._replace(before=state, since=None, till=None)
        return planned, self._executor.decide(planned)

    async def _join_or_pause(self, planned: Planned) -> None:
        try:
            again = await self._join(planned)
        except AccessError as error:
            self._stop.request(str(error), ExitCode.ACCESS)
            self._executor.settle(planned, Result(Outcome.NOT_ATTEMPTED, str(error)))
        except StoppingError as error:
            self._executor.settle(planned, Result(Outcome.NOT_ATTEMPTED, str(error)))
        else:
            if again is not None:
                await self._executor.repeat(again)

    async def _join(self, planned: Planned) -> Planned | None:
        """Settle a target by a state that is still true; else return it, to be paused, beside those who have."""
        waited, ended = 0.0, 0
        while True:
            result, ours = self._executor.decide(planned), self._ours(planned)
            if result is not None and not ours:  # somebody else's by now
                self._leases.leave(planned.target)
                self._executor.settle(planned, result)
                return None
            standing = self._standing(planned, paused=ours)
            if standing is Standing.JOINED and result is not None:
                self._executor.settle(planned, result)
                return None
            if standing is not Standing.ENDING and result is None:
                return planned
            ended += standing is Standing.ENDED
            if waited > DANGER_TIME or ended > len(RECHECK_DELAYS):  # who was to end it is gone, or reads lag behind
                return self._taken(planned)
            delay = RECHECK_DELAYS[min(ended, len(RECHECK_DELAYS) - 1)]
            await self._stop.sleep(delay)
            waited += delay
            try:
                planned = planned._replace(before=(await self._client.connector(planned.target)).state)
            except ApiError as error:
                log.debug("target %s could not be read again: %s", planned.target, error)
                return self._taken(planned)

    def _ours(self, planned: Planned) -> bool:
        return planned.before is not None and self._leases.ours(planned.target, planned.before)

    def _taken(self, planned: Planned) -> Planned:
        self._leases.take(planned.target, self._wall())
        return planned

    def _standing(self, planned: Planned, *, paused: bool) -> Standing:
        self._journal.commit()  # others must see the target that the lease is on
        return self._leases.join(planned.target, self._wall(), paused=paused)


class Undoing:
    """The pauses that an undo ends: those of one run that nobody has resumed, and no other run wants."""

    def __init__(self, store: Store, undone: RunRecord, wall: Callable[[], float] = time.time) -> None:
        self._store = store
        self._leases = store.leases(undone.tenant, undone.run)
        self._wall = wall
        self._undone = undone
        self._asked: dict[int, float] = {}  # when the lease on a target was last asked about
        self.unclear: list[Planned] = []  # a request for their pause could still be on its way

    def plan(self) -> list[Planned]:
        """What the undone run still keeps paused: first what is uncertain, then what was paused last.

        At the end stands what has to wait: a pause that got no clear answer a short while ago holds up nothing else.
        """
        now = self._wall()

        def place(item: tuple[Planned, float | None]) -> tuple[int, int]:
            planned, unclear_at = item
            group = 1 if unclear_at is None else 0 if unclear_at + DANGER_TIME <= now else 2
            return group, -planned.seq

        held = self._store.held(self._undone)
        return [planned._replace(seq=seq) for seq, (planned, _) in enumerate(sorted(held, key=place))]

    def end(self, planned: Planned) -> Ending:
        """Begin to end the pause of a target."""
        self._asked[planned.seq] = self._wall()
        ending = self._leases.end(planned.target, self._wall())
        if ending.left_to is None and ending.not_before is not None and self._wall() < ending.not_before + LAST_LOOK:
            self.unclear.append(planned)
        return ending

    def sending(self, planned: Planned) -> str | None:
        """A request is about to leave; why it must not, if another run has come to want the target paused."""
        now = self._wall()
        if now - self._asked.get(planned.seq, 0.0) < _FRESH:
            return None
        left_to = self._leases.end(planned.target, now).left_to
        self._asked[planned.seq] = now
        return None if left_to is None else _left_to(left_to)

    def settle(self, planned: Planned, outcome: Outcome) -> None:
        """A target of the undo has its outcome."""
        self._leases.settle(planned.target, outcome, self._wall())

    def guarded(self, planned: Planned) -> Planned:
        """The target for one more resume, of the pause that was found before the first and of no other."""
        mark = planned.before.paused_at if planned.before else None
        return planned._replace(marks=Marks(frozenset({mark} if mark else ())))

    def judged(self, undo: RunRecord) -> Mapping[Outcome, int]:
        """The outcomes that decide on the exit code: to leave a target to another run is as it should be.

        What looked resumed and turned out not to be is held again.
        """
        stays = 0
        for row in self._store.targets(undo):
            if row.outcome in _OPEN and not _seen_active(row):  # a sync that goes on or fails keeps nothing paused
                self._leases.settle(row.target, row.outcome, self._wall())
            stays += row.outcome is Outcome.SKIPPED and (row.detail or "").startswith(STAYS)
        return {**undo.counts, Outcome.SKIPPED: undo.counts[Outcome.SKIPPED] - stays}


def _seen_active(row: TargetRecord) -> bool:
    """Whether the last that was seen of a target of an undo is that it is not paused."""
    return row.after is not None and not row.after.paused


class Releaser:
    """The pool's work for an undo: resumes what a run keeps paused, if it is the last that does."""

    def __init__(
        self,
        executor: Executor,
        undoing: Undoing,
        cadence: Cadence,
        client: Client,
        stop: Stop,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._executor = executor
        self._undoing = undoing
        self._cadence = cadence
        self._client = client
        self._stop = stop
        self._wall = wall

    async def __call__(self, planned: Planned) -> None:
        """Bring one target to its outcome; nothing is sent for a pause that is not ours."""
        ending = self._undoing.end(planned)
        if ending.left_to is not None:
            self._executor.settle(planned, Result(Outcome.SKIPPED, _left_to(ending.left_to)))
            return
        try:
            state = await self._read_in_turn(planned, ending)
        except AccessError as error:
            self._stop.request(str(error), ExitCode.ACCESS)
            self._executor.settle(planned, Result(Outcome.NOT_ATTEMPTED, str(error)))
        except StoppingError as error:
            self._executor.settle(planned, Result(Outcome.NOT_ATTEMPTED, str(error)))
        except ApiError as error:
            self._executor.settle(planned, _unread(error))
        else:
            await self._resume(planned._replace(before=state, marks=ending.marks))

    async def _read_in_turn(self, planned: Planned, ending: Ending) -> ConnectorState:
        """The state right before the resume; late enough that no request of the pause can still arrive."""
        if ending.not_before is not None:
            await self._stop.sleep(max(0.0, ending.not_before - self._wall()))
        await self._cadence.turn(self._stop)
        state = (await self._client.connector(planned.target)).state
        if not state.paused and self._wall() < ending.shown_at:  # as it was before the pause, perhaps
            state = await self._read_until(planned, ending.shown_at)
        return state

    async def _read_until(self, planned: Planned, shown_at: float) -> ConnectorState:
        """The state as soon as it is paused, or when a pause made long ago would be shown at the latest."""
        delays = iter(RECHECK_DELAYS)
        while True:
            left = shown_at - self._wall()
            await self._stop.sleep(max(0.0, min(next(delays, _SLOW), left)))
            state = (await self._client.connector(planned.target)).state
            if state.paused or left <= 0:
                return state

    async def _resume(self, planned: Planned) -> None:
        if planned.before is not None and planned.before.deleted:
            self._executor.settle(planned, Result(Outcome.SKIPPED, _DELETED))
        elif planned.since is None and (result := self._executor.decide(planned)) is not None:
            self._executor.settle(planned, result)
        else:
            await self._executor.repeat(planned)


def _left_to(lease: Lease) -> str:
    return f"{STAYS}{lease.run_id} (job {lease.job_name}), which still wants it so"


def _unread(error: ApiError) -> Result:
    if error.verdict.status == _GONE:
        return Result(Outcome.SKIPPED, _DELETED, _GONE)
    return Result(Outcome.FAILED, "its state could not be read: not resumed", error.verdict.status, str(error))
