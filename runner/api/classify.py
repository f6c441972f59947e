"""What one reply, or its absence, means. Pure: all behaviours are here, and are tested as one table.

Sources: RFC 9110 (status codes, Retry-After), the C1 API's published errors (gRPC-gateway JSON), and what
aiohttp raises. Two rules cost others dearly: a 2xx that is not JSON is no success, and whatever was sent
without a clear answer is ambiguous, never failed.
"""

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any, NamedTuple

import aiohttp

from runner.model import AttemptClass, Verdict

_NOT_SENT, _REFUSED = AttemptClass.NOT_SENT, AttemptClass.REFUSED
_APPLIED, _AMBIGUOUS = AttemptClass.APPLIED, AttemptClass.AMBIGUOUS

EXCERPT = 300
"""Characters of a reply that an error message quotes at most."""

_REQUEST_ID = re.compile(r"\(request-id: ([^)]{1,100})\)")
_DIGITS = re.compile(r"\s*[0-9]{1,12}(\.[0-9]{1,9})?\s*").fullmatch
_USERINFO = re.compile(r"://[^\s/@]+@")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\U00010000-\U0010ffff]+")
_UNSUPPORTED = frozenset({405, 411, 415, 501})
"""Refusals that no target can escape: this client and the API have grown apart."""

_TRY_AGAIN = frozenset({409, 425})
_GATEWAY_LOST = frozenset({408, 499})
"""Seen from C1 when a reply came too late: the request may have been handled."""


class Reply(NamedTuple):
    """A reply as it came: its headers, asked for by lower-case name, and as much of the body as was read."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    truncated: bool = False  # the connection ended before the body did
    too_large: bool = False  # the body was longer than we read
    secrets: tuple[str, ...] = ()  # what was sent and must not be quoted

    def __repr__(self) -> str:
        return f"<Reply {self.status}, {len(self.body)} bytes>"

    def quote(self, text: str) -> str:
        """What the reply says, fit for a message: without secrets that it echoes, on one line, printable, short."""
        for secret in self.secrets:
            text = _spelled(secret).sub("[redacted]", text)
        return clean(text)


@lru_cache(maxsize=8)
def _spelled(secret: str) -> re.Pattern[str]:
    """A secret as it may stand in a text: any character of it escaped, as JSON and URLs allow."""
    characters = (rf"(?:{re.escape(character)}|\\u{ord(character):04x}|%{ord(character):02x})" for character in secret)
    return re.compile("".join(characters).replace("(?:/|", r"(?:\\?/|"), re.IGNORECASE)


def classify_reply(reply: Reply) -> Verdict:
    """The meaning of a reply to a request that changes something, or to a read."""
    status = reply.status
    if 200 <= status < 300:
        return _success(reply)
    document = json_object(reply.body)
    message, request_id = _message(reply, document), _request_id(reply, document)
    wait = retry_after(reply.headers)
    if 300 <= status < 400:
        place = reply.quote(reply.headers.get("location", "nowhere"))
        words = f"redirected to {place} (not followed): check the tenant's address"
        return Verdict(_AMBIGUOUS, words, status, request_id, alien=True)
    if status == 401:
        return Verdict(_REFUSED, message, status, request_id, token_rejected=True)
    if status == 403:
        return Verdict(_REFUSED, message, status, request_id, forbidden=True)
    if status == 407:
        return Verdict(_NOT_SENT, f"the proxy asks for credentials: {message}", status, request_id, fatal=True)
    if status == 429:
        return Verdict(_REFUSED, message, status, request_id, retryable=True, throttled=True, retry_after=wait)
    if status in _UNSUPPORTED:
        return Verdict(_REFUSED, message, status, request_id, fatal=True)
    if status in _TRY_AGAIN:
        return Verdict(_REFUSED, message, status, request_id, retryable=True)
    if 400 <= status < 500 and status not in _GATEWAY_LOST:
        return Verdict(_REFUSED, message, status, request_id, missing=status == 404 and _is_c1s(document))
    slow_down = status == 503 and wait is not None
    return Verdict(_AMBIGUOUS, message, status, request_id, retryable=True, throttled=slow_down, retry_after=wait)


def _success(reply: Reply) -> Verdict:
    """A 2xx: success only if it reads like C1's."""
    status, document = reply.status, json_object(reply.body)
    request_id = _request_id(reply, document)
    json_type = "json" in reply.headers.get("content-type", "")
    if reply.truncated and json_type and status != 202 and reply.body.lstrip()[:1] in (b"{", b""):
        return Verdict(_APPLIED, "the reply was cut short", status, request_id, truncated=True)
    if reply.too_large:
        return Verdict(_AMBIGUOUS, "the reply is larger than any of C1's", status, request_id, retryable=True)
    if status == 204 and not reply.body:
        return Verdict(_APPLIED, "no content", status, request_id)
    if status == 202:
        return Verdict(_AMBIGUOUS, "accepted, but not said to be done", status, request_id, retryable=True)
    if document is None:
        if not reply.body and json_type and not reply.truncated:
            return Verdict(_APPLIED, "empty reply", status, request_id)
        kind = reply.quote(reply.headers.get("content-type", "no content type"))
        return Verdict(_AMBIGUOUS, f"not an answer of C1's API ({kind})", status, request_id, True, alien=True)
    if (document.get("code") and "message" in document) or document.get("error"):
        return Verdict(_AMBIGUOUS, _message(reply, document), status, request_id, retryable=True)
    return Verdict(_APPLIED, "ok", status, request_id)


_Kinds = type[BaseException] | tuple[type[BaseException], ...]
_RETRYABLE: dict[str, Any] = {"retryable": True}
_FATAL: dict[str, Any] = {"fatal": True}
_DROPPED: dict[str, Any] = {"retryable": True, "disconnected": True}

# The first that fits counts: several of aiohttp's errors are special cases of others.
_FAILURES: tuple[tuple[_Kinds, tuple[AttemptClass, str], dict[str, Any]], ...] = (
    (
        (aiohttp.ClientConnectorCertificateError, aiohttp.ServerFingerprintMismatch),
        (_NOT_SENT, "the tenant's certificate is not valid"),
        _FATAL,
    ),
    (aiohttp.ClientConnectorSSLError, (_NOT_SENT, "no secure connection"), _RETRYABLE),
    (aiohttp.ClientConnectorDNSError, (_NOT_SENT, "cannot resolve the tenant's name"), _RETRYABLE),
    (aiohttp.ConnectionTimeoutError, (_NOT_SENT, "no connection in time"), _RETRYABLE),
    (aiohttp.ClientConnectorError, (_NOT_SENT, "cannot connect"), _RETRYABLE),
    (
        aiohttp.ServerDisconnectedError,
        (_AMBIGUOUS, "the tenant closed the connection without a reply"),
        _DROPPED,
    ),
    (ConnectionError, (_AMBIGUOUS, "the connection broke"), _DROPPED),
    (TimeoutError, (_AMBIGUOUS, "no complete reply in time"), _RETRYABLE),
    (
        aiohttp.ClientResponseError,
        (_AMBIGUOUS, "the reply cannot be read"),
        {},
    ),  # the parser's, not the tenant's
)


def classify_failure(error: BaseException) -> Verdict:
    """The meaning of an exception that aiohttp raised instead of giving a reply.

    Only its class and its `str()` are used: the `repr` of some holds the Authorization header.
    """
    text = f"{type(error).__name__}: {clean(str(error))}" if str(error) else type(error).__name__
    if isinstance(error, aiohttp.ClientHttpProxyError):  # its text shows the proxy's password
        passing = error.status >= 500
        words = f"the proxy refuses the connection (HTTP {error.status} {clean(error.message)})"
        return Verdict(_NOT_SENT, words, error.status, None, passing, fatal=not passing)
    for kinds, (attempt, words), behaviour in _FAILURES:
        if isinstance(error, kinds):
            return Verdict(attempt, f"{words}: {text}", **behaviour)
    return Verdict(_AMBIGUOUS, f"the connection broke: {text}", retryable=True)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds the server asks to wait (RFC 9110 section 10.2.3), None if it says nothing usable.

    A date counts from the reply's own Date, so a wrong local clock does no harm.
    """
    value = headers.get("retry-after")
    if value is None:
        return None
    seconds = float(value) if _DIGITS(value) else _seconds_until(value, headers.get("date"))
    return seconds if math.isfinite(seconds) and seconds > 0 else None


def _seconds_until(date: str, now: str | None) -> float:
    try:
        return (_utc(date) - _utc(now or "")).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return math.nan


def _utc(date: str) -> datetime:
    """An HTTP date; the oldest of its three forms names no zone (RFC 9110 section 5.6.7)."""
    moment = parsedate_to_datetime(date)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def json_object(body: bytes) -> dict[str, object] | None:
    """The JSON object in a body, or None if it is anything else."""
    if body == b"{}":  # what C1 answers, nearly always
        return {}
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _is_c1s(document: Mapping[str, object] | None) -> bool:
    """Whether an error's body is C1's own: gRPC-gateway JSON. A gateway before it has words of its own."""
    return document is not None and "code" in document and isinstance(document.get("message"), str)


def _message(reply: Reply, document: Mapping[str, object] | None) -> str:
    text = document.get("message") if document else None
    if not isinstance(text, str):
        text = reply.body[: EXCERPT * 4].decode("utf-8", "replace")
    text = reply.quote(_REQUEST_ID.sub("", text))
    return f"HTTP {reply.status}: {text}" if text else f"HTTP {reply.status}"


def _request_id(reply: Reply, document: Mapping[str, object] | None) -> str | None:
    if header := reply.headers.get("x-request-id"):
        return reply.quote(header)[:100]
    found = _REQUEST_ID.search(str(document.get("message"))) if document else None
    return reply.quote(found[1]) if found else None


def clean(text: str) -> str:
    """Text from outside, on one line, printable and short."""
    text = " ".join(_UNPRINTABLE.sub(" ", text).split())
    text = _USERINFO.sub("://[redacted]@", text).replace(" ssl:default", "")
    return text if len(text) <= EXCERPT else text[: EXCERPT - 1] + "…"
