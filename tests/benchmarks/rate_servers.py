"""The servers of the rate simulation: each answers one arrival with None (taken) or a refusal."""

import math
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Refusal:
    retry_after: float | None  # seconds, as the header tells it


class Server(Protocol):
    def arrive(self, now: float) -> Refusal | None: ...


class Bucket:
    """A token bucket. `retry`: "nominal" whole seconds while it refills, "real" (refuses till then), "none" or "long".

    `penalty`: tokens a refused request costs. `schedule`: (moment, rate) from which another rate holds.
    """

    def __init__(
        self,
        rate: float,
        burst: float,
        retry: str = "nominal",
        penalty: float = 0.0,
        schedule: tuple[tuple[float, float], ...] = (),
    ) -> None:
        self.rate, self.burst, self.retry, self.penalty = rate, burst, retry, penalty
        self.schedule = schedule
        self.tokens, self.last, self.shut_until = float(burst), 0.0, 0.0

    def arrive(self, now: float) -> Refusal | None:
        rate = next((rate for moment, rate in reversed(self.schedule) if now >= moment), self.rate)
        self.tokens = min(self.burst, self.tokens + (now - self.last) * rate)
        self.last = now
        if self.tokens >= 1 and now >= self.shut_until:
            self.tokens -= 1
            return None
        self.tokens = max(-self.burst, self.tokens - self.penalty)
        return Refusal(self._retry_after(now, rate))

    def _retry_after(self, now: float, rate: float) -> float | None:
        if self.retry == "none":
            return None
        seconds = max(1, math.ceil((1 - self.tokens) / rate))
        if self.retry == "long":
            return 20.0 * seconds
        if self.retry == "real":
            if now >= self.shut_until:
                self.shut_until = now + seconds
            return float(math.ceil(self.shut_until - now))
        return float(seconds)


class Leaky:
    """nginx `limit_req ... nodelay` with `Retry-After: 1`: excess in thousandths of a request, time in milliseconds."""

    def __init__(self, rate: float, burst: int) -> None:
        self.rate, self.burst = rate, burst
        self.excess, self.last = 0, 0

    def arrive(self, now: float) -> Refusal | None:
        milliseconds = int(now * 1000)
        excess = max(0, self.excess - int(self.rate * (milliseconds - self.last)) + 1000)
        if excess > self.burst * 1000:
            return Refusal(1.0)
        self.excess, self.last = excess, milliseconds
        return None


class Window:
    """So many per fixed window of `seconds`; Retry-After until the next one. With `headers` it tells what is left."""

    def __init__(self, limit: int, seconds: float = 60.0, headers: bool = False) -> None:
        self.limit, self.seconds, self.headers = limit, seconds, headers
        self.window, self.taken = -1, 0

    def arrive(self, now: float) -> Refusal | None:
        window = int(now / self.seconds)
        if window != self.window:
            self.window, self.taken = window, 0
        if self.taken < self.limit:
            self.taken += 1
            return None
        return Refusal(float(max(1, math.ceil((window + 1) * self.seconds - now))))

    def left(self, now: float) -> tuple[int, float] | None:
        """RateLimit headers: what remains, and the whole seconds until it is reset."""
        seconds = math.ceil((self.window + 1) * self.seconds - now)
        return (self.limit - self.taken, float(seconds)) if self.headers else None
