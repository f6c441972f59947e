"""What leases ask of a target that is to be paused: joining a pause of ours.

A pause finds its target paused already ──► ours? join: it stays paused until the last run that wants it so
                                             └─ about to be resumed: wait, read again, and pause it anew
"""

import logging
from contextlib import suppress

from runner.base.errors import ApiError, StoppingError
from runner.base.model import Outcome, Planned, Result
from runner.base.pauses import Moment
from runner.base.policy import DANGER_TIME, RECHECK_DELAYS
from runner.base.stop import now
from runner.engine.decide import Timing, timing
from runner.engine.execute import Contended
from runner.engine.purpose import Purpose
from runner.engine.session import Session
from runner.store import Standing

log = logging.getLogger(__name__)

_UNREAD = "its state could not be read, so it could not be resumed when the window ends: not paused"


class Pausing(Purpose):
    """The purpose of a pause: a connector that is paused by us already gets one more lease."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._must_know = session.job.window is not None or session.context.windowed  # else nothing ends by itself
        self._leases = session.store.leases(session.context.settings.tenant, session.journal.run)
        self._sees_pauses = session.sees_pauses
        self._client = session.client
        self._stop = session.stop

    async def work(self, planned: Planned) -> None:
        """Bring one target to its outcome."""
        if planned.since is not None:
            planned, result = await self._resolved(planned)
        else:
            result = self.executor.decide(planned)
        if result is None and planned.unread is not None and self._must_know:
            self.executor.settle(planned, Result(Outcome.FAILED, _UNREAD, error=planned.unread))
        elif result is None:
            await self._pause(planned)
        elif result.outcome is Outcome.UNCHANGED and self._ours(planned):
            await self._join_or_pause(planned)
        else:
            self._leases.leave(planned.target)  # an earlier part of this run may have joined a pause that is over
            self.executor.settle(planned, result)

    async def _pause(self, planned: Planned) -> None:
        """Pause a target, unless another run here has a lease on it: then join that one, or wait for its resume."""
        try:
            if planned.since is not None and self._leases.contended(planned):  # its intent is recorded already
                raise Contended
            await self.executor.repeat(planned, alone=planned.since is None)
        except Contended:
            with suppress(ApiError, StoppingError):
                planned = planned._replace(before=(await self._client.connector(planned.target)).state)
            await self._join_or_pause(planned)

    async def _resolved(self, planned: Planned) -> tuple[Planned, Result | None]:
        """An uncertain target: paused already, if that is the doing of another run here, and not of its own request."""
        try:
            state = (await self._client.connector(planned.target)).state
        except (ApiError, StoppingError):
            return planned, None  # whatever it is, the executor meets it again
        own = timing(state.paused_at, planned.span) is Timing.WITHIN
        if own or not self._leases.ours(planned.target, state):
            return planned, None
        planned = planned._replace(before=state, since=None, till=None, span=None)
        return planned, self.executor.decide(planned)

    async def _join_or_pause(self, planned: Planned) -> None:
        try:
            again = await self._join(planned)
        except StoppingError as error:
            self.executor.settle(planned, Result(Outcome.NOT_ATTEMPTED, str(error)))
        else:
            if again is not None:
                await self.executor.repeat(again)

    async def _join(self, planned: Planned) -> Planned | None:
        """Settle a target by a state that is still true; else return it, to be paused, beside those who have."""
        waited, ended = 0.0, 0
        while True:
            result, ours = self.executor.decide(planned), self._ours(planned)
            if result is not None and not ours:  # somebody else's by now
                self._leases.leave(planned.target)
                self.executor.settle(planned, result)
                return None
            standing = self._standing(planned, paused=ours)
            if standing is Standing.JOINED and result is not None:
                self.executor.settle(planned, result)
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
        self._leases.take(planned.target, self.session.wall())
        return planned

    def _standing(self, planned: Planned, *, paused: bool) -> Standing:
        self.session.journal.commit()  # others must see the target that the lease is on
        moment = Moment(self.session.wall(), self._client.tenant_time.earliest(now()))
        sighted = self._sees_pauses or self._client.sees_marks
        return self._leases.join(planned.target, moment, paused=paused, read=planned.before, sighted=sighted)
