"""The signed client assertion: a JWT instead of the secret, so the secret never leaves this machine.

RFC 7523 as C1's Go SDK does it (c1TokenSource.Token): EdDSA, `iss` and `sub` the client id, `aud` the
tenant's host without a port, and a random nonce in the header.
"""

import base64
import binascii
import json
import secrets
from typing import TYPE_CHECKING

from runner.base import signing_key
from runner.base.errors import SettingsError
from runner.base.settings import SECRET_PREFIX, ClientCredentials

if TYPE_CHECKING:
    from jwt import PyJWK

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LIFE = 120
"""Seconds an assertion is valid ahead; C1 takes at most 300."""
BACKDATE = 120
"""Seconds it is valid back, for a clock that runs ahead."""


def load_key(credentials: ClientCredentials) -> "PyJWK":
    """The Ed25519 key in a client secret; raises `SettingsError` if there is none in it."""
    import jwt

    encoded = credentials.secret.removeprefix(SECRET_PREFIX)
    try:
        document = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
        if document.get("crv") != "Ed25519" or "d" not in document:
            raise ValueError("not a private Ed25519 key")
        key = jwt.PyJWK(document, algorithm="EdDSA")
        if key.key.public_key().public_bytes_raw() != signing_key.decoded(document["x"]):
            raise ValueError("its two halves do not belong together")
        return key
    except (ValueError, TypeError, AttributeError, RecursionError, binascii.Error, jwt.PyJWTError):
        raise SettingsError(
            "CONDUCTORONE_CLIENT_SECRET (or its _FILE) is damaged: after its prefix there is no Ed25519 key. "
            "Copy it again, whole"
        ) from None


def sign(key: "PyJWK", client_id: str, audience: str, now: float) -> str:
    """A fresh assertion at `now`, in seconds since the epoch."""
    import jwt

    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": audience,
        "iat": int(now),
        "nbf": int(now) - BACKDATE,
        "exp": int(now) + LIFE,
    }
    return jwt.encode(claims, key, algorithm="EdDSA", headers={"nonce": secrets.token_urlsafe(16)})
