"""From a job to planned targets on their way to the pool, each with its state before."""

from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from typing import NamedTuple

from runner.api.client import Client
from runner.errors import AccessError, ApiError, ExitCode, StoppingError
from runner.model import Connector, Planned, Target
from runner.pool import Feed, Put, work_through
from runner.stop import Stop

Vet = Callable[[Planned], Planned]

_FEW = 3
"""So few connectors that are left to find are read one by one rather than by listing on."""

_MISSES = 10
"""So many in a row that do not exist, and the rest of what a listing does not show is not looked for."""


class _App(NamedTuple):
    app_id: str
    wanted: dict[str, Planned]  # by connector id


def as_listed(targets: Iterable[Planned]) -> Feed[Planned]:
    """A feed of the targets as they are, nothing new known of their state."""

    async def feed(put: Put[Planned]) -> None:
        for planned in targets:
            await put(planned)

    return feed


def with_state(
    targets: Iterable[Planned], client: Client, *, concurrency: int, stop: Stop, vet: Vet = lambda planned: planned
) -> Feed[Planned]:
    """A feed of the targets with their state before: each app is listed once, several at a time.

    A target goes to the pool as soon as its app is known. An app that cannot be read does not hold up its
    targets; they carry the reason in `unread`. A target on which an earlier request may have had effect goes
    first, as it is: its own read comes before anything else is sent. `vet` sees each target when its name
    and state are known, and may mark it as one to skip.
    """

    async def feed(put: Put[Planned]) -> None:
        apps: dict[str, _App] = {}
        for planned in targets:
            if planned.since is not None:
                await put(planned)
            else:
                app = apps.setdefault(planned.target.app_id, _App(planned.target.app_id, {}))
                app.wanted[planned.target.connector_id] = planned

        async def list_apps(put_app: Put[_App]) -> None:
            while apps:  # what is listed is let go of
                await put_app(apps.pop(next(iter(apps))))

        async def read(app: _App) -> None:
            await _read_app(app, client, lambda planned: put(vet(planned)), stop)

        await work_through(list_apps, read, workers=concurrency, stop=stop)

    return feed


async def _read_app(app: _App, client: Client, put: Put[Planned], stop: Stop) -> None:
    wanted, unread = app.wanted, None
    try:
        try:
            async with aclosing(find(client, app.app_id, set(wanted))) as connectors:
                async for connector in connectors:
                    planned = wanted.pop(connector.connector_id)
                    name = connector.name or planned.connector_name
                    await put(planned._replace(connector_name=name, before=connector.state))
        except ApiError as error:
            unread = None if error.verdict.missing else str(error)  # no such app: none of its connectors exist
        # What the listing does not show is for the tenant to say: the request itself gets a definite answer.
        for planned in wanted.values():
            await put(planned._replace(unread=unread))
    except AccessError as error:
        stop.request(str(error), ExitCode.ACCESS)
    except StoppingError:
        return


async def find(client: Client, app_id: str, connector_ids: set[str]) -> AsyncGenerator[Connector, None]:
    """Those of an app's connectors that are asked for and exist, with as few requests as it takes.

    Raises `ApiError`. The listing stops when all are found; a few that are left over after a page are read
    one by one, which is cheaper than the rest of a large app. So is what the whole listing does not show: that is
    no evidence, for whether it shows MCP servers is not published.
    """
    missing = set(connector_ids)
    async with aclosing(client.connectors(app_id)) as pages:
        async for page in pages:
            for connector in page.connectors:
                if connector.connector_id in missing:
                    missing.discard(connector.connector_id)
                    yield connector
            if len(missing) <= _FEW or not page.more:
                break
    misses = 0
    for connector_id in sorted(missing):
        found = await _find_one(client, Target(app_id, connector_id))
        misses = 0 if found is not None else misses + 1
        if found is not None:
            yield found
        elif misses == _MISSES:
            return


async def _find_one(client: Client, target: Target) -> Connector | None:
    try:
        return await client.connector(target)
    except ApiError as error:
        if error.verdict.missing:
            return None
        raise
