"""Connections that are kept and used again, but not when anything has come over them that nobody asked for.

HTTP/1.1 tells replies apart by their order alone. So one reply too many, such as a proxy may send, would shift all
that follow on the connection: each request would get the answer to the one before.
"""

import select
from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.tracing import Trace


class Connections(aiohttp.TCPConnector):
    """A pool whose connections are looked at once more before they are used again."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._generation = 0
        self._born: WeakKeyDictionary[ResponseHandler, int] = WeakKeyDictionary()  # in which generation

    def distrust(self) -> None:
        """Use none of the connections again that are open now: a reply on one of them was not the right one."""
        self._generation += 1

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 (aiohttp's interface)
    ) -> Connection:
        """A connection for one request: new, or one that is clean."""
        while True:
            connection = await super().connect(req, traces, timeout)
            protocol = connection.protocol
            assert protocol is not None
            new = protocol not in self._born
            born = self._born.setdefault(protocol, self._generation)
            if new or (born == self._generation and not protocol.should_close and not _readable(connection)):
                return connection
            connection.close()


def _readable(connection: Connection) -> bool:
    """Whether anything waits to be read: bytes that nobody asked for, or the end of the connection."""
    transport = connection.transport
    socket = transport.get_extra_info("socket") if transport is not None else None
    if socket is None:
        return False
    with suppress(OSError, ValueError):
        poll = select.poll()
        poll.register(socket.fileno(), select.POLLIN)
        return bool(poll.poll(0))
    return True
