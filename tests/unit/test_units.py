"""Durations, rates and shares as people write them."""

import contextlib
import math
import sys
import zoneinfo
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.base import units
from runner.base.policy import Bounds, Share


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("90s", 90),
        ("30m", 1800),
        ("1h30m", 5400),
        ("2d", 172_800),
        ("500ms", 0.5),
        ("1m500ms", 60.5),
        ("1.5h", 5400),
        (" 10s ", 10),
        ("90", 90),
        (30, 30),
        (0.25, 0.25),
        (0, 0),
    ],
    ids=repr,
)
def test_a_duration_is_read_as_seconds(written: units.Written, seconds: float) -> None:
    assert units.duration(written) == pytest.approx(seconds)


NO_DURATIONS = ["", "s", "-1s", "1 h", "1h 30m", "ten", "1w", "1e3s", "inf", "nan", "1h30", ".5s", "1.s", "٣s"]


@pytest.mark.parametrize("written", [*NO_DURATIONS, -1, math.inf, math.nan, True], ids=repr)
def test_what_is_no_duration_is_refused_with_examples(written: units.Written) -> None:
    with pytest.raises(ValueError, match=r"^expected a duration such as 90s, 30m, 1h30m or 500ms, not "):
        units.duration(written)


@pytest.mark.parametrize(
    ("written", "per_second"),
    [("20/s", 20), ("600/m", 10), ("1800/h", 0.5), ("0.5/s", 0.5), ("20", 20), (20, 20)],
    ids=repr,
)
def test_a_rate_is_read_as_requests_per_second(written: units.Written, per_second: float) -> None:
    assert units.rate(written) == pytest.approx(per_second)


@pytest.mark.parametrize(
    "written", ["", "20/x", "20 / s", "/s", "-1/s", "inf/s", "20/", "20/d", math.nan, False], ids=repr
)
def test_what_is_no_rate_is_refused_with_examples(written: units.Written) -> None:
    with pytest.raises(ValueError, match=r"^expected a rate such as 20/s, 600/m or 1000/h, not "):
        units.rate(written)


@pytest.mark.parametrize("written", [0, "0", "0/s", "0.0/h"], ids=repr)
def test_a_rate_of_nothing_is_refused(written: units.Written) -> None:
    with pytest.raises(ValueError, match=r"^must be more than 0: nothing would ever be sent$"):
        units.rate(written)


@pytest.mark.parametrize(
    ("written", "share"),
    [
        ("10%", Share(10, percent=True)),
        ("2.5%", Share(2.5, percent=True)),
        ("100%", Share(100, percent=True)),
        ("0%", Share(0, percent=True)),
        (10, Share(10)),
        ("10", Share(10)),
        (0, Share(0)),
        (10.0, Share(10)),
    ],
    ids=repr,
)
def test_a_share_is_a_number_or_per_cent(written: units.Written, share: Share) -> None:
    assert units.share(written) == share


@pytest.mark.parametrize(
    "written", ["", "%", "ten", "-1", "-5%", 2.5, "1/2", math.inf, math.nan, True, "9" * 400], ids=repr
)
def test_what_is_no_share_is_refused_with_examples(written: units.Written) -> None:
    with pytest.raises(ValueError, match=r"^expected a whole number or per cent, such as 10 or 10%, not "):
        units.share(written)


def test_more_than_everything_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^must be at most 100%, not '100\.1%'$"):
        units.share("100.1%")


def test_a_range_is_named_in_the_units_of_what_it_bounds() -> None:
    with pytest.raises(ValueError, match=r"^must be from 0\.1s to 10m, not '2h'$"):
        units.duration("2h", Bounds(0.1, 600))
    with pytest.raises(ValueError, match=r"^must be from 0\.01/s to 10000/s, not '20000/s'$"):
        units.rate("20000/s", Bounds(0.01, 10_000))
    with pytest.raises(ValueError, match=r"^must be from 1 to 200, not 0$"):
        units.bounded(0, Bounds(1, 200))


def test_the_ends_of_a_range_are_in_it() -> None:
    bounds = Bounds(1, 60)
    assert [units.duration(written, bounds) for written in ("1s", "1m")] == [1, 60]


@pytest.mark.parametrize("function", [units.duration, units.rate])
def test_a_number_beyond_all_numbers_is_too_large(function: Callable[[str], float]) -> None:
    with pytest.raises(ValueError, match=r"^is too large: '9+\.\.\.'$"):
        function("9" * 400)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (90, "1m30s"), (5400, "1h30m"), (604_800, "7d"), (0.5, "0.5s"), (1e-7, "1e-07s")]
)
def test_durations_are_spelled_as_people_write_them(seconds: float, text: str) -> None:
    assert units.duration_text(seconds) == text


@given(st.integers(0, 10**9))
def test_a_spelled_duration_reads_back(seconds: int) -> None:
    assert units.duration(units.duration_text(seconds)) == seconds


@given(st.text() | st.floats() | st.integers())
def test_units_never_give_what_is_not_finite(written: units.Written) -> None:
    for function in (units.duration, units.rate, lambda each: units.share(each).value):
        with contextlib.suppress(ValueError):
            assert 0 <= function(written) < math.inf


@pytest.mark.parametrize(
    ("written", "text"),
    [("a\nb\x1b", r"'a\nb\x1b'"), (True, "true"), (1.50, "1.5"), ("x" * 99, repr("x" * 57 + "..."))],
    ids=["control characters", "flag", "number", "long"],
)
def test_what_was_given_is_shown_harmlessly(written: object, text: str) -> None:
    assert units.shown(written) == text


# Moments


@pytest.mark.parametrize(
    ("written", "zone", "iso"),
    [
        ("2026-12-01T02:00+01:00", None, "2026-12-01T01:00:00+00:00"),
        ("2026-12-01T02:00Z", None, "2026-12-01T02:00:00+00:00"),
        ("2026-12-01T02:00", "Europe/Berlin", "2026-12-01T01:00:00+00:00"),
        ("2026-07-01 02:00:30", "Europe/Berlin", "2026-07-01T00:00:30+00:00"),
        ("2026-12-01T02:00+05:00", "Europe/Berlin", "2026-11-30T21:00:00+00:00"),
        ("13:00", "UTC", "2026-11-25T13:00:00+00:00"),
        ("12:00", "UTC", "2026-11-26T12:00:00+00:00"),
        ("05:00", "Europe/Berlin", "2026-11-26T04:00:00+00:00"),
    ],
)
def test_a_moment_is_read_in_its_time_zone(written: str, zone: str | None, iso: str) -> None:
    now = datetime(2026, 11, 25, 12, 0, tzinfo=UTC).timestamp()

    assert datetime.fromtimestamp(units.moment(written, zone, now), UTC).isoformat() == iso


def test_a_time_of_day_is_the_next_one_also_when_the_clocks_change() -> None:
    before = datetime(2026, 3, 28, 20, 0, tzinfo=UTC).timestamp()  # in Berlin it is 21:00, and 02:00 will be 03:00

    assert units.moment("05:00", "Europe/Berlin", before) - before == 7 * 3600


def at(iso: str) -> float:
    return datetime.fromisoformat(iso).timestamp()


BERLIN, NEW_YORK, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"


@pytest.mark.parametrize(
    ("written", "zone", "now", "expected"),
    [
        pytest.param("02:30", BERLIN, "2026-10-25T01:00+02:00", "2026-10-25T02:30+02:00", id="before both"),
        pytest.param("02:30", BERLIN, "2026-10-25T02:40+02:00", "2026-10-25T02:30+01:00", id="between both"),
        pytest.param("02:30", BERLIN, "2026-10-25T02:10+01:00", "2026-10-25T02:30+01:00", id="in the second pass"),
        pytest.param("02:30", BERLIN, "2026-10-25T02:30+01:00", "2026-10-26T02:30+01:00", id="after both"),
        pytest.param("01:05", NEW_YORK, "2026-11-01T01:00-05:00", "2026-11-01T01:05-05:00", id="New York"),
        pytest.param("01:50", LORD_HOWE, "2026-04-05T01:40+10:30", "2026-04-05T01:50+10:30", id="half an hour"),
        pytest.param("05:00", BERLIN, "2026-10-25T02:30+02:00", "2026-10-25T05:00+01:00", id="later that night"),
        pytest.param("02:30", BERLIN, "2026-03-28T21:00+01:00", "2026-03-29T03:30+02:00", id="what spring leaves out"),
        pytest.param("02:30", BERLIN, "2026-03-29T01:59+01:00", "2026-03-29T03:30+02:00", id="right before the gap"),
        pytest.param("02:30", BERLIN, "2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00", id="right after the gap"),
        pytest.param("2026-10-25T02:30", BERLIN, "2026-10-25T00:00+02:00", "2026-10-25T02:30+02:00", id="a date"),
        pytest.param("2026-10-25T02:30", BERLIN, "2026-10-25T02:10+01:00", "2026-10-25T02:30+01:00", id="its second"),
        pytest.param("2026-10-25T02:30", BERLIN, "2026-10-25T09:00+01:00", "2026-10-25T02:30+01:00", id="a date past"),
        pytest.param(
            "2026-03-29T02:30", BERLIN, "2026-03-01T00:00+01:00", "2026-03-29T03:30+02:00", id="a date left out"
        ),
    ],
)
def test_a_time_that_comes_twice_or_never_is_the_next_moment_of_that_name(
    written: str, zone: str, now: str, expected: str
) -> None:
    assert units.moment(written, zone, at(now)) == at(expected)


ZONES = [
    *(BERLIN, NEW_YORK, LORD_HOWE, "America/St_Johns", "Africa/Casablanca", "Europe/Dublin", "America/Santiago"),
    *("Asia/Kathmandu", "Pacific/Chatham", "Antarctica/Troll", "America/Nuuk", "UTC"),
]
CHANGES = [
    "2026-03-08",
    "2026-03-29",
    "2026-04-05",
    "2026-09-06",
    "2026-09-27",
    "2026-10-04",
    "2026-10-25",
    "2026-11-01",
]


@given(
    st.sampled_from(ZONES), st.sampled_from(CHANGES), st.integers(-2 * 86_400, 2 * 86_400), st.integers(0, 24 * 60 - 1)
)
def test_a_time_of_day_is_the_first_minute_to_come_that_the_clocks_show(
    zone: str, day: str, offset: int, minute: int
) -> None:
    now = at(f"{day}T03:00Z") + offset
    clock = f"{minute // 60:02}:{minute % 60:02}"
    found = units.moment(clock, zone, now)

    def shows(moment: float) -> str:
        return f"{datetime.fromtimestamp(moment, ZoneInfo(zone)):%H:%M}"

    assert found > now
    first = next(each for each in range(int(now) // 60 * 60 + 60, int(now) + 4 * 86_400, 60) if shows(each) == clock)
    if found != first:  # only where the clocks pass it over before it comes
        assert found < first
        assert shows(found) != clock
        left_out = (timedelta(minutes=minutes) for minutes in (30, 60, 120))
        wall = datetime.fromtimestamp(found, ZoneInfo(zone)).replace(tzinfo=None)
        assert clock in {f"{wall - each:%H:%M}" for each in left_out}


def test_without_a_time_zone_database_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    zoneinfo.reset_tzpath(to=())
    ZoneInfo.clear_cache()
    monkeypatch.setitem(sys.modules, "tzdata", None)  # as if it were not installed
    try:
        with pytest.raises(ValueError, match=r"no time zone database here.*`pip install tzdata`.*with an offset$"):
            units.moment("05:00", BERLIN, 0.0)
        assert units.moment("05:00", "UTC", 0.0) == 5 * 3600
        assert units.moment("2026-12-01T02:00+01:00", None, 0.0) == at("2026-12-01T02:00+01:00")
    finally:
        zoneinfo.reset_tzpath()


@pytest.mark.parametrize(
    ("written", "zone", "words"),
    [
        ("2026-12-01T02:00", None, "says no time zone"),
        ("05:00", None, "add `time_zone`"),
        ("tomorrow", None, "expected a moment such as"),
        ("25:00", "UTC", "expected a moment such as"),
        ("2026-02-30T02:00Z", None, "expected a moment such as"),
        ("0001-01-01T00:00", "Asia/Kathmandu", "expected a moment such as"),
        ("9999-12-31T23:59", "America/New_York", "expected a moment such as"),
        ("05:00", "Europe/Nowhere", "no time zone known here"),
        ("05:00", "../etc/passwd", "no time zone known here"),
    ],
)
def test_what_is_no_moment_is_refused_with_what_to_write(written: str, zone: str | None, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        units.moment(written, zone, 0.0)
