"""A tenant made of bytes: what a well-behaved server would never send, on a loopback port."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

Act = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Answer = bytes | Act


def reply(status: int = 200, body: bytes = b"{}", *headers: str, kind: str = "application/json") -> bytes:
    """One HTTP reply; `headers` are whole lines."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", f"Content-Type: {kind}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def refusal(status: int, message: str = "no", code: int = 5) -> bytes:
    """A refusal as C1 words it; whatever else has this status is a gateway's."""
    return reply(status, json.dumps({"code": code, "message": message, "details": []}).encode())


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Close the connection without a word."""
    writer.close()


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Break the connection with a TCP reset."""
    writer.transport.abort()


async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say nothing until the other side has had enough."""
    await reader.read()


def then_hang_up(part: bytes) -> Act:
    """Send some bytes, then close."""

    async def act(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(part)
        await writer.drain()
        writer.close()

    return act


def then_silence(part: bytes) -> Act:
    """Send some bytes, then nothing more."""

    async def act(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(part)
        await writer.drain()
        await reader.read()

    return act


@dataclass
class Wire:
    """What arrived, and what is answered: one answer per request, the last one again and again."""

    answers: list[Answer]
    port: int = 0
    scheme: str = "http"
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def lines(self) -> list[str]:
        """The request lines without the version."""
        return [request.split(b"\r\n", 1)[0].decode().removesuffix(" HTTP/1.1") for request in self.requests]

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.connections += 1
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while not writer.is_closing():
                self.requests.append(await _request(reader))
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if callable(answer):
                    await answer(reader, writer)
                else:
                    writer.write(answer)
                    await writer.drain()
        writer.close()


async def _request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return head + await reader.readexactly(int(line.partition(b":")[2]))
    return head


@asynccontextmanager
async def wire(*answers: Answer, tls: ssl.SSLContext | None = None) -> AsyncIterator[Wire]:
    """Listen on a free loopback port while the block lasts."""
    tenant = Wire(list(answers), scheme="https" if tls else "http")
    writers: set[asyncio.StreamWriter] = set()
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        writers.add(writer)
        await tenant.talk(reader, writer)

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    tenant.port = server.sockets[0].getsockname()[1]
    try:
        yield tenant
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await asyncio.gather(*tasks)  # an aborted connection ends what serves it
