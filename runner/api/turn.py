"""When a request may leave: in its turn, at the learned pace, and not into an outage.

All workers share one `Turns`. Only the head of the queue looks at the clock, and a turn is taken at the
moment of sending: a turn reserved ahead would keep an old schedule alive beside the new one.
"""

import math
from asyncio import get_running_loop
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import anyio

from runner.api.outage import Outage
from runner.api.pace import Pace, PaceSnapshot
from runner.api.ratelimit import Allowance
from runner.base.errors import ApiError, ExitCode
from runner.base.model import AttemptClass, Verdict
from runner.base.policy import LimitPolicy, RetryPolicy
from runner.base.stop import Stop

_LONGEST_PATIENCE = 0.05
"""Seconds that an intent may be held back for others to share its commit."""

Token = TypeVar("Token")

_LOOK_AGAIN = 1.0
"""Seconds: the head of the queue looks again at least so often, for the way may be free sooner than it was told."""


@dataclass(slots=True)
class Tally:
    """What was sent: for one target, or for a whole run."""

    requests: int = 0
    retries: int = 0
    throttled: int = 0
    waited: float = 0.0  # seconds spent waiting for a turn, or as a 429 asked
    dropped: bool = False  # a connection gave no reply: what follows gets one of its own


class Turns:
    """Decides for every request when it leaves, and learns from every reply."""

    def __init__(self, limits: LimitPolicy, retry: RetryPolicy, stop: Stop) -> None:
        self.now = get_running_loop().time  # seconds; to find the running loop costs a call of the system each time
        self._retry = retry
        self._stop = stop
        self.ends_at = math.inf if limits.deadline is None else self.now() + limits.deadline  # loop time
        self._deadline = limits.deadline
        self._pace = Pace(rate=limits.rate)
        self._outage = Outage(retry)
        self._strangers: int | None = 0  # replies that are none of C1's; None once there was one that is
        self._queue = anyio.Lock(fast_acquire=True)
        self._waiting = 0

    def expect(self, targets: int | None) -> None:
        """So many targets are still to be done, or None if that is not known: near the end nothing is probed."""
        self._pace.remaining = targets

    def snapshot(self) -> PaceSnapshot:
        """The pace as it is now, for people."""
        return self._pace.snapshot(self.now())

    @property
    def in_flight(self) -> int:
        """Requests that were sent and have no answer yet."""
        return self._pace.in_flight

    @property
    def outage(self) -> bool:
        """Whether the tenant is taken to be down."""
        return self._outage.open

    async def take(self) -> float:
        """Wait for a turn and take it; returns the time the request leaves. Raises `StoppingError`."""
        self._stop.check()
        moment = self.now()
        if self._queue.locked() or self._delay(moment) > 0:
            moment = await self._wait()
        self._pace.sent(moment)
        self._outage.sent(moment)
        return moment

    async def _wait(self) -> float:
        self._waiting += 1
        try:
            async with self._queue:  # first come, first served
                while (delay := self._delay(moment := self.now())) > 0:
                    await self._stop.sleep(min(delay, _LOOK_AGAIN))
                return moment
        finally:
            self._waiting -= 1

    def patience(self) -> float:
        """Seconds that a newcomer would wait at least, a small bound at most: nobody is held up if it comes later."""
        rate = self.snapshot().rate if self._waiting else None
        return 0.0 if rate is None else min(self._waiting / rate / 2, _LONGEST_PATIENCE)

    def unanswered(self, sent_at: float) -> None:
        """The request that left at `sent_at` got no reply."""
        moment = self.now()
        self._pace.lost(sent_at, moment)
        self._fail(moment)

    def minting(self, mint: Callable[[], Awaitable[Token]]) -> Callable[[], Awaitable[Token]]:
        """`mint`, heeding an outage: while the tenant is down, asking for a token is the probe of its interval."""

        async def heeding() -> Token:
            while (delay := self._outage.delay(self.now())) > 0:
                await self._stop.sleep(min(delay, _LOOK_AGAIN))
            self._outage.sent(self.now())
            try:
                token = await mint()
            except ApiError as error:
                self._unminted(error.verdict, self.now())
                raise
            self._outage.encouraged(self.now())
            return token

        return heeding

    def _unminted(self, verdict: Verdict, now: float) -> None:
        self._mind_long_waits(verdict.retry_after, now)
        if not verdict.throttled:
            self._fail(now)

    def unused(self, sent_at: float) -> None:
        """The turn that was taken at `sent_at` was given up: nothing left."""
        self._pace.lost(sent_at, self.now())

    def answered(self, sent_at: float, verdict: Verdict, allowance: Allowance | None) -> float:
        """A reply has come; returns the seconds its target must wait if it was throttled."""
        moment = self.now()
        if allowance is not None:
            self._pace.hint(
                moment, remaining=allowance.remaining, reset_after=allowance.reset_after, limit=allowance.limit
            )
        self._mind_strangers(verdict)
        self._mind_long_waits(verdict.retry_after, moment)
        if verdict.retryable and (verdict.alien or verdict.attempt is AttemptClass.AMBIGUOUS):
            self._fail(moment)
        elif not verdict.throttled:
            self._outage.answered()
        if not verdict.throttled:
            self._pace.accepted(sent_at, moment)
            return 0.0
        return self._pace.refused(sent_at, moment, verdict.retry_after)

    def _delay(self, now: float) -> float:
        return max(self._pace.delay(now), self._outage.delay(now))

    def _fail(self, now: float) -> None:
        self._outage.failed(now)
        if self._outage.hopeless(now):
            self._stop.request(f"the tenant has been down for {self._retry.outage:g} s", ExitCode.STOPPED)

    def _mind_strangers(self, verdict: Verdict) -> None:
        """Whoever has given nothing but web pages so far is not C1's API."""
        if not verdict.alien:
            self._strangers = None
        elif self._strangers is not None:
            self._strangers += 1
            if self._strangers >= self._retry.alien_streak:
                self._stop.request(f"what answers is not C1's API: {verdict.message}", ExitCode.STOPPED)

    def _mind_long_waits(self, asked: float | None, now: float) -> None:
        """A wait that the run cannot afford ends it at once, rather than after the wait."""
        if asked is None:
            return
        if now + asked > self.ends_at:
            words = f"the tenant asks to wait {asked:g} s, past the deadline of {self._deadline:g} s"
        elif asked > self._retry.longest_retry_after and self._deadline is None:
            words = f"the tenant asks to wait {asked:g} s; set a deadline that allows for it, or run again later"
        else:
            return
        self._stop.request(words, ExitCode.STOPPED)
