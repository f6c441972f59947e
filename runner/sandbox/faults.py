"""What goes wrong, how often: a frozen value, and the compact string it is written as."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any

from runner.sandbox import units
from runner.sandbox.limits import AUTOMATIC, RetryAfter

_MUTATIONS = frozenset({"post"})
_API = frozenset({"post", "read"})


class FaultsError(ValueError):
    """The fault string is wrong; `problems` holds every reason."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Faults:
    """Fault rates of a server. Shares are of requests, times in seconds, `limit` in requests a second.

    At most one random fault meets a request; which one follows from `seed`, the request's method and
    path and how often that was seen before. `on` and `limit_on` say what is hit: `post` (pause, resume,
    force_sync), `read`, `token`. Latency and outages are for everybody.
    """

    latency: float = 0.0
    jitter: float = 0.0  # sigma of a log-normal around `latency`; 0 is fixed
    error: float = 0.0  # 5xx, not applied
    error_after: float = 0.0  # 5xx, applied
    drop: float = 0.0
    drop_after: float = 0.0
    truncate: float = 0.0
    html: float = 0.0
    accepted: float = 0.0
    empty: float = 0.0
    redirect: float = 0.0
    tarpit: float = 0.0
    bomb: float = 0.0
    big_header: float = 0.0
    big_body: float = 0.0
    expire: float = 0.0
    error_status: tuple[int, ...] = (500, 502, 503, 504)
    error_retry_after: float | None = None  # sent with a 503
    redirect_status: int = 302
    redirect_to: str = "/login"
    limit: float | None = None
    burst: int | None = None  # default: one second's worth
    window: float | None = None  # count in fixed windows of this length instead of a bucket
    retry_after: RetryAfter = AUTOMATIC
    limit_headers: str = "none"  # none | x (X-RateLimit-*) | draft (RateLimit, RateLimit-Policy)
    refused_costs: bool = False  # a refused request takes a token too
    token_life: float | None = None
    lag: float | None = None
    outage: tuple[tuple[float, float], ...] = ()
    outage_as: str = "503"  # 503 | drop | silence
    on: frozenset[str] = _MUTATIONS
    limit_on: frozenset[str] = _API
    seed: int = 0

    def __post_init__(self) -> None:
        if sum(self.shares().values()) > 1 + 1e-9:
            raise FaultsError(["the shares of all faults together are more than 100%"])

    def shares(self) -> dict[str, float]:
        """Return the share of each random fault, by name, without those that never happen."""
        return {name: share for name in _SHARES if (share := getattr(self, name)) > 0}

    @classmethod
    def parse(cls, text: str) -> Faults:
        """Read `latency=50ms,error=5%,limit=50/s,seed=7`; FaultsError names all that is wrong."""
        values: dict[str, Any] = {}
        problems: list[str] = []
        for part in filter(None, (part.strip() for part in text.split(","))):
            name, _, value = part.partition("=")
            try:
                if name in values:
                    raise ValueError("is given twice")
                values[name] = _reader(name)(value)
            except ValueError as error:
                problems.append(f"{name}: {error}")
        if problems:
            raise FaultsError(problems)
        return cls(**values)


_SHARES = (
    "error",
    "error_after",
    "drop",
    "drop_after",
    "truncate",
    "html",
    "accepted",
    "empty",
    "redirect",
    "tarpit",
    "bomb",
    "big_header",
    "big_body",
    "expire",
)


def _reader(name: str) -> Callable[[str], Any]:
    if name in _SHARES:
        return units.share
    if name in _READERS:
        return _READERS[name]
    near = get_close_matches(name, [field.name for field in fields(Faults)], 1)
    raise ValueError(f"is no fault{f', did you mean {near[0]}?' if near else ''}")


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


def _positive(text: str) -> int:
    if units.count(text) == 0:
        raise ValueError("must be at least 1")
    return int(text)


def _length(text: str) -> float:
    if units.seconds(text) == 0:
        raise ValueError("must be longer than nothing")
    return units.seconds(text)


_READERS: dict[str, Callable[[str], Any]] = {
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
    "limit_headers": _one_of("none", "x", "draft"),
    "refused_costs": units.truth,
    "token_life": units.seconds,
    "lag": units.seconds,
    "outage": lambda text: tuple(units.span(part) for part in text.split("+")),
    "outage_as": _one_of("503", "drop", "silence"),
    "on": _some_of("post", "read", "token"),
    "limit_on": _some_of("post", "read", "token"),
    "seed": units.count,
}
