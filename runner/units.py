"""Durations, rates and shares as people write them: in job files, in flags, in variables.

Each function takes text or a bare number and raises ValueError with a message that says what was given and
what is expected, written to follow the name of the setting: `limits.rate: expected a rate such as ...`.
"""

import math
import re
from collections.abc import Callable

from runner.policy import Bounds, Share

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

_COUNTABLE = Bounds(0, 1_000_000_000)

_A_DURATION = "expected a duration such as 90s, 30m, 1h30m or 500ms"
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
