"""The token endpoint, POST /auth/v1/token: three grants, strict in what they accept.

RFC 6749 (errors, section 5.2), RFC 7523 (client assertion), RFC 8693 (token exchange); audience and
lifetimes as C1's own token source sends them. Credentials count in the body only, never in headers.
"""

from __future__ import annotations

import hmac
import math
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt

from runner.sandbox.keys import Credential
from runner.sandbox.replies import Call, Reply, json_reply
from runner.sandbox.tokens import TokenDesk

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT_TYPE = "urn:ietf:params:oauth:token-type:jwt"
LONGEST_ASSERTION = 300.0  # seconds from now to exp
OLDEST_SUBJECT = 600.0  # seconds since a workload's token was issued
_UNREADABLE = (jwt.PyJWTError, ValueError, TypeError, RecursionError)  # what PyJWT raises on junk
_FORM = "application/x-www-form-urlencoded"
_TIME_CLAIMS = ("exp", "iat", "nbf")


class GrantError(Exception):
    """An OAuth error; `error` is its registered code."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error


def grant(desk: TokenDesk, call: Call) -> Reply:
    """Answer one token request."""
    try:
        token = desk.mint(_client(desk, call))
    except GrantError as error:
        status = 401 if error.error == "invalid_client" else 400
        return json_reply({"error": error.error, "error_description": str(error)}, status)
    life = desk.life if desk.announced_life is None else desk.announced_life
    seconds = int(life) if float(life).is_integer() else life
    return json_reply({"access_token": token, "token_type": "Bearer", "expires_in": seconds})


def _client(desk: TokenDesk, call: Call) -> Credential:
    if call.headers.get("Authorization"):
        raise GrantError("invalid_client", "credentials belong in the body, not in a header")
    form = _form(call)
    grant_type = _required(form, "grant_type")
    if grant_type == EXCHANGE:
        return _exchange(desk, form)
    if grant_type != "client_credentials":
        raise GrantError("unsupported_grant_type", f"grant_type {grant_type} is not supported")
    credential = _known(desk, form)
    if "client_assertion" in form:
        _verify_assertion(desk, credential, form, _host(call))
    else:
        _verify_secret(credential, _required(form, "client_secret"))
    return credential


def _form(call: Call) -> dict[str, str]:
    if not call.headers.get("Content-Type", "").startswith(_FORM):
        raise GrantError("invalid_request", f"the body must be {_FORM}")
    try:
        fields = parse_qs(call.body.decode(), keep_blank_values=True, strict_parsing=True)
    except ValueError:
        raise GrantError("invalid_request", "the body is not a form") from None
    repeated = [name for name, values in fields.items() if len(values) > 1]
    if repeated:
        raise GrantError("invalid_request", f"repeated: {', '.join(repeated)}")
    return {name: values[0] for name, values in fields.items()}


def _host(call: Call) -> str:
    """Return the host the request came to, without its port: the audience a client derives from a URL."""
    return urlsplit(f"//{call.headers.get('Host', '')}").hostname or ""


def _required(form: dict[str, str], name: str) -> str:
    if not form.get(name):
        raise GrantError("invalid_request", f"{name} is missing")
    return form[name]


def _known(desk: TokenDesk, form: dict[str, str]) -> Credential:
    credential = desk.client(_required(form, "client_id"))
    if credential is None:
        raise GrantError("invalid_client", "unknown client")
    return credential


def _verify_secret(credential: Credential, secret: str) -> None:
    if credential.secret is None or not hmac.compare_digest(credential.secret.encode(), secret.encode()):
        raise GrantError("invalid_client", "wrong client_secret")


def _verify_assertion(desk: TokenDesk, credential: Credential, form: dict[str, str], host: str) -> None:
    if _required(form, "client_assertion_type") != ASSERTION_TYPE:
        raise GrantError("invalid_request", f"client_assertion_type must be {ASSERTION_TYPE}")
    if credential.key is None:
        raise GrantError("invalid_client", "this client has no key")
    try:
        claims = jwt.decode(
            form["client_assertion"],
            credential.key,
            algorithms=["EdDSA"],
            issuer=credential.client_id,
            subject=credential.client_id,
            audience=[desk.host, host],
            # PyJWT reads the system's clock; the times are checked below against the desk's.
            options={
                "require": ["iss", "sub", "aud", "exp"],
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
    except _UNREADABLE as error:
        raise GrantError("invalid_client", f"client_assertion: {error}") from None
    _verify_times(desk, claims)


def _verify_times(desk: TokenDesk, claims: dict[str, Any]) -> None:
    for name in _TIME_CLAIMS:
        if name in claims and not _is_time(claims[name]):
            raise GrantError("invalid_client", f"client_assertion: {name} is not a number")
    now, leeway = desk.clock(), desk.leeway
    if claims["exp"] <= now - leeway:
        raise GrantError("invalid_client", "client_assertion has expired")
    if claims["exp"] > now + LONGEST_ASSERTION + leeway:
        raise GrantError("invalid_client", "client_assertion expires more than 5 minutes ahead")
    if claims.get("nbf", now) > now + leeway or claims.get("iat", now) > now + leeway:
        raise GrantError("invalid_client", "client_assertion is not valid yet")


def _exchange(desk: TokenDesk, form: dict[str, str]) -> Credential:
    """Accept any well-formed JWT that is fresh: the sandbox trusts no issuer, so there is no key to check with.

    A JWT that does not say when it was issued counts as fresh.
    """
    credential = _known(desk, form)
    if not credential.client_id.endswith("/wfe"):
        raise GrantError("unauthorized_client", "token exchange needs a workload-federation client")
    if _required(form, "subject_token_type") != JWT_TYPE:
        raise GrantError("invalid_request", f"subject_token_type must be {JWT_TYPE}")
    try:
        claims = jwt.decode(_required(form, "subject_token"), options={"verify_signature": False})
    except _UNREADABLE as error:
        raise GrantError("invalid_grant", f"subject_token: {error}") from None
    issued = claims.get("iat", desk.clock())
    if not _is_time(issued) or issued < desk.clock() - OLDEST_SUBJECT - desk.leeway:
        raise GrantError("invalid_grant", "subject_token was issued more than 10 minutes ago")
    return credential


def _is_time(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
