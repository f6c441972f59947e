"""Short notations for fault values: `50ms`, `5%`, `600/min`. A reader raises ValueError."""

from __future__ import annotations

import re

_SECONDS = {"us": 1e-6, "ms": 1e-3, "": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)")
_TRUTH = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}


def seconds(text: str) -> float:
    """Read a length of time: `50ms`, `2s`, `1m`, `1.5h`, or plain seconds."""
    match = _QUANTITY.fullmatch(text)
    if match is None or match[2] not in _SECONDS:
        raise ValueError(f"{text!r} is not a length of time such as 50ms, 2s or 1m")
    return float(match[1]) * _SECONDS[match[2]]


def offset(text: str) -> float:
    """Read how far a clock is ahead, or behind: `+130s`, `-1d`, `90s`."""
    sign = -1 if text.startswith("-") else 1
    return sign * seconds(text[1:] if text[:1] in ("+", "-") else text)


def share(text: str) -> float:
    """Read a share of requests: `5%` or `0.05`."""
    number = text.removesuffix("%")
    match = _QUANTITY.fullmatch(number)
    if match is None or match[2]:
        raise ValueError(f"{text!r} is not a share such as 5% or 0.05")
    value = float(number) / (100 if number != text else 1)
    if value > 1:
        raise ValueError(f"{text!r} is more than 100%")
    return value


def rate(text: str) -> float:
    """Read a rate as requests per second: `50/s`, `600/min`, `50`."""
    number, _, period = text.partition("/")
    match = _QUANTITY.fullmatch(number)
    if match is None or match[2] or period not in _SECONDS or float(number) == 0:
        raise ValueError(f"{text!r} is not a rate such as 50/s or 600/min")
    return float(number) / _SECONDS[period]


def number(text: str) -> float:
    match = _QUANTITY.fullmatch(text)
    if match is None or match[2]:
        raise ValueError(f"{text!r} is not a number")
    return float(text)


def count(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise ValueError(f"{text!r} is not a whole number")
    return int(text)


def truth(text: str) -> bool:
    if text not in _TRUTH:
        raise ValueError(f"{text!r} is neither yes nor no")
    return _TRUTH[text]


def span(text: str) -> tuple[float, float]:
    """Read a span of time `10s-60s`, both ends counted from the start of the server."""
    begin, dash, end = text.partition("-")
    first, last = seconds(begin), seconds(end) if dash else 0.0
    if last <= first:
        raise ValueError(f"{text!r} is not a span such as 10s-60s")
    return first, last
