"""After the pool has drained: does the tenant show what it accepted?

The touched apps are listed once. A changed target that shows the wanted state is confirmed, and what the
tenant says of it now is kept: for a pause that is the receipt. One that does not is looked at again, for
reads may lag behind writes; what remains is in doubt, since nothing proves that it is paused.
"""

from collections.abc import Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import NamedTuple

from runner.api.lookup import find
from runner.base.errors import ApiError, StoppingError
from runner.base.model import Connector, ConnectorState, Look, OperationName, Outcome
from runner.base.policy import RECHECK_DELAYS
from runner.base.stop import now as loop_time
from runner.engine.decide import Timing, receipt, timing
from runner.engine.pool import Put, work_through
from runner.engine.session import Session
from runner.store import TargetRecord

_NO_EFFECT = "the tenant accepted it, but it reads as if nothing had happened"
_UNSEEN = "the tenant accepted it, but no read shows it: perhaps this credential may not see what is paused"
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

    def __init__(self, session: Session) -> None:
        self._operation = session.operation
        self._client = session.client
        self._journal = session.journal
        self._stop = session.stop
        self._concurrency = session.job.limits.concurrency
        self._wall = session.wall
        self._doubts: list[Doubt] = []
        self._looks: set[Look] = set()  # that are remembered already
        self._early: list[tuple[TargetRecord, ConnectorState]] = []  # paused shortly before they were asked to be
        self._in_time = False  # whether a mark was made just when it was asked for: so the clocks agree

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
        self._settle_early()
        doubts, self._doubts = self._doubts, []
        return [] if self._stop.requested else doubts

    def give_up(self, doubts: Iterable[Doubt]) -> None:
        """What stays in doubt is unknown."""
        for doubt in doubts:
            unseen = doubt.without_effect and self._pauses and not self._client.sees_marks
            self._journal.verified(doubt.target.seq, Outcome.UNKNOWN, _UNSEEN if unseen else doubt.why, None)

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
        except StoppingError:
            return
        self._doubts += [Doubt(target, why) for target in targets.values() if target.outcome is Outcome.CHANGED]

    def _judge(self, target: TargetRecord, connector: Connector) -> None:
        now = connector.state
        if self._operation.reached(now) and self._pauses:
            self._judge_pause(target, now)
        elif self._operation.reached(now):
            if not _was_refused(target):
                self._confirmed(target, now)
        elif target.outcome is not Outcome.CHANGED:
            return  # as bad as it was
        elif target.receipt is None and _same(target.before, now):
            self._doubts.append(Doubt(target, _NO_EFFECT, without_effect=True))
        else:
            self._doubts.append(Doubt(target, _UNDONE))

    @property
    def _pauses(self) -> bool:
        return self._operation.name is OperationName.PAUSE

    def _confirmed(self, target: TargetRecord, now: ConnectorState, why: str | None = None) -> None:
        late = None if target.outcome is Outcome.CHANGED else "the request took effect late; a read shows it"
        mark = receipt(target.before, now, target.span, self._read_by()) if self._pauses and why is None else None
        # Of a pause that is not for certain this run's no mark is kept: a report is a receipt, too.
        self._journal.verified(target.seq, Outcome.CHANGED, why or late, now if why is None else None, mark)
        if mark is not None and (target.span is None or target.span.accepted) and mark.look not in self._looks:
            self._looks.add(mark.look)
            self._journal.look(mark.look, self._wall())

    def _read_by(self) -> float | None:
        return self._client.tenant_time.latest(loop_time())

    def _judge_pause(self, target: TargetRecord, now: ConnectorState) -> None:
        """It is paused: by the request that this run has made?"""
        if _was_refused(target):
            if timing(now.paused_at, target.span, self._read_by()) in (Timing.WITHIN, Timing.DOUBTFUL):
                self._journal.verified(target.seq, Outcome.UNKNOWN, _REFUSED, None, forget_span=True)
            return
        if target.receipt is not None:
            changed = None if target.receipt.is_of(now) else _SINCE
            self._journal.verified(target.seq, Outcome.CHANGED, changed, now if changed is None else None)
            return
        match timing(now.paused_at, target.span, self._read_by()):
            case Timing.WITHIN:
                self._in_time = self._in_time or (target.span is not None and target.span.accepted)
                self._confirmed(target, now, _CHECKED if now.checked_by_c1 else None)
            case Timing.DOUBTFUL if target.span is not None and target.span.accepted:
                self._confirmed(target, now, _DOUBTFUL)
            case Timing.BEFORE if target.span is not None and target.span.accepted:
                self._early.append((target, now))
            case Timing.BEFORE if target.outcome is Outcome.CHANGED:
                self._journal.verified(target.seq, Outcome.UNCHANGED, _BEFORE, now)
            case Timing.DOUBTFUL:
                self._journal.verified(target.seq, Outcome.UNKNOWN, _DOUBTFUL, None)
            case Timing.AFTER if target.outcome is Outcome.CHANGED:
                self._confirmed(target, now, _SINCE)
            case _:
                return  # somebody else's: as bad as it was

    def _settle_early(self) -> None:
        """Marks that are older than the requests: a person's, unless the tenant's clocks disagree.

        Where another mark was made in time, they do not. Where none was, it cannot be told whose the pauses are.
        """
        early, self._early = self._early, []
        for target, now in early:
            if self._in_time and not self._client.tenant_time.jumps:
                self._journal.verified(target.seq, Outcome.UNCHANGED, _BEFORE, now)
            else:
                self._confirmed(target, now, _DOUBTFUL)


_REFUSED = (
    "its requests were refused, and it is paused all the same: by somebody else, or by one whose reply was mixed up"
)
_SINCE = "paused; somebody else has paused it anew since, and undoing this run leaves that alone"
_CHECKED = "paused; C1 itself has paused it since, on an anomaly, and undoing this run leaves that alone"
_BEFORE = "somebody else paused it right before this run's request"
_DOUBTFUL = "paused, but by its mark's time perhaps not by this run: undoing this run leaves it alone"


def _was_refused(target: TargetRecord) -> bool:
    """Whether every request for it was refused in clear words, as far as these were meant for it."""
    return target.outcome is Outcome.FAILED and not target.unproven


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
