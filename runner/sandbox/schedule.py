"""Decides the fate of each request: scripts first, then outages, the rate limit, and the seeded faults."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import accumulate

from runner.sandbox.actions import ANSWER, Action, Kind
from runner.sandbox.faults import Faults
from runner.sandbox.limits import FixedWindow, Headers, TokenBucket, limit_headers
from runner.sandbox.routes import Endpoint, Route

_UNIT = 2.0**64
_ANOTHER = Action(Kind.ANOTHER)
_OUTAGE = {
    "503": Action(Kind.STATUS, status=503),
    "drop": Action(Kind.DROP),
    "silence": Action(Kind.SILENCE),
}


@dataclass(frozen=True, slots=True)
class Draws:
    """Three numbers in [0, 1), fixed by seed, request and attempt."""

    fault: float
    detail: float
    latency: float


_NO_DRAWS = Draws(1.0, 0.0, 0.0)  # beyond every share: no fault


class Schedule:
    """The fault schedule of one server. `clock` returns epoch seconds; outages count from creation."""

    def __init__(self, faults: Faults, clock: Callable[[], float]) -> None:
        self._faults = faults
        self._clock = clock
        self._started_at = clock()
        self._limiter = _limiter(faults, clock)
        shares = faults.shares()
        self._names = tuple(shares)
        self._bounds = tuple(accumulate(shares.values()))
        self._is_random = bool(shares) or faults.jitter > 0 or faults.another > 0
        self._seen: Counter[str] = Counter()
        self._scripts: dict[str, deque[Action]] = {}

    def script(self, key: str, actions: Iterable[Action | str]) -> None:
        """Append exact fates for the next requests that match `key`.

        A key is `app/connector` (its pause, resume and force_sync), a path, `METHOD path`, an endpoint's
        name such as `token` or `connectors`, or `*`. The most exact key that has anything left wins.
        """
        parsed = (action if isinstance(action, Action) else Action.parse(action) for action in actions)
        self._scripts.setdefault(key, deque()).extend(parsed)

    def adopt_scripts(self, other: Schedule) -> None:
        """Take over what is still scripted on a schedule that this one replaces."""
        self._scripts = other._scripts

    def decide(self, method: str, path: str, route: Route) -> Action:
        """Return what happens to this request, latency included."""
        scripted = self._scripted(method, path, route) if self._scripts else None
        if scripted is not None:
            return scripted
        faults = self._faults
        outage = self._outage() if faults.outage else None
        if outage is not None:
            return outage
        group = _group(route)
        draws = self._draws(f"{method} {path}") if self._is_random else _NO_DRAWS
        action, headers = ANSWER, self._limited(group)
        if isinstance(headers, Action):
            action, headers = headers, ()
        elif route.endpoint is Endpoint.CONNECTOR and draws.detail < faults.another:
            action = _ANOTHER
        elif group in faults.on:
            action = self._random(draws)
        delay = self._latency(draws)
        return replace(action, delay=delay, headers=action.headers + headers) if delay or headers else action

    def _scripted(self, method: str, path: str, route: Route) -> Action | None:
        target = route.target if route.mutates else None
        for key in (target, f"{method} {path}", path, route.endpoint.value, "*"):
            if key is not None and (actions := self._scripts.get(key)):
                return actions.popleft()
        return None

    def _outage(self) -> Action | None:
        passed = self._clock() - self._started_at
        if any(begin <= passed < end for begin, end in self._faults.outage):
            return _OUTAGE[self._faults.outage_as]
        return None

    def _limited(self, group: str) -> Action | Headers:
        """Return the refusal of a request over the limit, else the headers that tell about the limit."""
        faults = self._faults
        if self._limiter is None or group not in faults.limit_on:
            return ()
        now, verdict = self._clock(), self._limiter.take()
        headers = limit_headers(faults.limit_headers, _ceiling(faults), verdict, now)
        if verdict.taken:
            return headers
        wait = faults.retry_after.header(verdict.wait, now)
        return Action(Kind.STATUS, status=429, retry_after=wait, headers=headers)

    def _random(self, draws: Draws) -> Action:
        chosen = bisect_right(self._bounds, draws.fault)
        return ANSWER if chosen == len(self._names) else _action(self._names[chosen], self._faults, draws)

    def _latency(self, draws: Draws) -> float:
        faults = self._faults
        if not faults.jitter:
            return faults.latency
        return faults.latency * math.exp(faults.jitter * _normal(draws.latency, draws.detail))

    def _draws(self, key: str) -> Draws:
        attempt = self._seen[key]
        self._seen[key] = attempt + 1
        digest = blake2b(f"{self._faults.seed}/{key}/{attempt}".encode(), digest_size=24).digest()
        numbers = (int.from_bytes(digest[start : start + 8], "big") / _UNIT for start in (0, 8, 16))
        return Draws(*numbers)


def _limiter(faults: Faults, clock: Callable[[], float]) -> TokenBucket | FixedWindow | None:
    if faults.limit is None:
        return None
    if faults.window is not None:
        return FixedWindow(_ceiling(faults), faults.window, clock)
    return TokenBucket(faults.limit, _ceiling(faults), clock, refused_costs=faults.refused_costs)


def _ceiling(faults: Faults) -> int:
    """The most requests that are taken at once: what a window allows, or a full bucket."""
    if faults.window is not None:
        return max(1, round((faults.limit or 0) * faults.window))
    return faults.burst or max(1, math.ceil(faults.limit or 0))


def _group(route: Route) -> str:
    if route.mutates:
        return "post"
    return "token" if route.endpoint is Endpoint.TOKEN else "read"


def _action(name: str, faults: Faults, draws: Draws) -> Action:
    """Return the action of a random fault; those with `_after` in their name are applied first."""
    kind = name.removesuffix("_after")
    applied = True if kind != name else None
    match kind:
        case "error":
            status = faults.error_status[int(draws.detail * len(faults.error_status))]
            wait = faults.error_retry_after if status == 503 else None
            header = None if wait is None else str(math.ceil(wait))
            return Action(Kind.STATUS, status=status, applied=applied, retry_after=header)
        case "redirect":
            return Action(Kind.REDIRECT, status=faults.redirect_status, location=faults.redirect_to)
    return Action(Kind(kind), applied=applied)


def _normal(first: float, second: float) -> float:
    """Return a standard normal number from two uniform ones (Box and Muller)."""
    return math.sqrt(-2 * math.log(1 - first)) * math.cos(math.tau * second)
