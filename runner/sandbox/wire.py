"""Puts a reply on the wire, byte by byte, so that it can also be a broken one."""

from __future__ import annotations

import asyncio
import gzip
import socket
import struct
from email.utils import formatdate
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web

from runner.sandbox.actions import Kind
from runner.sandbox.replies import Reply

if TYPE_CHECKING:
    from aiohttp.abc import AbstractStreamWriter

BOMB_BYTES = 64 * 1024 * 1024
BIG_BODY_BYTES = 8 * 1024 * 1024
BIG_HEADER_BYTES = 64 * 1024
MISSING_BYTES = 32  # by which a truncated reply falls short of its Content-Length
BEFORE_C1 = frozenset({Kind.GATEWAY, Kind.FORBIDDEN})
UNANSWERED = frozenset({Kind.DROP, Kind.RESET, Kind.SILENCE})
_TARPIT_PERIOD = 1.0  # seconds a byte
_LINGER_NOT = struct.pack("ii", 1, 0)  # close with a reset, not with a farewell
_REASONS = {status.value: status.phrase for status in HTTPStatus}


class WireReply(web.StreamResponse):
    """A response that writes its own bytes: aiohttp's correct framing would stand in the way of faults.

    `now` is the time of its Date header, epoch seconds; None for none.
    """

    def __init__(self, reply: Reply, kind: Kind, *, now: float | None, request_id: str) -> None:
        super().__init__(status=reply.status)
        self._reply = reply
        self._kind = kind
        self._now = now
        # What a gateway answers by itself has no id of C1's.
        self._request_id_line = "" if kind in BEFORE_C1 else f"X-Request-Id: {request_id}\r\n"
        self._persists = True

    @property
    def keep_alive(self) -> bool | None:
        return self._persists

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Write everything. A ConnectionError tells aiohttp that the connection is over."""
        transport = request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client has gone")
        assert isinstance(transport, asyncio.Transport)
        kind = self._kind
        if kind in UNANSWERED:
            await _say_nothing(transport, kind)
        self._persists = request.keep_alive and request.method != "HEAD" and kind is not Kind.TRUNCATE
        data = self._data(kind, head_only=request.method == "HEAD")
        if kind is Kind.TARPIT:
            await _drip(transport, data)
        transport.write(data * 2 if kind is Kind.DUPLICATE else data)
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing is left to write."""

    def _data(self, kind: Kind, *, head_only: bool) -> bytes:
        body, extra = self._reply.body, ""
        if kind is Kind.BOMB:
            body, extra = _bomb(), "Content-Encoding: gzip\r\n"
        elif kind is Kind.BIG_BODY:
            body = b'{"padding":"' + b"x" * BIG_BODY_BYTES + b'"}'
        elif kind is Kind.BIG_HEADER:
            extra = f"X-Padding: {'x' * BIG_HEADER_BYTES}\r\n"
        length = len(body) + (MISSING_BYTES if kind is Kind.TRUNCATE else 0)
        head = self._head(length, extra)
        return head if head_only or self._reply.status == 204 else head + body

    def _head(self, length: int, extra: str) -> bytes:
        reply = self._reply
        lines = "".join(f"{name}: {value}\r\n" for name, value in reply.headers)
        closing = "" if self._persists else "Connection: close\r\n"
        framing = f"Content-Type: {reply.content_type}\r\nContent-Length: {length}\r\n"
        if reply.status == 204:
            framing = ""  # RFC 9110, 8.6: no length where there is never a body
        return (
            f"HTTP/1.1 {reply.status} {_REASONS.get(reply.status, 'Unknown')}\r\n"
            f"{_date_line(self._now)}{framing}{self._request_id_line}{lines}{extra}{closing}\r\n"
        ).encode()


async def _say_nothing(transport: asyncio.Transport, kind: Kind) -> None:
    if kind is Kind.RESET:
        connection: socket.socket = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
        transport.abort()
    while kind is Kind.SILENCE and not transport.is_closing():  # noqa: ASYNC110 - a transport has no event
        await asyncio.sleep(_TARPIT_PERIOD)
    raise ConnectionResetError("no reply, as scheduled")


async def _drip(transport: asyncio.Transport, data: bytes) -> None:
    for position in range(len(data)):
        if transport.is_closing():
            break
        transport.write(data[position : position + 1])
        await asyncio.sleep(_TARPIT_PERIOD)
    raise ConnectionResetError("the tarpit is over")


@cache
def _bomb() -> bytes:
    return gzip.compress(bytes(BOMB_BYTES), mtime=0)


_dates: dict[int, str] = {}


def _date_line(moment: float | None) -> str:
    """Return the Date header of a moment in epoch seconds, None for no such header.

    One is formatted per second, however many replies.
    """
    if moment is None:
        return ""
    second = int(moment)
    if second not in _dates:
        _dates.clear()
        _dates[second] = f"Date: {formatdate(second, usegmt=True)}\r\n"
    return _dates[second]
