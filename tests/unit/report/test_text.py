"""Hostile text is made harmless, ordinary text in any script stays as it is."""

import json
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.report.text import json_safe, plain, shortened

BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


@pytest.mark.parametrize(
    "text",
    ["Okta", "déjà-vu", "名前", "🚀", "👩\u200d🚀", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "a\xa0b"],
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert plain(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb\tc", "a\\nb\\tc"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\u202exslx.exe", "\\u202exslx.exe"),
        ("\U000e0041", "\\U000e0041"),
        ("\ud800", "\\ud800"),
    ],
)
def test_what_does_not_show_as_itself_is_spelled_out(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_every_control_line_break_surrogate_and_change_of_direction_is_spelled_out() -> None:
    for character in map(chr, range(sys.maxunicode + 1)):
        unsafe = unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}
        if unsafe or unicodedata.bidirectional(character) in BIDI:
            assert plain(character) != character, hex(ord(character))


def test_long_text_is_cut_with_a_mark() -> None:
    assert shortened("abcdef", 6) == "abcdef"
    assert shortened("abcdefg", 6) == "abcde…"
    assert shortened("\n" * 4, 6) == "\\n\\n\\…"


@given(st.text())
def test_json_reads_back_the_same_and_shows_nothing_unsafe(text: str) -> None:
    document = json_safe(json.dumps({"name": text}, ensure_ascii=False))

    assert json.loads(document) == {"name": text}
    assert plain(document) == document
