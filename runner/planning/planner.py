"""Which targets a run has: the job's pairs, and what its selection finds in the tenant.

A selection is worked on while it is being found, unless something must be known of the whole plan before
anything is sent: a limit on its size, its share of the tenant, waves, or a name that could be ambiguous.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from contextlib import aclosing
from typing import NoReturn

from runner.api.client import Client
from runner.api.rows import App, McpServer
from runner.base.errors import AccessError, ApiError, ExitCode, OutageError, StoppingError, UsageError
from runner.base.model import Connector, Job, Planned, Target
from runner.base.policy import Share
from runner.base.stop import Stop
from runner.engine.plan import Plan, Wave
from runner.engine.pool import Feed, Put, as_listed, work_through
from runner.planning.discover import Discovery, Told
from runner.planning.kinds import McpServers, kind_of
from runner.planning.states import with_state
from runner.selection import Judgement, Ruling, Selector


class Planner:
    """Finds a job's targets. `survey` first, then `waves`."""

    def __init__(
        self,
        job: Job,
        client: Client,
        stop: Stop,
        *,
        include_protected: bool = False,
        told: Told | None = None,
        kinds: bool = False,
    ) -> None:
        self._told = told
        self._kinds = kinds  # whether to ask for MCP servers although the job does not
        self._job = job
        self._client = client
        self._stop = stop
        self._selector = Selector(job.select, job.exclude, job.protected, include_protected=include_protected)
        self._discovery = self._listing((Ruling.SELECTED,))
        self._pairs = [
            Planned(seq, target, connector_name=target.name, named=True) for seq, target in enumerate(job.targets)
        ]
        self._named = frozenset(target[:2] for target in job.targets)
        self._app_names: dict[str, str | None] = {}
        self._mcp_of: dict[str, Mapping[str, McpServer] | None] = {}  # of the pairs' apps, where a rule goes by kind

    @property
    def apps(self) -> int:
        """How many apps the tenant has, as far as they were listed."""
        return self._discovery.apps

    @property
    def connectors(self) -> int:
        """How many connectors the tenant has, as far as they were listed."""
        return self._discovery.connectors

    @property
    def mcp(self) -> McpServers | None:
        """What was found of the tenant's MCP servers; None if nobody asked, or nothing was listed."""
        return self._discovery.mcp if self._lists_tenant else None

    @property
    def ended(self) -> bool:
        """Whether the tenant was listed to its end, if that was necessary."""
        return self._job.select is None or self._discovery.whole

    @property
    def whole(self) -> bool:
        """Whether everything that the job selects is in its plan."""
        return self.ended and not self.unlisted

    @property
    def unlisted(self) -> str | None:
        """What could not be listed and why, in words; it is not in the plan."""
        return self._discovery.unlisted

    async def survey(self) -> list[Planned] | None:
        """The whole plan, where it must be known before anything is sent; None where it need not.

        Raises `UsageError` when the plan breaks a limit or a name in it is ambiguous, `AccessError` and
        `OutageError` when the tenant cannot be listed whole.
        """
        await self._read_for_rules()
        if not self._lists_tenant:
            self._check_size(len(self._pairs))
            return None
        if not self._whole_plan_first():
            return None
        found = await self._list((Ruling.SELECTED,))
        plan = [planned._replace(seq=seq) for seq, planned in enumerate([*self._pairs, *found])]
        self._check_size(len(plan))
        return plan

    async def look(self) -> list[Planned]:
        """The whole plan with the state of every target, what a rule leaves alone included; raises as `survey`."""
        named: list[Planned] = []

        async def keep(planned: Planned) -> None:
            named.append(planned)

        await self._read_for_rules()
        concurrency = self._job.limits.concurrency
        await with_state(self._pairs, self._client, concurrency=concurrency, stop=self._stop, vet=self._vet)(keep)
        found = await self._list((Ruling.SELECTED, Ruling.EXCLUDED, Ruling.PROTECTED, Ruling.UNDECIDED))
        self._check_size(len(self._pairs) + sum(planned.skip is None for planned in found))
        named.sort(key=lambda planned: planned.seq)
        return [planned._replace(seq=seq) for seq, planned in enumerate([*named, *found])]

    def waves(self, plan: Plan, found: list[Planned] | None) -> list[Wave]:
        """What is worked on, and recorded in the plan before or while it is; `found` is what `survey` has returned."""
        known = self._pairs if found is None else found
        plan.record(known)
        if found is None and self._job.select is not None:
            plan.will_grow()
            return [Wave(self._pairs_and_stream(plan), len(known))]
        return [Wave(self._feed(part), len(part)) for part in in_waves(known, self._job.waves)]

    @property
    def _lists_tenant(self) -> bool:
        return self._job.select is not None or self._counts_tenant

    @property
    def _counts_tenant(self) -> bool:
        """Whether a limit is a share of all that the tenant has, so that all of it must be listed."""
        limit = self._job.limits.max_targets
        return limit is not None and limit.percent

    def _whole_plan_first(self) -> bool:
        limits = self._job.limits
        of_the_plan = limits.max_targets is not None or (
            limits.max_failures is not None and limits.max_failures.percent
        )
        return (
            of_the_plan
            or bool(self._job.waves)
            or self._counts_tenant
            or self._selector.needs_whole_listing
            or self._selector.needs_kinds
        )

    async def _list(self, rulings: Collection[Ruling]) -> list[Planned]:
        """What the selection takes of a whole listing, and what a rule leaves alone; raises as `survey`."""
        found: list[Planned] = []

        def keep(app: App, connector: Connector, judgement: Judgement) -> None:
            named = (connector.app_id, connector.connector_id) in self._named
            if not named and judgement.ruling in rulings:
                skip = None if judgement.selected else f"left alone, {judgement}"
                found.append(_planned(app, connector)._replace(skip=skip))

        if self._lists_tenant:
            self._discovery = self._listing(tuple(Ruling) if self._counts_tenant else rulings)
            await self._discovery.feed(keep, alone=True)(_nowhere)
        self._check_listing()
        return sorted(found, key=_place)  # apps come in as they are read: the same tenant gives the same plan

    def _listing(self, rulings: Collection[Ruling]) -> Discovery:
        concurrency = self._job.limits.concurrency
        return Discovery(
            self._selector,
            self._client,
            self._stop,
            concurrency=concurrency,
            rulings=rulings,
            told=self._told,
            mcp=McpServers() if self._kinds else None,
        )

    def _pairs_and_stream(self, plan: Plan) -> Feed[Planned]:
        pairs, stream = self._feed(self._pairs), self._stream(plan)

        async def feed(put: Put[Planned]) -> None:
            await pairs(put)
            await stream(put)
            if self.whole:
                plan.is_whole()

        return feed

    def _stream(self, plan: Plan) -> Feed[Planned]:
        def found(app: App, connector: Connector, judgement: Judgement) -> Planned | None:
            if not judgement.selected or (connector.app_id, connector.connector_id) in self._named:
                return None
            return plan.add(_planned(app, connector))

        return self._discovery.feed(found)

    def _feed(self, part: Sequence[Planned]) -> Feed[Planned]:
        """Those whose state the listing has shown go ahead; the others are read first."""
        shown = [planned for planned in part if planned.before is not None]
        named = [planned for planned in part if planned.before is None]
        if not (self._job.preflight or self._selector.needs_names):
            return as_listed([self._vet(planned) for planned in part] if self._selector.has_rules else part)
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
        if not self._selector.has_rules:
            return planned
        target = planned.target
        app_name = planned.app_name or self._app_names.get(target.app_id)
        connector = None
        if planned.before is not None:
            connector = Connector(target.app_id, target.connector_id, planned.connector_name, planned.before)
        servers = self._mcp_of.get(target.app_id)
        judgement = self._selector.for_pair(target, app_name, connector, kind_of(servers, target.connector_id))
        left_alone = judgement.ruling not in (Ruling.SELECTED, Ruling.DELETED)
        return planned._replace(app_name=app_name, skip=f"left alone, {judgement}" if left_alone else None)

    async def _read_for_rules(self) -> None:
        """What rules go by: without names and kinds a rule could not protect what it means."""
        if self._pairs and self._selector.needs_names:
            await self._read_app_names()
        if self._pairs and self._selector.rules_by_kind:
            await self._read_kinds()

    async def _read_kinds(self) -> None:
        """The MCP servers of the pairs' apps; raises `OutageError` where one does not tell, unless that will do."""
        mcp = McpServers()

        async def apps(put: Put[str]) -> None:
            for app_id in dict.fromkeys(planned.target.app_id for planned in self._pairs):
                await put(app_id)

        async def read(app_id: str) -> None:
            try:
                self._mcp_of[app_id] = await mcp.of(self._client, app_id)
            except StoppingError:
                return

        await work_through(apps, read, workers=self._job.limits.concurrency, stop=self._stop)
        if self._stop.reason is not None:
            _give_up(self._stop)
        if mcp.silent and not self._job.partial:
            app_id, why = next(iter(mcp.silent.items()))
            more = f", and {len(mcp.silent) - 1} more" if len(mcp.silent) > 1 else ""
            raise OutageError(
                f"app {app_id}{more}: the tenant does not tell which connectors are MCP servers, and a rule goes by "
                f"that, nothing was sent: {why}\nwith --partial they are left alone"
            )

    async def _read_app_names(self) -> None:
        """The names of the tenant's apps; raises `OutageError`."""
        try:
            async with aclosing(self._client.apps()) as pages:
                async for page in pages:
                    self._app_names |= {app.app_id: app.name for app in page}
        except ApiError as error:
            raise OutageError(f"the tenant's apps could not be listed, nothing was sent: {error}") from None

    def _check_listing(self) -> None:
        if self._stop.reason is not None:
            _give_up(self._stop)
        if self.unlisted and not self._job.partial:
            words = f"the tenant could not be listed whole, nothing was sent: {self.unlisted}"
            raise OutageError(f"{words}\nwith --partial the rest is done without it")
        if problems := self._discovery.problems():
            raise UsageError("\n".join((*problems, "nothing was sent")))

    def _check_size(self, size: int) -> None:
        limit = self._job.limits.max_targets
        if limit is None:
            return
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


def _place(planned: Planned) -> tuple[str, str, str, str]:
    app_id, connector_id, _ = planned.target
    return planned.app_name or "", app_id, planned.connector_name or "", connector_id


def _planned(app: App, connector: Connector) -> Planned:
    target = Target(connector.app_id, connector.connector_id)
    return Planned(0, target, app.name, connector.name, connector.state)


def _give_up(stop: Stop) -> NoReturn:
    error = AccessError if stop.exit_code == ExitCode.ACCESS else OutageError
    raise error(stop.reason or "stopped")


async def _nowhere(planned: Planned) -> None:
    raise AssertionError(f"{planned.target} was not to be worked on yet")
