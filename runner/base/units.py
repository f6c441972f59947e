"""Durations, rates and shares as people write them: in job files, in flags, in variables.

Each function takes text or a bare number and raises ValueError with a message that says what was given and
what is expected, written to follow the name of the setting: `limits.rate: expected a rate such as ...`.
"""

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo

from runner.base.model import Window
from runner.base.policy import Bounds, Share

Written = str | int | float
"""What a file or a flag can hold for a unit."""

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}

NUMBER_PATTERN = r"[0-9]+(\.[0-9]+)?"
DURATION_PATTERN = r"([0-9]+(\.[0-9]+)?(ms|[smhd]))+"
RATE_PATTERN = r"[0-9]+(\.[0-9]+)?/[smh]"
SHARE_PATTERN = r"[0-9]+(\.[0-9]+)?%"

_is_number = re.compile(NUMBER_PATTERN).fullmatch
_is_duration = re.compile(DURATION_PATTERN).fullmatch
_is_rate = re.compile(RATE_PATTERN).fullmatch
_is_share = re.compile(SHARE_PATTERN).fullmatch
_parts = re.compile(r"([0-9.]+)(ms|[smhd])").findall

_is_clock = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]").fullmatch

_COUNTABLE = Bounds(0, 1_000_000_000)

_A_DURATION = "expected a duration such as 90s, 30m, 1h30m or 500ms"
_A_MOMENT = "expected a moment such as 2026-12-01T02:00+01:00"
_A_RATE = "expected a rate such as 20/s, 600/m or 1000/h"
_A_SHARE = "expected a whole number or per cent, such as 10 or 10%"


def duration(written: Written, within: Bounds | None = None) -> float:
    """Seconds from `1h30m`, `90s`, `500ms`, `2d`; a bare number is seconds, as is `within`."""
    text = _text(written)
    if _is_number(text):
        seconds = float(text)
    elif _is_duration(text):
        seconds = sum(float(amount) * _SECONDS[unit] for amount, unit in _parts(text))
    else:
        raise ValueError(f"{_A_DURATION}, not {shown(written)}")
    return _bounded(seconds, within, shown(written), duration_text)


def rate(written: Written, within: Bounds | None = None) -> float:
    """Requests per second from `20/s`, `600/m`, `1000/h`; a bare number is per second, as is `within`."""
    text = _text(written)
    if _is_number(text):
        per_second = float(text)
    elif _is_rate(text):
        amount, _, unit = text.partition("/")
        per_second = float(amount) / _SECONDS[unit]
    else:
        raise ValueError(f"{_A_RATE}, not {shown(written)}")
    if per_second == 0:
        raise ValueError("must be more than 0: nothing would ever be sent")
    return _bounded(per_second, within, shown(written), lambda value: f"{number_text(value)}/s")


def share(written: Written) -> Share:
    """A number of targets from `10`, or per cent of them from `10%`; only per cent has decimals."""
    text = _text(written)
    if _is_share(text):
        percent = float(text.removesuffix("%"))
        if percent > 100:
            raise ValueError(f"must be at most 100%, not {shown(written)}")
        return Share(percent, percent=True)
    if _is_number(text) and (value := float(text)) in _COUNTABLE and value.is_integer():
        return Share(value)
    raise ValueError(f"{_A_SHARE}, not {shown(written)}")


def moment(written: str, time_zone: str | None, now: float) -> float:
    """Epoch seconds of a moment: RFC 3339 with an offset, or without one or as `06:00` in an IANA time zone.

    `06:00` is the next one after `now`, by that zone's clocks.
    """
    zone = _zone(time_zone) if time_zone else None
    text = written.strip()
    if _is_clock(text):
        if zone is None:
            raise ValueError(f"{shown(written)} is a time of day: add `time_zone`, or {_A_MOMENT}")
        return _next_clock(text, zone, now)
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is None and zone is not None:
            return _next(found, zone, now)
    except (ValueError, OverflowError):  # the latter beyond all calendars
        raise ValueError(f"{_A_MOMENT}, not {shown(written)}") from None
    if found.tzinfo is None:
        raise ValueError(f"{shown(written)} says no time zone: add an offset, such as +01:00 or Z")
    return found.timestamp()


def _next_clock(text: str, zone: tzinfo, now: float) -> float:
    """The next moment after `now` at which the clocks of `zone` show this time.

    What they pass over in spring counts as long after midnight as they would have shown it (RFC 5545, 3.3.5), on
    the night itself until then, and not any more once they have passed over it.
    """
    today = datetime.fromtimestamp(now, zone).replace(tzinfo=None)
    hour, minute = map(int, text.split(":"))
    for days in range(4):  # a day has 23 to 25 hours; some islands have left one out
        clock = today.replace(hour=hour, minute=minute, second=0, microsecond=0) + timedelta(days=days)
        moments = _moments(clock, zone)
        if not moments and clock > today:
            moments = [clock.replace(tzinfo=zone).timestamp()]
        if following := [each for each in moments if each > now]:
            return following[0]
    raise AssertionError("every time of day comes again")


def _next(clock: datetime, zone: tzinfo, now: float) -> float:
    """The moment at which the clocks of `zone` show this: of two in autumn the first that is still to come."""
    moments = _moments(clock, zone) or [clock.replace(tzinfo=zone).timestamp()]
    return next((each for each in moments if each > now), moments[-1])


def _moments(clock: datetime, zone: tzinfo) -> list[float]:
    """When the clocks of `zone` show this: once, twice in autumn, never in spring; the earlier first."""
    found = (clock.replace(tzinfo=zone, fold=fold).timestamp() for fold in (0, 1))
    return sorted({each for each in found if datetime.fromtimestamp(each, zone).replace(tzinfo=None, fold=0) == clock})


def _zone(name: str) -> tzinfo:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones  # only windows need it

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        if name.upper() in ("UTC", "ETC/UTC", "Z"):
            return UTC
        if not available_timezones():
            raise ValueError(
                f"{shown(name)} cannot be looked up: there is no time zone database here (tzdata); "
                "install the system's package tzdata, or `pip install tzdata`, or give the moment with an offset"
            ) from None
        raise ValueError(
            f"{shown(name)} is no time zone known here: expected one such as Europe/Berlin or UTC"
        ) from None


def window_end(window: Window, now: float) -> float:
    """Epoch seconds at which a window that begins now ends; ValueError when it says no moment."""
    if window.seconds is not None:
        return now + window.seconds
    return moment(window.until or "", window.time_zone, now)


def bounded(value: float, bounds: Bounds) -> float:
    """`value`, or ValueError with the range when it lies outside (NaN always does)."""
    return _bounded(value, bounds, number_text(value), number_text)


def duration_text(seconds: float) -> str:
    """Seconds as people write them, the way `duration` reads them back: 5400 -> `1h30m`, 0.5 -> `0.5s`."""
    if not float(seconds).is_integer():
        return f"{number_text(seconds)}s"
    parts = []
    left = int(seconds)
    for unit in ("d", "h", "m", "s"):
        amount, left = divmod(left, int(_SECONDS[unit]))
        if amount:
            parts.append(f"{amount}{unit}")
    return "".join(parts) or "0s"


def moment_text(epoch: float) -> str:
    """Seconds since the epoch as `2026-11-23 16:26:11 UTC`."""
    return f"{datetime.fromtimestamp(epoch, UTC):%Y-%m-%d %H:%M:%S} UTC"


def number_text(value: float) -> str:
    """A number without needless digits: 10.0 -> `10`."""
    return f"{value:.15g}"


def range_text(bounds: Bounds, spell: Callable[[float], str] = number_text) -> str:
    """A range in words: `from 1 to 200`."""
    return f"from {spell(bounds.low)} to {spell(bounds.high)}"


def shown(written: object) -> str:
    """What was given, as a message can show it: on one line, escaped, and not endless."""
    if not isinstance(written, str):
        return _text(written)
    return repr(written if len(written) <= 60 else written[:57] + "...")


def _text(written: object) -> str:
    if isinstance(written, bool):
        return "true" if written else "false"
    if isinstance(written, int | float):
        return number_text(written) if abs(written) < 1e300 else str(float(written))
    return str(written).strip()


def _bounded(value: float, bounds: Bounds | None, given: str, spell: Callable[[float], str]) -> float:
    if bounds is not None and value not in bounds:
        raise ValueError(f"must be {range_text(bounds, spell)}, not {given}")
    if not math.isfinite(value):
        raise ValueError(f"is too large: {given}")
    return value
