"""The tenant's time, told from the `Date` of its replies (RFC 9110 section 6.6.1), however wrong our own clock is.

A date is that of some moment between request and reply, whole seconds only. Each reply so gives an interval for the
offset between the event loop's clock and the tenant's, and many replies a narrow one. The loop's clock is the base
because nobody sets it; a machine that has slept, or a tenant whose clocks disagree, is noticed by intervals that do
not meet.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import NamedTuple

from runner.base.policy import CLOCK_MARGIN, CLOCKS_DISAGREE, LARGE_OFFSET
from runner.base.stop import now

log = logging.getLogger(__name__)


class Offset(NamedTuple):
    """How far the tenant's clock is ahead of this machine's, in seconds, and how far off that may be."""

    seconds: float
    uncertainty: float


class TenantTime:
    """Learns from every reply. `wall` is this machine's clock, epoch seconds; all other times are the loop's."""

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._low = self._high = 0.0  # bounds of (tenant's epoch seconds - loop's seconds)
        self._floor = 0.0  # seconds of uncertainty that clocks which disagree leave
        self.known = False
        self.jumps = 0  # how often the tenant's time has left ours: a sleep, or several clocks that are far apart
        self._warned = False

    def learn(self, sent_at: float, received_at: float, headers: Mapping[str, str]) -> None:
        """A reply has come to a request that left at `sent_at`."""
        date = _epoch_of(headers)
        if date is None:
            return
        low, high = date - received_at, date + 1.0 - sent_at
        if self.known and low <= self._low and high >= self._high:
            return  # nothing new, as nearly every reply
        if not self.known:
            self._low, self._high, self.known = low, high, True
        elif low <= self._high and high >= self._low:
            self._narrow(max(low, self._low), min(high, self._high))
        elif max(low - self._high, self._low - high) <= CLOCKS_DISAGREE:  # several clocks behind one name
            self._low, self._high = min(low, self._low), max(high, self._high)
            self._floor = self._high - self._low
        else:  # time has jumped: the machine has slept, or the tenant's clock was set
            self._low, self._high, self._floor = low, high, 0.0
            self.jumps += 1
        self._warn()

    def _narrow(self, low: float, high: float) -> None:
        if high - low >= self._floor:
            self._low, self._high = low, high

    def earliest(self, moment: float) -> float | None:
        """The tenant's time at a moment of the loop's, at the earliest; None where no date has come."""
        return moment + self._low - CLOCK_MARGIN if self.known else None

    def latest(self, moment: float) -> float | None:
        """The same, at the latest."""
        return moment + self._high + CLOCK_MARGIN if self.known else None

    @property
    def offset(self) -> Offset | None:
        """Against this machine's clock as it is now; None where no date has come."""
        if not self.known:
            return None
        ours = self._wall() - now()
        return Offset((self._low + self._high) / 2 - ours, (self._high - self._low) / 2 + CLOCK_MARGIN)

    def _warn(self) -> None:
        offset = self.offset
        if self._warned or offset is None or abs(offset.seconds) - offset.uncertainty < LARGE_OFFSET:
            return
        self._warned = True
        side = "behind" if offset.seconds > 0 else "ahead of"
        log.warning(
            "this machine's clock is %.0f s %s the tenant's; pauses are judged by the tenant's clock, "
            "but windows end by this one: set it right",
            abs(offset.seconds),
            side,
        )


def _epoch_of(headers: Mapping[str, str]) -> float | None:
    """When a reply was made, by its own `Date`; a stored reply (`Age`, RFC 9111) tells nothing of now."""
    date = headers.get("date")
    return None if date is None or "age" in headers else _epoch(date)


@lru_cache(maxsize=8)  # the replies of one second all have the same
def _epoch(date: str) -> float | None:
    try:
        moment = parsedate_to_datetime(date)
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
