"""Requests and replies, as the contract's server sees and makes them."""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qs


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it arrived; header names are in lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes

    @property
    def is_token(self) -> bool:
        """Whether it asks for a token."""
        return self.path == "/auth/v1/token"

    @property
    def form(self) -> dict[str, str]:
        """The body as a form."""
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}


@dataclass(frozen=True, slots=True)
class Response:
    """One reply; JSON unless said otherwise."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})


Hook = Callable[[Request], Response | None]
"""Answers a request in the contract's place; None leaves it to the contract."""


def problem(status: int, code: int, message: str) -> Response:
    """An error as the gRPC gateway writes it."""
    document = {"code": code, "message": f"{message} (request-id: contract-{secrets.token_hex(4)})", "details": []}
    return Response(status, json.dumps(document).encode())
