"""Pagination as C1 does it: bounds on sizes, opaque tokens bound to their listing, pages that may overshoot."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2s

DEFAULT_SIZE, SMALLEST_SIZE, LARGEST_SIZE = 25, 10, 100
_OFFSET_BYTES = 4
_CHECK_BYTES = 8


def page_size(asked: int) -> int:
    """Return the number of rows for a requested `page_size`; 0 means the default, too many are a ValueError."""
    if asked > LARGEST_SIZE:
        raise ValueError(f"more than {LARGEST_SIZE}")
    return max(asked, SMALLEST_SIZE) if asked else DEFAULT_SIZE


def bounds(listing: str, size: int, page_token: str, overshoot: int) -> tuple[int, int]:
    """Return where the asked page starts and ends.

    A token of another listing raises ValueError, as a damaged one does.
    """
    start = _offset(listing, page_token) if page_token else 0
    return start, start + page_size(size) + overshoot


def token(listing: str, offset: int) -> str:
    """Return the token of the page that starts at `offset`."""
    packed = offset.to_bytes(_OFFSET_BYTES, "big")
    return urlsafe_b64encode(packed + _check(listing, packed)).decode().rstrip("=")


def _offset(listing: str, page_token: str) -> int:
    raw = urlsafe_b64decode(page_token.encode("ascii") + b"=" * (-len(page_token) % 4))
    packed, check = raw[:_OFFSET_BYTES], raw[_OFFSET_BYTES:]
    if len(packed) != _OFFSET_BYTES or check != _check(listing, packed):
        raise ValueError("invalid page token")
    return int.from_bytes(packed, "big")


def _check(listing: str, packed: bytes) -> bytes:
    return blake2s(listing.encode() + packed, digest_size=_CHECK_BYTES).digest()
