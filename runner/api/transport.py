"""One HTTP exchange, and nothing of what it means: bounded, without redirects, without leaks."""

import ssl
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

from runner.api.classify import Reply, classify_failure
from runner.api.connections import Connections
from runner.api.timelimit import Running, TimeLimit
from runner.api.unpack import unpack
from runner.base.errors import ApiError
from runner.base.policy import Timeouts
from runner.base.version import __version__

_USER_AGENT = f"c1-runner/{__version__}"
_CHUNK = 64 * 1024
_EMPTY_OBJECT = aiohttp.BytesPayload(b"{}", content_type="application/json")
"""The body of nearly every request, made once: bytes can be sent again and again."""

_EXACT = 1e9
"""Seconds above which aiohttp may round a time-out up to whole seconds: never."""


class Transport:
    """A connection pool to one tenant. Use it as an async context manager."""

    def __init__(self, timeouts: Timeouts, *, proxy: str | None = None, tls: ssl.SSLContext | None = None) -> None:
        self._timeouts = timeouts
        self._proxy = proxy
        self._tls = tls
        self._stack = AsyncExitStack()
        self._session: aiohttp.ClientSession | None = None
        self._pool: Connections | None = None
        self._fresh: aiohttp.ClientSession | None = None  # made when it is first asked for
        self._limit: TimeLimit | None = None

    async def __aenter__(self) -> Self:
        self._pool = Connections(limit=0, ssl=self._tls or True)  # the client bounds what is in flight
        self._session = await self._opened(self._pool)
        self._limit = TimeLimit(self._timeouts.request)
        self._stack.callback(self._limit.close)
        return self

    async def _opened(self, connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
        session = await self._stack.enter_async_context(
            aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,  # a small reply cannot become a large one
                trust_env=False,  # it would read ~/.netrc as well, and lose our Authorization header
                headers={
                    "User-Agent": _USER_AGENT,
                    "Accept": "application/json",
                    "Accept-Encoding": "identity",
                },
                timeout=aiohttp.ClientTimeout(
                    total=None,  # `TimeLimit` does that
                    connect=self._timeouts.connect,  # DNS, TCP, TLS, a proxy's CONNECT
                    ceil_threshold=_EXACT,
                ),
            )
        )
        # aiohttp would send a GET again by itself when the connection is dropped: one probe into an outage would
        # be two, and the account of requests wrong. Its own test client switches that off the same way.
        session._retry_connection = False
        return session

    def distrust(self) -> None:
        """Use no connection again that is open now: a reply that came on one of them belongs to another request."""
        if self._pool is not None:
            self._pool.distrust()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def exchange(
        self,
        method: str,
        url: URL,
        headers: dict[str, str],
        body: bytes | None,
        limit: int,
        secrets: tuple[str, ...] = (),
        *,
        fresh: bool = False,
    ) -> Reply:
        """Send one request and read at most `limit` bytes of its reply's body; `secrets` are not quoted from it.

        A `fresh` one gets a connection of its own, opened for it and closed after it. Raises `ApiError` when no reply
        came. The cause is not chained: the `repr` of aiohttp's errors can hold the Authorization header.
        """
        if self._session is None or self._limit is None:
            raise RuntimeError("the transport is not open")
        session = await self._session_of_its_own() if fresh else self._session
        try:
            with self._limit.begin() as running:
                response = await session.request(
                    method,
                    url,
                    headers=headers,
                    data=_EMPTY_OBJECT if body == b"{}" else body,
                    allow_redirects=False,
                    proxy=self._proxy,
                )
                try:
                    return await _read(response, limit, secrets, running)
                finally:
                    if not response.closed:  # it closes when its body has come to the end
                        response.release()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            verdict = classify_failure(error)
        raise ApiError(verdict)

    async def _session_of_its_own(self) -> aiohttp.ClientSession:
        if self._fresh is None:
            self._fresh = await self._opened(aiohttp.TCPConnector(limit=0, ssl=self._tls or True, force_close=True))
        return self._fresh


async def _read(response: aiohttp.ClientResponse, limit: int, secrets: tuple[str, ...], running: Running) -> Reply:
    """The reply with as much of its body as came and as fits."""
    content = response.content
    body = bytearray()
    truncated = too_large = False
    try:
        while not content.at_eof():
            if content.is_eof():  # a small body comes along with the headers: there is nothing to wait for
                body += content.read_nowait()
            else:
                with running:
                    body += await content.read(_CHUNK)
            if len(body) > limit:
                too_large = True
                response.close()
                break
    except (aiohttp.ClientError, TimeoutError, OSError):
        truncated = True
        response.close()
    found = unpack(bytes(body[:limit]), response.headers.get("content-encoding", ""), limit)
    truncated, too_large = truncated or (found.truncated and not too_large), too_large or found.too_large
    return Reply(response.status, response.headers, found.body, truncated, too_large, secrets, found.packed)
