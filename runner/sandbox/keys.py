"""Credentials that are obviously fake and the same for the same seed."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from hashlib import blake2b

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SECRET_PREFIX = "secret-token:conductorone.com:v1:"  # part of the secret, as C1 issues it


@dataclass(frozen=True, slots=True)
class Credential:
    """One client. `key` verifies its assertions; a workload-federation client has no secret at all."""

    client_id: str
    secret: str | None = None
    key: Ed25519PublicKey | None = None
    read_only: bool = False
    blind: bool = False  # its role may pause, but not see what is paused


def signing_credential(client_id: str, seed: str, *, read_only: bool = False, blind: bool = False) -> Credential:
    """Return a client whose secret is an Ed25519 JWK, derived from `seed` and `client_id`."""
    private = Ed25519PrivateKey.from_private_bytes(_bytes_from(f"{seed}/{client_id}"))
    public = private.public_key()
    jwk = {
        "kty": "OKP",
        "crv": "Ed25519",
        "x": _unpadded(public.public_bytes(Encoding.Raw, PublicFormat.Raw)),
        "d": _unpadded(private.private_bytes_raw()),
    }
    secret = SECRET_PREFIX + _unpadded(json.dumps(jwk, separators=(",", ":")).encode())
    return Credential(client_id, secret, public, read_only, blind)


def _bytes_from(seed: str) -> bytes:
    return blake2b(f"sandbox key, not a secret: {seed}".encode(), digest_size=32).digest()


def _unpadded(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")
