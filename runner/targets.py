"""From a job to planned targets on their way to the pool, each with its state before."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import aclosing
from typing import NamedTuple

from runner.api.client import Client
from runner.errors import AccessError, ApiError, ExitCode, StoppingError
from runner.model import Connector, Planned, Target
from runner.pool import Feed, work_through
from runner.stop import Stop

Put = Callable[[Planned], Awaitable[None]]

_FEW = 3
"""So few connectors that are left to find are read one by one rather than by listing on."""


class _AppTargets(NamedTuple):
    app_id: str
    wanted: dict[str, tuple[int, Target]]  # by connector id


def as_listed(targets: Iterable[tuple[int, Target]]) -> Feed[Planned]:
    """A feed of the targets as they are, nothing known of their state."""

    async def feed(put: Put) -> None:
        for seq, target in targets:
            await put(Planned(seq, target, connector_name=target.name))

    return feed


def with_state(targets: Iterable[tuple[int, Target]], client: Client, *, concurrency: int, stop: Stop) -> Feed[Planned]:
    """A feed of the targets with their state before: each app is listed once, several at a time.

    A target goes to the pool as soon as its app is known. An app that cannot be read does not hold up its
    targets; they carry the reason in `unread`.
    """
    apps: dict[str, _AppTargets] = {}
    for seq, target in targets:
        apps.setdefault(target.app_id, _AppTargets(target.app_id, {})).wanted[target.connector_id] = (
            seq,
            target,
        )

    async def feed(put: Put) -> None:
        async def list_apps(put_app: Callable[[_AppTargets], Awaitable[None]]) -> None:
            while apps:  # what is listed is let go of
                await put_app(apps.pop(next(iter(apps))))

        async def read(app: _AppTargets) -> None:
            await _read_app(app, client, put, stop)

        await work_through(list_apps, read, workers=concurrency, stop=stop)

    return feed


async def _read_app(app: _AppTargets, client: Client, put: Put, stop: Stop) -> None:
    wanted, unread = app.wanted, None
    try:
        async with aclosing(find(client, app.app_id, set(wanted))) as connectors:
            async for connector in connectors:
                seq, target = wanted.pop(connector.connector_id)
                name = connector.name or target.name
                await put(Planned(seq, target, connector_name=name, before=connector.state))
    except ApiError as error:
        unread = str(error)
    except AccessError as error:
        stop.request(str(error), ExitCode.ACCESS)
        return
    except StoppingError:
        return
    # What the listing does not show is for the tenant to say: the request itself gets a definite answer.
    for seq, target in wanted.values():
        await put(Planned(seq, target, connector_name=target.name, unread=unread))


async def find(client: Client, app_id: str, connector_ids: set[str]) -> AsyncGenerator[Connector, None]:
    """Those of an app's connectors that are asked for and exist, with as few requests as it takes.

    Raises `ApiError`. The listing stops when all are found; a few that are left over after a page are read
    one by one, which is cheaper than the rest of a large app.
    """
    missing = set(connector_ids)
    async with aclosing(client.connectors(app_id)) as pages:
        async for page in pages:
            for connector in page.connectors:
                if connector.connector_id in missing:
                    missing.discard(connector.connector_id)
                    yield connector
            if not page.more:
                return
            if len(missing) <= _FEW:
                break
    for connector_id in missing:
        found = await _find_one(client, Target(app_id, connector_id))
        if found is not None:
            yield found


async def _find_one(client: Client, target: Target) -> Connector | None:
    try:
        return await client.connector(target)
    except ApiError as error:
        if error.verdict.status == 404:
            return None
        raise
