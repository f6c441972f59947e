"""A signing key as C1 issues it, and what becomes of one on its way into a variable or a file."""

import base64
import json
from typing import Literal

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from runner.base.signing_key import PREFIX


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
JWK = {
    "kty": "OKP",
    "crv": "Ed25519",
    "x": encoded(PRIVATE.public_key().public_bytes_raw()),
    "d": encoded(PRIVATE.private_bytes_raw()),
}
BODY = encoded(json.dumps(JWK, separators=(",", ":")).encode())
KEY = PREFIX + BODY


def pkcs8(
    key: Ed25519PrivateKey | rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, encoding: Literal["PEM", "DER"]
) -> bytes:
    written: bytes = key.private_bytes(
        getattr(serialization.Encoding, encoding), serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return written


DAMAGED = {
    "in single quotes": (f"'{KEY}'", "quotes around it"),
    "in double quotes": (f'"{KEY}"', "quotes around it"),
    "in typographic quotes": (f"\u201c{KEY}\u201d", "quotes around it"),
    "with half a pair of quotes": (f"{KEY}'", "quotes around it"),
    "assigned": (f"CONDUCTORONE_CLIENT_SECRET={KEY}", "a variable's name"),
    "exported": (f"export CONDUCTORONE_CLIENT_SECRET='{KEY}'", "a variable's name"),
    "a line of YAML": (f"client_secret: {KEY}", "a variable's name"),
    "a line of PowerShell": (f'$env:CONDUCTORONE_CLIENT_SECRET = "{KEY}"', "a variable's name"),
    "in capitals": (PREFIX.upper() + BODY, "does not begin with"),
    "without its prefix": (BODY, "does not begin with"),
    "without the beginning of its prefix": (KEY[7:], "does not begin with"),
    "with percent signs": (KEY.replace(":", "%3A"), "does not begin with"),
    "in base64 as a whole": (base64.b64encode(KEY.encode()).decode(), "does not begin with"),
    "after a byte order mark": (f"\ufeff{KEY}", "does not begin with"),
    "after a space": (f" {KEY}", "does not begin with"),
    "as JSON": (json.dumps(JWK), "does not begin with"),
    "as JSON of Python": (str(JWK), "does not begin with"),
    "as PEM": (pkcs8(PRIVATE, "PEM").decode(), "does not begin with"),
    "as PEM in base64": (base64.b64encode(pkcs8(PRIVATE, "PEM")).decode(), "does not begin with"),
    "as DER in base64": (base64.b64encode(pkcs8(PRIVATE, "DER")).decode(), "does not begin with"),
    "of RSA": (base64.b64encode(pkcs8(rsa.generate_private_key(65537, 2048), "DER")).decode(), "does not begin with"),
    "of a curve": (base64.b64encode(pkcs8(ec.generate_private_key(ec.SECP256R1()), "DER")).decode(), "not begin with"),
    "on two lines": (f"{KEY[:80]}\n{KEY[80:]}", "spaces or line breaks"),
    "with a line end of zsh": (f"{KEY}%", "characters in it that no key has"),
    "cut at the end": (KEY[:-9], "cut or changed"),
    "cut down to the prefix": (PREFIX, "characters in it that no key has"),
    "with a shorter key": (PREFIX + encoded(json.dumps(JWK | {"d": JWK["d"][:-4]}).encode()), "cut or changed"),
    "that is public": (
        PREFIX + encoded(json.dumps({name: JWK[name] for name in ("kty", "crv", "x")}).encode()),
        "no private Ed25519 key",
    ),
    "of another curve": (PREFIX + encoded(json.dumps(JWK | {"crv": "X25519"}).encode()), "no private Ed25519 key"),
    "that is a list": (PREFIX + encoded(b"[1]"), "cut or changed"),
}
