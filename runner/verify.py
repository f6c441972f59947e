"""After the pool has drained: does the tenant show what it accepted?

The touched apps are listed once. A changed target that shows the wanted state is confirmed, and what the
tenant says of it now is kept: for a pause that is the receipt. One that does not is looked at again, for
reads may lag behind writes; what remains is in doubt, since nothing proves that it is paused.
"""

from collections.abc import Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import NamedTuple

from runner.api.client import Client
from runner.errors import AccessError, ApiError, ExitCode, StoppingError
from runner.model import Connector, ConnectorState, Outcome, epoch
from runner.operations import Operation
from runner.policy import CLOCK_SKEW, RECHECK_DELAYS
from runner.pool import Put, work_through
from runner.stop import Stop
from runner.store import Journal, TargetRecord
from runner.targets import find

_NO_EFFECT = "the tenant accepted it, but it reads as if nothing had happened"
_UNDONE = "the tenant accepted it, but it is not so any more: somebody else has changed it since"


@dataclass(slots=True)
class Touched:
    """Targets of one app that the tenant is to be asked about, by connector id."""

    app_id: str
    targets: dict[str, TargetRecord] = field(default_factory=dict)


class Doubt(NamedTuple):
    """A change that a look did not confirm."""

    target: TargetRecord
    why: str
    without_effect: bool = False  # it is as it was before: sending it again does nobody's work undone


class Verifier:
    """Confirms changes, or says that it cannot."""

    def __init__(self, operation: Operation, client: Client, journal: Journal, stop: Stop, *, concurrency: int) -> None:
        self._operation = operation
        self._client = client
        self._journal = journal
        self._stop = stop
        self._concurrency = concurrency
        self._doubts: list[Doubt] = []

    async def confirm(self, touched: Iterable[Touched]) -> list[Doubt]:
        """Look at every target, and again at those that do not show the change yet; returns what stays in doubt.

        When the run is to end meanwhile, what was not looked at rests on the tenant's word.
        """
        await self._look_at(touched)
        for delay in RECHECK_DELAYS:
            if not self._doubts or self._stop.requested:
                break
            doubts, self._doubts = self._doubts, []
            try:
                await self._stop.sleep(delay)
            except StoppingError:
                break
            await self._look_at(by_app(doubt.target for doubt in doubts))
        doubts, self._doubts = self._doubts, []
        return [] if self._stop.requested else doubts

    def give_up(self, doubts: Iterable[Doubt]) -> None:
        """What stays in doubt is unknown."""
        for doubt in doubts:
            self._journal.verified(doubt.target.seq, Outcome.UNKNOWN, doubt.why, None)

    async def _look_at(self, touched: Iterable[Touched]) -> None:
        async def feed(put: Put[Touched]) -> None:
            for app in touched:
                await put(app)

        await work_through(feed, self._look, workers=self._concurrency, stop=self._stop)

    async def _look(self, app: Touched) -> None:
        """List one app; what it does not confirm is in doubt."""
        targets, why = dict(app.targets), _NO_EFFECT
        try:
            async with aclosing(find(self._client, app.app_id, set(targets))) as connectors:
                async for connector in connectors:
                    self._judge(targets.pop(connector.connector_id), connector)
        except ApiError as error:
            why = f"the tenant accepted it, but its state could not be read ({error})"
        except AccessError as error:
            self._stop.request(str(error), ExitCode.ACCESS)
        except StoppingError:
            return
        self._doubts += [Doubt(target, why) for target in targets.values() if target.outcome is Outcome.CHANGED]

    def _judge(self, target: TargetRecord, connector: Connector) -> None:
        now = connector.state
        if self._operation.reached(now):
            late = None if target.outcome is Outcome.CHANGED else "the request took effect late; a read shows it"
            self._journal.verified(target.seq, Outcome.CHANGED, late, _receipt(target, now))
        elif target.outcome is not Outcome.CHANGED:
            return  # as bad as it was
        elif _same(target.before, now):
            self._doubts.append(Doubt(target, _NO_EFFECT, without_effect=True))
        else:
            self._doubts.append(Doubt(target, _UNDONE))


def _receipt(target: TargetRecord, now: ConnectorState) -> ConnectorState | None:
    """What is kept of a look that found the wanted state: nothing of a pause that somebody else has made since."""
    before = target.after
    if before is not None and before.paused and before.paused_at != now.paused_at:
        return before
    mark, began, ended = epoch(now.paused_at), target.started_at, target.finished_at or target.started_at
    if mark is None or began is None or ended is None or began - CLOCK_SKEW <= mark <= ended + CLOCK_SKEW:
        return now
    return before


def by_app(targets: Iterable[TargetRecord]) -> list[Touched]:
    """Targets, gathered by their app."""
    apps: dict[str, Touched] = {}
    for target in targets:
        app = apps.setdefault(target.target.app_id, Touched(target.target.app_id))
        app.targets[target.target.connector_id] = target
    return list(apps.values())


def _same(before: ConnectorState | None, now: ConnectorState) -> bool:
    """Whether nothing has happened since: a resume, for one, would have started a sync."""
    return before is not None and (before.paused_at, before.sync_started_at) == (now.paused_at, now.sync_started_at)
