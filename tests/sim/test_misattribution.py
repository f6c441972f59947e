"""No reply is ever credited to another connector, whatever is cancelled or times out meanwhile.

The tenant here answers every request with its own path, so each caller can tell whose reply it got. (Releases
of aiohttp before 3.14.2 fail this: they gave connections with a late reply on them back to the pool.)
"""

import asyncio
import json
import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import anyio
import pytest
from yarl import URL

from runner.api.client import Client
from runner.api.transport import Transport
from runner.base.errors import ApiError
from runner.base.model import Outcome, Target
from runner.base.policy import LimitPolicy, RetryPolicy, Timeouts
from runner.base.settings import AccessToken, Settings
from runner.base.stop import Stop
from tests.sim.conftest import OpenBench, job, pairs
from tests.sim.relay import relay

pytestmark = pytest.mark.anyio

REQUESTS = int(os.environ.get("C1_RUNNER_TEST_EXAMPLES", "500"))
"""How many requests are sent in each test; a thorough check takes 20,000."""

WORKERS = 50


class Echo:
    """Answers each request with its own path, after a while, now and then in two parts or only half."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self.answered = 0

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                if b"content-length: 2\r\n" in head.lower():
                    await reader.readexactly(2)
                await self._answer(head.split()[1].decode(), writer)
        writer.close()

    async def _answer(self, path: str, writer: asyncio.StreamWriter) -> None:
        _, _, _, _, app_id, _, connector_id, *_ = path.split("/")
        connector = {"id": connector_id, "appId": app_id, "displayName": path}
        body = json.dumps({"connectorView": {"connector": connector}}).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        await asyncio.sleep(self._dice.choice([0, 0, 0.01, 0.05, 0.2]))
        cut = self._dice.randrange(len(head + body))
        writer.write((head + body)[:cut])
        await asyncio.sleep(self._dice.choice([0, 0, 0, 0.02, 0.2]))
        if self._dice.random() < 0.02:
            writer.close()
        else:
            writer.write((head + body)[cut:])
            self.answered += 1

    async def close(self) -> None:
        """End all conversations."""
        for writer in self._writers:
            writer.transport.abort()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def echoing(seed: int) -> AsyncIterator[tuple[Echo, str]]:
    """Listen on a loopback port; gives the tenant and its address."""
    echo = Echo(seed)
    server = await asyncio.start_server(echo.connected, "127.0.0.1", 0)
    try:
        yield echo, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await echo.close()
        await asyncio.sleep(0)


async def test_no_reply_is_credited_to_another_path_by_the_transport() -> None:
    dice = random.Random(1)
    numbers, right = iter(range(REQUESTS)), 0
    wrong: list[tuple[str, str]] = []

    async def work(transport: Transport, origin: str) -> None:
        nonlocal right
        for number in numbers:
            path = f"/api/v1/apps/app{number}/connectors/con{number}"
            limit = dice.choice([0.005, 0.02, 0.06, 1, 1])
            with anyio.move_on_after(limit), suppress(ApiError):
                reply = await transport.exchange("POST", URL(origin + path), {}, b"{}", 4096)
                if not reply.truncated:
                    said = json.loads(reply.body)["connectorView"]["connector"]["displayName"]
                    right += said == path
                    wrong.extend([(path, said)] * (said != path))

    async with (
        echoing(2) as (echo, origin),
        Transport(Timeouts(request=0.15)) as transport,
        anyio.create_task_group() as group,
    ):
        for _ in range(WORKERS):
            group.start_soon(work, transport, origin)

    assert wrong == []
    assert REQUESTS * 0.3 < right < REQUESTS * 0.95  # many succeed, and many do not
    assert echo.answered > right  # some replies came when nobody waited any more


async def test_no_connector_is_read_in_the_place_of_another_by_the_client() -> None:
    dice = random.Random(3)
    numbers, right = iter(range(REQUESTS)), 0
    wrong: list[tuple[Target, Target]] = []

    async def work(client: Client) -> None:
        nonlocal right
        for number in numbers:
            target = Target(f"app{number}", f"con{number}")
            with anyio.move_on_after(dice.choice([0.005, 0.02, 0.06, 1, 1])), suppress(ApiError):
                connector = await client.connector(target)
                found = Target(connector.app_id, connector.connector_id)
                right += found == target
                wrong.extend([(target, found)] * (found != target))

    retry = RetryPolicy(base=0.01, outage_failures=10**9)
    limits = LimitPolicy(concurrency=WORKERS)
    async with echoing(4) as (_, origin):
        settings = Settings(origin, AccessToken("token"))
        client = Client(settings, stop=Stop(), limits=limits, retry=retry, timeouts=Timeouts(request=0.15))
        async with client, anyio.create_task_group() as group:
            for _ in range(WORKERS):
                group.start_soon(work, client)

    assert wrong == []
    assert right > REQUESTS * 0.3


@pytest.mark.parametrize("milliseconds", [0, 1, 20, 60, 200])
@pytest.mark.parametrize("operation", ["pause", "resume"])
async def test_where_every_reply_comes_twice_nothing_is_credited_that_is_not_so(
    bench: OpenBench, operation: str, milliseconds: int
) -> None:
    targets = pairs(40, per_app=4)
    async with bench(targets, "latency=50ms,error=20%,on=post") as b:
        for target in targets if operation == "resume" else ():
            b.tenant.pause(*target)
        async with relay(int(b.server.url.rpartition(":")[2])) as gateway:
            gateway.twice = milliseconds / 1000
            result = await b.through(gateway.port).run(job(targets, operation))

        for row in b.rows(result):
            if row.outcome in (Outcome.CHANGED, Outcome.UNCHANGED):
                paused = b.tenant.state(*row.target[:2]).pause is not None
                assert paused is (operation == "pause"), row
