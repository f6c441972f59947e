"""Getting a token for client credentials: one request to the token endpoint, and what its answer means.

RFC 6749 section 4.4 with the credentials in the body, as C1 asks; a secret that is a key signs an assertion
instead of being sent (RFC 7523).
"""

import math
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from yarl import URL

from runner.api import assertion
from runner.api.auth import Token
from runner.api.classify import Reply, classify_reply, json_object
from runner.api.waits import moment
from runner.base.errors import AccessError, ApiError
from runner.base.model import AttemptClass
from runner.base.policy import REPLY_BYTES, TOKEN_LEEWAY
from runner.base.settings import ClientCredentials, Settings
from runner.base.stop import now

if TYPE_CHECKING:
    from jwt import PyJWK

_GUESSED_LIFE, _LONGEST_LIFE = 60.0, 3600.0  # seconds
_MINT_EVERY = 1.0  # seconds at least, however short a token lives
_SKEW_WORTH_SAYING = 60.0  # seconds

Exchange = Callable[[str, URL, dict[str, str], bytes | None, int], Awaitable[Reply]]
"""`Transport.exchange`."""


class Mint:
    """Calling it asks the tenant for a token, once.

    Raises `AccessError` when the credentials are refused, `ApiError` when there is no usable answer.
    """

    def __init__(
        self,
        settings: Settings,
        credentials: ClientCredentials,
        exchange: Exchange,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._credentials = credentials
        self._key: PyJWK | None = assertion.load_key(credentials) if credentials.is_key else None
        self._exchange = exchange
        self._wall = wall
        self._ahead = 0.0  # seconds by which the tenant's clock is taken to be ahead of ours: it judges assertions

    async def __call__(self) -> Token:
        """A new token; every one is an event in the tenant's audit log.

        An assertion that is refused although only this machine's clock may be wrong is signed once more, by the
        tenant's.
        """
        ahead = self._ahead
        try:
            return await self._ask()
        except AccessError:
            if self._key is None or abs(self._ahead - ahead) <= _SKEW_WORTH_SAYING:
                raise
        return await self._ask()

    async def _ask(self) -> Token:
        form = self._form()
        reply = await self._exchange(
            "POST",
            URL(self._settings.token_url),
            {"Content-Type": "application/x-www-form-urlencoded"},
            urlencode(form).encode(),
            REPLY_BYTES,
        )
        sent = (form.get("client_secret"), form.get("client_assertion"))
        reply = reply._replace(secrets=tuple(filter(None, sent)))
        verdict = classify_reply(reply, self._wall())
        document = json_object(reply.body)
        if verdict.attempt is AttemptClass.APPLIED and document is not None:
            return self._token(document)
        if reply.status in (400, 401, 403):
            unread = f"no token from {self._settings.tenant}: {verdict.message}"
            raise AccessError(unread if document is None else self._refusal(reply, document))
        # A reply that was cut short is asked for again: nothing was changed by asking.
        if verdict.truncated:
            verdict = verdict._replace(attempt=AttemptClass.AMBIGUOUS, retryable=True)
        raise ApiError(verdict)

    def _form(self) -> dict[str, str]:
        form = {"grant_type": "client_credentials", "client_id": self._credentials.client_id}
        if self._key is None:
            return form | {"client_secret": self._credentials.secret}
        signed = assertion.sign(self._key, self._credentials.client_id, self._settings.host, self._wall() + self._ahead)
        return form | {"client_assertion_type": assertion.ASSERTION_TYPE, "client_assertion": signed}

    def _token(self, document: Mapping[str, object]) -> Token:
        value, kind = document.get("access_token"), str(document.get("token_type") or "Bearer")
        if kind.lower() != "bearer":
            raise AccessError(f"the credential gets tokens of type {kind[:20]!r}; this version uses Bearer tokens only")
        if not isinstance(value, str) or not value or not value.isascii() or not value.isprintable() or " " in value:
            raise AccessError("the token endpoint's answer holds no usable access_token; is this a C1 tenant?")
        life = _life(document.get("expires_in"))
        left = max(_MINT_EVERY, life - min(TOKEN_LEEWAY, life / 5))
        return Token({"Authorization": f"Bearer {value}"}, now() + left, self._wall() + left)

    def _refusal(self, reply: Reply, document: Mapping[str, object]) -> str:
        own = document.get("error_description") or document.get("error") or document.get("message")
        said = reply.quote(str(own)) if own else f"HTTP {reply.status}"
        text = f"{self._settings.tenant} refuses the client credentials ({said})"
        skew = self._skew(reply)
        self._ahead = -skew
        if self._key is not None and abs(skew) > _SKEW_WORTH_SAYING:
            side = "ahead of" if skew > 0 else "behind"
            text += f"; this machine's clock is {abs(skew):.0f} s {side} the tenant's, set it right"
        return text

    def _skew(self, reply: Reply) -> float:
        """Seconds by which this machine's clock is ahead of the tenant's, as far as the reply tells."""
        theirs = moment(reply.headers.get("date"))
        return 0.0 if theirs is None else self._wall() - theirs


def _life(expires_in: object) -> float:
    """Seconds a token lives: what is said if it makes sense, else a cautious guess."""
    try:
        if isinstance(expires_in, bool) or not isinstance(expires_in, (int, float, str)):
            return _GUESSED_LIFE
        life = float(expires_in)
    except (ValueError, OverflowError):
        return _GUESSED_LIFE
    return min(life, _LONGEST_LIFE) if 0 < life < math.inf else _GUESSED_LIFE
