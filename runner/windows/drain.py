"""Waiting until the syncs of paused connectors have come to their end: a pause lets those go on that run already."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import aclosing

from runner.api.client import Client
from runner.api.lookup import find
from runner.base.errors import ApiError, StoppingError
from runner.base.model import Outcome
from runner.base.stop import Stop
from runner.engine.pool import Put, work_through
from runner.engine.verify import Touched, by_app
from runner.store import TargetRecord

_FIRST_LOOK, _SLOWER, _SLOWEST = 2.0, 1.5, 15.0
"""Seconds from one look to the next, how much longer each next one waits, and the longest wait."""

_PAUSED = (Outcome.CHANGED, Outcome.UNCHANGED)


class Drain:
    """Looks at what a run has paused until nothing of it syncs any more."""

    def __init__(self, client: Client, stop: Stop, *, workers: int) -> None:
        self._client = client
        self._stop = stop
        self._workers = workers

    async def wait(
        self, targets: Iterable[TargetRecord], seconds: float, told: Callable[[Sequence[TargetRecord]], None]
    ) -> list[TargetRecord]:
        """Wait at most so long; returns what still runs then. `told` gets the targets that are waited for.

        What cannot be read is taken to run. Raises `StoppingError` when the run ends, or the credentials are refused.
        """
        left, waited, delay = [row for row in targets if row.outcome in _PAUSED], 0.0, _FIRST_LOOK
        known = -1
        while left := await self._running(left):
            if len(left) != known:
                known = len(left)
                told(left)
            if waited >= seconds:
                break
            pause = min(delay, seconds - waited)
            await self._stop.sleep(pause)
            waited, delay = waited + pause, min(delay * _SLOWER, _SLOWEST)
        return left

    async def _running(self, targets: Iterable[TargetRecord]) -> list[TargetRecord]:
        running: list[TargetRecord] = []

        async def feed(put: Put[Touched]) -> None:
            for app in by_app(targets):
                await put(app)

        async def look(app: Touched) -> None:
            unseen = dict(app.targets)
            try:
                async with aclosing(find(self._client, app.app_id, set(unseen))) as connectors:
                    async for connector in connectors:
                        row = unseen.pop(connector.connector_id)
                        if connector.state.running:
                            running.append(row)
                unseen.clear()  # what the tenant does not list does not run
            except ApiError:
                running.extend(unseen.values())
            except StoppingError:
                return

        await work_through(feed, look, workers=self._workers, stop=self._stop)
        self._stop.check()
        return sorted(running, key=lambda row: row.seq)
