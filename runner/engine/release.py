"""Ending pauses: what a run keeps paused is resumed, if that run is the last of ours that wants it so.

undo has a target ─► another run wants it paused? leave it to that one
                      └─ wait out the danger time, read it ─┬─ paused by a mark of ours ─► resume
                                                            ├─ active, or gone: is that proven? ─► nothing to do
                                                            └─ anybody else's, or not to be told ─► left alone, said
"""

from collections.abc import Mapping
from contextlib import aclosing, suppress

import anyio

from runner.base.errors import ApiError, ExitCode, StoppingError
from runner.base.model import ConnectorState, Mark, Marks, Outcome, PauseKind, Planned, Result, is_id
from runner.base.policy import DANGER_TIME, READ_LAG, RECHECK_DELAYS
from runner.base.stop import now
from runner.engine.absence import Absences
from runner.engine.cadence import Cadence
from runner.engine.followup import Followup
from runner.engine.plan import Plan
from runner.engine.purpose import Purpose
from runner.engine.session import Session
from runner.engine.undoing import Undoing, left_to
from runner.store import Ending, RunRecord

_GOOD = (Outcome.CHANGED, Outcome.UNCHANGED)
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


class Releasing(Purpose):
    """The purpose of an undo: resumes what a run keeps paused, if it is the last that does."""

    def __init__(self, session: Session, undoing: Undoing) -> None:
        super().__init__(session)
        self._undoing = undoing
        self._client, self._stop = session.client, session.stop
        undoing.tenant_time = lambda: session.client.tenant_time.earliest(now())
        self._turns = Cadence(session.job.limits.resume_rate)
        self._streak = session.job.retry.missing_streak  # so many gone in a row are taken for a mistake
        self._sees_pauses = session.sees_pauses
        self._c1s_own_too = session.context.include_anomalies
        self._absences = Absences(session.client)
        self._gone: list[Planned] = []  # as long as none was found that exists
        self._some_exist = False
        self._looking = anyio.Lock()
        self._looked = False  # for any pause at all

    async def work(self, planned: Planned) -> None:
        """Bring one target to its outcome; nothing is sent for a pause that is not ours."""
        ending = self._undoing.end(planned)
        if (left := left_to(ending)) is not None:
            self.executor.settle(planned, left)
            return
        try:
            state = await self._state(planned, ending)
        except StoppingError as error:
            self.executor.settle(planned, Result(Outcome.NOT_ATTEMPTED, str(error)))
        except ApiError as error:
            verdict, words = error.verdict, "its state could not be read: not resumed"
            result = Result(Outcome.FAILED, words, verdict.status, str(error), verdict=verdict)
            self.executor.settle(planned, result)
        else:
            if state is None:
                self._note_gone(planned)
                return
            self._some_exist = True
            await self._resume(planned._replace(before=state, marks=ending.marks))

    def before_send(self, planned: Planned) -> Result | None:
        """Another run may have come to want it paused."""
        return self._undoing.sending(planned)

    def settled(self, planned: Planned, result: Result) -> None:
        """The lease is gone with the pause, and otherwise as it was."""
        self._undoing.settle(planned, result)

    def guarded(self, planned: Planned) -> Planned:
        """The target for one more resume, of the pause that was found before the first and of no other."""
        mark = Mark.of(planned.before)
        return planned._replace(marks=Marks(() if mark is None else (mark,)))

    def judged(self, record: RunRecord, plan: Plan) -> Mapping[Outcome, int]:  # noqa: ARG002 (purposes differ)
        """To leave a target to another run is as it should be."""
        return self._undoing.judged(record)

    async def afterwards(self) -> None:
        """Follow the syncs that the resumes have started, and look once more at what could be paused again."""
        session, sync_wait = self.session, self.session.context.sync_wait
        session.journal.commit()  # the rows that are read now have just been written
        after = Followup(session)
        if sync_wait is not None:
            session.context.observer.following()
            resumed = [row for rows in session.store.touched_by_app(session.record) for row in rows]
            await after.follow(resumed, sync_wait)
        if self._undoing.unclear:
            session.journal.commit()
            active = {row.seq for row in session.store.targets(session.record) if row.outcome in _GOOD}
            await after.last_look([planned for planned in self._undoing.unclear if planned.seq in active])

    def drained(self) -> None:
        """Settle what is gone: for good, unless everything is, which says more of the tenant than of the connectors."""
        gone, self._gone = self._gone, []
        doubtful = not self._some_exist and len(gone) >= self._streak
        for planned in gone:
            if doubtful:
                result = Result(Outcome.FAILED, _NONE_EXIST, _GONE, "not found")
            else:
                result = Result(Outcome.SKIPPED, _DELETED)
            self.executor.settle(planned, result)

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
        await self._turns.turn(self._stop)
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
            planned = self.guarded(planned)
        state = planned.before
        if state is not None and not state.paused and not await self._believed(planned, state):
            self.executor.settle(planned, Result(Outcome.UNKNOWN, _INVISIBLE.format(planned.target)))
        elif planned.since is None and (result := self.executor.decide(planned)) is not None:
            self.executor.settle(planned, result)
        else:
            await self.executor.repeat(planned)

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
        with suppress(ApiError, StoppingError):
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
