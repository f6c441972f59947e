"""What one reply, or its absence, means. Pure: all behaviours are here, and are tested as one table.

Sources: RFC 9110 (status codes, Retry-After), the C1 API's published errors (gRPC-gateway JSON), and what
aiohttp raises. Two rules cost others dearly: a 2xx that is not JSON is no success, and whatever was sent
without a clear answer is ambiguous, never failed.
"""

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import aiohttp

from runner.api.waits import retry_after
from runner.base.model import AttemptClass, Verdict

_NOT_SENT, _REFUSED = AttemptClass.NOT_SENT, AttemptClass.REFUSED
_APPLIED, _AMBIGUOUS = AttemptClass.APPLIED, AttemptClass.AMBIGUOUS

EXCERPT = 300
"""Characters of a reply that an error message quotes at most."""

_REQUEST_ID = re.compile(r"\(request-id: ([^)]{1,100})\)")
_PERMISSION = re.compile(r"missing permission/", re.IGNORECASE).search
"""What C1 writes where the credential lacks a permission, whatever it is used on."""

_USERINFO = re.compile(r"://[^\s/@]+@")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\U00010000-\U0010ffff]+")
_UNSUPPORTED = frozenset({405, 411, 415, 501})
"""Refusals that no target can escape: this client and the API have grown apart."""

_TRY_AGAIN = frozenset({409, 425})
_GATEWAY_LOST = frozenset({408, 499})
"""Seen from C1 when a reply came too late: the request may have been handled."""

_GATEWAYS_EXCERPT = 200
"""Characters of a gateway's page that are quoted: most of it is markup."""

_BEGINNING = 16
"""Characters of a secret that are looked for first: the pattern of a whole token takes long to compile."""

_NOT_C1S = "something before C1 answered (a gateway, WAF or proxy), so this is about neither roles nor ids"


class Reply(NamedTuple):
    """A reply as it came: its headers, asked for by lower-case name, and as much of the body as was read."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    truncated: bool = False  # the connection ended before the body did
    too_large: bool = False  # the body was longer than we read
    secrets: tuple[str, ...] = ()  # what was sent and must not be quoted
    packed: str = ""  # the compression that the body still has, though none was asked for

    def __repr__(self) -> str:
        return f"<Reply {self.status}, {len(self.body)} bytes>"

    def quote(self, text: str) -> str:
        """What the reply says, fit for a message: without secrets that it echoes, on one line, printable, short."""
        for secret in self.secrets:
            if _spelled(secret[:_BEGINNING]).search(text):
                text = _spelled(secret).sub("[redacted]", text)
        return clean(text)


@lru_cache(maxsize=16)
def _spelled(secret: str) -> re.Pattern[str]:
    """A secret as it may stand in a text: any character of it escaped, as JSON and URLs allow."""
    characters = (rf"(?:{re.escape(character)}|\\u{ord(character):04x}|%{ord(character):02x})" for character in secret)
    return re.compile("".join(characters).replace("(?:/|", r"(?:\\?/|"), re.IGNORECASE)


def classify_reply(reply: Reply, now: float | None = None) -> Verdict:
    """The meaning of a reply to a request that changes something, or to a read.

    `now` is the local clock in seconds since the epoch, for a wait until a moment in a reply that has no Date.
    """
    status = reply.status
    if 200 <= status < 300:
        return _success(reply)
    document = json_object(reply.body)
    wait = retry_after(reply.headers, now)
    told = Verdict(_AMBIGUOUS, _message(reply, document), status, _request_id(reply, document))
    if 300 <= status < 400:
        place = reply.quote(reply.headers.get("location", "nowhere"))
        return told._replace(message=f"redirected to {place} (not followed): check the tenant's address", alien=True)
    if status == 407:
        words = f"the proxy asks for credentials: {told.message}"
        return told._replace(attempt=_NOT_SENT, message=words, fatal=True)
    if status == 429:
        return told._replace(attempt=_REFUSED, retryable=True, throttled=True, retry_after=wait)
    if 400 <= status < 500 and status not in _GATEWAY_LOST:
        told = told._replace(attempt=_REFUSED, retryable=status in _TRY_AGAIN, token_rejected=status == 401)
        return _refused(told, document) if is_c1s(document) else _alien(told, reply)
    if status in _UNSUPPORTED:
        return told._replace(attempt=_REFUSED, fatal=True)
    return told._replace(retryable=True, throttled=status == 503 and wait is not None, retry_after=wait)


def _refused(told: Verdict, document: Mapping[str, object] | None) -> Verdict:
    """A refusal in C1's own words."""
    forbidden = told.status == 403
    lacking = forbidden and document is not None and _PERMISSION(str(document.get("message"))) is not None
    fatal, missing = told.status in _UNSUPPORTED, told.status == 404
    return told._replace(forbidden=forbidden, lacks_permission=lacking, fatal=fatal, missing=missing)


def _alien(told: Verdict, reply: Reply) -> Verdict:
    """A refusal in other words than C1's: it says nothing of the connector or the credential.

    A gateway answers 404 while what is behind it is started anew, so that one may pass.
    """
    words = f"HTTP {told.status} ({_kind(reply)}): {_NOT_C1S}"
    if said := _said(reply, None):
        words += f": {said if len(said) <= _GATEWAYS_EXCERPT else said[: _GATEWAYS_EXCERPT - 1] + '…'}"
    return told._replace(message=words, retryable=told.retryable or told.status == 404, alien=True)


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
        words = f"not an answer of C1's API ({_kind(reply)})"
        return Verdict(_AMBIGUOUS, words, status, request_id, True, alien=True)
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


def json_object(body: bytes) -> dict[str, object] | None:
    """The JSON object in a body, or None if it is anything else."""
    if body == b"{}":  # what C1 answers, nearly always
        return {}
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def is_c1s(document: Mapping[str, object] | None) -> bool:
    """Whether an error's body is C1's own: gRPC-gateway JSON. A gateway before it has words of its own."""
    return document is not None and "code" in document and isinstance(document.get("message"), str)


def _kind(reply: Reply) -> str:
    """What the body is, as far as its headers tell."""
    kind = reply.quote(reply.headers.get("content-type") or "no content type")[:80]
    return f"{kind}, compressed as {reply.quote(reply.packed)} unasked" if reply.packed else kind


def _message(reply: Reply, document: Mapping[str, object] | None) -> str:
    text = _said(reply, document)
    return f"HTTP {reply.status}: {text}" if text else f"HTTP {reply.status}"


def _said(reply: Reply, document: Mapping[str, object] | None) -> str:
    text = document.get("message") if document else None
    if not isinstance(text, str):
        text = "" if reply.packed else reply.body[: EXCERPT * 4].decode("utf-8", "replace")
    return reply.quote(_REQUEST_ID.sub("", text))


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
