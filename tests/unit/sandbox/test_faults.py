from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.sandbox import Action, Faults, FaultsError, Kind, Vocabulary
from runner.sandbox.limits import FixedWindow, RetryAfter, TokenBucket, waiting_time
from runner.sandbox.routes import find
from runner.sandbox.schedule import Schedule
from tests.unit.sandbox.support import EPOCH, PAUSE, FakeClock

ROUTE = find(PAUSE)


def fates(faults: str, requests: int, clock: FakeClock | None = None) -> list[Action]:
    schedule = Schedule(Faults.parse(faults), clock or FakeClock())
    paths = [f"/api/v1/apps/a/connectors/c{index}/pause" for index in range(requests)]
    return [schedule.decide("POST", path, find(path)) for path in paths]


def test_a_fault_string_is_read_into_numbers() -> None:
    faults = Faults.parse("latency=50ms, error=5%,drop=0.02,limit=600/min,burst=20,outage=1s-2s+1m-2m,seed=7")
    assert faults == Faults(
        latency=0.05,
        error=0.05,
        drop=0.02,
        limit=10.0,
        burst=20,
        outage=((1.0, 2.0), (60.0, 120.0)),
        seed=7,
    )
    assert Faults.parse("") == Faults()


def test_every_mistake_of_a_fault_string_is_named_at_once() -> None:
    with pytest.raises(FaultsError) as caught:
        Faults.parse("latncy=1s,error=5x,limit=0/s,error=1%,on=posts,outage=5s,burst=0,seed=-1,error=2%")
    assert len(caught.value.problems) == 8
    assert "did you mean latency?" in caught.value.problems[0]
    assert "given twice" in caught.value.problems[-1]


@pytest.mark.parametrize(
    "text",
    [
        "error=101%",
        "error=60%,drop=60%",
        "latency=fast",
        "latency=-1s",
        "jitter=a",
        "retry_after=soon",
        "redirect_status=200",
        "error_status=200",
        "refused_costs=maybe",
        "limit=5/week",
        "window=0s",
        "error=nan",
        "latency",
        "clock=soon",
        "endless=yes",
        "deleted=left_out",
        "date=no",
        "other_pause=60%,anomaly=60%",
        "overshoot=-1",
    ],
)
def test_a_value_out_of_range_is_refused(text: str) -> None:
    with pytest.raises(FaultsError):
        Faults.parse(text)


def test_faults_come_about_as_often_as_asked_and_exclude_each_other() -> None:
    kinds = Counter(action.kind for action in fates("error=10%,drop=5%,truncate=5%,seed=3", 4000))
    assert 320 < kinds[Kind.STATUS] < 480
    assert 140 < kinds[Kind.DROP] < 260
    assert 140 < kinds[Kind.TRUNCATE] < 260
    assert kinds.total() == 4000


def test_faults_depend_on_target_and_attempt_not_on_the_order_of_arrival() -> None:
    def decide(order: list[int]) -> dict[int, list[Action]]:
        schedule = Schedule(Faults.parse("error=30%,drop_after=20%,jitter=0.5,latency=1s,seed=1"), FakeClock())
        seen: dict[int, list[Action]] = {}
        for index in order:
            path = f"/api/v1/apps/a/connectors/c{index}/pause"
            seen.setdefault(index, []).append(schedule.decide("POST", path, find(path)))
        return seen

    assert decide([0, 1, 2, 0, 1, 2]) == decide([2, 2, 1, 1, 0, 0])


def test_the_seed_changes_the_faults() -> None:
    assert fates("error=50%,seed=1", 50) != fates("error=50%,seed=2", 50)


def test_faults_after_applying_say_so() -> None:
    assert all(action.reaches_api for action in fates("error_after=100%", 5))
    assert not any(action.reaches_api for action in fates("error=100%", 5))
    assert not any(action.reaches_api for action in fates("drop=100%", 5))
    assert all(action.reaches_api for action in fates("drop_after=100%", 5))


def test_only_the_requests_named_by_on_are_hit() -> None:
    clock = FakeClock()
    default, reads = (
        Schedule(Faults(error=1), clock),
        Schedule(Faults(error=1, on=frozenset({"read"})), clock),
    )
    listing, token = "/api/v1/apps", "/auth/v1/token"
    assert default.decide("GET", listing, find(listing)).kind is Kind.ANSWER
    assert default.decide("POST", PAUSE, ROUTE).kind is Kind.STATUS
    assert reads.decide("GET", listing, find(listing)).kind is Kind.STATUS
    assert reads.decide("POST", PAUSE, ROUTE).kind is Kind.ANSWER
    assert reads.decide("POST", token, find(token)).kind is Kind.ANSWER


def test_the_limit_spares_the_requests_that_limit_on_leaves_out() -> None:
    schedule = Schedule(Faults.parse("limit=1/s,burst=1,limit_on=post"), FakeClock())
    kinds = [schedule.decide("GET", "/api/v1/apps", find("/api/v1/apps")).kind for _ in range(3)]
    assert kinds == [Kind.ANSWER] * 3
    assert [schedule.decide("POST", PAUSE, ROUTE).status for _ in range(2)] == [0, 429]


def test_a_window_is_used_where_one_is_asked_for() -> None:
    assert [action.status for action in fates("limit=60/min,window=3s", 4)] == [0, 0, 0, 429]


def test_latency_is_fixed_or_spread_around_its_median() -> None:
    assert {action.delay for action in fates("latency=50ms", 5)} == {0.05}
    spread = sorted(action.delay for action in fates("latency=50ms,jitter=0.5", 999))
    assert len(set(spread)) > 900
    assert 0.045 < spread[499] < 0.055


def test_a_bucket_takes_the_burst_then_the_rate() -> None:
    clock = FakeClock()
    bucket = TokenBucket(10, 3, clock)
    assert [bucket.take().taken for _ in range(4)] == [True, True, True, False]
    assert bucket.take().wait == pytest.approx(0.1)
    clock.now += 0.1
    assert [bucket.take().taken for _ in range(2)] == [True, False]


def test_where_refusals_cost_tokens_a_hammering_client_gets_nothing() -> None:
    clock = FakeClock()
    bucket = TokenBucket(10, 1, clock, refused_costs=True)
    bucket.take()
    taken = 0
    for _ in range(100):
        clock.now += 0.05
        taken += bucket.take().taken
    assert taken == 0


@given(st.lists(st.floats(0, 2), min_size=1, max_size=60), st.floats(0.5, 50), st.integers(1, 20))
def test_a_bucket_never_takes_more_than_rate_times_time_plus_burst(
    pauses: list[float], rate: float, burst: int
) -> None:
    clock = FakeClock(0.0)
    bucket = TokenBucket(rate, burst, clock)
    taken = 0
    for pause in pauses:
        clock.now += pause
        taken += bucket.take().taken
        assert taken <= rate * clock.now + burst + 1e-6


def test_a_window_refuses_until_the_next_one_begins() -> None:
    clock = FakeClock()
    window = FixedWindow(2, 60, clock)
    assert [window.take().taken for _ in range(3)] == [True, True, False]
    clock.now += 45
    assert window.take().wait == pytest.approx(15)
    clock.now += 15
    assert window.take().taken


def test_a_refused_request_is_told_when_to_come_back() -> None:
    first, second = fates("limit=1/s,burst=1", 2)
    assert first.kind is Kind.ANSWER
    assert (second.status, second.retry_after) == (429, "1")


@pytest.mark.parametrize(
    ("notation", "header"),
    [
        ("none", None),
        ("auto", "3"),
        ("5s", "5"),
        ("0s", "0"),
        ("text:-1", "-1"),
        ("text:soon", "soon"),
        ("date", "Mon, 21 Sep 2026 14:13:23 GMT"),
        ("date:10s", "Mon, 21 Sep 2026 14:13:30 GMT"),
    ],
)
def test_retry_after_is_written_as_asked(notation: str, header: str | None) -> None:
    assert RetryAfter.parse(notation).header(2.5, EPOCH) == header


def test_a_written_retry_after_can_be_read_back() -> None:
    assert waiting_time("7", EPOCH) == 7
    assert waiting_time(str(RetryAfter.parse("date:10s").header(0, EPOCH)), EPOCH) == 10
    assert waiting_time("soon", EPOCH) is None


def test_limit_headers_tell_what_remains() -> None:
    names = dict(fates("limit=10/s,burst=5,limit_headers=x", 1)[0].headers)
    assert (names["X-RateLimit-Limit"], names["X-RateLimit-Remaining"]) == ("5", "4")
    draft = dict(fates("limit=10/s,burst=1,limit_headers=draft", 2)[1].headers)
    assert draft["RateLimit"] == '"tenant";r=0;t=1'


@pytest.mark.parametrize(
    ("style", "reset"),
    [
        ("x", str(int(EPOCH) + 1)),
        ("ms", str((int(EPOCH) + 1) * 1000)),
        ("date", "Mon, 21 Sep 2026 14:13:21 GMT"),
        ("absurd", "9" * 30),
    ],
)
def test_the_reset_of_a_limit_is_written_as_asked(style: str, reset: str) -> None:
    names = dict(fates(f"limit=1/s,burst=1,limit_headers={style}", 2)[1].headers)
    assert names["X-RateLimit-Reset"] == reset


def test_a_preset_is_combined_with_what_stands_beside_it() -> None:
    plain = Faults.parse("bad-day")
    assert (plain.clock, plain.vocabulary, plain.seed) == (130.0, Vocabulary.ODD, 0)
    assert min(plain.error, plain.drop, plain.gateway, plain.other, plain.limit or 0) > 0
    for text in ("bad-day,error=50%,seed=7", "error=50%,seed=7,bad-day"):
        assert Faults.parse(text) == replace(plain, error=0.5, seed=7)


@pytest.mark.parametrize(("text", "hint"), [("bad-dya", "bad-day"), ("vocabulary=od", "odd"), ("clokc=1s", "clock")])
def test_a_word_that_does_not_exist_is_answered_with_those_that_do(text: str, hint: str) -> None:
    with pytest.raises(FaultsError, match=hint):
        Faults.parse(text)


def test_a_clock_is_read_with_its_sign() -> None:
    assert [Faults.parse(f"clock={text}").clock for text in ("+130s", "-1d", "2m")] == [130.0, -86_400.0, 120.0]


def test_an_outage_has_a_beginning_and_an_end() -> None:
    clock = FakeClock()
    schedule = Schedule(Faults.parse("outage=10s-20s,outage_as=silence"), clock)
    kinds = []
    for clock.now in (EPOCH + 9, EPOCH + 10, EPOCH + 19, EPOCH + 20):
        kinds.append(schedule.decide("POST", PAUSE, ROUTE).kind)
    assert kinds == [Kind.ANSWER, Kind.SILENCE, Kind.SILENCE, Kind.ANSWER]


def test_a_503_carries_its_retry_after() -> None:
    (action,) = fates("error=100%,error_status=503,error_retry_after=4s", 1)
    assert (action.status, action.retry_after) == (503, "4")


def test_scripts_go_first_the_most_exact_key_wins_and_each_action_is_used_once() -> None:
    schedule = Schedule(Faults(error=1.0), FakeClock())
    schedule.script("*", ["html"])
    schedule.script("app-1/connector-1", ["drop_after", Action(Kind.STATUS, status=409)])
    actions = [schedule.decide("POST", PAUSE, ROUTE) for _ in range(4)]
    assert [action.kind for action in actions] == [Kind.DROP, Kind.STATUS, Kind.HTML, Kind.STATUS]
    assert actions[0].reaches_api
    assert actions[1].status == 409


@pytest.mark.parametrize("key", [PAUSE, f"POST {PAUSE}", "pause", "*", "app-1/connector-1"])
def test_a_script_is_addressed_by_target_path_or_endpoint(key: str) -> None:
    schedule = Schedule(Faults(), FakeClock())
    schedule.script(key, ["drop"])
    assert schedule.decide("POST", PAUSE, ROUTE).kind is Kind.DROP


def test_a_target_script_does_not_meet_the_reads_of_that_target() -> None:
    schedule = Schedule(Faults(), FakeClock())
    schedule.script("app-1/connector-1", ["drop"])
    path = PAUSE.removesuffix("/pause")
    assert schedule.decide("GET", path, find(path)).kind is Kind.ANSWER


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ("ok", Action()),
        ("html,delay=2s", Action(Kind.HTML, delay=2)),
        ("hold=40", Action(hold=40)),
        ("status=503,retry_after=5,applied=yes", Action(Kind.STATUS, 503, applied=True, retry_after="5")),
        ("redirect=307,location=//else.example/", Action(Kind.REDIRECT, 307, location="//else.example/")),
        ("drop_after", Action(Kind.DROP, applied=True)),
    ],
)
def test_an_action_is_read_from_words(text: str, action: Action) -> None:
    assert Action.parse(text) == action


@pytest.mark.parametrize("text", ["", "explode", "status", "status=abc", "speed=3", "delay=x"])
def test_an_unknown_action_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Action.parse(text)
