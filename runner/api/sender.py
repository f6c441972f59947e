"""Every request of a run goes through here, in turn, authorized and judged.

    slot (requests in flight) -> token -> turn (pace, outage) -> exchange -> classify
                                                                  ├── 401: another token, the same request again
                                                                  └── 429: wait as told, the same request again

Neither uses up an attempt. What is left over is a verdict, and retrying on it is the caller's business.
"""

import logging
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from types import TracebackType
from typing import NamedTuple, Self

import anyio
from tenacity import AsyncRetrying
from yarl import URL

from runner.api.auth import FixedToken, SharedToken, Token, TokenSource
from runner.api.classify import Reply, classify_reply, json_object
from runner.api.mint import Mint
from runner.api.ratelimit import allowance
from runner.api.retry import persist, retrying, while_up
from runner.api.tenant_time import TenantTime
from runner.api.transport import Transport
from runner.api.turn import Tally, Turns
from runner.base.errors import AccessError, ApiError, ExitCode, StoppingError
from runner.base.model import AttemptClass, JsonObject, Verdict
from runner.base.policy import PAGE_BYTES, REPLY_BYTES, LimitPolicy, RetryPolicy, Timeouts
from runner.base.settings import AccessToken, Settings
from runner.base.stop import Stop, now

log = logging.getLogger(__name__)

_REPLAYS = 2
"""How often one request is repeated with another token before its 401 is final for it."""


class Request(NamedTuple):
    """What is to be sent, once."""

    method: str
    url: URL
    body: bytes | None = None
    limit: int = REPLY_BYTES
    sending: Callable[[], None] | None = None
    optional: bool = False  # not every tenant has it: what answers otherwise is no sign of an outage


class Sender:
    """The way to one tenant for one run. Use it as an async context manager."""

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

    def distrust(self) -> None:
        """Use no connection again that is open now: what is proven next must not rest on a reply that has strayed."""
        self._transport.distrust()

    async def read(self, url: URL, check: Callable[[JsonObject], None], *, optional: bool = False) -> JsonObject:
        """A GET's JSON object, with retries; raises `ApiError`, also what `check` has against it."""
        request = Request("GET", url, limit=PAGE_BYTES, optional=optional)
        tally = Tally()

        async def once() -> JsonObject:
            reply, verdict = await self.send(request, tally)
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

    async def send(self, request: Request, tally: Tally) -> tuple[Reply, Verdict]:
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

    async def _once(self, request: Request, tally: Tally) -> tuple[Reply, Verdict, float]:
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
        return self._judged(request, token, sent_at, reply, tally)

    def _judged(
        self, request: Request, token: Token, sent_at: float, reply: Reply, tally: Tally
    ) -> tuple[Reply, Verdict, float]:
        """What a reply means, told to all who go by it."""
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
