"""The tenant's connectors, app by app, as a selection wants them.

Apps are listed page by page and their connectors several apps at a time, under the same limit and pace as
everything else. What is found is handed on at once: the first pause leaves as soon as the first app is known.
"""

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection
from contextlib import aclosing

from runner.api.client import Client
from runner.api.rows import App
from runner.base.errors import ApiError, ExitCode, StoppingError
from runner.base.model import Connector, ConnectorKind, Planned, is_id
from runner.base.stop import Stop
from runner.engine.pool import Feed, Put, work_through
from runner.planning.kinds import Hidden, McpServers, kind_of
from runner.selection import Census, Judgement, Ruling, Selector

log = logging.getLogger(__name__)

_NAMED = 20
"""What could not be listed is named up to this number, and counted beyond."""

Told = Callable[[int, int], None]
"""Told how many apps are through, and how many connectors were found, whenever it is one more."""

Found = Callable[[App, Connector, Judgement], Planned | None]
"""Told of every connector and what the selection says of it; what it returns goes to the pool."""


HandOn = Callable[[Connector], Awaitable[Ruling]]
"""Counts and judges a connector, and gives it to whoever wants it."""


class Discovery:
    """One listing of a tenant: the connectors of the apps of which the selection says one of `rulings`.

    With `mcp`, or where the selection goes by kind, each of these apps is asked for its MCP servers, too. One that
    the listing of connectors does not show is read by itself if the selection is of MCP servers, else only counted.
    `whole` says whether the listing came to its end; even then something may be `unlisted`.
    """

    def __init__(
        self,
        selector: Selector,
        client: Client,
        stop: Stop,
        *,
        concurrency: int,
        rulings: Collection[Ruling] = (Ruling.SELECTED,),
        told: Told | None = None,
        mcp: McpServers | None = None,
    ) -> None:
        self.mcp = McpServers() if mcp is None and selector.needs_kinds else mcp  # None: nobody asks
        self._selector = selector
        self._told = told
        self._through = 0
        self._rulings = rulings
        self._census = Census(selector)
        self._client = client
        self._stop = stop
        self._concurrency = concurrency
        self.apps = 0
        self.connectors = 0  # that are not deleted
        self._unlisted: list[str] = []
        self.whole = False

    @property
    def unlisted(self) -> str | None:
        """What could not be had and why, in words; None if all of it was."""
        more = len(self._unlisted) - _NAMED
        named = [*self._unlisted[:_NAMED], *([f"and {more} more"] if more > 0 else [])]
        return "; ".join(named) or None

    @property
    def _unless_unlisted(self) -> str:
        return " (but not everything could be listed)" if self._unlisted else ""

    def problems(self) -> list[str]:
        """After a listing: names of the selection that fit more than one, or nothing."""
        return [f"{problem}{self._unless_unlisted}" for problem in self._census.problems()]

    def unknown(self) -> list[str]:
        """After a listing: names of the selection that nobody has."""
        return [f"{problem}{self._unless_unlisted}" for problem in self._census.unknown()]

    def feed(self, found: Found, *, alone: bool = False) -> Feed[Planned]:
        """A feed of what `found` makes of the tenant's connectors; `alone` if nothing is sent for them meanwhile."""
        ahead = self._concurrency if alone else 0  # otherwise the listing would go before what it is for

        async def feed(put: Put[Planned]) -> None:
            async def read(app: App) -> None:
                await self._read_app(app, found, put)
                if self._told is not None:
                    self._through += 1
                    self._told(self._through, self.connectors)

            await work_through(self._list_apps, read, workers=self._concurrency, stop=self._stop, ahead=ahead)
            self.whole = not self._stop.requested
            for warning in self._census.warnings() if not self._stop.requested else ():
                log.warning("%s%s", warning, self._unless_unlisted)

        return feed

    async def _list_apps(self, put: Put[App]) -> None:
        seen: set[str] = set()  # pages overlap when the list changes between them
        try:
            async for page in self._client.apps():
                for app in page:
                    if app.deleted or app.app_id in seen:
                        continue
                    seen.add(app.app_id)
                    self.apps += 1
                    if self._census.app(app.app_id, app.name).ruling in self._rulings:
                        await put(app)
        except ApiError as error:
            if self.apps and not error.verdict.forbidden:
                self._unlisted.append(f"the apps after the first {len(seen)}: {error}")
                return
            code = ExitCode.ACCESS if error.verdict.forbidden else ExitCode.STOPPED
            self._stop.request(f"the tenant's apps could not be listed: {error}", code)
        except StoppingError:
            return

    async def _read_app(self, app: App, found: Found, put: Put[Planned]) -> None:
        if not is_id(app.app_id):
            self._unlisted.append(f"app {app.name!r}, whose id {app.app_id[:80]!r} is none")
            return

        async def hand_on(connector: Connector) -> Ruling:
            self.connectors += not connector.state.deleted
            judgement = self._census.connector(app.app_id, app.name, connector)
            if judgement.ruling is Ruling.UNDECIDED and not (app.name and connector.name):
                self._unlisted.append(f"{app.app_id}/{connector.connector_id}: {judgement}")
            planned = found(app, connector, judgement)
            if planned is not None:
                await put(planned)
            return judgement.ruling

        try:
            async with aclosing(self._listed(app)) as listed:
                if self.mcp is None:
                    async for connector in listed:
                        await hand_on(connector)
                else:
                    await self._with_kinds(app, listed, self.mcp, hand_on)
        except ApiError as error:
            self._unlisted.append(f"{app.name or app.app_id} ({app.app_id}): {error}")
        except StoppingError:
            return

    async def _listed(self, app: App) -> AsyncGenerator[Connector, None]:
        """The app's connectors, each once; raises `ApiError`."""
        seen: set[str] = set()
        async for page in self._client.connectors(app.app_id):
            if page.unreadable:
                self._unlisted.append(f"{app.name or app.app_id} ({app.app_id}): {page.unreadable} rows without an id")
            for connector in page.connectors:
                if connector.connector_id in seen:
                    continue
                seen.add(connector.connector_id)
                if is_id(connector.connector_id):
                    yield connector
                else:
                    self._unlisted.append(f"{app.name} ({app.app_id}): {connector.connector_id[:80]!r} is no id")

    async def _with_kinds(self, app: App, listed: AsyncIterator[Connector], mcp: McpServers, hand_on: HandOn) -> None:
        """Hand on what is listed, each with its kind, and MCP servers that are not, if they are wanted; as `_listed`.

        Their listing comes second: otherwise one that is registered between the two would be taken for none.
        """
        connectors: list[Connector] = []
        failure: ApiError | None = None
        try:
            async for connector in listed:
                connectors.append(connector)
        except ApiError as error:
            failure = error
        servers = await mcp.of(self._client, app.app_id)
        only_mcp = self._selector.kind is ConnectorKind.MCP and self._selector.wants_app(app.app_id, app.name)
        rulings = {await hand_on(each._replace(kind=kind_of(servers, each.connector_id))) for each in connectors}
        if servers is None and (only_mcp or Ruling.UNDECIDED in rulings):
            why = f"it does not tell which connectors are MCP servers ({mcp.silent[app.app_id]})"
            self._unlisted.append(f"{app.name or app.app_id} ({app.app_id}): {why}")
        if failure is not None:
            raise failure
        hidden = [] if servers is None else mcp.note(app, servers, connectors)
        for each in hidden if only_mcp else ():
            await self._read_hidden(each, hand_on)

    async def _read_hidden(self, hidden: Hidden, hand_on: HandOn) -> None:
        target = hidden.target
        try:
            if not is_id(target.connector_id):
                raise ValueError("that is no id")
            connector = await self._client.connector(target)
            if connector.connector_id != target.connector_id:
                raise ValueError(f"the answer is about {connector.connector_id[:80]!r}")
        except (ApiError, ValueError) as error:
            self._unlisted.append(
                f"{hidden.app_name} ({target.app_id}): MCP server {target.connector_id[:80]!r}: {error}"
            )
            return
        await hand_on(connector._replace(name=connector.name or target.name, kind=ConnectorKind.MCP))
