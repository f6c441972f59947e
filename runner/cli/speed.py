"""How fast a run has been lately, and so how long it may still take."""

import math
from collections import deque

_WINDOW, _SHORT = 30.0, 5.0
"""Seconds that count as lately: for what is to come, and for what is shown of the present."""

_FEWEST = 10
"""So many targets must have been done before anything is told of those that are left."""


class Speed:
    """Counts at moments of one clock; ask it for rates per second."""

    def __init__(self) -> None:
        self._counts: deque[tuple[float, int, int]] = deque()  # moment, targets done, requests

    def note(self, now: float, done: int, requests: int) -> None:
        """So far there were so many."""
        self._counts.append((now, done, requests))
        while len(self._counts) > 2 and self._counts[1][0] <= now - _WINDOW:
            self._counts.popleft()

    @property
    def requests(self) -> float | None:
        """Requests per second lately, None while that is not known."""
        return self._lately(2, _SHORT)

    def left(self, targets: int, *, limit: float | None = None) -> float | None:
        """Seconds for so many more targets, None while that cannot be told honestly.

        No faster than lately, nor than `limit` requests per second allow: a burst at the start does not last.
        """
        done = self._lately(1)
        if not done or self._counts[-1][1] < _FEWEST:
            return None
        requests = self._lately(2)
        if limit and requests and limit < requests:
            done *= limit / requests
        return targets / done

    def _lately(self, column: int, window: float = _WINDOW) -> float | None:
        if len(self._counts) < 2:
            return None
        last = self._counts[-1]
        first = next(count for count in self._counts if count[0] >= last[0] - window)
        seconds = last[0] - first[0]
        return (last[column] - first[column]) / seconds if seconds >= 1 else None


def left_text(seconds: float) -> str:
    """A time that is left, no more exact than it is known: `about 40 s left`, `about 3 min left`."""
    if seconds < 55:
        return f"about {max(10, math.ceil(seconds / 10) * 10)} s left"
    minutes = math.ceil(seconds / 60)
    if minutes < 60:
        return f"about {minutes} min left"
    hours, minutes = divmod(math.ceil(minutes / 10) * 10, 60)
    return f"about {hours} h {minutes} min left" if minutes else f"about {hours} h left"
