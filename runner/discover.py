"""The tenant's connectors, app by app, as a selection wants them.

Apps are listed page by page and their connectors several apps at a time, under the same limit and pace as
everything else. What is found is handed on at once: the first pause leaves as soon as the first app is known.
"""

import logging
from collections.abc import Callable, Collection

from runner.api.client import Client
from runner.api.rows import App
from runner.errors import AccessError, ApiError, ExitCode, StoppingError
from runner.model import Connector, Planned, is_id
from runner.pool import Feed, Put, work_through
from runner.selection import Census, Judgement, Ruling, Selector
from runner.stop import Stop

log = logging.getLogger(__name__)

_NAMED = 20
"""What could not be listed is named up to this number, and counted beyond."""

Told = Callable[[int, int], None]
"""Told how many apps are through, and how many connectors were found, whenever it is one more."""

Found = Callable[[App, Connector, Judgement], Planned | None]
"""Told of every connector and what the selection says of it; what it returns goes to the pool."""


class Discovery:
    """One listing of a tenant: the connectors of the apps of which the selection says one of `rulings`.

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
    ) -> None:
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

    def problems(self) -> list[str]:
        """After a whole listing: names of the selection that fit more than one, or nothing."""
        return self._census.problems()

    def unknown(self) -> list[str]:
        """After a whole listing: names of the selection that nobody has."""
        return self._census.unknown()

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
                log.warning("%s", warning)

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
        except AccessError as error:
            self._stop.request(str(error), ExitCode.ACCESS)

    async def _read_app(self, app: App, found: Found, put: Put[Planned]) -> None:
        if not is_id(app.app_id):
            self._unlisted.append(f"app {app.name!r}, whose id {app.app_id[:80]!r} is none")
            return
        seen: set[str] = set()
        try:
            async for page in self._client.connectors(app.app_id):
                for connector in page.connectors:
                    if connector.connector_id in seen:
                        continue
                    seen.add(connector.connector_id)
                    if not is_id(connector.connector_id):
                        self._unlisted.append(f"{app.name} ({app.app_id}): {connector.connector_id[:80]!r} is no id")
                        continue
                    self.connectors += not connector.state.deleted
                    planned = found(app, connector, self._census.connector(app.app_id, app.name, connector))
                    if planned is not None:
                        await put(planned)
        except ApiError as error:
            self._unlisted.append(f"{app.name or app.app_id} ({app.app_id}): {error}")
        except AccessError as error:
            self._stop.request(str(error), ExitCode.ACCESS)
        except StoppingError:
            return
