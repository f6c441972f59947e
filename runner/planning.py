"""Which targets a run has: the job's pairs, and what its selection finds in the tenant.

A selection is worked on while it is being found, unless something must be known of the whole plan before
anything is sent: a limit on its size, its share of the tenant, waves, or a name that could be ambiguous.
"""

import math
from collections.abc import Collection, Sequence
from typing import NoReturn

from runner.api.client import Client
from runner.api.rows import App
from runner.conduct import Conduct, Wave
from runner.discover import Discovery
from runner.errors import AccessError, ApiError, ExitCode, OutageError, UsageError
from runner.model import Connector, Job, Planned, Target
from runner.policy import Share
from runner.pool import Feed, Put
from runner.selection import Judgement, Ruling, Selector
from runner.stop import Stop
from runner.targets import as_listed, with_state


class Planner:
    """Finds a job's targets. `survey` first, then `waves`."""

    def __init__(self, job: Job, client: Client, stop: Stop, *, include_protected: bool = False) -> None:
        self._job = job
        self._client = client
        self._stop = stop
        self._selector = Selector(job.select, job.exclude, job.protected, include_protected=include_protected)
        self._discovery = self._listing((Ruling.SELECTED,))
        self._pairs = [Planned(seq, target, connector_name=target.name) for seq, target in enumerate(job.targets)]
        self._named = frozenset(target[:2] for target in job.targets)
        self._app_names: dict[str, str] = {}

    @property
    def apps(self) -> int:
        """How many apps the tenant has, as far as they were listed."""
        return self._discovery.apps

    @property
    def connectors(self) -> int:
        """How many connectors the tenant has, as far as they were listed."""
        return self._discovery.connectors

    @property
    def whole(self) -> bool:
        """Whether everything that the job selects is in its plan."""
        return self._job.select is None or self._discovery.whole

    @property
    def unlisted(self) -> Sequence[str]:
        """The apps whose connectors could not be had, in words."""
        return self._discovery.unlisted

    async def survey(self) -> list[Planned] | None:
        """The whole plan, where it must be known before anything is sent; None where it need not.

        Raises `UsageError` when the plan breaks a limit or a name in it is ambiguous, `AccessError` and
        `OutageError` when the tenant cannot be listed whole.
        """
        limit = self._job.limits.max_targets
        if self._pairs and self._selector.needs_names:
            await self._read_app_names()
        if self._job.select is None and limit is not None and not limit.percent:
            self._check_size(len(self._pairs), limit)
        if not self._whole_plan_first():
            return None
        found: list[Planned] = []
        if limit is not None and limit.percent:  # of the tenant, so all of it is counted
            self._discovery = self._listing(tuple(Ruling))

        def keep(app: App, connector: Connector, judgement: Judgement) -> None:
            if judgement.selected and (connector.app_id, connector.connector_id) not in self._named:
                found.append(_planned(app, connector))

        await self._discovery.feed(keep)(_nowhere)
        self._check_listing()
        plan = [planned._replace(seq=seq) for seq, planned in enumerate([*self._pairs, *found])]
        if limit is not None:
            self._check_size(len(plan), limit)
        return plan

    async def look(self) -> list[Planned]:
        """The whole plan with the state of every target, what a rule leaves alone included; raises as `survey`."""
        named: list[Planned] = []
        found: list[Planned] = []

        async def keep_named(planned: Planned) -> None:
            named.append(planned)

        def keep(app: App, connector: Connector, judgement: Judgement) -> None:
            known = (connector.app_id, connector.connector_id) in self._named
            if not known and judgement.ruling not in (Ruling.NOT_SELECTED, Ruling.DELETED):
                skip = None if judgement.selected else f"left alone, {judgement}"
                found.append(_planned(app, connector)._replace(skip=skip))

        await self.survey()
        concurrency = self._job.limits.concurrency
        await with_state(self._pairs, self._client, concurrency=concurrency, stop=self._stop, vet=self._vet)(keep_named)
        if self._job.select is not None:
            self._discovery = self._listing((Ruling.SELECTED, Ruling.EXCLUDED, Ruling.PROTECTED))
            await self._discovery.feed(keep)(_nowhere)
        self._check_listing()
        named.sort(key=lambda planned: planned.seq)
        return [planned._replace(seq=seq) for seq, planned in enumerate([*named, *found])]

    def waves(self, conduct: Conduct, plan: list[Planned] | None) -> list[Wave]:
        """What the conduct works on, and records as its plan before or while it does."""
        known = self._pairs if plan is None else plan
        conduct.plan(known)
        if plan is None and self._job.select is not None:
            return [Wave(self._pairs_and_stream(conduct), len(known))]
        return [Wave(self._feed(part), len(part)) for part in in_waves(known, self._job.waves)]

    def _whole_plan_first(self) -> bool:
        limits = self._job.limits
        share = any(limit is not None and limit.percent for limit in (limits.max_targets, limits.max_failures))
        if self._job.select is None:
            return limits.max_targets is not None and limits.max_targets.percent
        return share or limits.max_targets is not None or bool(self._job.waves) or self._selector.needs_whole_listing

    def _listing(self, rulings: Collection[Ruling]) -> Discovery:
        concurrency = self._job.limits.concurrency
        return Discovery(self._selector, self._client, self._stop, concurrency=concurrency, rulings=rulings)

    def _pairs_and_stream(self, conduct: Conduct) -> Feed[Planned]:
        pairs, stream = self._feed(self._pairs), self._stream(conduct)

        async def feed(put: Put[Planned]) -> None:
            await pairs(put)
            await stream(put)
            conduct.plan_is_whole()

        return feed

    def _stream(self, conduct: Conduct) -> Feed[Planned]:
        def plan(app: App, connector: Connector, judgement: Judgement) -> Planned | None:
            if not judgement.selected or (connector.app_id, connector.connector_id) in self._named:
                return None
            return conduct.add(_planned(app, connector))

        return self._discovery.feed(plan)

    def _feed(self, part: Sequence[Planned]) -> Feed[Planned]:
        """Those whose state the listing has shown go ahead; the others are read first."""
        shown = [planned for planned in part if planned.before is not None]
        named = [planned for planned in part if planned.before is None]
        if not (self._job.preflight or self._selector.needs_names):
            return as_listed([self._vet(planned) for planned in part])
        reading = with_state(
            named, self._client, concurrency=self._job.limits.concurrency, stop=self._stop, vet=self._vet
        )

        async def feed(put: Put[Planned]) -> None:
            for planned in shown:
                await put(planned)
            await reading(put)

        return feed

    def _vet(self, planned: Planned) -> Planned:
        """A pair that a rule of the job leaves alone is marked so, with the rule."""
        target = planned.target
        app_name = planned.app_name or self._app_names.get(target.app_id)
        connector = None
        if planned.before is not None:
            connector = Connector(target.app_id, target.connector_id, planned.connector_name, planned.before)
        judgement = self._selector.for_pair(target, app_name, connector)
        left_alone = judgement.ruling not in (Ruling.SELECTED, Ruling.DELETED)
        return planned._replace(app_name=app_name, skip=f"left alone, {judgement}" if left_alone else None)

    async def _read_app_names(self) -> None:
        """Names that rules go by; without them a rule could not protect what it names."""
        try:
            await self._collect_app_names()
        except ApiError as error:
            raise OutageError(f"the tenant's apps could not be listed, nothing was sent: {error}") from None

    async def _collect_app_names(self) -> None:
        async for page in self._client.apps():
            self._app_names |= {app.app_id: app.name or "" for app in page}

    def _check_listing(self) -> None:
        if self._stop.reason is not None:
            _give_up(self._stop)
        if self.unlisted:
            raise OutageError(f"the tenant could not be listed whole, nothing was sent: {'; '.join(self.unlisted)}")
        if problems := self._discovery.problems():
            raise UsageError("\n".join((*problems, "nothing was sent")))

    def _check_size(self, size: int, limit: Share) -> None:
        most = math.floor(limit.of(self._discovery.connectors))
        if size > most:
            of = f" ({limit} of the tenant's {self._discovery.connectors})" if limit.percent else ""
            raise UsageError(f"the job has {size} targets, and max_targets allows {most}{of}; nothing was sent")


def in_waves(plan: Sequence[Planned], waves: Sequence[Share]) -> list[Sequence[Planned]]:
    """The plan in parts: each wave reaches as far into it as its share says, the last one to the end."""
    parts, begin = [], 0
    for share in waves:
        end = min(len(plan), max(begin, math.ceil(share.of(len(plan)))))
        parts.append(plan[begin:end])
        begin = end
    parts.append(plan[begin:])
    return [part for part in parts if part]


def _planned(app: App, connector: Connector) -> Planned:
    target = Target(connector.app_id, connector.connector_id)
    return Planned(0, target, app.name, connector.name, connector.state)


def _give_up(stop: Stop) -> NoReturn:
    error = AccessError if stop.exit_code == ExitCode.ACCESS else OutageError
    raise error(stop.reason or "stopped")


async def _nowhere(planned: Planned) -> None:
    raise AssertionError(f"{planned.target} was not to be worked on yet")
