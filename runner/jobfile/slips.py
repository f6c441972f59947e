"""Slips of people and their editors: characters that look like YAML's own and are none, and unsettled merges.

YAML takes them for text, and says something else of it, somewhere else. So they are named for what they are.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import islice

from yaml.events import ScalarEvent

from runner.base.errors import Problem

_SPACE = "[\u00a0\u1680\u2000-\u200b\u202f\u205f\u2060\u3000]"
_DASH = "[\u2010-\u2015\u2022\u2023\u2043\u2212\u25aa\u25cf\u25e6\ufe63\uff0d]"
_MOST = 20  # that are named

_odd = re.compile(f"{_SPACE}|{_DASH}").search
_begins_odd = re.compile(rf"(?:-|[\w.-]+:)?{_SPACE}|{_DASH}\s").match
_odd_space = re.compile(rf" *(?:- +)*(?:-|[\w.-]+:)? *({_SPACE})").match
_odd_dash = re.compile(rf" *(?:- +)*({_DASH})\s").match

_is_mark = re.compile(r"(?:<{7}|>{7}|\|{7})(?: .*)?|={7}").fullmatch


def may_be_unsettled(data: bytes) -> bool:
    """Whether it is worth looking for the marks of a merge."""
    return b"<<<<<<<" in data or b">>>>>>>" in data


def conflicts(lines: Sequence[str]) -> list[Problem]:
    """The marks that a merge has left, if it has left any."""
    marks = [(number, line) for number, line in enumerate(lines, 1) if _is_mark(line)]
    if not any(line.startswith(("<", ">")) for _, line in marks):
        return []
    message = "a merge has left its mark here: settle the conflict, and take the mark out"
    return [Problem(number, 1, message) for number, _ in marks[:_MOST]]


def hides_one(event: ScalarEvent) -> bool:
    """Whether a slip can be a part of the text that was read here, which has no quotes."""
    if event.style in ("'", '"', "|", ">") or event.value.isascii() or not _odd(event.value):
        return False
    several = event.start_mark is None or event.end_mark is None or event.start_mark.line != event.end_mark.line
    return several or _begins_odd(event.value) is not None


def lookalikes(lines: Sequence[str], first: int, last: int) -> list[Problem]:
    """The slips at the beginnings of lines, from one 0-based index to another, both included."""
    return list(islice(_lookalikes(lines, first, last), _MOST))


def _lookalikes(lines: Sequence[str], first: int, last: int) -> Iterator[Problem]:
    for index in range(first, min(last + 1, len(lines))):
        if found := _odd_space(lines[index]):
            message = f"{_named(found[1])} is no space to YAML: write a plain one"
        elif found := _odd_dash(lines[index]):
            message = f"{_named(found[1])} begins no entry of a list: write a hyphen, -"
        else:
            continue
        yield Problem(index + 1, found.start(1) + 1, message)


def _named(character: str) -> str:
    return f"U+{ord(character):04X} ({unicodedata.name(character, 'unnamed').lower()})"
