"""A signing key is told from a plain secret, and what is left of a damaged one is never taken for either."""

import base64
import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.base import signing_key
from runner.base.signing_key import PREFIX, fault, looks_like_one
from tests.unit.keys import BODY, DAMAGED, JWK, KEY, encoded


def test_a_good_key_has_no_fault_with_or_without_padding() -> None:
    assert looks_like_one(KEY)
    assert fault(KEY) is None
    assert fault(KEY + "=" * (-len(BODY) % 4)) is None


@pytest.mark.parametrize(("value", "words"), DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_key_is_told_with_what_is_wrong_and_not_shown(value: str, words: str) -> None:
    found = fault(value)

    assert found is not None
    assert words in found
    assert JWK["d"][:8] not in found
    assert BODY[:8] not in found


@given(st.integers(0, len(KEY) - 20), st.integers(20, len(KEY)))
def test_no_piece_of_a_key_that_still_names_a_part_of_it_is_taken_for_a_plain_secret(start: int, length: int) -> None:
    piece = KEY[start : start + length]
    names = re.search(rb'"(kty|crv|x|d)":"..', _whole_bytes(start, piece)) is not None

    assert looks_like_one(piece) or not names
    assert fault(piece) is not None or not names or piece == KEY


def _whole_bytes(start: int, piece: str) -> bytes:
    """The bytes of the key's JSON that a piece of the secret, which begins at `start` in it, holds in full."""
    first, last = max(start - len(PREFIX), 0), max(start + len(piece) - len(PREFIX), 0)
    return signing_key.decoded(BODY)[(first * 6 + 7) // 8 : last * 6 // 8]


@given(st.text(string.ascii_letters + string.digits + string.punctuation, min_size=1, max_size=100))
def test_a_plain_secret_is_a_plain_secret(value: str) -> None:
    if "secret-token:" not in value.lower():
        assert not looks_like_one(value)
        assert fault(value) is None


@given(st.binary(min_size=16, max_size=64))
def test_a_secret_of_random_bytes_is_a_plain_secret_in_every_encoding(data: bytes) -> None:
    for value in (base64.b64encode(data).decode(), encoded(data), data.hex(), base64.b32encode(data).decode()):
        assert fault(value) is None


@given(st.text(max_size=200))
def test_any_text_is_judged(value: str) -> None:
    assert fault(value) is None or looks_like_one(value)


@pytest.mark.parametrize("text", ["a", "é", "a b", "a=b", "abcde", "ab+/"])
def test_what_is_no_base64url_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="base64"):
        signing_key.decoded(text)
