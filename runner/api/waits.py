"""The waits that a reply's headers ask for: obeyed as far as they can be read, none without a bound.

Servers and the proxies before them do not keep to RFC 9110: two lines become a list, a unit is added, a moment
comes in milliseconds. Numbers and dates come from the wire, so none of them may raise.
"""

import math
import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

from runner.base.policy import BLIND_WAIT, LONGEST_WAIT

_NUMBER = re.compile(r"\s*([0-9]{1,1000}(?:\.[0-9]*)?)\s*(?:s|secs?|seconds?)?\s*", re.IGNORECASE).fullmatch
_EPOCHS_FROM, _EPOCHS_TO = 1e9, 1e11
"""A number from here on is a moment in seconds since the epoch; from there on one in thousandths of that."""

_LONGEST_TEXT = 1000
"""Characters of a header that are read at most."""


def retry_after(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Seconds the server asks to wait (RFC 9110 section 10.2.3), at most `LONGEST_WAIT`; None if nothing usable.

    A moment counts from the reply's own Date, so a wrong local clock does no harm; without one from `now`, the
    local clock in seconds since the epoch, and then for no longer than `BLIND_WAIT`.
    """
    seconds = _seconds(headers.get("retry-after"), headers, now, at_most=BLIND_WAIT)
    return min(seconds, LONGEST_WAIT) if seconds > 0 else None


def reset_after(text: str | None, headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Seconds until a limit's window ends; None if that cannot be read, or is further off than `LONGEST_WAIT`.

    A moment counts from the reply's own Date, or from `now` (whoever waits for it has a bound of their own).
    """
    seconds = _seconds(text, headers, now)
    return seconds if 0 <= seconds <= LONGEST_WAIT else None


def moment(date: str | None) -> float | None:
    """An HTTP date in seconds since the epoch; the oldest of its forms names no zone (RFC 9110 section 5.6.7)."""
    try:
        read = parsedate_to_datetime((date or "")[:_LONGEST_TEXT])
        return (read if read.tzinfo is not None else read.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _seconds(text: str | None, headers: Mapping[str, str], now: float | None, *, at_most: float = math.inf) -> float:
    """Seconds from now on, of a list of them the most; NaN if it cannot be read, or is beyond any sense.

    `at_most`: the bound where they count from `now`.
    """
    text = (text or "")[:_LONGEST_TEXT]
    numbers = [float(found[1]) for part in text.split(",") if (found := _NUMBER(part))]
    asked = _moment_in(max(numbers)) if numbers else moment(text)
    if asked is None:
        return max(numbers, default=math.nan)
    date = moment(headers.get("date"))
    if date is not None:
        return asked - date
    return math.nan if now is None or math.isnan(asked) else min(asked - now, at_most)


def _moment_in(number: float) -> float | None:
    """The moment that a large number stands for: seconds since the epoch, or thousandths, millionths and so on."""
    for _ in range(3):
        number = number / 1000 if number >= _EPOCHS_TO else number
    if number >= _EPOCHS_TO:
        return math.nan
    return number if number >= _EPOCHS_FROM else None
