"""Tokens: one for all requests, fetched once, renewed early, dropped when the tenant rejects it.

Every mint is an event in the tenant's audit log, so there are as few as possible: a single flight however
many workers ask, and a rejected token is dropped only if it is still the current one. The token that
follows a rejected one is on probation: one request carries it, the others wait for the verdict. So a
revoked credential costs a handful of requests, not one for each worker and try.
"""

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import anyio
from yarl import URL

from runner.api.retry import retrying
from runner.base.errors import AccessError, ApiError, ExitCode
from runner.base.model import AttemptClass, Verdict
from runner.base.policy import RetryPolicy
from runner.base.settings import AccessToken
from runner.base.stop import Stop, now

_THROTTLED = 429


@dataclass(frozen=True, slots=True, eq=False)
class Token:
    """What a request carries. Identity tells tokens apart."""

    authorization: dict[str, str]
    renew_at: float = math.inf  # loop time
    renew_at_wall: float = math.inf  # epoch: the loop's clock stands still while the machine sleeps

    def __repr__(self) -> str:
        return "<Token>"

    def headers(self, method: str, url: URL) -> dict[str, str]:  # noqa: ARG002 (a bound token signs them)
        """The headers that authorize one request."""
        return self.authorization

    @property
    def secret(self) -> str:
        """The token itself, to be kept out of every message."""
        return self.authorization["Authorization"].partition(" ")[2]


class TokenSource(Protocol):
    """Where requests get their token, and where they say how it fared."""

    async def get(self) -> Token:
        """The current token, fetched or renewed if need be."""

    def is_current(self, token: Token) -> bool:
        """Whether `token` has not been dropped meanwhile; asked right before it is sent."""

    def accepted(self, token: Token) -> None:
        """The tenant took `token`."""

    def rejected(self, token: Token, message: str, *, alien: bool = False) -> None:
        """The answer to `token` was 401, an `alien` one if it is not C1's; `AccessError` when no other can help."""

    def unjudged(self, token: Token) -> None:
        """The request that carried `token` got no answer, or was never sent."""


class FixedToken:
    """A ready access token: nothing to renew, and one refusal is final."""

    def __init__(self, credential: AccessToken) -> None:
        self._token = Token({"Authorization": f"Bearer {credential.value}"})

    async def get(self) -> Token:
        """The token."""
        return self._token

    def is_current(self, token: Token) -> bool:
        """Always."""
        return token is self._token

    def accepted(self, token: Token) -> None:
        """Nothing to learn."""

    def rejected(self, token: Token, message: str, *, alien: bool = False) -> None:  # noqa: ARG002
        """Raises `AccessError`."""
        if alien:
            raise AccessError(f"what refuses CONDUCTORONE_ACCESS_TOKEN is not C1's API: {message}")
        raise AccessError(f"the tenant refuses CONDUCTORONE_ACCESS_TOKEN ({message}); get a new token")

    def unjudged(self, token: Token) -> None:
        """Nothing to learn."""


class SharedToken:
    """Tokens from `mint`, shared by all requests."""

    def __init__(
        self,
        mint: Callable[[], Awaitable[Token]],
        tenant: str,
        policy: RetryPolicy,
        stop: Stop,
        wall: Callable[[], float],
    ) -> None:
        self._mint = mint
        self._tenant = tenant
        self._policy = policy
        self._stop = stop
        self._wall = wall
        self._current: Token | None = None
        self._rejections = 0  # in a row
        self._probe: Token | None = None  # the token on probation that a request carries
        self._judged = anyio.Event()
        self._flight = anyio.Lock()
        self._flights = 0
        self._failure: Verdict | None = None  # of the latest flight
        self._not_before = -math.inf  # loop time: as the token endpoint has asked

    async def get(self) -> Token:
        """The current token; whoever finds none fetches it, the others wait for that.

        Raises `AccessError` when the credentials are refused, `ApiError` when no answer can be had.
        """
        while True:
            token = self._fresh()
            if token is None:
                token = await self._share_flight()
            if self._rejections == 0:
                return token
            if self._probe is None:
                self._probe = token
                return token
            await self._stop.wait_for(self._judged)

    def is_current(self, token: Token) -> bool:
        """Whether `token` is still the one to send."""
        return token is self._current

    def accepted(self, token: Token) -> None:
        """A token that the tenant took is good for everybody, or the one that has followed it by now."""
        if self._rejections and token in (self._current, self._probe):
            self._rejections = 0
            self._judge()

    def rejected(self, token: Token, message: str, *, alien: bool = False) -> None:
        """Drop `token` if it is the current one; raise `AccessError` when fresh ones are refused, too."""
        if token not in (self._current, self._probe):
            return
        if token is self._current:
            self._current = None
        self._rejections += 1
        self._judge()
        if self._rejections < self._policy.rejected_tokens:
            return
        if alien:
            raise AccessError(f"what refuses the tokens of {self._tenant} is not C1's API: {message}")
        raise AccessError(f"{self._tenant} refuses even fresh tokens ({message}); is the credential revoked?")

    def unjudged(self, token: Token) -> None:
        """Let another request try a token on probation."""
        if token is self._probe:
            self._judge()

    def _judge(self) -> None:
        self._probe = None
        self._judged.set()
        self._judged = anyio.Event()

    def _fresh(self) -> Token | None:
        token = self._current
        if token is None or now() >= token.renew_at or self._wall() >= token.renew_at_wall:
            return None
        return token

    async def _share_flight(self) -> Token:
        """Fetch a token, or have what the one who is fetching gets, be it an error."""
        flight = self._flights
        async with self._flight:
            token = self._fresh()
            if token is not None:
                return token
            self._stop.check()
            if self._flights != flight and self._failure is not None:
                raise ApiError(self._failure)
            return await self._fetch()

    async def _fetch(self) -> Token:
        self._failure = None
        try:
            token: Token = await retrying(self._policy, self._stop)(self._ask)
        except ApiError as error:
            self._failure = _unavailable(error.verdict, self._tenant)
            if error.verdict.status == _THROTTLED:  # no target fails for that: the run is what ends
                self._stop.request(self._failure.message, ExitCode.STOPPED)
                self._stop.check()
            raise ApiError(self._failure) from error
        finally:
            self._flights += 1
        self._current = token
        return token

    async def _ask(self) -> Token:
        """One request for a token, not before the time that the endpoint named, whoever asks."""
        wait = self._not_before - now()
        if wait > 0:
            await self._stop.sleep(wait)
        try:
            return await self._mint()
        except ApiError as error:
            self._not_before = now() + (error.verdict.retry_after or 0.0)
            raise


def _unavailable(verdict: Verdict, tenant: str) -> Verdict:
    """A failed mint as its caller sees it: the caller's own request was not sent."""
    message = f"no token from {tenant}: {verdict.message}"
    return verdict._replace(attempt=AttemptClass.NOT_SENT, message=message, throttled=False, truncated=False)
