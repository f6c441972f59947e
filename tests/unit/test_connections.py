"""Connections that are used again: never after bytes that nobody asked for, never when they are about to end."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import anyio
import pytest
from yarl import URL

from runner.api.transport import Transport
from runner.base.policy import Timeouts
from tests.unit.exchanges import SECONDS
from tests.unit.wire import hang_up, reply, wire

pytestmark = pytest.mark.anyio

Send = Callable[[asyncio.StreamWriter, bytes], Awaitable[None]]


def about(path: str) -> bytes:
    return reply(200, json.dumps({"path": path}).encode())


@dataclass
class Echo:
    """Answers each request with its path, in the way that `send` has it."""

    send: Send
    port: int = 0
    connections: int = 0
    writers: set[asyncio.StreamWriter] = field(default_factory=set)

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.add(writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await self.send(writer, about(head.split()[1].decode()))
        writer.close()


@asynccontextmanager
async def echoing(send: Send) -> AsyncIterator[Echo]:
    echo = Echo(send)
    server = await asyncio.start_server(echo.connected, "127.0.0.1", 0)
    echo.port = server.sockets[0].getsockname()[1]
    try:
        yield echo
    finally:
        server.close()
        for writer in echo.writers:
            writer.transport.abort()
        await asyncio.sleep(0)


async def asked(transport: Transport, echo: Echo, path: str, *, fresh: bool = False) -> str:
    found = await transport.exchange("GET", URL(f"http://127.0.0.1:{echo.port}{path}"), {}, None, 1024, fresh=fresh)
    said: str = json.loads(found.body)["path"]
    return said


async def twice_at_once(writer: asyncio.StreamWriter, answer: bytes) -> None:
    writer.write(answer * 2)


async def twice_in_two_parts(writer: asyncio.StreamWriter, answer: bytes) -> None:
    writer.write(answer)
    writer.write(answer)


async def twice_a_moment_later(writer: asyncio.StreamWriter, answer: bytes) -> None:
    writer.write(answer)
    await asyncio.sleep(0.02)
    writer.write(answer)


TOO_MUCH: list[Send] = [twice_at_once, twice_in_two_parts, twice_a_moment_later]


@pytest.mark.parametrize("send", TOO_MUCH, ids=lambda send: send.__name__)
async def test_a_reply_too_many_is_not_the_answer_to_the_next_request(send: Send) -> None:
    async with echoing(send) as echo, Transport(SECONDS) as transport:
        for number in range(6):
            assert await asked(transport, echo, f"/{number}") == f"/{number}"
            await anyio.sleep(0.05)
    assert echo.connections == 6


async def test_what_has_come_but_was_not_read_yet_is_seen_before_a_connection_is_used_again() -> None:
    async with echoing(twice_a_moment_later) as echo, Transport(SECONDS) as transport:
        assert await asked(transport, echo, "/1") == "/1"
        [writer] = echo.writers
        writer.write(about("/stray"))  # it goes out at once, and nothing has read it when the next request leaves
        assert await asked(transport, echo, "/2") == "/2"
    assert echo.connections == 2


async def once(writer: asyncio.StreamWriter, answer: bytes) -> None:
    writer.write(answer)


async def test_connections_that_are_clean_are_used_again() -> None:
    async with echoing(once) as echo, Transport(SECONDS) as transport:
        for number in range(6):
            assert await asked(transport, echo, f"/{number}") == f"/{number}"
            await anyio.sleep(0.05)
    assert echo.connections == 1


async def test_after_a_reply_that_was_not_the_right_one_no_open_connection_is_used_again() -> None:
    async with echoing(once) as echo, Transport(SECONDS) as transport:
        await asked(transport, echo, "/1")
        transport.distrust()
        await asked(transport, echo, "/2")
        await asked(transport, echo, "/3")
    assert echo.connections == 2


async def test_a_connection_that_the_other_side_has_closed_is_not_used_again() -> None:
    async def and_closes(writer: asyncio.StreamWriter, answer: bytes) -> None:
        writer.write(answer)
        writer.close()

    async with echoing(and_closes) as echo, Transport(SECONDS) as transport:
        for number in range(6):
            assert await asked(transport, echo, f"/{number}") == f"/{number}"
            await anyio.lowlevel.checkpoint()
    assert echo.connections == 6


async def test_a_fresh_exchange_has_a_connection_of_its_own_and_closes_it() -> None:
    async with echoing(once) as echo, Transport(SECONDS) as transport:
        await asked(transport, echo, "/1")
        for number in (2, 3):
            assert await asked(transport, echo, f"/{number}", fresh=True) == f"/{number}"
        assert echo.connections == 3
        await asked(transport, echo, "/4")
    assert echo.connections == 3


async def test_a_fresh_exchange_keeps_to_the_same_time_limit() -> None:
    async with wire(hang_up) as tenant, Transport(Timeouts(request=5)) as transport:
        with pytest.raises(Exception, match="closed the connection"):
            await transport.exchange("GET", URL(tenant.url), {}, None, 1024, fresh=True)
