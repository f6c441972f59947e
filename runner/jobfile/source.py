"""YAML text -> parser events, with everything refused that a job file has no use for.

The events come straight from PyYAML's parser (the C one where it is installed) and are consumed as they
arrive: no tree is built, so neither memory nor recursion depends on what a file holds. Nothing is resolved
here either: YAML 1.1's guesses (`no` is false, `0123` is 83, `1:30` is 90) do not happen, see `scalars`.
"""

import re
from collections.abc import Iterator
from functools import cached_property
from typing import cast

import yaml
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    Event,
    NodeEvent,
    ScalarEvent,
    SequenceStartEvent,
)

from runner.base.errors import Problem
from runner.base.units import shown
from runner.jobfile import slips

MAX_DEPTH = 32
"""Levels of nesting; the format needs five."""

_TOO_DEEP = f"nested more than {MAX_DEPTH} levels deep"
_PARSERS_DEPTH = "maximum nesting depth"
"""What libyaml says of the same, where it has read ahead so far before it hands out its first event."""

MAX_PROBLEMS = 100
"""Reading ends after so many: a file that is no job file at all has a problem on every line."""

_Parser: type[yaml.SafeLoader] | type[yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_TAGGABLE = (ScalarEvent, CollectionStartEvent)

_UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_HINTS = {
    "mapping values are not allowed": ": check the indentation, or put a value that holds `: ` in quotes",
    "that cannot start any token": ": put the value in quotes",
    "expected ',' or": ": put values that hold brackets, braces or commas in quotes",
}
_line_break = re.compile("\r\n|[\n\r\x85\u2028\u2029]")  # as PyYAML counts lines
_unacceptable = re.compile(  # what YAML 1.1 does not allow unescaped (section 5.1); the rest takes long to compile
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufeff\ufffe\uffff]"
).search


class UnreadableError(Exception):
    """Reading cannot go on; why is among the problems."""


class Source:
    """The events of one job file in turn, and the problems found so far."""

    def __init__(self, data: bytes) -> None:
        self.problems: list[Problem] = []
        self.slips: list[Problem] = []  # what else is wrong follows from these
        self._data = data.removeprefix(_UTF8_MARK)
        self._events = self._checked_events()

    def next(self) -> Event:
        """The next event; UnreadableError where the file is broken."""
        return next(self._events)

    def skip(self, event: Event) -> None:
        """Consume the rest of the value that `event` begins."""
        depth = int(isinstance(event, CollectionStartEvent))
        while depth:
            following = self.next()
            depth += isinstance(following, CollectionStartEvent) - isinstance(following, CollectionEndEvent)

    def problem(self, event: Event, message: str) -> None:
        """Record what is wrong with the value that `event` begins."""
        self._problem_at(line_of(event), _mark(event).column + 1, message)

    def stop(self, event: Event, message: str) -> UnreadableError:
        """Record what is wrong, for the caller to raise what this returns."""
        self.problem(event, message)
        return UnreadableError()

    def _problem_at(self, line: int, column: int, message: str) -> None:
        self.problems.append(Problem(line, column, message))
        if len(self.problems) == MAX_PROBLEMS:
            self.problems.append(Problem(line, column + 1, "too many problems: reading ended here"))
            raise UnreadableError

    def _checked_events(self) -> Iterator[Event]:
        self._check_encoding()
        self._check_merge()
        depth = 0
        try:
            for event in yaml.parse(self._data, Loader=_Parser):
                if isinstance(event, NodeEvent):
                    self._check_node(event)
                    depth += isinstance(event, CollectionStartEvent)
                    if depth > MAX_DEPTH:
                        raise self.stop(event, _TOO_DEEP)
                elif isinstance(event, CollectionEndEvent):
                    depth -= 1
                yield event
        except yaml.MarkedYAMLError as error:
            self._problem_at(*self._syntax_problem(error))
            self._slip(slips.lookalikes(self._lines, *_lines_of(error)))
            raise UnreadableError from error
        except yaml.YAMLError as error:
            self._problem_at(*self._unacceptable_character())
            raise UnreadableError from error

    def _check_encoding(self) -> None:
        if self._data.startswith(_UTF16_MARKS) or b"\0" in self._data[:2]:
            self._problem_at(1, 1, "the file is UTF-16 or UTF-32: save it as UTF-8")
            raise UnreadableError
        try:
            self._data.decode()
        except UnicodeDecodeError as error:
            before = self._data[: error.start].decode()
            self._problem_at(
                *_end_of(before), f"byte 0x{self._data[error.start]:02x} is not UTF-8: save the file as UTF-8"
            )
            raise UnreadableError from error

    def _check_merge(self) -> None:
        if slips.may_be_unsettled(self._data) and (marks := slips.conflicts(self._lines)):
            self._slip(marks)
            raise UnreadableError

    def _slip(self, found: list[Problem]) -> None:
        self.slips += (each for each in found if each not in self.slips)

    def _check_node(self, event: NodeEvent) -> None:
        if isinstance(event, ScalarEvent) and slips.hides_one(event):
            self._slip(slips.lookalikes(self._lines, line_of(event) - 1, _end(event).line))
        if isinstance(event, _TAGGABLE) and event.tag is not None:
            self.problem(event, f"tags such as {shown(event.tag)} are not supported: take it out")
        if event.anchor is None:
            return
        if isinstance(event, AliasEvent):
            self.problem(event, f"aliases such as {shown('*' + event.anchor)} are not supported: write the value")
        else:
            self.problem(event, f"anchors such as {shown('&' + event.anchor)} are not supported: take it out")

    def _syntax_problem(self, error: yaml.MarkedYAMLError) -> tuple[int, int, str]:
        mark = cast("yaml.Mark", error.problem_mark or error.context_mark)
        line = self._lines[mark.line] if mark.line < len(self._lines) else ""  # the file's end has one of its own
        indentation = line[: len(line) - len(line.lstrip())]
        if "\t" in indentation:
            return mark.line + 1, indentation.index("\t") + 1, "a tab cannot indent YAML: use spaces"
        if line[mark.column : mark.column + 1] == "\t":
            return mark.line + 1, mark.column + 1, "a tab cannot stand here in YAML: use a space"
        if _PARSERS_DEPTH in str(error.problem):
            return mark.line + 1, mark.column + 1, _TOO_DEEP
        hint = next((hint for words, hint in _HINTS.items() if words in str(error.problem)), "")
        context = f" {error.context}" if error.context else ""
        return mark.line + 1, mark.column + 1, f"not valid YAML:{context} {error.problem}{hint}"

    def _unacceptable_character(self) -> tuple[int, int, str]:
        text = self._data.decode()
        found = _unacceptable(text)
        if found is None:
            return 1, 1, "not valid YAML"
        line, column = _end_of(text[: found.start()])
        return line, column, f"the character U+{ord(found[0]):04X} cannot stand in YAML: take it out"

    @cached_property
    def _lines(self) -> list[str]:
        return _line_break.split(self._data.decode())


def _end_of(text: str) -> tuple[int, int]:
    """The 1-based line and column just after `text`."""
    lines = _line_break.split(text)
    return len(lines), len(lines[-1]) + 1


def line_of(event: Event) -> int:
    """The 1-based line where `event` begins."""
    return _mark(event).line + 1


def shape(event: Event) -> str:
    """What `event` begins, in words."""
    if isinstance(event, ScalarEvent):
        return shown(event.value) if event.value else "nothing"
    return "a list" if isinstance(event, SequenceStartEvent) else "`key: value` lines"


def _lines_of(error: yaml.MarkedYAMLError) -> tuple[int, int]:
    """The 0-based lines between which the parser lost its way."""
    last = cast("yaml.Mark", error.problem_mark or error.context_mark).line
    return error.context_mark.line if error.context_mark else last, last


def _end(event: Event) -> yaml.Mark:
    return cast("yaml.Mark", event.end_mark)


def _mark(event: Event) -> yaml.Mark:
    return cast("yaml.Mark", event.start_mark)  # optional for events that are made by hand; the parser's have one
