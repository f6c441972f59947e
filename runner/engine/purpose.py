"""Why a run touches its targets, and what that asks for around each attempt.

A purpose brings a target to its outcome (`work`), is asked before each request leaves, is told of each outcome, and
has its say at the end. This one asks for nothing more; `join` is that of a pause, `release` that of an undo.
"""

from collections.abc import Collection, Mapping

from runner.base.model import Outcome, Planned, Result
from runner.engine.cadence import Cadence
from runner.engine.decide import Leave
from runner.engine.execute import Executor
from runner.engine.plan import Plan
from runner.engine.session import Session
from runner.store import RunRecord


class Purpose:
    """A plain operation."""

    cadence: Cadence | None = None  # of its requests, where the tenant would take more than is good for it
    unbelieved: Collection[tuple[str, str]] = ()  # held here, and this credential was never shown a pause

    def __init__(self, session: Session) -> None:
        self.session = session
        context = session.context
        leave = Leave(not context.include_anomalies, session.store.looks(context.settings.tenant), self.unbelieved)
        self.executor = Executor(session, self, leave, self.cadence)

    async def work(self, planned: Planned) -> None:
        """The pool's work: bring one target to its outcome."""
        await self.executor(planned)

    def before_send(self, planned: Planned) -> Result | None:  # noqa: ARG002 (purposes differ)
        """A request is about to leave; the outcome of its target instead, if it must not."""
        return None

    def settled(self, planned: Planned, result: Result) -> None:
        """A target has its outcome."""

    def guarded(self, planned: Planned) -> Planned:
        """A target that is to be done once more, after what was accepted had no effect."""
        return planned

    def drained(self) -> None:
        """Everything was worked on once."""

    async def afterwards(self) -> None:
        """All is done and verified, and nothing has stopped the run."""

    def judged(self, record: RunRecord, plan: Plan) -> Mapping[Outcome, int]:  # noqa: ARG002 (purposes differ)
        """The outcomes that decide on the exit code; what is left to be done in the store is done."""
        return record.counts


class Resuming(Purpose):
    """A resume of named connectors: no earlier run wants them paused any more."""

    def __init__(self, session: Session) -> None:
        tenant = session.context.settings.tenant
        self.cadence = Cadence(session.job.limits.resume_rate)  # each starts a sync
        if not session.sees_pauses:
            self.unbelieved = {pair for pair, hold in session.store.holds(tenant).items() if hold.leases}
        super().__init__(session)

    def judged(self, record: RunRecord, plan: Plan) -> Mapping[Outcome, int]:
        """Those of the run; the holds on what it has resumed are released."""
        self.session.store.release_resumed(record, plan.seqs, self.session.opened, self.session.wall())
        return record.counts
