"""What a server's bucket gave and when, and the moments at which to ask it again: the arithmetic of the pace."""

import math
from bisect import bisect_left, bisect_right


class History:
    """The moments at which requests were sent that the server did not refuse: what the bucket gave, and when.

    Send times stand for arrival times: the way there takes every request about equally long.
    """

    KEPT = 4096  # moments; older ones are only counted

    def __init__(self) -> None:
        self._opening: list[tuple[int, float]] = []  # windows that end in the very first refusal
        self.empty_at: float | None = None  # the last refusal before the stretch being measured
        self._sent: list[float] = []
        self._uncounted = 0

    def add(self, moment: float) -> None:
        self._sent.append(moment)
        if len(self._sent) > 2 * self.KEPT:
            del self._sent[: self.KEPT]
            self._uncounted += self.KEPT

    def remove(self, moment: float) -> None:
        """Take back one request: it was refused, or nothing is known of it."""
        index = bisect_left(self._sent, moment)
        if index < len(self._sent) and self._sent[index] == moment:
            del self._sent[index]

    def start_stretch(self, empty_at: float, known_at: float) -> None:
        """The bucket was empty at this moment, as was known at that one: measure from here to the next refusal."""
        if self.empty_at is None:
            self._opening = self._windows(empty_at) + self._windows(known_at)
        self.empty_at = empty_at
        del self._sent[: bisect_right(self._sent, empty_at)]
        self._uncounted = 0

    def accepted(self, until: float) -> int:
        return self._uncounted + bisect_right(self._sent, until)

    def burst(self, rate: float) -> float:
        """Tokens the bucket holds, if it gains `rate`: it started full, and the first refusal found it empty."""
        return max([1.0, *(count - rate * width for count, width in self._opening)])

    def bounds(self, until: float, pace: float, full_at: float) -> tuple[float, float]:
        """The slowest and fastest rate, at most `pace`, under which the bucket could have refused at `until`.

        From empty to empty it gave what it gained: count / seconds, to one token. If it stood full in between it gained
        more than it gave; then some later window got a full bucket plus the gain of that window, and the slowest rate
        follows from that one. `full_at`: a moment since which alone the fastest is told, the bucket having stood full.
        """
        assert self.empty_at is not None
        count = self.accepted(until)
        slow = min(pace, count / max(until - self.empty_at, 1e-3))
        fast = min(pace, (count + 1) / max(until - max(self.empty_at, full_at), 1e-3))
        windows = [window for window in self._windows(until) if window[1] > 0.1]
        if windows and self._exceeded(slow, windows):
            high = pace
            for _ in range(12):  # bisection to one part in 4096
                middle = (slow + high) / 2
                slow, high = (middle, high) if self._exceeded(middle, windows) else (slow, middle)
        return slow, max(slow, fast)

    def _exceeded(self, rate: float, windows: list[tuple[int, float]]) -> bool:
        """Whether some window got more than a full bucket and what it gained meanwhile at this rate."""
        burst = self.burst(rate)
        return any(count - burst > rate * width for count, width in windows)

    def _windows(self, until: float) -> list[tuple[int, float]]:
        """About a hundred (requests, seconds) from some request to `until`."""
        end = bisect_right(self._sent, until)
        return [(end - index, until - self._sent[index]) for index in range(0, end, max(1, end // 100))]


class Slots:
    """Moments to send at, one after the other; one that was missed may be made up for within a tolerance."""

    __slots__ = ("next",)

    def __init__(self) -> None:
        self.next = -math.inf

    def take(self, now: float, rate: float, tolerance: float) -> None:
        self.next = max(self.next, now - tolerance) + 1 / rate
