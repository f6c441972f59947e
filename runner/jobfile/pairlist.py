"""Pairs from other programs: lines of APP/CONNECTOR, CSV with a header, or JSON."""

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from runner.base.errors import JobFileError, Problem
from runner.base.model import Target, is_id
from runner.base.units import shown

_APP = ("app_id", "app")
_CONNECTOR = ("connector_id", "connector", "id")
_NAME = ("connector_name", "name", "display_name")
_DELIMITERS = ",;\t"
_LISTS = ("list", "results")  # of C1's API, and of our reports

_IDS = "letters, digits, _ and -, at most 64"
_ENCODING = "not UTF-8 text: save it as UTF-8, which spreadsheets call CSV UTF-8"
_PROBLEMS = 100  # are shown at most

_decode = json.JSONDecoder().raw_decode
_space = re.compile(r"(?:[ \t\r\n]++|#.*+)*+").match  # comments behind a value among it
_separator = re.compile(r"sep=(.)\r?").fullmatch
_comment = re.compile(r"\s#.*").sub
_is_comment = re.compile(r"\s*#").match
_comment_lines = re.compile(r"^[ \t]*#.*$", re.MULTILINE).sub  # no string of JSON goes on to another line

Line = tuple[int, str]
"""A line with its number, from 1."""

Found = tuple[int, Target]
"""What a row says, and the number of the line it is on; whether these are ids is to be seen."""


def pair(text: str) -> Target:
    """A target from `APP/CONNECTOR`; raises ValueError with a message for people."""
    app_id, slash, connector_id = text.strip().partition("/")
    if not slash or not is_id(app_id) or not is_id(connector_id):
        raise ValueError(f"{shown(text.strip())} is no APP/CONNECTOR pair of ids ({_IDS})")
    return Target(app_id, connector_id)


def parse(data: bytes, path: str) -> list[Target]:
    """The targets in `data`; raises `JobFileError` with every bad line and its number.

    The first line that counts decides: `{`, `[` or a quoted pair begins JSON; a comma, semicolon or tab makes it
    the header of CSV; anything else is one APP/CONNECTOR per line. Blank lines count nowhere, nor do those that begin
    with #, nor what follows a # on the line of a pair. Repeated pairs count once.
    """
    problems: list[Problem] = []
    targets: dict[tuple[str, str], Target] = {}
    for number, found in _rows(_text(data, path), problems):
        if not is_id(found.app_id) or not is_id(found.connector_id):
            problems.append(Problem(number, 1, f"{_described(found)} ({_IDS})"))
        else:
            targets.setdefault(found[:2], found)
    if problems:
        raise JobFileError(path, problems[:_PROBLEMS])
    return list(targets.values())


def _text(data: bytes, path: str) -> str:
    """The text, lines ending in "\\n" wherever a line ends, whatever program has written it."""
    encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        raise JobFileError(path, [Problem(1, 1, _ENCODING)]) from None
    return text if "\n" in text else text.replace("\r", "\n")


def _described(found: Target) -> str:
    missing = [name for name, value in (("app id", found.app_id), ("connector id", found.connector_id)) if not value]
    if missing:
        return f"no {' and no '.join(missing)} in this row"
    return f"{shown(str(found))} is no pair of app and connector id"


def _rows(text: str, problems: list[Problem]) -> Iterator[Found]:
    # Only "\n" ends a line: JSON may hold the other separators of Unicode as they are.
    lines = [(number, line.rstrip("\r")) for number, line in enumerate(text.split("\n"), 1)]
    lines = [(number, line) for number, line in lines if line.strip() and not _is_comment(line)]
    first = _comment("", lines[0][1].lstrip()) if lines else ""
    if first.startswith(("{", "[")) or (first.startswith('"') and not _delimiter(first)):
        yield from _json(_comment_lines("", text), problems)
    elif _delimiter(first):
        yield from _csv(text, lines, problems)
    else:
        yield from _pairs(lines, problems)


def _pairs(lines: list[Line], problems: list[Problem]) -> Iterator[Found]:
    for number, line in lines:
        try:
            yield number, pair(_comment("", line))
        except ValueError as error:
            problems.append(Problem(number, 1, str(error)))


# JSON: a value after the other, each on one line or on several, or lists of them


def _json(text: str, problems: list[Problem]) -> Iterator[Found]:
    number, position, counted = 1, 0, 0
    while (position := _after_space(text, position)) < len(text):
        number, counted = number + text.count("\n", counted, position), position
        try:
            value, position = _decode(text, position)
        except (ValueError, RecursionError):
            problems.append(Problem(number, 1, "not JSON"))
            end = text.find("\n", position)
            position = len(text) if end < 0 else end + 1
            continue
        for item, row in enumerate(_json_rows(value), 1):
            try:
                yield number, _json_target(row)
            except ValueError as error:
                where = f"item {item}: " if row is not value else ""
                problems.append(Problem(number, 1, f"{where}{error}"))


def _after_space(text: str, position: int) -> int:
    found = _space(text, position)
    return found.end() if found else position


def _json_rows(value: object) -> Iterator[object]:
    """The rows in a value: the value itself, those of a list, or those of a page or report that holds a list."""
    if isinstance(value, list):
        yield from value
    elif isinstance(value, dict) and (inside := next((n for n in _LISTS if isinstance(value.get(n), list)), None)):
        yield from value[inside]
    elif not (isinstance(value, dict) and value.get("type") == "run" and "schema" in value):  # a report's head
        yield value


def _json_target(row: object) -> Target:
    if isinstance(row, str):
        return pair(row)
    if isinstance(row, dict) and isinstance(row.get("connector"), dict):  # a ConnectorView of C1's API
        row = row["connector"]
    if not isinstance(row, dict):
        raise ValueError("neither a JSON object nor an APP/CONNECTOR pair")
    columns = _columns(list(row))
    if missing := [what for what, name in (("app id", columns.app), ("connector id", columns.connector)) if not name]:
        raise ValueError(f"no {' and no '.join(missing)} in this object")
    ids = [row[columns.app or ""], row[columns.connector or ""]]
    if any(value is not None and not isinstance(value, str) for value in ids):
        raise ValueError(f"an id must be text in quotes, not {shown(json.dumps(ids))}")
    name = None if columns.name is None else row[columns.name]
    return Target(ids[0] or "", ids[1] or "", _label(name))


def _label(name: object) -> str | None:
    """A name that is text; JSON may hold halves of characters, which are escaped, for no database takes them."""
    return name.encode("utf-8", "backslashreplace").decode() if isinstance(name, str) and name else None


# CSV


class _Columns(NamedTuple):
    app: str | None
    connector: str | None
    name: str | None


def _columns(names: Sequence[str]) -> _Columns:
    """Which columns hold what: the first of the names that mean it and is there, in any case and spelling.

    ValueError if two of them are spelt alike.
    """
    folded: dict[str, str] = {}
    for name in names:
        key = "".join(filter(str.isalnum, name.casefold()))
        if key in folded and key in _KNOWN:
            raise ValueError(f"{shown(folded[key])} and {shown(name)} mean the same: keep one")
        folded.setdefault(key, name)
    found = (next((folded[key] for key in keys if key in folded), None) for keys in _KEYS)
    return _Columns(*found)


_KEYS = [[name.replace("_", "") for name in names] for names in (_APP, _CONNECTOR, _NAME)]
_KNOWN = {key for keys in _KEYS for key in keys}


def _csv(text: str, lines: list[Line], problems: list[Problem]) -> Iterator[Found]:
    separator = _separator(lines[0][1])  # what Excel begins a file with
    above = lines[0][0] if separator else lines[0][0] - 1
    header = lines[1][1] if separator and len(lines) > 1 else lines[0][1]
    body = "\n".join(text.split("\n")[above:])
    reader = _Rows(body, separator[1] if separator else _delimiter(header))
    try:
        names = next(iter(reader), [])
        columns = _columns(names)
        if columns.app is None or columns.connector is None:
            problems.append(Problem(above + reader.line, 1, _HEADER))
            return
        places = [names.index(name) if name is not None else None for name in columns]
        for row in reader:
            cells = [row[place].strip() if place is not None and place < len(row) else "" for place in places]
            yield above + reader.line, Target(cells[0], cells[1], cells[2] or None)
    except csv.Error as error:
        problems.append(Problem(above + reader.line, 1, f"not CSV: {error}"))
    except ValueError as error:
        problems.append(Problem(above + reader.line, 1, str(error)))


class _Rows:
    """The rows of CSV, without blank ones and comments.

    A line that would begin a row with # is none, quotes and all; within a quoted cell it is a part of the cell.
    """

    def __init__(self, body: str, delimiter: str) -> None:
        self._begins = True  # the next line is not within a row
        # Strict: a quote that is never closed would take the rows after it for a part of its cell.
        self._reader = csv.reader(self._lines(body), delimiter=delimiter, strict=True)

    @property
    def line(self) -> int:
        """The number of the line that was read last, from 1."""
        return self._reader.line_num

    def __iter__(self) -> Iterator[list[str]]:
        for row in self._reader:
            self._begins = True
            if any(cell.strip() for cell in row):
                yield row

    def _lines(self, body: str) -> Iterator[str]:
        for line in io.StringIO(body, newline=""):
            begins, self._begins = self._begins, False
            yield "\n" if begins and _is_comment(line) else line


_HEADER = f"the header has no columns {_APP[0]} and {_CONNECTOR[0]}: the first line names the columns"


def _delimiter(line: str) -> str:
    """What separates the cells of a line; nothing if it is not of CSV."""
    found = max(_DELIMITERS, key=line.count)
    return found if found in line else ""
