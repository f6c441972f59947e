"""Pairs from other programs: lines of APP/CONNECTOR, CSV with a header, or NDJSON."""

import csv
import io
import json
from collections.abc import Iterator, Mapping

from runner.errors import JobFileError, Problem
from runner.model import Target, is_id
from runner.units import shown

_APP = ("app_id", "appId", "app")
_CONNECTOR = ("connector_id", "connectorId", "connector", "id")
_NAME = ("connector_name", "name", "displayName")
_DELIMITERS = ",;\t"

_IDS = "letters, digits, _ and -, at most 64"
_PROBLEMS = 100  # are shown at most

Line = tuple[int, str]
"""A line with its number, from 1."""


def pair(text: str) -> Target:
    """A target from `APP/CONNECTOR`; raises ValueError with a message for people."""
    app_id, slash, connector_id = text.strip().partition("/")
    if not slash or not is_id(app_id) or not is_id(connector_id):
        raise ValueError(f"{shown(text.strip())} is no APP/CONNECTOR pair of ids ({_IDS})")
    return Target(app_id, connector_id)


def parse(data: bytes, path: str) -> list[Target]:
    """The targets in `data`; raises `JobFileError` with every bad line and its number.

    The first line that counts decides: `{` begins NDJSON; a comma, semicolon or tab makes it the header of
    CSV; anything else is one APP/CONNECTOR per line. Blank lines do not count, nor do lines before the data
    that begin with #. Repeated pairs count once.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise JobFileError(path, [Problem(1, 1, "not UTF-8 text")]) from None
    problems: list[Problem] = []
    targets: dict[tuple[str, str], Target] = {}
    for number, found in _rows(text, problems):
        if not is_id(found.app_id) or not is_id(found.connector_id):
            problems.append(Problem(number, 1, f"{shown(str(found))} is no pair of app and connector id ({_IDS})"))
        else:
            targets.setdefault(found[:2], found)
    if problems:
        raise JobFileError(path, problems[:_PROBLEMS])
    return list(targets.values())


def _rows(text: str, problems: list[Problem]) -> Iterator[tuple[int, Target]]:
    # Only "\n" ends a line: JSON may hold the other separators of Unicode as they are.
    lines = [(number, line.rstrip("\r")) for number, line in enumerate(text.split("\n"), 1)]
    lines = [(number, line) for number, line in lines if line.strip()]
    while lines and lines[0][1].startswith("#"):
        del lines[0]
    first = lines[0][1] if lines else ""
    if first.lstrip().startswith("{"):
        yield from _ndjson(lines, problems)
    elif any(delimiter in first for delimiter in _DELIMITERS):
        yield from _csv(text, lines[0], problems)
    else:
        yield from _pairs(lines, problems)


def _pairs(lines: list[Line], problems: list[Problem]) -> Iterator[tuple[int, Target]]:
    for number, line in lines:
        if line.startswith("#"):
            continue
        try:
            yield number, pair(line)
        except ValueError as error:
            problems.append(Problem(number, 1, str(error)))


def _ndjson(lines: list[Line], problems: list[Problem]) -> Iterator[tuple[int, Target]]:
    for number, line in lines:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            problems.append(Problem(number, 1, "not JSON"))
            continue
        if isinstance(row, dict) and isinstance(row.get("connector"), dict):  # a ConnectorView of C1's API
            row = row["connector"]
        if isinstance(row, dict):
            yield number, _target(row)
        else:
            problems.append(Problem(number, 1, "not a JSON object"))


def _csv(text: str, header: Line, problems: list[Problem]) -> Iterator[tuple[int, Target]]:
    above, line = header[0] - 1, header[1]
    delimiter = max(_DELIMITERS, key=line.count)
    body = "\n".join(text.split("\n")[above:])
    reader = csv.DictReader(io.StringIO(body, newline=""), delimiter=delimiter)
    try:
        names = {name.strip() for name in reader.fieldnames or ()}
        if not names & set(_APP) or not names & set(_CONNECTOR):
            problems.append(Problem(above + 1, 1, f"the header has no columns {_APP[0]} and {_CONNECTOR[0]}"))
            return
        for row in reader:
            if (row.get((reader.fieldnames or [""])[0]) or "").startswith("#"):
                continue
            cells = {(name or "").strip(): value for name, value in row.items()}
            yield above + reader.line_num, _target(cells)
    except csv.Error as error:
        problems.append(Problem(above + reader.line_num + 1, 1, f"not CSV: {error}"))


def _target(row: Mapping[str, object]) -> Target:
    def first(names: tuple[str, ...]) -> str:
        return next((str(row[name]).strip() for name in names if row.get(name)), "")

    return Target(first(_APP), first(_CONNECTOR), first(_NAME) or None)
