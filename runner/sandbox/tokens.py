"""The token desk: who may have a token, which tokens are alive, and how many were minted."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import jwt

from runner.sandbox.keys import Credential, signing_credential

TENANT_HOST = "sandbox.c1.example"  # RFC 2606: such a name never resolves
_SIGNING_KEY = "sandbox key, not a secret: nobody checks it"
PLAIN_SECRET = "not-a-secret-plain-sandbox-client"


@dataclass(frozen=True, slots=True)
class Token:
    credential: Credential
    expires_at: float  # epoch seconds


class TokenDesk:
    """Mints and checks tokens, which are JWTs. `life` and `leeway` are seconds, `clock` returns epoch seconds.

    Ready-made clients: `signer` (Ed25519 secret), `plain` (ordinary secret), `reader` (read-only, Ed25519),
    `blind` (may pause, but not see what is paused; Ed25519) and `federated` (token exchange).
    `announced_life` overrides the `expires_in` told to clients.
    """

    def __init__(
        self,
        *,
        host: str = TENANT_HOST,
        seed: int = 0,
        life: float = 3600.0,
        leeway: float = 60.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.host = host
        self.life = life
        self.leeway = leeway
        self.clock = clock
        self.announced_life: float | None = None
        self.mints = 0
        self.signer = signing_credential(f"sandbox-signer-00001@{host}/spc", str(seed))
        self.plain = Credential(f"sandbox-plain-00002@{host}/pcc", PLAIN_SECRET)
        self.reader = signing_credential(f"sandbox-reader-00003@{host}/spc", str(seed), read_only=True)
        self.blind = signing_credential(f"sandbox-blind-00005@{host}/spc", str(seed), blind=True)
        self.federated = Credential(f"sandbox-federated-00004@{host}/wfe")
        self._seed = seed
        self._tokens: dict[str, Token] = {}
        ready = (self.signer, self.plain, self.reader, self.blind, self.federated)
        self._clients = {each.client_id: each for each in ready}

    def client(self, client_id: str) -> Credential | None:
        return self._clients.get(client_id)

    def register(self, credential: Credential) -> None:
        """Add a client, or replace the one of the same id (its tokens stay alive)."""
        self._clients[credential.client_id] = credential

    def mint(self, credential: Credential) -> str:
        """Return a new token for a client that has proved who it is."""
        now = self.clock()
        self._tokens = {text: token for text, token in self._tokens.items() if token.expires_at > now}
        self.mints += 1
        claims = {
            "iss": f"https://{self.host}",
            "sub": credential.client_id,
            "iat": int(now),
            "exp": int(now + self.life),
            "jti": f"sandbox-token-{self._seed}-{self.mints}",
        }
        text = jwt.encode(claims, _SIGNING_KEY, "HS256")
        self._tokens[text] = Token(credential, now + self.life)
        return text

    def subject_token(self) -> str:
        """Return a workload's JWT, issued now, such as a CI system gives to its jobs."""
        now = int(self.clock())
        claims = {"iss": "https://ci.example", "sub": "job", "aud": self.host, "iat": now, "exp": now + 3600}
        return jwt.encode(claims, _SIGNING_KEY, "HS256")

    def check(self, text: str) -> Credential | None:
        """Return whose token this is, or None when it is unknown, expired or revoked."""
        token = self._tokens.get(text)
        return token.credential if token is not None and self.clock() < token.expires_at else None

    def revoke(self, text: str) -> None:
        self._tokens.pop(text, None)

    def revoke_all(self) -> None:
        """Revoke every token; clients may get new ones."""
        self._tokens.clear()

    def revoke_credential(self, client_id: str) -> None:
        """Forget a client and its tokens: from now on it is an invalid client."""
        self._clients.pop(client_id, None)
        kept = {text: token for text, token in self._tokens.items() if token.credential.client_id != client_id}
        self._tokens = kept
