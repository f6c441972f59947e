"""How long a reply's headers ask to wait, however they put it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.api.ratelimit import Allowance, allowance
from runner.api.waits import moment, retry_after
from runner.base.policy import BLIND_WAIT, LONGEST_WAIT

DATE = "Mon, 23 Nov 2026 17:00:00 GMT"
NOW = moment(DATE) or 0.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("1", 1),
        ("120", 120),
        (" 7 ", 7),
        ("0.5", 0.5),
        ("3600", 3600),
        ("Mon, 23 Nov 2026 17:00:30 GMT", 30),
        ("Monday, 23-Nov-26 17:02:00 GMT", 120),
        ("Mon Nov 23 17:00:05 2026", 5),
        ("Mon, 23 Nov 2026 18:00:10 +0100", 10),
        ("3, 3", 3),
        ("3, 7", 7),
        ("1,5", 5),
        ("soon, 4", 4),
        ("3s", 3),
        ("3 sec", 3),
        ("2 Seconds", 2),
        ("3.5", 3.5),
        ("3.", 3),
        (str(int(NOW) + 40), 40),
        (f"{int(NOW) + 40}000", 40),
    ],
)
def test_a_wait_is_read_as_seconds_or_as_a_date_against_the_replys_own_clock(value: str, seconds: float) -> None:
    assert retry_after({"retry-after": value, "date": DATE}) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "value",
    [
        "", "0", "-1", "-0", "nan", "NaN", "inf", "-inf", "infinity", "1e400", "soon", "1 minute", "0x10", "300ms", "٣",
        "1_0", "1;2", "Mon, 23 Nov 2026 17:00:00 GMT", "Mon, 23 Nov 2026 16:59:59 GMT", "Mon, 32 Nov 2026 17:00:00 GMT",
        "9" * 30, "9" * 900, "99999999999999999999", "Mon, 23 Nov 99999 17:00:00 GMT", "\x00",
    ],
)  # fmt: skip
def test_a_wait_that_makes_no_sense_is_no_wait(value: str) -> None:
    assert retry_after({"retry-after": value, "date": DATE}) is None


@pytest.mark.parametrize("value", ["100000", "99999999", "99999999999", "Fri, 31 Dec 9999 23:59:59 -2359"])
def test_a_wait_of_more_than_a_day_is_as_long_as_any_can_be(value: str) -> None:
    assert retry_after({"retry-after": value, "date": DATE}) == LONGEST_WAIT


@pytest.mark.parametrize("date", [None, "", "yesterday", "Mon, 23 Nov 2026 25:00:00 GMT"])
@pytest.mark.parametrize("value", ["Mon, 23 Nov 2026 17:00:30 GMT", str(int(NOW) + 30), f"{int(NOW) + 30}000"])
def test_a_moment_without_a_clock_beside_it_counts_from_this_machines(value: str, date: str | None) -> None:
    headers = {"retry-after": value} | ({"date": date} if date is not None else {})

    assert retry_after(headers, NOW) == 30
    assert retry_after(headers, NOW - 7200) == BLIND_WAIT  # a clock that is wrong costs little
    assert retry_after(headers, NOW + 7200) is None


def test_no_header_is_no_wait() -> None:
    assert retry_after({"date": DATE}) is None


NUMBERS = st.from_regex(r"[0-9]{0,500}\.?[0-9]{0,30}( ?[a-z]{0,7})?(, [0-9]{1,30})?", fullmatch=True)
DATES = st.from_regex(
    r"([A-Z][a-z]{2}, )?[0-9]{0,3} (Jan|Nov|[a-z]{3}) [0-9]{0,25} [0-9]{0,3}(:[0-9]{1,3}){0,2} ([+-][0-9]{0,9}|GMT)?",
    fullmatch=True,
)


@given(st.one_of(st.text(), NUMBERS, DATES), st.one_of(st.text(), DATES), st.none() | st.floats(0, 4e9))
def test_no_header_breaks_the_reading_of_a_wait(value: str, date: str, now: float | None) -> None:
    headers = {"retry-after": value, "date": date, "x-ratelimit-remaining": "0", "x-ratelimit-reset": value}
    wait, found = retry_after(headers, now), allowance(headers, now)

    assert wait is None or 0 < wait <= LONGEST_WAIT
    assert found is not None
    assert found.reset_after is None or 0 <= found.reset_after <= LONGEST_WAIT


# When a limit's window ends


@pytest.mark.parametrize(
    ("reset", "seconds"),
    [
        ("30", 30),
        ("30, 60", 60),
        (str(int(NOW) + 30), 30),
        (f"{int(NOW) + 30}000", 30),
        (f"{int(NOW) + 30}000000", 30),
        (f"{int(NOW) + 30}.5", 30.5),
        ("Mon, 23 Nov 2026 17:00:30 GMT", 30),
        (str(int(NOW) - 30), None),
        ("999999999", None),
        ("9" * 400, None),
        ("1e400", None),
        ("-1", None),
        ("nan", None),
        ("soon", None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", None),
        ("", None),
    ],
)
def test_a_reset_is_read_in_every_unit_and_an_absurd_one_is_none(reset: str, seconds: float | None) -> None:
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": reset, "date": DATE}

    assert allowance(headers) == Allowance(0, seconds, None)


def test_a_reset_without_a_clock_beside_it_counts_from_this_machines() -> None:
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": f"{int(NOW) + 30}000"}

    assert allowance(headers, NOW) == Allowance(0, 30, None)
    assert allowance(headers, NOW - 7200) == Allowance(0, 7230, None)
    assert allowance(headers) == Allowance(0, None, None)
