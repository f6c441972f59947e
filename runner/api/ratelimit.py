"""What a reply's headers say of the rate limit: hints that spare us from finding out by refusals.

Two families are in use: `X-RateLimit-Limit/-Remaining/-Reset` (a custom of many APIs; the reset is in
seconds, or an epoch time) and `RateLimit: "name";r=50;t=30` (draft-ietf-httpapi-ratelimit-headers), with
its predecessor `RateLimit-Limit/-Remaining/-Reset`.
"""

import math
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import NamedTuple

_EPOCHS_FROM = 1_000_000_000.0
"""A reset larger than this is a point in time, not a number of seconds."""

_FAMILIES = (
    ("x-ratelimit-remaining", "x-ratelimit-reset", "x-ratelimit-limit"),
    ("ratelimit-remaining", "ratelimit-reset", "ratelimit-limit"),
)

_PARAMETER = re.compile(r";\s*([rt])\s*=\s*(\d{1,9})")


class Allowance(NamedTuple):
    """How many more requests the tenant says it will take, and until when."""

    remaining: int | None
    reset_after: float | None  # seconds
    limit: int | None  # requests per window


def allowance(headers: Mapping[str, str]) -> Allowance | None:
    """The allowance that a reply announces; None if it announces none."""
    if (text := headers.get("ratelimit")) and (found := dict(_PARAMETER.findall(text))):
        return Allowance(_count(found.get("r")), _seconds(found.get("t"), headers), None)
    for remaining, reset, limit in _FAMILIES:
        if remaining in headers or limit in headers:
            return Allowance(
                _count(headers.get(remaining)), _seconds(headers.get(reset), headers), _count(headers.get(limit))
            )
    return None


def _count(text: str | None) -> int | None:
    """A whole number, or the first one of a list such as `100, 100;w=60`."""
    found = re.match(r"\s*(\d{1,9})", text or "")
    return int(found[1]) if found else None


def _seconds(text: str | None, headers: Mapping[str, str]) -> float | None:
    try:
        value = float(text or "")
        if value >= _EPOCHS_FROM:  # counted from the reply's own Date, so a wrong local clock does no harm
            value -= parsedate_to_datetime(headers["date"]).timestamp()
    except (ValueError, TypeError, KeyError):
        return None
    return value if math.isfinite(value) and value >= 0 else None
