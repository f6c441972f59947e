"""Rate limits as servers keep them, and the headers they tell a client with."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime

from runner.sandbox import units

STYLES = ("none", "x", "ms", "date", "absurd", "draft")
Headers = tuple[tuple[str, str], ...]
_ROUNDING = 1e-5  # of a token: epoch seconds as a float are exact to a quarter of a microsecond


@dataclass(frozen=True, slots=True)
class RetryAfter:
    """How the Retry-After of a 429 is written: whole seconds, an HTTP date, literal text, or not at all.

    `seconds` None means: until the next request would be taken. Both forms are rounded up (RFC 9110, 10.2.3).
    """

    form: str = "seconds"  # seconds | date | text | none
    seconds: float | None = None
    text: str = ""

    @classmethod
    def parse(cls, text: str) -> RetryAfter:
        """Read `auto`, `none`, `2s`, `date`, `date:5s` or `text:anything`."""
        form, _, rest = text.partition(":")
        match form:
            case "auto":
                return cls()
            case "none":
                return cls("none")
            case "date":
                return cls("date", units.seconds(rest) if rest else None)
            case "text":
                return cls("text", text=rest)
        return cls("seconds", units.seconds(text))

    def header(self, wait: float, now: float) -> str | None:
        """Return the header's value for a client that has to wait `wait` seconds from `now` (epoch)."""
        seconds = math.ceil(wait if self.seconds is None else self.seconds)
        match self.form:
            case "none":
                return None
            case "text":
                return self.text
            case "date":
                return formatdate(math.ceil(now) + seconds, usegmt=True)
        return str(max(1, seconds) if self.seconds is None else seconds)


AUTOMATIC = RetryAfter()


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request is taken, how many more would be now, and the seconds until one is."""

    taken: bool
    remaining: int
    wait: float


class TokenBucket:
    """`rate` requests a second, `burst` saved up at most. `clock` returns seconds."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float], *, refused_costs: bool = False) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._refused_costs = refused_costs
        self._tokens = float(burst)
        self._filled_at = clock()

    def take(self) -> Verdict:
        """Take one token, or say how long until there is one."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + max(0.0, now - self._filled_at) * self._rate)
        self._filled_at = now
        taken = self._tokens >= 1 - _ROUNDING
        if taken or self._refused_costs:
            self._tokens = max(0.0, self._tokens - 1)
        return Verdict(taken, int(self._tokens), max(0.0, (1 - self._tokens) / self._rate))


class FixedWindow:
    """`allowed` requests in each window of `length` seconds; the windows follow each other from the start."""

    def __init__(self, allowed: int, length: float, clock: Callable[[], float]) -> None:
        self._allowed = allowed
        self._length = length
        self._clock = clock
        self._began = clock()
        self._used = 0

    def take(self) -> Verdict:
        """Count one request into the current window."""
        passed = self._clock() - self._began
        if passed >= self._length:
            self._began += passed // self._length * self._length
            self._used = 0
        wait = self._began + self._length - self._clock()
        if self._used >= self._allowed:
            return Verdict(False, 0, wait)
        self._used += 1
        left = self._allowed - self._used
        return Verdict(True, left, wait)


def waiting_time(header: str, now: float) -> float | None:
    """Return the seconds a Retry-After header asks for, None when it says nothing usable."""
    if header.isascii() and header.isdecimal():
        return float(header)
    try:
        return parsedate_to_datetime(header).timestamp() - now
    except ValueError:
        return None


def limit_headers(style: str, limit: int, verdict: Verdict, now: float) -> Headers:
    """Return what a server of this style says of its limit on every reply.

    `x` tells X-RateLimit-Reset in epoch seconds, `ms` in milliseconds, `date` as an HTTP date, `absurd` as a
    number beyond any time; `draft` has the headers of draft-ietf-httpapi-ratelimit-headers.
    """
    wait = math.ceil(verdict.wait)
    if style == "none":
        return ()
    if style == "draft":
        return (
            ("RateLimit-Policy", f'"tenant";q={limit};w=1'),
            ("RateLimit", f'"tenant";r={verdict.remaining};t={wait}'),
        )
    return (
        ("X-RateLimit-Limit", str(limit)),
        ("X-RateLimit-Remaining", str(verdict.remaining)),
        ("X-RateLimit-Reset", _reset(style, math.ceil(now) + wait)),
    )


def _reset(style: str, moment: int) -> str:
    match style:
        case "ms":
            return str(moment * 1000)
        case "date":
            return formatdate(moment, usegmt=True)
        case "absurd":
            return "9" * 30
    return str(moment)
