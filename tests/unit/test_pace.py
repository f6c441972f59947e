"""The learned pace, on a clock that is only a number."""

import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.api.bucket import History
from runner.api.pace import Pace, PaceTuning
from runner.base.policy import QUOTA_WAIT

TUNING = PaceTuning()


class Bucket:
    """A server without latency that gains `rate` tokens a second and holds `burst`."""

    def __init__(self, rate: float, burst: float) -> None:
        self.rate, self.burst, self.tokens, self.last = rate, burst, burst, 0.0

    def takes(self, now: float) -> bool:
        self.tokens = min(self.burst, self.tokens + (now - self.last) * self.rate)
        self.last = now
        passed = self.tokens >= 1
        self.tokens -= passed
        return passed


def drive(
    pace: Pace, takes: Callable[[float], bool], seconds: float, *, start: float = 0.0, retry_after: float | None = 1.0
) -> tuple[list[float], list[float]]:
    """One worker that sends whenever it may; a reply takes 1 ms. Returns when it sent and when it was refused."""
    now, sends, refusals = start, [], []
    while now < start + seconds:
        if (wait := pace.delay(now)) > 0:
            now += wait + 1e-9
            continue
        pace.sent(now)
        sends.append(now)
        if takes(now):
            pace.accepted(now, now + 0.001)
        else:
            pace.refused(now, now + 0.001, retry_after)
            refusals.append(now)
        now += 0.001
    return sends, refusals


def new_pace(rate: float | None = None) -> Pace:
    return Pace(rate=rate, random=random.Random(1))


def refuse_one(pace: Pace, now: float, retry_after: float | None = 1.0, *, known: float | None = None) -> float:
    """Send one request as soon as the pace allows from `now` on, and have it refused at once or when `known`."""
    now += pace.delay(now)
    assert pace.delay(now) <= 1e-9
    pace.sent(now)
    return pace.refused(now, now if known is None else known, retry_after)


def test_the_first_requests_go_at_once() -> None:
    pace = new_pace()
    for _ in range(TUNING.start_burst):
        assert pace.delay(0.0) == 0.0
        pace.sent(0.0)
    assert 0 < pace.delay(0.0) <= 1 / TUNING.ramp_rate


def test_a_server_that_never_refuses_is_soon_sent_all_it_can_take() -> None:
    pace = new_pace()
    sends, _ = drive(pace, lambda now: True, 3.0)
    late = [moment for moment in sends if moment > 1.0]
    assert len(late) > 0.99 * 2.0 / 0.001
    assert pace.snapshot(3.0).rate is None


def test_without_replies_the_start_is_a_ramp() -> None:
    pace, now, sent = new_pace(), 0.0, 0
    while now < 0.4:
        if wait := pace.delay(now):
            now += wait
        else:
            pace.sent(now)
            sent += 1
    assert TUNING.start_burst < sent <= TUNING.start_burst + 0.4 * TUNING.ramp_rate + 3


@settings(deadline=None)
@given(rate=st.floats(0.2, 500), limit=st.floats(0.5, 500), burst=st.integers(1, 100), seconds=st.floats(0.5, 20))
def test_the_users_rate_is_never_exceeded(rate: float, limit: float, burst: int, seconds: float) -> None:
    sends, _ = drive(new_pace(rate), Bucket(limit, burst).takes, seconds)
    width = max(1, math.ceil(rate))
    for first, last in zip(sends, sends[width:], strict=False):
        assert width <= rate * (last - first + TUNING.late) + 1e-6


@pytest.mark.parametrize("retry_after", [1.0, 57.0, 3600.0, 0.4])
def test_the_refused_target_waits_at_least_its_retry_after(retry_after: float) -> None:
    assert refuse_one(new_pace(), 0.0, retry_after) >= retry_after


@settings(deadline=None)
@given(retry_after=st.floats(min_value=0, exclude_min=True, allow_infinity=False, allow_nan=False))
def test_no_retry_after_is_too_long_to_be_obeyed(retry_after: float) -> None:
    pace = new_pace()
    assert refuse_one(pace, 0.0, retry_after) >= retry_after
    assert pace.snapshot(0.0).gate_closed_for == 0


@pytest.mark.parametrize("senseless", [None, 0.0, -5.0, math.nan, math.inf])
def test_a_senseless_retry_after_is_a_guess_of_about_a_second(senseless: float | None) -> None:
    assert 0.75 <= refuse_one(new_pace(), 0.0, senseless) <= 1.25


def test_guesses_double_while_nothing_passes_and_start_again_once_something_did() -> None:
    pace, now, waits = new_pace(), 0.0, []
    for _ in range(8):
        waits.append(refuse_one(pace, now, None))
        now += max(waits[-1], pace.delay(now)) + 0.001
    for wait, guess in zip(waits, [1, 2, 4, 8, 16, 30, 30, 30], strict=True):
        assert 0.75 * guess <= wait <= 1.25 * guess
    now += pace.delay(now)
    pace.sent(now)
    pace.accepted(now, now + 0.001)
    assert refuse_one(pace, now + 60, None) <= 1.25


def test_after_one_refusal_others_go_on_at_the_learned_pace() -> None:
    pace = new_pace()
    pace.remaining = 100
    for moment in range(20):
        now = moment / 10
        pace.sent(now)
        pace.accepted(now, now)
    refuse_one(pace, 2.0)
    snapshot = pace.snapshot(2.0)
    assert snapshot.gate_closed_for == 0
    assert snapshot.rate == pytest.approx(20 / 3)  # 20 passed in 2 s and the second of Retry-After
    assert 0 < pace.delay(2.0) < 1


@pytest.mark.parametrize(
    ("remaining", "seconds", "round_trip", "retry_after", "rate"),
    [
        (5000, 0.1, 0.01, 1.0, TUNING.search_from),
        (400, 0.1, 0.01, 1.0, 20),  # twenty holds of one second
        (5000, 1.0, 0.01, 1.0, 20),  # no faster than the server gave so far
        (5000, 0.1, 0.1, 1.0, pytest.approx(20 / 1.1)),  # hardly answered before the next one is sent
        (None, 0.1, 0.01, 1.0, TUNING.search_from),  # nobody knows how many are left: a thousand
        (None, 0.1, 0.01, 10.0, 5),
        (None, 0.1, 0.01, 3600.0, TUNING.floor),
    ],
)
def test_the_search_starts_boldly_where_a_second_refusal_would_cost_little(
    remaining: int | None, seconds: float, round_trip: float, retry_after: float, rate: float
) -> None:
    pace = new_pace()
    pace.remaining = remaining
    for moment in range(20):
        now = moment * seconds / 20
        pace.sent(now)
        pace.accepted(now, now + round_trip)
    pace.sent(seconds)
    pace.refused(seconds, seconds + round_trip / 2, retry_after)
    assert pace.snapshot(seconds).rate == rate


def test_the_first_refusal_may_have_been_overtaken_by_those_that_took_its_token() -> None:
    pace = new_pace()
    pace.remaining = 0  # nothing bold
    for moment in range(10):
        pace.sent(moment / 1000)
    pace.refused(0.0, 0.02, 1.0)  # the first one sent was the last one to arrive
    assert pace.snapshot(0.02).rate == 9.0


@pytest.mark.parametrize(
    ("remaining", "least", "most"),
    [
        (None, 125.0, 125.0),  # nobody knows how many are left: a thousand
        (2400, 150.0, 300.0),  # eight holds of one second
        (1000, 125.0, 125.0),
        (400, 90.0, 100.0),  # a short run has more to lose by a slow search
        (5, 9.0, 10.0),  # done before the hold is over: nothing to gain
    ],
)
def test_within_the_first_hold_the_search_grows_as_far_as_a_second_refusal_would_cost_little(
    remaining: int | None, least: float, most: float
) -> None:
    pace = new_pace()
    pace.remaining = remaining
    for _ in range(10):
        pace.sent(0.0)
        pace.accepted(0.0, 0.001)
    refuse_one(pace, 0.1)
    drive(pace, lambda now: True, 0.9, start=0.1)
    rate = pace.snapshot(1.0).rate
    assert rate is not None
    assert least <= rate <= most


def test_a_second_refusal_meanwhile_shuts_the_gate_for_all_until_its_retry_after() -> None:
    pace = new_pace()
    refuse_one(pace, 0.0, 10.0)
    refuse_one(pace, 0.5, 4.0)
    closed = pace.snapshot(0.5).gate_closed_for
    assert pace.delay(0.5) == closed
    assert closed >= 4.0


def test_a_second_refusal_after_the_first_retry_after_shuts_no_gate() -> None:
    pace = new_pace()
    refuse_one(pace, 0.0, 1.0)
    refuse_one(pace, 60.0, 1.0)
    assert pace.snapshot(61.0).gate_closed_for == 0


def test_a_request_sent_before_the_first_refusal_was_known_shuts_no_gate() -> None:
    pace = new_pace()
    for moment in (0.0, 0.1, 0.2):
        pace.sent(moment)
    for moment, known in ((0.0, 0.5), (0.1, 0.6), (0.2, 0.7)):
        assert pace.refused(moment, known, 30.0) == 30.0
    assert pace.snapshot(0.7).gate_closed_for == 0
    assert pace.snapshot(0.7).refused == 3


def test_nobody_sends_while_the_gate_is_shut_and_what_gathered_behind_it_is_used_after() -> None:
    pace, server = new_pace(), Bucket(50, 50)
    drive(pace, server.takes, 30.0)
    now = 30.0 + pace.delay(30.0)
    for _ in range(2):
        now += pace.delay(now) + 1e-6
        pace.sent(now)
        pace.refused(now, now, 5.0)
    opens = now + pace.snapshot(now).gate_closed_for
    sends, _ = drive(pace, lambda now: True, 6.0, start=now)
    assert min(sends) >= opens
    assert sum(moment < opens + 1 for moment in sends) > 75  # 50 of the second itself, and a bucket full of tokens


def test_a_burst_that_took_as_long_as_the_limit_allows_does_not_pass_for_a_faster_limit() -> None:
    history = History()
    for moment in range(195):  # 250 a second for 0.78 seconds: either 250/s, or 40 and 200/s
        history.add(moment / 250)
    history.start_stretch(0.78, 0.78)
    for moment in range(156):  # slower than that, and empty again
        history.add(0.79 + moment / 200)
    slow, fast = history.bounds(1.57, 400, -math.inf)
    assert 195 < slow <= fast < 205


@settings(deadline=None, max_examples=25)
@given(limit=st.floats(2, 200), seconds_of_burst=st.floats(0.25, 10))
def test_the_limit_is_found_and_held(limit: float, seconds_of_burst: float) -> None:
    burst = max(4.0, limit * seconds_of_burst)
    pace, server = new_pace(), Bucket(limit, burst)
    warm_up = 60.0 + 4 * seconds_of_burst + 100 / limit
    drive(pace, server.takes, warm_up)
    sends, refusals = drive(pace, server.takes, 60.0 + 200 / limit, start=warm_up)
    passed = len(sends) - len(refusals)
    assert passed >= 0.9 * limit * (60.0 + 200 / limit) - burst
    assert len(refusals) <= 0.05 * len(sends) + 2


def test_a_slow_limit_without_a_burst_is_measured_and_not_searched_for_ever() -> None:
    pace = new_pace()
    drive(pace, Bucket(2, 1).takes, 30.0)
    sends, refusals = drive(pace, Bucket(2, 1).takes, 200.0, start=30.0)
    assert len(refusals) < 0.05 * len(sends)


def test_the_pace_follows_a_limit_that_falls_and_rises_again() -> None:
    pace = new_pace()
    high, low = Bucket(50, 50), Bucket(10, 10)
    drive(pace, high.takes, 60.0)
    _, refusals = drive(pace, low.takes, 60.0, start=60.0)
    slow = pace.snapshot(120.0).rate
    assert slow is not None
    assert 8 <= slow <= 14
    assert len(refusals) < 60
    sends, _ = drive(pace, high.takes, 60.0, start=120.0)
    assert len([moment for moment in sends if moment > 150]) > 0.9 * 30 * 50


def test_a_client_starved_by_others_keeps_trying_at_the_floor_and_grows_back() -> None:
    pace = new_pace()
    drive(pace, Bucket(20, 20).takes, 30.0)
    sends, _ = drive(pace, lambda now: False, 300.0, start=30.0)
    assert len(sends) >= 40
    rate = pace.snapshot(330.0).rate
    assert rate is not None
    assert rate >= TUNING.floor
    sends, _ = drive(pace, lambda now: True, 120.0, start=330.0)
    assert len(sends) > 120 * 4


def test_a_lost_request_changes_nothing() -> None:
    pace = new_pace()
    drive(pace, Bucket(20, 5).takes, 10.0)
    before = pace.snapshot(20.0)
    now = 20.0 + pace.delay(20.0)
    pace.sent(now)
    pace.lost(now, now + 0.001)
    assert pace.snapshot(20.0) == before


def test_near_the_end_nothing_is_probed() -> None:
    def paces(remaining: int | None) -> float:
        pace = new_pace()
        drive(pace, Bucket(50, 20).takes, 20.0)
        pace.remaining = remaining
        rate = pace.snapshot(60.0).rate
        assert rate is not None
        return rate

    assert paces(None) > 60
    assert paces(10) < 51
    assert paces(1000) == paces(None)


def test_an_announced_quota_is_not_overdrawn() -> None:
    pace = new_pace()
    pace.sent(0.0)
    pace.hint(0.1, remaining=3, reset_after=30.0, limit=100)
    pace.accepted(0.0, 0.1)
    for moment in (0.1, 0.2, 0.3):
        assert pace.delay(moment) == 0.0
        pace.sent(moment)
    assert 0 < pace.delay(0.4) <= TUNING.quota_recheck  # replies are on their way and may tell of more
    for moment in (0.1, 0.2, 0.3):
        pace.accepted(moment, 0.5)
    assert pace.delay(0.5) == pytest.approx(29.6)
    assert pace.snapshot(0.5).gate_closed_for == pytest.approx(29.6)
    assert pace.delay(30.2) == 0.0


def told_that_nothing_is_left(reset_after: float) -> Pace:
    pace = new_pace()
    pace.sent(0.0)
    pace.hint(0.1, remaining=0, reset_after=reset_after, limit=100)
    pace.accepted(0.0, 0.1)
    return pace


def test_an_exhausted_quota_holds_everybody_up_for_a_bounded_time_then_one_request_finds_out() -> None:
    pace = told_that_nothing_is_left(3600.0)

    assert pace.delay(0.1) == pytest.approx(QUOTA_WAIT)
    moment = 0.2 + QUOTA_WAIT
    assert pace.delay(moment) == 0.0
    pace.sent(moment)
    assert pace.delay(moment) > 0  # the others wait for what comes of it
    pace.lost(moment, moment + 1)
    assert pace.delay(moment + 1) == pytest.approx(QUOTA_WAIT - 1)


def test_a_hint_that_is_contradicted_by_what_the_tenant_takes_is_believed_no_more() -> None:
    pace = told_that_nothing_is_left(3600.0)
    moment = 0.2 + QUOTA_WAIT
    pace.sent(moment)
    pace.hint(moment + 0.1, remaining=0, reset_after=7200.0, limit=100)
    pace.accepted(moment, moment + 0.1)

    assert pace.delay(moment + 0.1) == 0.0
    pace.sent(moment + 0.2)
    pace.hint(moment + 0.3, remaining=0, reset_after=7200.0, limit=100)
    pace.accepted(moment + 0.2, moment + 0.3)
    assert pace.delay(moment + 0.3) == 0.0


@pytest.mark.parametrize(
    ("remaining", "reset_after", "limit"),
    [
        (None, 30.0, 100),
        (0, None, 100),
        (0, 1.0, 100),
        (0, math.inf, 100),
        (0, math.nan, 100),
        (200, 30.0, 100),
        (-1, 9.0, 5),
    ],
)
def test_a_senseless_or_coarse_hint_is_ignored(remaining: int | None, reset_after: float | None, limit: int) -> None:
    pace = new_pace()
    pace.sent(0.0)
    pace.hint(0.1, remaining=remaining, reset_after=reset_after, limit=limit)
    pace.accepted(0.0, 0.1)
    assert pace.delay(0.1) == 0.0


def test_the_snapshot_tells_the_users_rate_where_nothing_slower_is_learned() -> None:
    assert new_pace().snapshot(0.0).rate is None
    assert new_pace(7.0).snapshot(0.0).rate == 7.0
    pace = new_pace(7.0)
    drive(pace, Bucket(2, 2).takes, 60.0)
    rate = pace.snapshot(60.0).rate
    assert rate is not None
    assert rate < 3


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["wait", "accept", "refuse", "lose"]), st.floats(0, 5)), max_size=150))
def test_whatever_happens_the_pace_stays_sane_and_repeats_itself(events: list[tuple[str, float]]) -> None:
    def replay() -> list[float]:
        pace, now, flying, delays = new_pace(), 0.0, [], []
        for event, amount in events:
            if event == "wait":
                now += amount
                if pace.delay(now) == 0.0:
                    pace.sent(now)
                    flying.append(now)
            elif flying:
                sent_at = flying.pop(0)
                now += amount / 10
                if event == "accept":
                    pace.accepted(sent_at, now)
                elif event == "lose":
                    pace.lost(sent_at, now)
                else:
                    assert pace.refused(sent_at, now, amount) >= amount
            delays.append(pace.delay(now))
            rate = pace.snapshot(now).rate
            assert rate is None or rate >= TUNING.floor
        return delays

    delays = replay()
    assert all(0 <= delay < 40 for delay in delays)
    assert replay() == delays
