"""What is looked at after an undo: the syncs that resuming has started, and pauses that could have come back."""

from collections.abc import Iterable, Sequence
from contextlib import aclosing

from runner.api.lookup import find
from runner.base.errors import ApiError, StoppingError
from runner.base.model import ConnectorState, Outcome, PauseKind, Planned
from runner.base.policy import LAST_LOOK
from runner.base.units import duration_text
from runner.engine.pool import Put, work_through
from runner.engine.session import Session
from runner.store import TargetRecord

_FIRST_LOOK, _SLOWER, _SLOWEST = 2.0, 1.5, 30.0
"""Seconds until the first look at a sync, how much longer each next one waits, and the longest wait."""

_AGAIN = "resumed, and paused again since: a request that was held up on its way, or somebody else"


class Followup:
    """Looks, and corrects the outcomes of an undo by what it sees."""

    def __init__(self, session: Session) -> None:
        self._client = session.client
        self._journal = session.journal
        self._stop = session.stop
        self._workers = session.job.limits.concurrency

    async def follow(self, resumed: Sequence[TargetRecord], seconds: float) -> None:
        """Wait until the sync of each resumed target has ended, `seconds` at most.

        A sync that fails, or that C1 stops as anomalous, makes its target failed; one that is still running
        in the end makes it unknown.
        """
        waiting = {row.target[:2]: row for row in resumed if row.outcome is Outcome.CHANGED}
        waited, delay = 0.0, _FIRST_LOOK
        while waiting and waited < seconds:
            try:
                await self._stop.sleep(min(delay, seconds - waited))
            except StoppingError:
                break
            waited, delay = waited + min(delay, seconds - waited), min(delay * _SLOWER, _SLOWEST)
            await self._look_at_syncs(waiting)
        words = "the run ended" if self._stop.requested else f"{duration_text(seconds)} have passed"
        for row in waiting.values():
            self._journal.verified(row.seq, Outcome.UNKNOWN, f"resumed; its sync had not ended when {words}", row.after)

    async def _look_at_syncs(self, waiting: dict[tuple[str, str], TargetRecord]) -> None:
        """Take those from `waiting` whose sync has come to an end of some kind."""
        apps: dict[str, set[str]] = {}
        for app_id, connector_id in waiting:
            apps.setdefault(app_id, set()).add(connector_id)

        async def feed(put: Put[str]) -> None:
            for app_id in apps:
                await put(app_id)

        async def look(app_id: str) -> None:
            try:
                async with aclosing(find(self._client, app_id, apps[app_id])) as connectors:
                    async for connector in connectors:
                        row = waiting[app_id, connector.connector_id]
                        if (ending := _ending(row.before, connector.state)) is not None:
                            self._journal.verified(row.seq, *ending, connector.state)
                            del waiting[app_id, connector.connector_id]
            except (ApiError, StoppingError):
                return  # there is another look

        await work_through(feed, look, workers=self._workers, stop=self._stop)

    async def last_look(self, unclear: Iterable[Planned]) -> None:
        """Some time after the last resume: is anything paused again whose pause had a request without an answer?"""
        try:
            await self._stop.sleep(LAST_LOOK)
            for planned in unclear:
                try:
                    state = (await self._client.connector(planned.target)).state
                except ApiError:
                    continue  # it was seen resumed
                if state.paused:
                    self._journal.verified(planned.seq, Outcome.UNKNOWN, _AGAIN, state)
        except StoppingError:
            return


def _ending(before: ConnectorState | None, now: ConnectorState) -> tuple[Outcome, str] | None:
    """How the sync that a resume has started came to its end; None while it has not."""
    if now.kind is PauseKind.ANOMALY:
        why = now.reason or now.category or "no reason given"
        return Outcome.FAILED, f"resumed; C1 stopped its sync as anomalous and paused it again ({why})"
    if now.paused:
        return Outcome.UNKNOWN, _AGAIN
    if now.running or now.sync_started_at == (before.sync_started_at if before else None):
        return None
    if now.status == "SYNC_STATUS_ERROR":
        return Outcome.FAILED, f"resumed; its sync failed ({now.last_error or 'no reason given'})"
    return Outcome.CHANGED, "resumed; its sync is done"
