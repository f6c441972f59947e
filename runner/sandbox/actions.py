"""What is done to one request: the vocabulary shared by the fault schedule and by scripts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum

from runner.sandbox import units


class Kind(Enum):
    """The values are the words used in scripts and, for the random ones, in a fault string."""

    ANSWER = "answer"  # as the API would
    STATUS = "status"  # an error status with the gateway's body
    DROP = "drop"  # connection closed, no reply
    RESET = "reset"  # connection reset, no reply
    SILENCE = "silence"  # no reply, connection left open
    TRUNCATE = "truncate"  # Content-Length longer than the body, then closed
    DUPLICATE = "duplicate"  # the same bytes twice
    HTML = "html"  # 200 and a web page
    GATEWAY = "gateway"  # 404 in plain text from a gateway that found no backend
    FORBIDDEN = "forbidden"  # 403 and a web page from a firewall
    ANOTHER = "another"  # another connector's row, where one connector is read
    ACCEPTED = "accepted"  # 202
    EMPTY = "empty"  # 204
    REDIRECT = "redirect"  # 3xx elsewhere
    TARPIT = "tarpit"  # one byte a second
    BOMB = "bomb"  # a small gzip body that unpacks to 64 MiB
    BIG_HEADER = "big_header"  # a header line of 64 KiB
    BIG_BODY = "big_body"  # 8 MiB of JSON
    EXPIRE = "expire"  # the request's token is revoked: 401 for all who share it
    ERROR_OBJECT = "error_object"  # 200 whose JSON is an error


# Kinds whose request never reaches the API unless a script says so.
_NOT_APPLIED = {
    Kind.STATUS,
    Kind.DROP,
    Kind.RESET,
    Kind.SILENCE,
    Kind.HTML,
    Kind.GATEWAY,
    Kind.FORBIDDEN,
    Kind.REDIRECT,
    Kind.ERROR_OBJECT,
}


@dataclass(frozen=True, slots=True)
class Action:
    """One request's fate. `delay` is waited before the API is asked, `hold` after; both in seconds.

    `applied` says whether the API is asked at all; None leaves it to the kind. `retry_after` is the
    header's literal text.
    """

    kind: Kind = Kind.ANSWER
    status: int = 0
    delay: float = 0.0
    hold: float = 0.0
    applied: bool | None = None
    retry_after: str | None = None
    location: str = "/login"
    body: bytes | None = None
    headers: tuple[tuple[str, str], ...] = field(default=())

    @property
    def reaches_api(self) -> bool:
        return self.kind not in _NOT_APPLIED if self.applied is None else self.applied

    @classmethod
    def parse(cls, text: str) -> Action:
        """Read `drop`, `drop_after`, `status=503,retry_after=5`, `html,delay=2s`, `hold=40`, `ok`.

        `_after` or `applied=yes` has the operation applied although the client is told otherwise.
        """
        action = cls()
        for part in text.split(","):
            name, equals, value = part.strip().partition("=")
            action = _with_setting(action, name, value) if equals else _with_kind(action, name)
        return action


ANSWER = Action()


def _with_kind(action: Action, name: str) -> Action:
    if name == "ok":
        return replace(action, kind=Kind.ANSWER)
    kind = name.removesuffix("_after")
    if kind not in {each.value for each in Kind} - {"status"}:
        raise ValueError(f"{name!r} is no action")
    return replace(action, kind=Kind(kind), applied=True if kind != name else action.applied)


def _with_setting(action: Action, name: str, value: str) -> Action:
    match name:
        case "status":
            return replace(action, kind=Kind.STATUS, status=units.count(value))
        case "delay":
            return replace(action, delay=units.seconds(value))
        case "hold":
            return replace(action, hold=units.seconds(value))
        case "applied":
            return replace(action, applied=units.truth(value))
        case "retry_after":
            return replace(action, retry_after=value)
        case "redirect":
            return replace(action, kind=Kind.REDIRECT, status=units.count(value))
        case "location":
            return replace(action, location=value)
    raise ValueError(f"{name!r} is no setting of an action")
