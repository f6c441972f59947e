"""After the pool has drained: does the tenant show what it accepted?

The touched apps are listed once. A changed target that shows the wanted state is confirmed, and what the
tenant says of it now is kept: for a pause that is the receipt. One that does not is looked at again, for
reads may lag behind writes; then it is unknown, since nothing proves that it is paused.
"""

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import NamedTuple

from runner.api.client import Client
from runner.errors import AccessError, ApiError, ExitCode, StoppingError
from runner.model import Connector, Outcome
from runner.operations import Operation
from runner.policy import RECHECK_DELAYS
from runner.pool import work_through
from runner.stop import Stop
from runner.store import Journal, Store
from runner.targets import find


class _Touched(NamedTuple):
    app_id: str
    seqs: dict[str, int]  # by connector id
    doubt: str = "the tenant accepted it, but reads as if nothing had happened"


class Verifier:
    """Confirms a run's changes, or says that it cannot."""

    def __init__(
        self,
        operation: Operation,
        client: Client,
        store: Store,
        journal: Journal,
        stop: Stop,
        *,
        concurrency: int,
    ) -> None:
        self._operation = operation
        self._client = client
        self._store = store
        self._journal = journal
        self._stop = stop
        self._concurrency = concurrency
        self._doubtful: list[_Touched] = []

    async def verify(self, run_id: str) -> None:
        """Look at every target the run has changed so far; returns early, without doubts, when the run ends."""

        async def all_touched(put: Callable[[_Touched], Awaitable[None]]) -> None:
            for app_id, rows in self._store.changed_by_app(run_id):
                await put(_Touched(app_id, {connector_id: seq for seq, connector_id in rows}))

        await work_through(all_touched, self._look, workers=self._concurrency, stop=self._stop)
        for delay in RECHECK_DELAYS:
            if not self._doubtful or self._stop.requested:
                break
            await self._look_again(delay)
        if not self._stop.requested:
            self._give_up()

    async def _look_again(self, delay: float) -> None:
        doubtful, self._doubtful = self._doubtful, []

        async def feed(put: Callable[[_Touched], Awaitable[None]]) -> None:
            await self._stop.sleep(delay)
            for touched in doubtful:
                await put(touched)

        await work_through(feed, self._look, workers=self._concurrency, stop=self._stop)

    async def _look(self, touched: _Touched) -> None:
        """List one app; what it does not confirm stays doubtful."""
        seqs = dict(touched.seqs)
        doubt = _Touched._field_defaults["doubt"]
        try:
            async with aclosing(find(self._client, touched.app_id, set(seqs))) as connectors:
                async for connector in connectors:
                    self._confirm(connector, seqs)
        except ApiError as error:
            doubt = f"the tenant accepted it, but its state could not be read ({error})"
        except AccessError as error:
            self._stop.request(str(error), ExitCode.ACCESS)
        except StoppingError:
            return
        if seqs:
            self._doubtful.append(_Touched(touched.app_id, seqs, doubt))

    def _confirm(self, connector: Connector, seqs: dict[str, int]) -> None:
        if self._operation.reached(connector.state):
            self._journal.verified(seqs.pop(connector.connector_id), Outcome.CHANGED, None, connector.state)

    def _give_up(self) -> None:
        for touched in self._doubtful:
            for seq in touched.seqs.values():
                self._journal.verified(seq, Outcome.UNKNOWN, touched.doubt, None)
