"""What is said to a client: plain values, and the error bodies of C1's gateway and token endpoint."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

JSON = "application/json"
HTML = "text/html; charset=utf-8"

PAGE = b"<!doctype html><html><head><title>C1</title></head><body><div id=root></div></body></html>"

# google.rpc.Code and the HTTP status grpc-gateway gives it
_HTTP_STATUS = {3: 400, 5: 404, 7: 403, 12: 501, 13: 500, 14: 503, 16: 401}
_GRPC_CODE = {400: 3, 401: 16, 403: 7, 404: 5, 408: 1, 409: 10, 429: 8, 499: 1, 501: 12, 503: 14, 504: 4}
_GRPC_UNKNOWN = 2

INVALID_ARGUMENT, NOT_FOUND, PERMISSION_DENIED, UNIMPLEMENTED, UNAUTHENTICATED = 3, 5, 7, 12, 16


@dataclass(frozen=True, slots=True)
class Call:
    """One request as the API sees it. `path` is raw, still percent-encoded, without the query."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: bytes
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()


EMPTY = Reply(200, b"{}")


class GatewayError(Exception):
    """A request refused by the API; `code` is a google.rpc.Code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def json_reply(value: Mapping[str, Any], status: int = 200) -> Reply:
    return Reply(status, json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def gateway_error(error: GatewayError, request_id: str) -> Reply:
    return _gateway_reply(_HTTP_STATUS[error.code], error.code, str(error), request_id)


def status_reply(status: int, request_id: str, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    """Return the gateway's body for an HTTP status that the API itself did not decide on."""
    message = "rate limit exceeded" if status == 429 else f"upstream answered {status}"
    return _gateway_reply(status, _GRPC_CODE.get(status, _GRPC_UNKNOWN), message, request_id, headers)


def redirect(status: int, location: str) -> Reply:
    return Reply(status, b"", HTML, (("Location", location),))


def _gateway_reply(
    status: int, code: int, message: str, request_id: str, headers: tuple[tuple[str, str], ...] = ()
) -> Reply:
    body = {"code": code, "message": f"{message} (request-id: {request_id})", "details": []}
    return Reply(status, json_reply(body).body, JSON, headers)
