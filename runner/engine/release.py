"""Ending pauses: what a run keeps paused is resumed, if that run is the last of ours that wants it so.

undo has a target ─► another run wants it paused? leave it to that one
                      └─ wait out the danger time, read it ─┬─ paused by a mark of ours ─► resume
                                                            ├─ active, or gone: is that proven? ─► nothing to do
                                                            └─ anybody else's, or not to be told ─► left alone, said
"""

import time
from collections.abc import Callable, Mapping
from contextlib import aclosing, suppress

import anyio

from runner.api.client import Client
from runner.base.errors import AccessError, ApiError, ExitCode, StoppingError
from runner.base.model import (
    AttemptClass,
    ConnectorState,
    Mark,
    Marks,
    Outcome,
    PauseKind,
    Planned,
    Result,
    Verdict,
    is_id,
)
from runner.base.pauses import Moment
from runner.base.policy import DANGER_TIME, LAST_LOOK, READ_LAG, RECHECK_DELAYS
from runner.base.stop import Stop, now
from runner.engine.cadence import Cadence
from runner.engine.execute import Executor
from runner.store import Ending, RunRecord, Store, TargetRecord

_OPEN = (Outcome.FAILED, Outcome.UNKNOWN, Outcome.NOT_ATTEMPTED)
_FRESH = 5.0  # seconds until a lease is asked about again: others rely on its pause only much later
_SLOW = 15.0  # seconds between later reads of a connector that does not show a pause
_GONE = 404
_DELETED = "the connector does not exist any more: there is nothing to resume"
_NONE_EXIST = "C1 says that it does not exist, as it says of all others: whose tenant is this? Still held as paused"
_INVISIBLE = (
    "it reads as active, but this credential was never shown the mark of a pause on this tenant, and may not see any: "
    "look at it in C1. It is still held as paused; `c1-runner resume {}` ends that"
)
_APPS_TO_ASK = 50
"""Apps whose connectors are listed at most, to find out whether this credential sees any pause."""


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
        return _left_to(ending)

    def _moment(self) -> Moment:
        return Moment(self._wall(), self.tenant_time())

    def settle(self, planned: Planned, result: Result) -> None:
        """A target of the undo has its outcome; what cannot be told to be somebody else's is held on."""
        outcome = Outcome.UNKNOWN if result.undecided else result.outcome
        self._leases.settle(planned.target, outcome, self._wall())

    def guarded(self, planned: Planned) -> Planned:
        """The target for one more resume, of the pause that was found before the first and of no other."""
        mark = Mark.of(planned.before)
        return planned._replace(marks=Marks(() if mark is None else (mark,)))

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


class Absences:
    """Proves that connectors do not exist any more: by C1's own word, and by a listing that was read to its end."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._listed: dict[str, set[str] | None] = {}  # by app id; None: the app itself is gone
        self._apps: set[str] | None = None

    async def proven(self, planned: Planned) -> bool:
        """Whether a connector that C1 says does not exist is missing in the listing, too; raises `ApiError`."""
        app_id, connector_id, _ = planned.target
        if app_id not in self._listed:
            self._client.distrust()
            self._listed[app_id] = await self._list(app_id)
        listed = self._listed[app_id]
        return listed is None or connector_id not in listed

    async def _list(self, app_id: str) -> set[str] | None:
        found: set[str] = set()
        try:
            async with aclosing(self._client.connectors(app_id)) as pages:
                async for page in pages:
                    found.update(each.connector_id for each in page.connectors if not each.state.deleted)
        except ApiError as error:
            if error.verdict.missing and app_id not in await self._all_apps():
                return None
            raise
        return found

    async def _all_apps(self) -> set[str]:
        if self._apps is None:
            self._client.distrust()
            async with aclosing(self._client.apps()) as pages:
                self._apps = {app.app_id async for page in pages for app in page if not app.deleted}
        if not self._apps:  # an empty tenant is one that this credential may not see
            raise ApiError(Verdict(AttemptClass.AMBIGUOUS, "the tenant lists no app at all"))
        return self._apps


class Releaser:
    """The pool's work for an undo: resumes what a run keeps paused, if it is the last that does.

    `sees_pauses` says whether this credential has been shown a pause before: one that may not see any reads every
    connector as active. `streak` is how many connectors in a row may be gone before it is taken for a mistake.
    """

    def __init__(
        self,
        executor: Executor,
        undoing: Undoing,
        client: Client,
        stop: Stop,
        wall: Callable[[], float],
        *,
        resume_rate: float,
        streak: int,
        sees_pauses: bool,
        c1s_own_too: bool = False,
    ) -> None:
        self._executor = executor
        self._undoing = undoing
        undoing.tenant_time = lambda: client.tenant_time.earliest(now())
        self._cadence = Cadence(resume_rate)
        self._client = client
        self._stop = stop
        self._wall = wall
        self._streak = streak
        self._sees_pauses = sees_pauses
        self._c1s_own_too = c1s_own_too
        self._absences = Absences(client)
        self._gone: list[Planned] = []  # as long as none was found that exists
        self._some_exist = False
        self._looking = anyio.Lock()
        self._looked = False  # for any pause at all

    async def __call__(self, planned: Planned) -> None:
        """Bring one target to its outcome; nothing is sent for a pause that is not ours."""
        ending = self._undoing.end(planned)
        if (left := _left_to(ending)) is not None:
            self._executor.settle(planned, left)
            return
        try:
            state = await self._state(planned, ending)
        except AccessError as error:
            self._stop.request(str(error), ExitCode.ACCESS)
            self._executor.settle(planned, Result(Outcome.NOT_ATTEMPTED, str(error)))
        except StoppingError as error:
            self._executor.settle(planned, Result(Outcome.NOT_ATTEMPTED, str(error)))
        except ApiError as error:
            verdict, words = error.verdict, "its state could not be read: not resumed"
            result = Result(Outcome.FAILED, words, verdict.status, str(error), verdict=verdict)
            self._executor.settle(planned, result)
        else:
            if state is None:
                self._note_gone(planned)
                return
            self._some_exist = True
            await self._resume(planned._replace(before=state, marks=ending.marks))

    def drained(self) -> None:
        """Settle what is gone: for good, unless everything is, which says more of the tenant than of the connectors."""
        gone, self._gone = self._gone, []
        doubtful = not self._some_exist and len(gone) >= self._streak
        for planned in gone:
            if doubtful:
                result = Result(Outcome.FAILED, _NONE_EXIST, _GONE, "not found")
            else:
                result = Result(Outcome.SKIPPED, _DELETED)
            self._executor.settle(planned, result)

    def _note_gone(self, planned: Planned) -> None:
        self._gone.append(planned)
        if self._some_exist:
            self.drained()
        elif len(self._gone) >= self._streak:
            words = f"none of the first {len(self._gone)} connectors exists: whose tenant is this?"
            self._stop.request(words, ExitCode.STOPPED)

    async def _state(self, planned: Planned, ending: Ending) -> ConnectorState | None:
        """The state right before the resume; None if the connector is gone for certain. Raises as the client does."""
        try:
            state = await self._read_in_turn(planned, ending)
        except ApiError as error:
            if error.verdict.missing and await self._absences.proven(planned):
                return None
            raise
        return None if state.deleted else state

    async def _read_in_turn(self, planned: Planned, ending: Ending) -> ConnectorState:
        """The state, late enough that no request of the pause can still arrive."""
        began = now()
        if ending.safe_in is not None:  # however the clock was set meanwhile, nothing takes longer
            await self._stop.sleep(min(max(0.0, ending.safe_in), DANGER_TIME))
        await self._cadence.turn(self._stop)
        state = (await self._client.connector(planned.target)).state
        left = min(ending.shown_in, READ_LAG + DANGER_TIME) - (now() - began)
        if not state.paused and left > 0 and not _resumed(state, ending.marks):
            state = await self._read_until(planned, ending.marks, left)
        return state

    async def _read_until(self, planned: Planned, marks: Marks, seconds: float) -> ConnectorState:
        """The state as soon as it is paused, or resumed for certain, or when every read would show the pause."""
        delays, ends_at = iter(RECHECK_DELAYS), now() + seconds
        while True:
            left = ends_at - now()
            await self._stop.sleep(max(0.0, min(next(delays, _SLOW), left)))
            state = (await self._client.connector(planned.target)).state
            if state.paused or left <= 0 or _resumed(state, marks):
                return state

    async def _resume(self, planned: Planned) -> None:
        if self._overrides(planned):
            planned = self._undoing.guarded(planned)
        state = planned.before
        if state is not None and not state.paused and not await self._believed(planned, state):
            self._executor.settle(planned, Result(Outcome.UNKNOWN, _INVISIBLE.format(planned.target)))
        elif planned.since is None and (result := self._executor.decide(planned)) is not None:
            self._executor.settle(planned, result)
        else:
            await self._executor.repeat(planned)

    def _overrides(self, planned: Planned) -> bool:
        """Whether this is a pause of C1's own, and such ones are to be resumed as well."""
        state, kinds = planned.before, (PauseKind.ANOMALY, PauseKind.SYSTEM)
        return self._c1s_own_too and state is not None and state.kind in kinds

    async def _believed(self, planned: Planned, state: ConnectorState) -> bool:
        """Whether a connector that shows no pause has none: silence alone does not say so."""
        if self._sees_pauses or self._client.sees_marks or _resumed(state, planned.marks or Marks()):
            return True
        async with self._looking:
            if not self._looked:
                self._looked = True
                await self._look_for_any_pause()
        return self._client.sees_marks

    async def _look_for_any_pause(self) -> None:
        """List some apps until a pause is shown: then this credential sees them."""
        left = _APPS_TO_ASK
        with suppress(ApiError, AccessError, StoppingError):
            async with aclosing(self._client.apps()) as pages:
                async for app in (app async for page in pages for app in page if is_id(app.app_id)):
                    async with aclosing(self._client.connectors(app.app_id)) as listing:
                        async for _ in listing:
                            pass
                    left -= 1
                    if self._client.sees_marks or not left:
                        return


def _resumed(state: ConnectorState, marks: Marks) -> bool:
    """Whether a read that shows no pause is later than the end of ours, and not one that lags behind it."""
    return any(state.synced_since(mark.at) for mark in marks.known)


def _left_to(ending: Ending) -> Result | None:
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
