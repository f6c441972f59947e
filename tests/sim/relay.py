"""The network between client and tenant, for a test to break: a TCP relay on the test's own loop."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, cast

Greeting = Callable[[asyncio.StreamWriter], Awaitable[None]]
"""What happens to a new connection before anything is passed on; it may close it, or keep it waiting."""


async def abort(writer: asyncio.StreamWriter) -> None:
    """Break the connection with a TCP reset."""
    writer.transport.abort()


async def stall(writer: asyncio.StreamWriter) -> None:
    """Take the connection, and nothing more."""
    await asyncio.Event().wait()


@dataclass
class Relay:
    """Passes bytes between clients and the tenant's port, as long as it is let."""

    to: int
    port: int = 0
    connections: int = 0
    twice: float | None = None  # seconds after which everything that came back is sent once more
    greetings: list[Greeting] = field(default_factory=list)  # for the next connections, one each
    links: dict[asyncio.Task[None], asyncio.StreamWriter] = field(default_factory=dict)
    _flows: asyncio.Event = field(default_factory=asyncio.Event)

    def hold(self) -> None:
        """From now on bytes go nowhere, and nobody is told."""
        self._flows.clear()

    def let_go(self) -> None:
        """Pass on what was held, and all that comes."""
        self._flows.set()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self.links[task] = writer
        if self.greetings:
            await self.greetings.pop(0)(writer)
        if not writer.is_closing():
            with suppress(ConnectionError):
                await self._link(reader, writer)

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.to)
        back = asyncio.create_task(self._pass(there_reader, writer, self.twice))
        try:
            await self._pass(reader, there_writer)
            await back
        finally:
            back.cancel()
            for end in (writer, there_writer):
                end.transport.abort()
            await asyncio.gather(back, return_exceptions=True)

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, twice: float | None = None
    ) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                await self._flows.wait()
                writer.write(data)
                if twice is not None:
                    asyncio.get_running_loop().call_later(twice, writer.write, data)
        writer.close()


@asynccontextmanager
async def relay(to: int, *greetings: Greeting) -> AsyncIterator[Relay]:
    """Listen on a free loopback port, and pass everything on to the port `to`."""
    opened = Relay(to, greetings=list(greetings))
    opened.let_go()
    server = await asyncio.start_server(opened.connected, "127.0.0.1", 0)
    opened.port = server.sockets[0].getsockname()[1]
    try:
        yield opened
    finally:
        server.close()
        for link, writer in opened.links.items():
            link.cancel()
            writer.transport.abort()
        await asyncio.gather(*opened.links, return_exceptions=True)
        await asyncio.sleep(0)


async def _read_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    lengths = [int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length:")]
    return head + await reader.readexactly(sum(lengths))


@asynccontextmanager
async def dying(to: int, seconds: float) -> AsyncIterator[int]:
    """A gateway's port that passes on one request of each connection, and closes it so long after the reply."""
    ends: set[asyncio.StreamWriter] = set()
    tasks: set[asyncio.Task[Any]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", to)
        ends.update((writer, there_writer))
        tasks.add(cast("asyncio.Task[Any]", asyncio.current_task()))
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            there_writer.write(await _read_request(reader))
            writer.write(await there_reader.read(1_000_000))
            await asyncio.sleep(seconds)
        for end in (writer, there_writer):
            end.transport.abort()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for end in ends:
            end.transport.abort()  # which ends what serves it
        await asyncio.gather(*tasks)
