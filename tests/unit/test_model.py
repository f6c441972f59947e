"""What an id may be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.base.model import is_id


@given(st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True))
def test_an_id_is_letters_digits_underscore_and_dash(text: str) -> None:
    assert is_id(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a" * 65,
        "a/b",
        "..",
        "a.b",
        "a%2e",
        "a?x",
        "a#f",
        "a b",
        "a\n",
        "\n",
        "ä",
        "a\u202e",
        "a\x00",
        "a:b",
        "\uff11",
    ],
)
def test_what_could_bend_a_path_is_no_id(text: str) -> None:
    assert not is_id(text)


@given(st.text(max_size=80))
def test_an_id_never_holds_anything_a_path_would_quote(text: str) -> None:
    if is_id(text):
        assert text.isascii()
        assert not set(text) & set("/.%?#:@ \t\r\n\\")
