"""How hard a regular expression can make the search: in how many ways its parts can share out one name.

Python tries these ways one after another when a name does not fit, and nothing can interrupt it. What is
counted is an upper bound, taken from the text alone.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

MOST_WAYS = 8 * 200**3
"""Three open repetitions over 200 characters, and a few choices beside them: about a second, at the very worst."""

_BEYOND = MOST_WAYS + 1

tokens = re.compile(
    r"\\. | \[\^?\]?(?:\\.|[^\]\\])*\] | \{\d+,?\d*\} | \{,\d+\}"
    r"| \(\?\#[^)]*\) | \(\?P=\w+\) | \(\?[aiLmsux-]+[:)] | \(\?\(\w+\) | \(\?(?:P<\w+>|<[=!]|[:=!>]) | .",
    re.DOTALL | re.VERBOSE,
).findall
"""A regular expression in pieces that join to the same text: escapes, sets, counts and group openers are one each."""

_count = re.compile(r"\{(\d*)(,?)(\d*)\}").fullmatch


def without_open_ends(body: str) -> str:
    """The same for a search anywhere in a name, without a `.*` at the beginning or the end that only costs time."""
    parts = tokens(body)
    if parts[:2] == [".", "*"] and parts[2:3] not in (["?"], ["+"]):
        parts = parts[2:]
    if parts[-2:] == [".", "*"]:
        parts = parts[:-2]
    return "".join(parts)


def ways(body: str, longest: int) -> int:
    """In how many ways the parts of `body` can share out `longest` characters, at most `MOST_WAYS` + 1."""
    groups, parts = [_Group()], tokens(body)
    for place, token in enumerate(parts):
        group = groups[-1]
        if token == ")":
            if len(groups) > 1:
                groups[-2].add(groups.pop().close())
        elif token == "|":
            group.alternate()
        elif repeats := _times(token, longest):
            group.repeat(*repeats, 1 if _ends_clearly(parts, place) else longest)
        elif token.startswith("(") and not token.endswith(")"):
            group.begin(None)
            groups.append(_Group())
        else:
            group.begin(None if _may_be_left_out(parts, place) else token)
            group.add(1)
    while len(groups) > 1:  # `(?i)` and the like open nothing that is closed
        groups[-2].add(groups.pop().close())
    return groups[0].close()


@dataclass
class _Group:
    """A group that is open, as far as it has been read."""

    alternatives: list[int] = field(default_factory=list)
    firsts: list[str | None] = field(default_factory=list)  # what each begins with, if that is one character
    before: int = 1  # the ways of what stands before the last part
    last: int = 1
    just_repeated: bool = False
    empty: bool = True

    def begin(self, token: str | None) -> None:
        """Note what an alternative begins with."""
        if self.empty:
            self.firsts.append(token.casefold() if token and len(token) == 1 and token.isalnum() else None)
            self.empty = False

    def add(self, number: int) -> None:
        """One more part, with so many ways."""
        self.before, self.last = min(_BEYOND, self.before * self.last), number
        self.just_repeated = False

    def repeat(self, least: int, most: int, longest: int) -> None:
        """The last part, so many times; a second sign only says how greedily."""
        if self.just_repeated:
            return
        if self.last == 1:
            self.last = max(1, min(most - least + 1, longest))
        else:
            self.last = min(_BEYOND, self.last ** min(most, 32) + (least == 0))
        self.just_repeated = True

    def alternate(self) -> None:
        """Another alternative begins."""
        self.begin(None)
        self.alternatives.append(min(_BEYOND, self.before * self.last))
        self.before = self.last = 1
        self.empty = True

    def close(self) -> int:
        """The ways of the whole group: of one alternative, where their first characters tell which it must be."""
        self.alternate()
        told = None not in self.firsts and len(set(self.firsts)) == len(self.firsts)
        return min(_BEYOND, max(self.alternatives) if told else sum(self.alternatives))


def _times(token: str, longest: int) -> tuple[int, int] | None:
    if token in ("*", "+", "?"):
        return int(token == "+"), 1 if token == "?" else longest
    found = _count(token)
    if found is None:
        return None
    least, comma, most = found.groups()
    if not comma:
        return int(least), int(least)
    return int(least or 0), int(most) if most else longest


def _may_be_left_out(parts: Sequence[str], place: int) -> bool:
    following = "".join(parts[place + 1 : place + 2])
    return following in ("*", "?") or following.startswith("{")


def _ends_clearly(parts: Sequence[str], place: int) -> bool:
    """Whether what a repetition may take ends at the character that has to follow it, as in `[0-9]+-`: one way."""
    following = place + 1
    if parts[following : following + 1] in (["?"], ["+"]):
        following += 1
    if place == 0 or following >= len(parts) or _may_be_left_out(parts, following):
        return False
    repeated, end = parts[place - 1], _literal(parts[following])
    if end is None or repeated in tuple(")|(*+?^") or repeated[:2] == "(?" or _count(repeated):
        return False
    return re.fullmatch(repeated, end, re.IGNORECASE) is None


def _literal(token: str) -> str | None:
    """The one character that a piece stands for, if it does."""
    if len(token) == 1:
        return None if token in r".^$*+?{}[]\|()" else token
    return token[1] if len(token) == 2 and token[0] == "\\" and not token[1].isalnum() else None
