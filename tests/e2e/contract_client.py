"""Who may have a token: a client with a signing key and a plain secret, and the proof it must give.

Facts: C1's page on client credentials; RFC 7523 for the assertion.
"""

import json
import secrets
from base64 import urlsafe_b64encode

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Client:
    """A client of the tenant, with a signing key and a plain secret."""

    def __init__(self) -> None:
        key = Ed25519PrivateKey.generate()
        public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        private = key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        jwk = {"kty": "OKP", "crv": "Ed25519", "x": _base64(public), "d": _base64(private)}
        self.client_id = "quick-otter-12345@acme.conductor.one/spc"
        self.secret = "secret-token:conductorone.com:v1:" + _base64(json.dumps(jwk).encode())
        self.plain_secret = f"plain-{secrets.token_hex(16)}"
        self._public = key.public_key()

    def proves_itself(self, form: dict[str, str]) -> bool:
        """Whether a token request's body holds one of the two client-credentials forms, and a true one."""
        if form.get("grant_type") != "client_credentials" or form.get("client_id") != self.client_id:
            return False
        if "client_secret" in form:
            return form["client_secret"] == self.plain_secret
        if form.get("client_assertion_type") != _ASSERTION:
            return False
        try:
            claims = jwt.decode(
                form["client_assertion"],
                self._public,
                algorithms=["EdDSA"],
                audience="127.0.0.1",
                issuer=self.client_id,
            )
        except (jwt.InvalidTokenError, KeyError):
            return False
        return bool(claims["sub"] == self.client_id and claims["exp"] - claims["iat"] <= 300)


def _base64(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()
