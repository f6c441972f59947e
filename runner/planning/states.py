"""From a job to planned targets on their way to the pool, each with its state before."""

from collections.abc import Callable, Iterable
from contextlib import aclosing
from typing import NamedTuple

from runner.api.client import Client
from runner.api.lookup import find
from runner.base.errors import ApiError, StoppingError
from runner.base.model import Planned
from runner.base.stop import Stop
from runner.engine.pool import Feed, Put, work_through

Vet = Callable[[Planned], Planned]


class _App(NamedTuple):
    app_id: str
    wanted: dict[str, Planned]  # by connector id


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
            await _read_app(app, client, lambda planned: put(vet(planned)))

        await work_through(list_apps, read, workers=concurrency, stop=stop)

    return feed


async def _read_app(app: _App, client: Client, put: Put[Planned]) -> None:
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
    except StoppingError:
        return
