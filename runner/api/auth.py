"""Tokens: one for all requests, fetched once, renewed early, dropped when the tenant rejects it.

Every mint is an event in the tenant's audit log, so as few as possible: a single flight however many
workers ask, and a rejected token is dropped only if it is still the current one.
"""

import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlencode

import anyio
from yarl import URL

from runner.api import assertion
from runner.api.classify import Reply, classify_reply, json_object
from runner.api.retry import retrying
from runner.errors import AccessError, ApiError
from runner.model import AttemptClass, Verdict
from runner.policy import REPLY_BYTES, TOKEN_LEEWAY, RetryPolicy
from runner.settings import AccessToken, ClientCredentials, Settings
from runner.stop import Stop

if TYPE_CHECKING:
    from jwt import PyJWK

_SHORTEST_LIFE, _LONGEST_LIFE = 60.0, 3600.0
_SKEW_WORTH_SAYING = 60.0  # seconds

Exchange = Callable[[str, URL, dict[str, str], bytes | None, int], Awaitable[Reply]]
"""`Transport.exchange`."""


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

    def redact(self, verdict: Verdict) -> Verdict:
        """The verdict without this token, should the tenant have echoed it."""
        secret = self.authorization["Authorization"].partition(" ")[2]
        if secret not in verdict.message:
            return verdict
        return replace(verdict, message=verdict.message.replace(secret, "[token]"))


class TokenSource(Protocol):
    """Where requests get their token."""

    async def get(self) -> Token:
        """The current token, fetched or renewed if need be."""

    def accepted(self) -> None:
        """The tenant took the current token."""

    def rejected(self, token: Token, message: str) -> None:
        """The tenant answered 401 to `token`; raises `AccessError` when another one cannot help."""


class FixedToken:
    """A ready access token: nothing to renew."""

    def __init__(self, credential: AccessToken) -> None:
        self._token = Token({"Authorization": f"Bearer {credential.value}"})

    async def get(self) -> Token:
        """The token."""
        return self._token

    def accepted(self) -> None:
        """Nothing to learn."""

    def rejected(self, token: Token, message: str) -> None:  # noqa: ARG002
        """A fixed token that is refused is refused for good."""
        raise AccessError(f"the tenant refuses CONDUCTORONE_ACCESS_TOKEN ({message}); get a new token")


class MintedToken:
    """Tokens for client credentials (RFC 6749 section 4.4; credentials in the body, as C1 asks)."""

    def __init__(
        self,
        settings: Settings,
        credentials: ClientCredentials,
        exchange: Exchange,
        policy: RetryPolicy,
        stop: Stop,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._credentials = credentials
        self._key: PyJWK | None = assertion.load_key(credentials) if credentials.is_key else None
        self._exchange = exchange
        self._policy = policy
        self._stop = stop
        self._wall = wall
        self._current: Token | None = None
        self._rejections = 0
        self._flight = anyio.Lock()

    async def get(self) -> Token:
        """The current token; whoever finds none fetches it, the others wait for that.

        Raises `AccessError` when the credentials are refused, `ApiError` when no answer can be had.
        """
        token = self._fresh()
        if token is not None:
            return token
        async with self._flight:
            return self._fresh() or await self._fetch()

    def accepted(self) -> None:
        """The tenant took the current token."""
        self._rejections = 0

    def rejected(self, token: Token, message: str) -> None:
        """Drop `token` if it is the current one; raise `AccessError` when fresh ones are refused, too."""
        if token is not self._current:
            return
        self._current = None
        self._rejections += 1
        if self._rejections >= self._policy.rejected_tokens:
            raise AccessError(f"the tenant refuses even fresh tokens ({message}); is the credential revoked?")

    def _fresh(self) -> Token | None:
        token = self._current
        if token is None or anyio.current_time() >= token.renew_at or self._wall() >= token.renew_at_wall:
            return None
        return token

    async def _fetch(self) -> Token:
        try:
            token: Token = await retrying(self._policy, self._stop)(self._mint)
        except ApiError as error:
            raise ApiError(_unavailable(error.verdict, self._settings)) from error
        self._current = token
        return token

    async def _mint(self) -> Token:
        self._stop.check()
        reply = await self._exchange(
            "POST",
            URL(self._settings.token_url),
            {"Content-Type": "application/x-www-form-urlencoded"},
            urlencode(self._form()).encode(),
            REPLY_BYTES,
        )
        verdict = classify_reply(reply)
        document = json_object(reply.body)
        if verdict.attempt is AttemptClass.APPLIED and document is not None:
            return self._token(document)
        if reply.status in (400, 401, 403):
            raise AccessError(self._refusal(reply, document, verdict))
        raise ApiError(verdict)

    def _form(self) -> dict[str, str]:
        form = {"grant_type": "client_credentials", "client_id": self._credentials.client_id}
        if self._key is None:
            return form | {"client_secret": self._credentials.secret}
        return form | {
            "client_assertion_type": assertion.ASSERTION_TYPE,
            "client_assertion": assertion.sign(
                self._key, self._credentials.client_id, self._settings.host, self._wall()
            ),
        }

    def _token(self, document: dict[str, object]) -> Token:
        value, kind = document.get("access_token"), str(document.get("token_type") or "Bearer")
        if kind.lower() != "bearer":
            raise AccessError(f"the credential gets tokens of type {kind[:20]!r}; this version uses Bearer tokens only")
        if not isinstance(value, str) or not value.isascii() or not value.isprintable() or " " in value:
            raise AccessError("the token endpoint's answer holds no usable access_token; is this a C1 tenant?")
        life = _life(document.get("expires_in"))
        left = life - min(TOKEN_LEEWAY, life / 5)
        return Token({"Authorization": f"Bearer {value}"}, anyio.current_time() + left, self._wall() + left)

    def _refusal(self, reply: Reply, document: dict[str, object] | None, verdict: Verdict) -> str:
        said = (document or {}).get("error_description") or (document or {}).get("error") or verdict.message
        text = f"{self._settings.tenant} refuses the client credentials ({str(said)[:200]})"
        skew = self._skew(reply)
        if self._key is not None and abs(skew) > _SKEW_WORTH_SAYING:
            side = "ahead of" if skew > 0 else "behind"
            text += f"; this machine's clock is {abs(skew):.0f} s {side} the tenant's, set it right"
        return text

    def _skew(self, reply: Reply) -> float:
        """Seconds by which this machine's clock is ahead of the tenant's, as far as the reply tells."""
        try:
            return self._wall() - parsedate_to_datetime(reply.headers["date"]).timestamp()
        except (KeyError, ValueError, TypeError):
            return 0.0


def token_source(
    settings: Settings, exchange: Exchange, policy: RetryPolicy, stop: Stop, wall: Callable[[], float]
) -> TokenSource:
    """The token source for the settings' credential; raises `SettingsError` for a damaged secret."""
    if isinstance(settings.credential, AccessToken):
        return FixedToken(settings.credential)
    return MintedToken(settings, settings.credential, exchange, policy, stop, wall)


def _life(expires_in: object) -> float:
    """Seconds a token lives: what is said if it makes sense, else a cautious guess."""
    if isinstance(expires_in, (int, float)) and math.isfinite(expires_in) and expires_in > 0:
        return min(float(expires_in), _LONGEST_LIFE)
    return _SHORTEST_LIFE


def _unavailable(verdict: Verdict, settings: Settings) -> Verdict:
    """A failed mint as its caller sees it: the caller's own request was not sent."""
    message = f"no token from {settings.token_url}: {verdict.message}"
    return replace(verdict, attempt=AttemptClass.NOT_SENT, message=message, throttled=False, truncated=False)
