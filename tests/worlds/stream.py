"""HTTP/1.1 on plain streams: requests as they are read, replies as they are written."""

import asyncio
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it arrived; header names are in lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def parts(self) -> list[str]:
        """The path below the root of the API; empty for any other path."""
        _, root, rest = self.path.partition("/api/v1/")
        return rest.split("/") if root else []

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply; JSON unless it says otherwise."""

    status: int = 200
    body: bytes = b"{}"
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)

    def encoded(self, date: str | None) -> bytes:
        """The bytes of the reply, with this `Date` header or none."""
        reason = HTTPStatus(self.status).phrase
        headers = {"Content-Type": self.content_type, "Content-Length": str(len(self.body)), **self.headers}
        if date is not None:
            headers["Date"] = date
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"HTTP/1.1 {self.status} {reason}\r\n{lines}\r\n".encode() + self.body


def answer(document: Any) -> Reply:
    """A JSON document as a reply."""
    return Reply(body=json.dumps(document).encode())


def problem(status: int, code: int, message: str) -> Reply:
    """An error as the gRPC gateway of C1 writes it."""
    document = {"code": code, "message": f"{message} (request-id: world-{code}-{status})", "details": []}
    return Reply(status, json.dumps(document).encode())


def http_date(moment: float) -> str:
    """Epoch seconds as a `Date` header has them."""
    return format_datetime(datetime.fromtimestamp(moment, UTC), usegmt=True)


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """The next request on a connection; None when there is none to come."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.split("\r\n")
        method, target, _ = first.split(" ", 2)
        pairs = (line.partition(":") for line in lines if line)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    except (asyncio.IncompleteReadError, ConnectionError, ValueError):
        return None
    parts = urlsplit(target)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    return Request(method, parts.path, query, headers, body)
