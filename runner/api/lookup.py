"""Reading a few connectors of an app, with as few requests as it takes."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from runner.api.client import Client
from runner.base.errors import ApiError
from runner.base.model import Connector, Target

_FEW = 3
"""So few connectors that are left to find are read one by one rather than by listing on."""

_MISSES = 10
"""So many in a row that do not exist, and the rest of what a listing does not show is not looked for."""


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
