"""The controls of the rate simulation: the real `runner.api.pace.Pace`, and compact versions of what else is in use."""

import math
import random
from collections import deque
from collections.abc import Callable
from typing import Protocol

from runner.api.pace import Pace


class Control(Protocol):
    def delay(self, now: float) -> float: ...
    def sent(self, now: float) -> None: ...
    def accepted(self, sent_at: float, now: float) -> None: ...
    def refused(self, sent_at: float, now: float, retry_after: float | None) -> float: ...


class Naive:
    """Each request waits its own Retry-After (or full jitter); the others know nothing of it."""

    def __init__(self, rng: random.Random) -> None:
        self.random = rng

    def delay(self, now: float) -> float:
        return 0.0

    def sent(self, now: float) -> None: ...

    def accepted(self, sent_at: float, now: float) -> None: ...

    def refused(self, sent_at: float, now: float, retry_after: float | None) -> float:
        return self.random.uniform(0, 2) if retry_after is None else retry_after


class Paced:
    """What the paced ones share: a slot at `next`, taken at send time, behind one gate."""

    def __init__(self, rng: random.Random) -> None:
        self.random = rng
        self.next = self.gate = 0.0
        self.rate: float | None = None
        self.cut_at, self.effective, self.count, self.in_vain = -1.0, 0.0, 0, 0

    def current(self, now: float) -> float:
        raise NotImplementedError

    def cut(self, sent_at: float, now: float, wait: float) -> None:
        raise NotImplementedError

    def delay(self, now: float) -> float:
        return max(0.0, self.gate - now, (self.next - now) if self.rate is not None else 0.0)

    def sent(self, now: float) -> None:
        if self.rate is not None:
            self.next = max(self.next, now - 0.02) + 1 / max(0.5, self.current(now))

    def accepted(self, sent_at: float, now: float) -> None:
        self.count += 1
        self.in_vain = 0

    def refused(self, sent_at: float, now: float, retry_after: float | None) -> float:
        self.in_vain += sent_at > self.cut_at
        guess = min(30.0, 2.0 ** min(5, self.in_vain - 1)) * self.random.uniform(0.75, 1.25)
        wait = guess if retry_after is None else retry_after
        if sent_at > self.cut_at and now >= self.gate:
            self.cut(sent_at, now, wait)
            self.cut_at = now
        return wait


class Aimd(Paced):
    """Halve the rate on a refusal, add 5 % a second."""

    def current(self, now: float) -> float:
        assert self.rate is not None
        return self.rate + max(0.5, 0.05 * self.rate) * (now - self.effective)

    def cut(self, sent_at: float, now: float, wait: float) -> None:
        self.rate = max(0.5, (self.count / max(now, 0.1) if self.rate is None else self.current(now)) / 2)
        self.effective = now


class GatePacer(Paced):
    """Any refusal shuts the gate for all; then a cubic around accepted/elapsed between refusals."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self.goodput: deque[float] = deque()
        self.counted = 0

    def current(self, now: float) -> float:
        assert self.rate is not None
        age = max(0.0, now - self.effective)
        pace = self.rate * (1 + 0.1 * ((age - 5) / 5) ** 3)
        if age > 5:
            while self.goodput and self.goodput[0] < now - 2:
                self.goodput.popleft()
            pace = min(pace, max(self.rate * 1.1, len(self.goodput), 1.0))
        return pace

    def accepted(self, sent_at: float, now: float) -> None:
        super().accepted(sent_at, now)
        self.goodput.append(now)

    def cut(self, sent_at: float, now: float, wait: float) -> None:
        if self.rate is None:
            self.rate = max(1.0, self.count / max(now, 0.05) / 2)
        else:
            current = self.current(now)
            measured = (self.count - self.counted + 1) / (now - self.cut_at)
            self.rate = max(current / 2, min(measured, 0.98 * current), 0.5)
        self.counted = self.count
        self.gate = self.next = self.effective = now + wait

    def refused(self, sent_at: float, now: float, retry_after: float | None) -> float:
        super().refused(sent_at, now, retry_after)
        return retry_after or 0.0  # the gate holds it


class PacedHold(Paced):
    """Others go on at a pace doubled every 0.3 s from accepted/(elapsed + Retry-After); a second refusal gates all."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self.moments: list[float] = []
        self.burst, self.ceiling, self.fast = 0, 0.0, True

    def current(self, now: float) -> float:
        assert self.rate is not None
        age = now - self.effective
        if self.fast:
            return float(self.rate * 2 ** min(60.0, age / 0.3))
        creep = self.rate * (1 + 0.02 * age) if self.rate < 0.97 * self.ceiling else self.rate * (1 + 0.004 * age)
        return min(creep, self.ceiling * (1.1 + 0.002 * age))

    def accepted(self, sent_at: float, now: float) -> None:
        super().accepted(sent_at, now)
        self.moments.append(now)

    def cut(self, sent_at: float, now: float, wait: float) -> None:
        count = len(self.moments)
        if self.rate is None:
            self.burst, self.rate = count, max(0.5, count / (now + wait))
        else:
            self._recut(now, wait, count)
        self.moments = []
        self.effective = max(now, self.gate)
        self.next = max(self.gate, now + 1 / self.rate)

    def _recut(self, now: float, wait: float, count: int) -> None:
        low, current = count / max(now - self.cut_at, 1e-3), self.current(now)
        for index in range(0, count, max(1, count // 40)):
            if now - self.moments[index] > 0.05:
                low = max(low, (count - index - min(self.burst, count)) / (now - self.moments[index]))
        if self.in_vain >= 2 or count <= 2:
            self.gate = now + wait
            self.rate, self.fast = max(0.5, min(current / 2, max(low, current / 4))), self.ceiling == 0
        else:
            self.ceiling = max(low, current / 2)
            self.rate, self.fast = max(0.5, min(0.97 * self.ceiling, 0.98 * current)), False


class Cubic:
    """After the `adaptive` retry mode of the AWS SDKs: CUBIC on a client-side bucket, jittered backoff per request."""

    def __init__(self, rng: random.Random) -> None:
        self.random = rng
        self.on = False
        self.fill, self.size, self.tokens, self.filled_at = 0.5, 1.0, 0.0, 0.0
        self.best = self.failed_at = self.measured = self.bucket_at = 0.0
        self.counted, self.in_vain = 0, 0

    def delay(self, now: float) -> float:
        self._refill(now)
        return 0.0 if not self.on or self.tokens >= 1 else (1 - self.tokens) / self.fill + 1e-6

    def sent(self, now: float) -> None:
        self._refill(now)
        self.tokens -= self.on

    def accepted(self, sent_at: float, now: float) -> None:
        self.in_vain = 0
        self._measure(now)
        if self.on:
            root = (self.best * 0.3 / 0.4) ** (1 / 3)
            self._set(now, 0.4 * (now - self.failed_at - root) ** 3 + self.best)

    def refused(self, sent_at: float, now: float, retry_after: float | None) -> float:
        self._measure(now)
        self.best, self.failed_at = (min(self.measured, self.fill) if self.on else self.measured), now
        self.on = True
        self._set(now, self.best * 0.7)
        self.in_vain += 1
        return max(retry_after or 0.0, self.random.random() * min(20.0, 2.0 ** min(5, self.in_vain)))

    def _refill(self, now: float) -> None:
        self.tokens = min(self.size, self.tokens + (now - self.filled_at) * self.fill)
        self.filled_at = now

    def _set(self, now: float, rate: float) -> None:
        self._refill(now)
        self.fill = max(0.5, min(rate, 2 * self.measured))
        self.size = max(1.0, self.fill)
        self.tokens = min(self.tokens, self.size)

    def _measure(self, now: float) -> None:
        self.counted += 1
        half_second = math.floor(now * 2) / 2
        if half_second > self.bucket_at:
            self.measured = 0.8 * self.counted / (half_second - self.bucket_at) + 0.2 * self.measured
            self.counted, self.bucket_at = 0, half_second


class Known:
    """What no client can be: told the limit. It sends at `rate` from a bucket of `size` of its own, and learns nothing.

    It keeps the two rules of the pace: a refused target waits, and a second refusal meanwhile holds up everybody.
    """

    def __init__(self, rate: float, size: float) -> None:
        self.rate, self.size = rate, size
        self.tokens, self.filled_at = size, 0.0
        self.gate = self.hold = self.known_at = -1.0

    def delay(self, now: float) -> float:
        self._refill(now)
        return max(0.0, self.gate - now, (1 - 1e-9 - self.tokens) / self.rate)

    def sent(self, now: float) -> None:
        self._refill(now)
        self.tokens -= 1

    def accepted(self, sent_at: float, now: float) -> None: ...

    def refused(self, sent_at: float, now: float, retry_after: float | None) -> float:
        wait = 1.0 if retry_after is None else retry_after
        if sent_at > self.known_at:
            self.gate = now + wait if now < self.hold else self.gate
            self.known_at, self.hold = now, now + wait
        return wait

    def _refill(self, now: float) -> None:
        self.tokens = min(self.size, self.tokens + (now - self.filled_at) * self.rate)
        self.filled_at = now


CONTROLS: dict[str, Callable[[random.Random], Control]] = {
    "naive": Naive,
    "AIMD": Aimd,
    "CUBIC": Cubic,
    "gate_pacer": GatePacer,
    "paced_hold": PacedHold,
    "**pace**": lambda rng: Pace(random=rng),
}
