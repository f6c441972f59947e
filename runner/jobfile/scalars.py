"""Single values: what a scalar means in a job file, and the kinds of scalar there are.

Only `true`, `false`, `null` (also `~` and nothing at all) and plain decimal numbers mean something else than
the characters that were written. Everything else that YAML 1.1 would guess at stays text.
"""

import re
from collections.abc import Callable
from typing import Any, Generic, NamedTuple

from yaml.events import Event, ScalarEvent

from runner.base import units
from runner.base.policy import Bounds
from runner.jobfile.kind import Schema, T
from runner.jobfile.source import Source, shape
from runner.jobfile.texts import did_you_mean

LONGEST = 1000
"""Characters of one value; what a kind allows is less."""

Value = str | int | float | bool | None

_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None, "~": None, "": None}
_is_number = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?").fullmatch

_is_guess = re.compile(
    r"""
      | ~ | null | true | false | yes | no | on | off | y | n
      | [-+]? 0b [01_]+ | [-+]? 0x [0-9a-f_]+ | [-+]? 0o [0-7_]+
      | [-+]? [0-9] [0-9_]* (:[0-5]?[0-9])* (\.[0-9_]*)? (e[-+]?[0-9]+)?
      | [-+]? \. [0-9_]+ (e[-+]?[0-9]+)?
      | [-+]? \.inf | \.nan
      | [0-9]{4} - [0-9]{1,2} - [0-9]{1,2} ([t\ ].*)?
    """,
    re.IGNORECASE | re.VERBOSE,
).fullmatch


def value_of(event: ScalarEvent) -> Value:
    """The scalar as text, number, flag or null."""
    text: str = event.value
    if not event.implicit[0]:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _is_number(text):
        return int(text) if text.lstrip("-").isdigit() and len(text) < 20 else float(text)
    return text


def is_guess(event: ScalarEvent) -> bool:
    """Whether some reader of YAML would take the unquoted text for a number, a flag, a date or nothing."""
    return event.implicit[0] and _is_guess(event.value) is not None


class Scalar(NamedTuple, Generic[T]):
    """One value; `convert` makes it from what was written, or raises ValueError with what is expected."""

    convert: Callable[[Value], T]
    json: Schema
    textual: bool = False  # numbers and flags are refused: they need quotes
    unambiguous: bool = False  # so is text without quotes that some reader of YAML takes for something else

    def read(self, source: Source, event: Event, at: str) -> T | None:
        if not isinstance(event, ScalarEvent):
            source.problem(event, f"{at}: expected one value, not {shape(event)}")
            source.skip(event)
            return None
        try:
            return self.convert(self._written(event))
        except ValueError as error:
            source.problem(event, f"{at}: {error}")
            return None

    def _written(self, event: ScalarEvent) -> Value:
        if len(event.value) > LONGEST:
            raise ValueError(f"must have at most {LONGEST} characters, not {len(event.value)}")
        written = value_of(event)
        if written is None:
            raise ValueError("is empty: give a value, or take the line out")
        if self.textual and not isinstance(written, str):
            raise ValueError(f'expected text: quote it: "{event.value}"')
        if self.unambiguous and is_guess(event):
            raise ValueError(f'not every reader of YAML takes this for text: quote it: "{event.value}"')
        if isinstance(written, str) and "${" in written:
            raise ValueError("variables (${...}) are not filled in: write the value, or fill the file in beforehand")
        return written

    def schema(self) -> Schema:
        return self.json


def text(check: Callable[[str], T], *, unambiguous: bool = False, **json: Any) -> Scalar[T]:
    """Text that `check` turns into its value; `json` is more of its schema."""
    return Scalar(lambda written: check(str(written)), {"type": "string", **json}, True, unambiguous)


def flag() -> Scalar[bool]:
    """true or false."""

    def convert(written: Value) -> bool:
        if not isinstance(written, bool):
            raise ValueError(f"expected true or false, not {units.shown(written)}")
        return written

    return Scalar(convert, {"type": "boolean"})


def whole(bounds: Bounds) -> Scalar[int]:
    """A whole number in a range."""

    def convert(written: Value) -> int:
        if isinstance(written, bool | str) or written is None or not float(written).is_integer():
            raise ValueError(f"expected a whole number {units.range_text(bounds)}, not {units.shown(written)}")
        return int(units.bounded(written, bounds))

    return Scalar(convert, {"type": "integer", "minimum": int(bounds.low), "maximum": int(bounds.high)})


def measure(convert: Callable[[units.Written], T], pattern: str, *examples: str, **json: Any) -> Scalar[T]:
    """A quantity with a unit, or a bare number: `convert` is one of the functions of `units`."""

    def read(written: Value) -> T:
        return convert(written if written is not None else "")

    number = {"type": "number", **json}
    written = {
        "type": "string",
        "pattern": f"^({units.NUMBER_PATTERN}|{pattern})$",
        "examples": list(examples),
    }
    return Scalar(read, {"anyOf": [written, number]})


def choice(*known: str) -> Scalar[str]:
    """One of a few words."""

    def check(word: str) -> str:
        if word not in known:
            expected = f"{', '.join(known[:-1])} or {known[-1]}"
            raise ValueError(f"expected {expected}, not {units.shown(word)}{did_you_mean(word, known)}")
        return word

    return Scalar(text(check).convert, {"enum": list(known)}, textual=True)
