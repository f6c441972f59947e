"""One exchange with a tenant of bytes, and what it comes to."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from yarl import URL

from runner.api.classify import Reply, classify_reply
from runner.api.transport import Transport
from runner.base.errors import ApiError
from runner.base.model import Verdict
from runner.base.policy import Timeouts

TOKEN = "canary-4f9a.c2ln_bmF0-dXJl"
SECONDS = Timeouts(connect=10, request=30)
PATH = "/api/v1/apps/app1/connectors/con1/pause"


async def exchange(
    url: str, *, proxy: str | None = None, tls: ssl.SSLContext | None = None, limit: int = 65_536, method: str = "POST"
) -> Reply:
    """One request in a transport of its own."""
    async with Transport(SECONDS, proxy=proxy, tls=tls) as transport:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        return await transport.exchange(method, URL(url + PATH), headers, b"{}", limit)


async def verdict_of(url: str, **options: Any) -> Verdict:
    """What one request comes to."""
    raised: ApiError | None = None
    try:
        return classify_reply(await exchange(url, **options))
    except ApiError as error:
        raised = error
    assert raised.__cause__ is None
    assert raised.__context__ is None  # the repr of what aiohttp raised may hold the token
    assert TOKEN not in f"{raised} {raised!r}"
    return raised.verdict


def resolving(monkeypatch: pytest.MonkeyPatch, answer: Callable[[], Awaitable[None]]) -> None:
    """Let every name be this machine's, once `answer` has returned."""

    async def getaddrinfo(host: str, port: int, **options: object) -> list[Any]:
        await answer()
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo, raising=False)
