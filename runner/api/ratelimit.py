"""What a reply's headers say of the rate limit: hints that spare us from finding out by refusals.

Two families are in use: `X-RateLimit-Limit/-Remaining/-Reset` (a custom of many APIs; the reset is in
seconds, or a moment) and `RateLimit: "name";r=50;t=30` (draft-ietf-httpapi-ratelimit-headers), with
its predecessor `RateLimit-Limit/-Remaining/-Reset`.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from runner.api.waits import reset_after

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


def allowance(headers: Mapping[str, str], now: float | None = None) -> Allowance | None:
    """The allowance that a reply announces; None if it announces none. `now`: the local clock, epoch seconds."""
    if (text := headers.get("ratelimit")) and (found := dict(_PARAMETER.findall(text))):
        return Allowance(_count(found.get("r")), reset_after(found.get("t"), headers, now), None)
    for remaining, reset, limit in _FAMILIES:
        if remaining in headers or limit in headers:
            until = reset_after(headers.get(reset), headers, now)
            return Allowance(_count(headers.get(remaining)), until, _count(headers.get(limit)))
    return None


def _count(text: str | None) -> int | None:
    """A whole number, or the first one of a list such as `100, 100;w=60`."""
    found = re.match(r"\s*(\d{1,9})", text or "")
    return int(found[1]) if found else None
