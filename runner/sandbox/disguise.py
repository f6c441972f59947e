"""Turns what the API said into what the client is told."""

from __future__ import annotations

from dataclasses import replace

from runner.sandbox import replies
from runner.sandbox.actions import Action, Kind
from runner.sandbox.replies import Reply

_GATEWAY = Reply(404, b"default backend - 404", "text/plain; charset=utf-8")
_FORBIDDEN = Reply(
    403,
    b"<html><head><title>403 Forbidden</title></head><body><h1>Request blocked</h1>"
    b"<p>The request was rejected by the web application firewall.</p></body></html>",
    replies.HTML,
)
_ERROR_OBJECT = b'{"error":{"code":13,"message":"internal error"}}'


def disguise(reply: Reply, action: Action, request_id: str) -> Reply:
    """Return the reply a client gets when the API said `reply` and `action` was decided."""
    told = _replaced(reply, action, request_id)
    if action.body is not None:
        told = replace(told, body=action.body)
    extra = action.headers
    if action.retry_after is not None:
        extra = (("Retry-After", action.retry_after), *extra)
    return replace(told, headers=told.headers + extra) if extra else told


def _replaced(reply: Reply, action: Action, request_id: str) -> Reply:
    match action.kind:
        case Kind.STATUS:
            return replies.status_reply(action.status, request_id)
        case Kind.HTML:
            return Reply(200, replies.PAGE, replies.HTML)
        case Kind.GATEWAY:
            return _GATEWAY
        case Kind.FORBIDDEN:
            return _FORBIDDEN
        case Kind.REDIRECT:
            return replies.redirect(action.status or 302, action.location)
        case Kind.ERROR_OBJECT:
            return Reply(200, _ERROR_OBJECT)
        case Kind.ACCEPTED | Kind.EMPTY if reply.status == 200:
            return Reply(202, b"{}") if action.kind is Kind.ACCEPTED else Reply(204, b"")
    return reply
