"""The C1 client: every request of a run goes through here, in turn, authorized and judged.

    slot (requests in flight) -> token -> turn (pace, outage) -> exchange -> classify
                                                                  ├── 401: another token, the same request again
                                                                  └── 429: wait as told, the same request again

Neither uses up an attempt. What is left over is a verdict, and retrying on it is the caller's business.
"""

import logging
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack
from types import TracebackType
from typing import NamedTuple, Self

import anyio
from tenacity import AsyncRetrying
from yarl import URL

from runner.api import pages, rows
from runner.api.auth import FixedToken, SharedToken, Token, TokenSource
from runner.api.classify import Reply, classify_reply, json_object
from runner.api.mint import Mint
from runner.api.ratelimit import allowance
from runner.api.retry import persist, retrying, while_up
from runner.api.tenant_time import TenantTime
from runner.api.transport import Transport
from runner.api.turn import Tally, Turns
from runner.base.errors import AccessError, ApiError, ExitCode, StoppingError
from runner.base.model import AttemptClass, Connector, JsonObject, Target, Verdict, is_id
from runner.base.operations import Operation
from runner.base.policy import PAGE_BYTES, PAGE_SIZE, REPLY_BYTES, LimitPolicy, RetryPolicy, Timeouts
from runner.base.settings import AccessToken, Settings
from runner.base.stop import Stop, now

log = logging.getLogger(__name__)

_REPLAYS = 2
"""How often one request is repeated with another token before its 401 is final for it."""


_BARREN_PAGES = 3
"""So many pages of MCP servers in a row without a new one, and more announced: such a listing has no end."""


class _Request(NamedTuple):
    method: str
    url: URL
    body: bytes | None = None
    limit: int = REPLY_BYTES
    sending: Callable[[], None] | None = None
    optional: bool = False  # not every tenant has it: what answers otherwise is no sign of an outage


class Client:
    """A tenant's API for one run. Use it as an async context manager."""

    def __init__(
        self,
        settings: Settings,
        *,
        stop: Stop,
        limits: LimitPolicy | None = None,
        retry: RetryPolicy | None = None,
        timeouts: Timeouts | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        limits = limits or LimitPolicy()
        self._root = URL(settings.api_url)
        self._stop = stop
        self._retry = retry or RetryPolicy()
        timeouts = timeouts or Timeouts()
        self.request_timeout = timeouts.request
        self.tenant_time = TenantTime(wall)
        self.sees_marks = False  # whether a mark was read: a role that may not see them reads every connector as active
        self._transport = Transport(timeouts, proxy=settings.proxy)
        self.turns = Turns(limits, self._retry, stop)
        self._tokens: TokenSource
        if isinstance(settings.credential, AccessToken):
            self._tokens = FixedToken(settings.credential)
        else:
            mint = Mint(settings, settings.credential, self._exchange, wall)
            self._tokens = SharedToken(self.turns.minting(mint), settings.tenant, self._retry, stop, wall)
        self._concurrency = limits.concurrency
        self._slots = anyio.Semaphore(limits.concurrency, fast_acquire=True)
        self._wall = wall
        self.total = Tally()
        self._told: list[float] = []  # when each request that was told to wait goes on, on the loop's clock
        self._stack = AsyncExitStack()
        self.opened_at = 0.0  # on the loop's clock: whatever was read, was so later

    async def __aenter__(self) -> Self:
        self.opened_at = now()
        await self._stack.enter_async_context(self._transport)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def in_flight(self) -> int:
        """Requests that have a slot: sent, or about to be."""
        return self._concurrency - self._slots.value

    @property
    def told_to_wait(self) -> tuple[int, float]:
        """How many requests wait because a 429 told them to, and the seconds until the last of them goes on."""
        return len(self._told), max(self._told, default=0.0) - anyio.current_time() if self._told else 0.0

    async def sign_in(self) -> None:
        """Get a token; raises `AccessError` if the tenant refuses, `ApiError` if it cannot be had."""
        self._tokens.unjudged(await self._tokens.get())

    async def act(
        self, operation: Operation, target: Target, tally: Tally, sending: Callable[[], None] | None = None
    ) -> Verdict:
        """Do `operation` to `target`, once; the verdict says what became of that attempt.

        `tally` counts what was sent for this target. `sending` is called right before each request leaves; what it
        raises keeps that from happening, and is passed on. Raises `StoppingError` when the run ends before this
        one was sent, as it does when the credentials are refused for good.
        """
        url = self._connector_url(target, f"/{operation.segment}")
        try:
            reply, verdict = await self._send(_Request("POST", url, b"{}", sending=sending), tally)
        except ApiError as error:
            return error.verdict
        if verdict.attempt is AttemptClass.APPLIED and pages.answers_a_read(json_object(reply.body)):
            self._transport.distrust()
            return pages.strange("the answer is one to another request").verdict
        return verdict

    def distrust(self) -> None:
        """Use no connection again that is open now: what is proven next must not rest on a reply that has strayed."""
        self._transport.distrust()

    async def connector(self, target: Target) -> Connector:
        """Read one connector, with retries; raises `ApiError` (with status 404 if there is none)."""
        url = self._connector_url(target)
        document = await self._read(url, lambda document: pages.check_connector(document, target))
        found = rows.connector(document.get("connectorView"), target.app_id)
        if found is None:
            raise pages.strange("the answer holds no connector")
        self.sees_marks = self.sees_marks or found.state.marked
        return found

    async def connectors(self, app_id: str) -> AsyncGenerator[rows.Connectors, None]:
        """An app's connectors, page by page; raises `ApiError`."""
        async for page, more in self._pages(self._url(f"/apps/{_checked(app_id)}/connectors"), app_id):
            found = (rows.connector(row, app_id) for row in page)
            connectors = [connector for connector in found if connector is not None]
            self.sees_marks = self.sees_marks or any(connector.state.marked for connector in connectors)
            yield rows.Connectors(connectors, more, len(page) - len(connectors))

    async def apps(self) -> AsyncGenerator[list[rows.App], None]:
        """The tenant's apps, page by page; raises `ApiError`."""
        async for page, _ in self._pages(self._url("/apps")):
            yield [rows.app(row) for row in page]

    async def _pages(self, url: URL, app_id: str | None = None) -> AsyncGenerator[tuple[list[JsonObject], bool], None]:
        token, progress = "", pages.Progress()
        while True:
            query = {"page_size": str(PAGE_SIZE)} | ({"page_token": token} if token else {})
            document = await self._page(url.with_query(query), app_id)
            page = [row for row in document.get("list") or () if isinstance(row, dict)]
            token = document.get("nextPageToken") or ""
            yield page, bool(token)
            if not token:
                return
            progress.turn(page, token)

    async def _page(self, url: URL, app_id: str | None) -> JsonObject:
        """One page. An empty object may be one, or an answer to an action that has strayed: it is asked for twice."""

        def check(document: JsonObject) -> None:
            pages.check_page(document, app_id)

        document = await self._read(url, check)
        if not document:
            self._transport.distrust()
            document = await self._read(url, check)
        return document

    async def _read(self, url: URL, check: Callable[[JsonObject], None], *, optional: bool = False) -> JsonObject:
        """A GET's JSON object, with retries; raises `ApiError`, also what `check` has against it."""
        request = _Request("GET", url, limit=PAGE_BYTES, optional=optional)
        tally = Tally()

        async def once() -> JsonObject:
            reply, verdict = await self._send(request, tally)
            document = json_object(reply.body)
            if verdict.attempt is not AttemptClass.APPLIED or document is None:
                # A read that was cut short is simply read again.
                raise ApiError(verdict._replace(retryable=verdict.retryable or verdict.truncated))
            try:
                check(document)
            except ApiError:
                self._transport.distrust()
                raise
            return document

        def retry() -> AsyncRetrying:
            return retrying(self._retry, self._stop, until=while_up(self._retry.attempts, lambda: self.turns.outage))

        return await persist(once, retry)

    async def _send(self, request: _Request, tally: Tally) -> tuple[Reply, Verdict]:
        """One attempt: as many requests as throttling and stale tokens make of it."""
        if tally.requests:
            tally.retries += 1
            self.total.retries += 1
        replays = 0
        while True:
            await self._slot()
            try:
                reply, verdict, wait = await self._once(request, tally)
            except AccessError as error:  # no request can succeed any more: that ends the run, not this one alone
                self._stop.request(str(error), ExitCode.ACCESS)
                raise StoppingError(str(error)) from None
            finally:
                self._slots.release()
            if verdict.token_rejected and replays < _REPLAYS:
                replays += 1
            elif verdict.status == 429:
                tally.waited += wait
                await self._wait_as_told(wait)
            else:
                return reply, verdict

    async def _slot(self) -> None:
        if self._slots.value:
            self._slots.acquire_nowait()
        else:
            await self._slots.acquire()

    async def _wait_as_told(self, seconds: float) -> None:
        until = anyio.current_time() + seconds
        self._told.append(until)
        try:
            await self._stop.sleep(seconds)
        finally:
            self._told.remove(until)

    async def _once(self, request: _Request, tally: Tally) -> tuple[Reply, Verdict, float]:
        """One request; besides reply and verdict, the seconds its target must wait if it was throttled."""
        token, sent_at = await self._permission(tally)
        if request.sending is not None:
            try:
                request.sending()
            except BaseException:
                self.turns.unused(sent_at)
                self._tokens.unjudged(token)
                raise
        tally.requests += 1
        self.total.requests += 1
        try:
            reply = await self._exchange(
                request.method,
                request.url,
                token.headers(request.method, request.url),
                request.body,
                request.limit,
                (token.secret,),
                fresh=tally.dropped,
            )
        except BaseException as error:
            log.debug("%s %s -> %s", request.method, request.url.path, error)
            tally.dropped = tally.dropped or isinstance(error, ApiError)
            self.turns.unanswered(sent_at)
            self._tokens.unjudged(token)
            raise
        verdict = classify_reply(reply, self._wall())
        if request.optional and (verdict.alien or verdict.status == 500):
            verdict = verdict._replace(attempt=AttemptClass.REFUSED, retryable=False)
        if log.isEnabledFor(logging.DEBUG):
            seconds = self.turns.now() - sent_at
            log.debug("%s %s -> %s in %.3f s", request.method, request.url.path, reply.status, seconds)
        wait = self.turns.answered(sent_at, verdict, allowance(reply.headers, self._wall()))
        if verdict.throttled:
            tally.throttled += 1
            self.total.throttled += 1
        if verdict.token_rejected:
            self._tokens.rejected(token, verdict.message, alien=verdict.alien)
        elif verdict.alien:
            self._tokens.unjudged(token)
        else:
            self._tokens.accepted(token)
        return reply, verdict, wait

    async def _exchange(
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
        """Every exchange of a run, those with the token endpoint included: here a request leaves and a reply comes."""
        sent_at = self.turns.now()
        reply = await self._transport.exchange(method, url, headers, body, limit, secrets, fresh=fresh)
        if "json" in reply.headers.get("content-type", ""):  # a gateway's page tells nothing of C1's clock
            self.tenant_time.learn(sent_at, self.turns.now(), reply.headers)
        return reply

    async def _permission(self, tally: Tally) -> tuple[Token, float]:
        """A token and a turn, both good at this moment; the time of the turn is when the request leaves."""
        asked_at = self.turns.now()
        while True:
            token = await self._tokens.get()
            try:
                sent_at = await self.turns.take()
            except BaseException:
                self._tokens.unjudged(token)
                raise
            if self._tokens.is_current(token):
                tally.waited += sent_at - asked_at
                return token, sent_at
            self._tokens.unjudged(token)

    def _connector_url(self, target: Target, tail: str = "") -> URL:
        app_id, connector_id = _checked(target.app_id), _checked(target.connector_id)
        return self._url(f"/apps/{app_id}/connectors/{connector_id}{tail}")

    def _url(self, path: str) -> URL:
        return self._root.with_path(self._root.raw_path + path, encoded=True)

    async def mcp_servers(self, app_id: str) -> list[rows.McpServer]:
        """All of an app's MCP servers; raises `ApiError` where the tenant does not tell them whole.

        Not every tenant has this listing (404, 501), not every role may see it (403), and what is none of C1's
        answers is no answer: none of that says that there are no MCP servers. Source: MCPServerService.List.
        """
        url, token, barren = self._url(f"/apps/{_checked(app_id)}/mcp_servers"), "", 0
        found: dict[str, rows.McpServer] = {}
        while barren < _BARREN_PAGES:
            query = {"page_size": str(PAGE_SIZE)} | ({"page_token": token} if token else {})
            document = await self._read(url.with_query(query), lambda _: None, optional=True)
            page = rows.mcp_servers(document, app_id)
            if page is None:
                raise ApiError(Verdict(AttemptClass.AMBIGUOUS, "the answer is no listing of MCP servers", 200))
            before = len(found)
            found |= {server.connector_id: server for server in page}
            barren = 0 if len(found) > before else barren + 1
            token = str(document.get("nextPageToken") or "")
            if not token:
                return list(found.values())
        raise ApiError(Verdict(AttemptClass.AMBIGUOUS, "the listing goes round in circles", 200))


def _checked(segment: str) -> str:
    if not is_id(segment):
        raise ValueError(f"not an id: {segment!r}")
    return segment
