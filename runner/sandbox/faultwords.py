"""The words of a fault string: how each value is read, which names are shares, and the presets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runner.sandbox import units
from runner.sandbox.limits import STYLES, RetryAfter
from runner.sandbox.vocabulary import Vocabulary

Reader = Callable[[str], Any]

# At most one of these meets a request.
RANDOM = (
    "error",
    "error_after",
    "drop",
    "drop_after",
    "truncate",
    "duplicate",
    "html",
    "gateway",
    "forbidden",
    "accepted",
    "empty",
    "redirect",
    "tarpit",
    "bomb",
    "big_header",
    "big_body",
    "expire",
)

# At most one of these follows a request: what somebody else does, or C1 itself.
OTHERS = ("other", "other_pause", "other_resume", "other_delete", "anomaly", "system")

# What the tenant is like rather than what happens to a request: fields of `Behaviour` of the same names.
OF_TENANT = ("clock", "lag", "vocabulary", "overshoot", "endless", "deleted", "mcp", "owners")

PRESETS = {
    "bad-day": (
        "latency=60ms,jitter=0.6,limit=15/s,burst=5,limit_headers=x,token_life=600s,"
        "on=post+read,error=8%,error_after=3%,drop=3%,drop_after=3%,gateway=1%,forbidden=0.5%,"
        "clock=+130s,vocabulary=odd,other=2%"
    ),
}


def reader(name: str) -> Reader | None:
    """Return what reads the value of this name, None if there is no such name."""
    return units.share if name in _SHARES else _READERS.get(name)


def names() -> list[str]:
    """Return every name that a fault string can set, and every preset."""
    return [*_SHARES, *_READERS, *PRESETS]


def _one_of(*choices: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"{text!r} is none of {', '.join(choices)}")
        return text

    return read


def _some_of(*choices: str) -> Callable[[str], frozenset[str]]:
    one = _one_of(*choices)
    return lambda text: frozenset(one(part) for part in text.split("+"))


def _status(lowest: int, highest: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not lowest <= units.count(text) <= highest:
            raise ValueError(f"{text} is not between {lowest} and {highest}")
        return int(text)

    return read


def _vocabulary(text: str) -> Vocabulary:
    known = {each.word: each for each in Vocabulary}
    return known[_one_of(*known)(text)]


def _positive(text: str) -> int:
    if units.count(text) == 0:
        raise ValueError("must be at least 1")
    return int(text)


def _length(text: str) -> float:
    if units.seconds(text) == 0:
        raise ValueError("must be longer than nothing")
    return units.seconds(text)


_SHARES = (*RANDOM, *OTHERS, "another")
_READERS: dict[str, Reader] = {
    "latency": units.seconds,
    "jitter": units.number,
    "error_status": lambda text: tuple(_status(400, 599)(part) for part in text.split("+")),
    "error_retry_after": units.seconds,
    "redirect_status": _status(300, 399),
    "redirect_to": str,
    "limit": units.rate,
    "burst": _positive,
    "window": _length,
    "retry_after": RetryAfter.parse,
    "limit_headers": _one_of(*STYLES),
    "refused_costs": units.truth,
    "token_life": units.seconds,
    "date": lambda text: _one_of("sent", "none")(text) == "sent",
    "outage": lambda text: tuple(units.span(part) for part in text.split("+")),
    "outage_as": _one_of("503", "drop", "silence"),
    "on": _some_of("post", "read", "token"),
    "limit_on": _some_of("post", "read", "token"),
    "seed": units.count,
    "clock": units.offset,
    "lag": units.seconds,
    "vocabulary": _vocabulary,
    "overshoot": units.count,
    "endless": _one_of("no", "empty", "again"),
    "deleted": lambda text: _one_of("left-out", "listed", "gone")(text).replace("-", "_"),
    "mcp": _one_of("listed", "apart"),
    "owners": units.count,
}
