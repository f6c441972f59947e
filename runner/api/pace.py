"""The pace all workers share: an unknown server limit, learned from its refusals alone.

The server is taken for a bucket: it holds up to `burst` tokens, gains `rate` of them per second, and answers 429 when
a request finds none. So a refusal is a measurement: at that moment the bucket was empty. Between two refusals it gave
exactly what it gained, unless it stood full for a while in between; `bucket.History` accounts for that.

Four phases, each ended by a refusal or by time:

    open       nothing known: unpaced after a short ramp, so a job below the limit never notices the pace
    search     one refusal known: start low, or boldly where that costs little, and double until the next one
    cruise     the limit is measured: stay just under it, feel for more at the end of each `plateau`, measure again
    gate shut  refused again while the first refusal's Retry-After still runs: nobody sends until it has passed

Pure and synchronous: the clock is handed in, in seconds of any monotonic clock. A worker waits in its turn for
`delay` to be zero, calls `sent` at the moment it sends, and reports how that request ended with the same moment.
A slot is never reserved ahead, so a changed pace holds from the very next request.
"""

import math
import random as random_module
from dataclasses import dataclass

from runner.api.bucket import History, Slots
from runner.base.policy import QUOTA_WAIT


@dataclass(frozen=True, slots=True)
class PaceTuning:
    """Every constant of the pace, chosen with `tests/benchmarks/rate_sweep.py`; most have a wide optimum."""

    start_burst: int = 10  # requests sent at once at the start: the default concurrency, so ordinary jobs see no ramp
    ramp_rate: float = 25.0  # requests per second after those, until replies arrive
    ramp_gain: float = 3.0  # more per round trip for each accepted reply: a slow start, gone within two round trips
    ramp_round_trip: float = 0.002  # seconds: a shorter round trip is none to go by
    search_from: float = 45.0  # requests per second at which the search may start although less was accepted so far,
    search_from_holds: float = 20.0  # if the rest takes that many holds at this pace: a second refusal costs one more
    search_unknown: int = 1000  # targets that are taken to be left where that is not known
    search_to: float = 100.0  # requests per second up to which the search may always grow within the first hold,
    search_to_holds: float = 8.0  # and beyond if the rest takes that many holds
    doubling: float = 0.4  # seconds to double the pace in search, or one round trip if that is longer
    doubling_requests: int = 4  # and requests, so that a slow limit is not overrun between two replies
    measured: int = 3  # accepted requests between two refusals from which on they measure the limit
    dip: float = 0.05  # share below the measured limit right after a refusal, while a second one would shut the gate
    dip_after_search: float = 0.2  # the same after the first measurement, which is the least certain
    plateau_holds: float = 2.5  # Retry-Afters until the pace is back at the measured limit and starts to feel for more
    plateau_holds_gated: float = 10.0  # the same after the gate was shut: where a probe costs more, probe less
    plateau_requests: float = 25.0  # and requests, so that refusals stay near 2 % under the slowest limits
    plateau_age: float = 0.25  # but at most this share of the time since the first request: correct early errors early
    plateau_least: float = 1.5  # and never fewer Retry-Afters than this: a second refusal meanwhile shuts the gate
    lost: int = 3  # refusals in a row with nothing accepted after which the limit counts as unknown again
    steepest_cut: float = 0.5  # one refusal never lowers the pace by more than this factor
    blind_cut: float = 0.9  # nor by more than this after a stretch too short to measure: a real hold looks the same
    floor: float = 0.5  # requests per second: below it a client starved by others would not grow back
    late: float = 0.02  # seconds a slot may be taken late without being lost: timers wake late by some milliseconds
    refill_trust: float = 0.9  # share of the tokens that gathered behind a shut gate that is spent after it
    refill_speed: float = 4.0  # times the pace at which they are spent
    backoff: float = 1.0  # seconds to wait after a refusal without Retry-After, doubled each time nothing passes
    backoff_limit: float = 30.0  # seconds
    quota_horizon: float = 2.0  # seconds: a RateLimit reset nearer than this is too coarse to be worth obeying
    quota_recheck: float = 0.05  # seconds until an exhausted quota is looked at again while replies are on their way


@dataclass(frozen=True, slots=True)
class PaceSnapshot:
    """What to tell the user. `rate` is in requests per second; None means nothing slows the workers."""

    rate: float | None
    gate_closed_for: float  # seconds
    refused: int  # requests answered 429, or 503 with Retry-After, so far


class Pace:
    """See the module. `rate`: a limit set by the user, per second, never exceeded whatever the server would take."""

    def __init__(
        self,
        *,
        rate: float | None = None,
        random: random_module.Random | None = None,
        tuning: PaceTuning | None = None,
    ) -> None:
        self.remaining: int | None = None  # targets still to be done, if known: near the end nothing is probed
        self._fixed_rate = rate
        self._random = random or random_module.Random()
        self._tuning = tuning or PaceTuning()
        self._history = History()
        self._learned, self._spacing, self._fixed = Slots(), Slots(), Slots()
        self._rate: float | None = None  # search: the pace; cruise: the measured limit; None: open
        self._searching = False
        self._dip = self._tuning.dip
        self._before: tuple[float, float, bool] | None = None  # pace, rate, searching as the last refusal met them
        self._tolerance = self._tuning.late  # seconds of missed slots that may be made up for
        self._since = 0.0  # when the present pace took effect
        self._grown_at = 0.0
        self._started: float | None = None
        self._sent = self._accepted = self._refused = self._in_flight = 0
        self._round_trip = 0.0
        self._known_at = -math.inf  # when the last refusal became known; what was sent before belongs to it
        self._empty_at = 0.0  # when that refused request was sent
        self._hold = self._gate = self._opened = -math.inf
        self._hold_length = self._tuning.backoff
        self._gated = False
        self._in_vain = 0  # refusals in a row with nothing accepted in between
        self._quota, self._quota_until = 0, -math.inf
        self._resets_at = -math.inf  # the end of the present window as the tenant has it
        self._trial = -math.inf  # when a request was sent although nothing was left: the tenant's wait is bounded
        self._contradicted = False  # the tenant took such a one: what it says of the limit is not so
        self._least_left = 0  # the lowest `remaining` of the present window: replies overtake each other

    @property
    def in_flight(self) -> int:
        """Requests that were sent and have no answer yet."""
        return self._in_flight

    def delay(self, now: float) -> float:
        """0.0: send now. Else the seconds after which to ask again."""
        free_at = max(self._gate, self._learned.next, self._spacing.next, self._fixed.next)
        wait = max(0.0, free_at - now)
        if self._quota <= 0 and now < self._quota_until:
            reset = self._quota_until - now
            wait = max(wait, min(reset, self._tuning.quota_recheck) if self._in_flight else reset)
        return wait

    def sent(self, now: float) -> None:
        """A request is being sent at this moment."""
        tuning = self._tuning
        if self._started is None:
            self._started = now
        self._sent += 1
        self._in_flight += 1
        if self._quota <= 0 and self._quota_until <= now < self._resets_at:
            self._trial, self._quota_until = now, min(self._resets_at, now + QUOTA_WAIT)
        self._quota -= 1
        self._history.add(now)
        self._grow(now)
        if self._rate is not None or self._sent >= tuning.start_burst:
            pace = self._pace(now)
            self._learned.take(now, pace, self._tolerance)
            self._spacing.take(now, pace * tuning.refill_speed, tuning.late)
        if self._fixed_rate is not None:
            self._fixed.take(now, self._fixed_rate, min(tuning.late, 1 / self._fixed_rate))

    def accepted(self, sent_at: float, now: float) -> None:
        """A reply that is no refusal, success or not: the limit let the request pass."""
        self._in_flight -= 1
        self._accepted += 1
        self._in_vain = 0
        if sent_at == self._trial:
            self._contradicted, self._quota_until = True, -math.inf
        seconds = now - sent_at
        self._round_trip += (seconds - self._round_trip) / min(self._accepted, 10)

    def refused(self, sent_at: float, now: float, retry_after: float | None) -> float:
        """429, or 503 with Retry-After: the seconds before THIS target may be sent again, never below `retry_after`."""
        self._in_flight -= 1
        self._refused += 1
        self._history.remove(sent_at)
        news = sent_at > self._known_at
        self._in_vain += news
        wait = self._wait(retry_after)
        if news:
            self._start_stretch(sent_at, now, wait)
        self._empty_at = max(self._empty_at, sent_at)
        self._learn(now)
        return wait

    def lost(self, sent_at: float, now: float) -> None:  # noqa: ARG002 (one shape for all three endings)
        """No reply at all: whether it cost a token is unknown."""
        self._in_flight -= 1
        self._history.remove(sent_at)

    def hint(self, now: float, *, remaining: int | None, reset_after: float | None, limit: int | None) -> None:
        """A reply's RateLimit or X-RateLimit headers (draft-ietf-httpapi-ratelimit-headers), told before `accepted`.

        `remaining` requests are left until `reset_after` seconds from now. What was answered in this window is counted
        in the lowest `remaining` of it; what is in flight may not be. Nobody is held up longer than `QUOTA_WAIT`, and
        if the request that is sent then is taken, no hint is believed any more.
        """
        if remaining is None or reset_after is None or not self._tuning.quota_horizon <= reset_after < math.inf:
            return
        if self._contradicted:
            return
        if limit is None or 0 <= remaining <= limit:
            if now + reset_after > self._resets_at + self._tuning.quota_horizon:  # another window
                self._least_left, self._resets_at = remaining, now + reset_after
                self._quota_until = min(self._resets_at, now + QUOTA_WAIT)
            self._least_left = min(self._least_left, remaining)
            self._quota = self._least_left - (self._in_flight - 1)

    def snapshot(self, now: float) -> PaceSnapshot:
        gate = max(self._gate, self._quota_until if self._quota <= 0 else -math.inf)
        learned = self._pace(now) if self._rate is not None else math.inf
        rate = min(learned, self._fixed_rate or math.inf)
        return PaceSnapshot(None if rate == math.inf else rate, max(0.0, gate - now), self._refused)

    def _wait(self, retry_after: float | None) -> float:
        """Retry-After, or where it says nothing a jittered, growing guess."""
        if retry_after is not None and 0 < retry_after < math.inf:
            return retry_after
        doublings = min(max(self._in_vain - 1, 0), 10)
        guess = min(self._tuning.backoff_limit, self._tuning.backoff * 2.0**doublings)
        return guess * self._random.uniform(0.75, 1.25)

    def _start_stretch(self, sent_at: float, now: float, wait: float) -> None:
        """A refusal of a request sent after the last one was known: the bucket emptied again, or the hold is real."""
        if self._rate is not None:
            self._before = (self._pace(now), self._rate, self._searching)
            self._history.start_stretch(self._empty_at, self._known_at)
            self._opened = self._gate if self._gate <= sent_at else -math.inf
        self._gated = now < self._hold
        if self._gated:
            self._gate = now + wait
        self._known_at, self._empty_at = now, sent_at
        self._hold, self._hold_length = now + wait, wait

    def _learn(self, now: float) -> None:
        """Set rate and phase from the history. Repeated for each late refusal of one stretch, from the same start."""
        accepted = self._history.accepted(self._empty_at)
        if self._before is None:
            self._rate = self._first_guess(now)
            self._searching = True
        elif self._before[2]:
            pace, rate, _ = self._before
            self._dip = self._tuning.dip_after_search
            self._searching = accepted < self._tuning.measured
            self._rate = rate / 2 if self._searching else self._history.bounds(self._empty_at, pace, self._opened)[0]
        else:
            self._dip = self._tuning.dip
            self._rate = self._corrected()
            self._searching = self._in_vain >= self._tuning.lost
        self._rate = max(self._rate, self._tuning.floor)
        self._take_effect(now)

    def _first_guess(self, now: float) -> float:
        """What was accepted, over the time until the refused one may be sent again: likely too low, so it is doubled.

        Bolder where a fast limit would lose more by that than a slow one by a second refusal; but never faster than the
        server gave so far, nor more than one request in a round trip. Requests that overtook the refused one on their
        way, and took its token, count as accepted.
        """
        assert self._started is not None
        tuning = self._tuning
        accepted = self._history.accepted(self._known_at)
        elapsed = self._empty_at - self._started
        given, round_trip = accepted / max(elapsed, 1e-3), max(self._round_trip, now - self._empty_at, 1e-3)
        bold = min(tuning.search_from, self._to_finish_in(tuning.search_from_holds), given, 1 / round_trip)
        return max(bold, accepted / (elapsed + self._hold_length))

    def _corrected(self) -> float:
        """The measured limit moves no further than this stretch proves: a short one proves little."""
        assert self._before is not None
        pace, rate, _ = self._before
        slow, fast = self._history.bounds(self._empty_at, pace, self._opened)
        measured = self._history.accepted(self._empty_at) >= self._tuning.measured
        steepest = self._tuning.steepest_cut if measured else self._tuning.blind_cut
        return max(min(max(rate, slow), fast), rate * steepest)

    def _take_effect(self, now: float) -> None:
        """The changed pace starts now, or when the gate opens: then with the tokens that gathered behind it."""
        self._since = self._grown_at = max(now, self._gate)
        self._tolerance = self._made_up_for()
        if self._gate > now:
            self._learned.next = max(now, self._gate - self._tolerance)
        else:
            self._learned.next = now + 1 / self._pace(now)

    def _made_up_for(self) -> float:
        """Seconds of slots that may be made up for: as many as the server's bucket keeps for us."""
        if self._rate is None or self._searching:
            return self._tuning.late
        kept = self._history.burst(self._rate) / self._rate
        return max(self._tuning.late, self._tuning.refill_trust * kept)

    def _pace(self, now: float) -> float:
        """Requests per second at this moment."""
        tuning = self._tuning
        if self._rate is None:
            return tuning.ramp_rate + tuning.ramp_gain * self._accepted / max(self._round_trip, tuning.ramp_round_trip)
        if self._searching:
            return self._rate
        plateau = self._plateau(self._rate)
        progress = max(0.0, now - self._since) / plateau
        if self._nearly_done(self._rate):
            progress = min(progress, 0.5)
        return max(tuning.floor, self._rate * (1 + self._dip * (progress - 1) ** 3))

    def _plateau(self, rate: float) -> float:
        """Seconds from a refusal until the pace, a cubic, is back at the measured limit: flat there, then steeper."""
        assert self._started is not None
        tuning = self._tuning
        holds = tuning.plateau_holds_gated if self._gated else tuning.plateau_holds
        seconds = min(holds * self._hold_length, tuning.plateau_age * (self._since - self._started))
        return max(seconds, tuning.plateau_least * self._hold_length, tuning.plateau_requests / rate)

    def _grow(self, now: float) -> None:
        """In search each request raises the pace: carefully while a second refusal would shut the gate."""
        if self._rate is None or not self._searching or (now < self._hold and self._nearly_done(self._rate)):
            return
        tuning = self._tuning
        doublings = (now - self._grown_at) / max(tuning.doubling, self._round_trip)
        grown = self._rate * 2 ** max(0.0, min(doublings, 1 / tuning.doubling_requests))
        if now < self._hold:
            grown = min(grown, max(self._rate, tuning.search_to, self._to_finish_in(tuning.search_to_holds)))
        self._rate = grown
        self._grown_at = max(now, self._grown_at)

    def _to_finish_in(self, holds: float) -> float:
        """The pace that does all that is left in so many holds: a slower limit hardly feels the loss of one."""
        left = self._tuning.search_unknown if self.remaining is None else self.remaining
        return left / (holds * self._hold_length)

    def _nearly_done(self, rate: float) -> bool:
        """Whether the rest takes no longer than a hold: then there is nothing to gain from a refusal."""
        return self.remaining is not None and self.remaining < rate * max(1.0, self._hold_length)
