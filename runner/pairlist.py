"""Pairs from other programs: lines of APP/CONNECTOR, CSV with a header, or NDJSON."""

import csv
import io
import json
from collections.abc import Iterator, Mapping

from runner.errors import JobFileError, Problem
from runner.model import Target, is_id

_APP = ("app_id", "appId", "app")
_CONNECTOR = ("connector_id", "connectorId", "connector", "id")
_NAME = ("connector_name", "name", "displayName")


def pair(text: str) -> Target:
    """A target from `APP/CONNECTOR`; raises ValueError with a message for people."""
    app_id, slash, connector_id = text.strip().partition("/")
    if not slash or not is_id(app_id) or not is_id(connector_id):
        raise ValueError(f"{text.strip()!r} is no APP/CONNECTOR pair of ids (letters, digits, _ and -, at most 64)")
    return Target(app_id, connector_id)


def parse(data: bytes, path: str) -> list[Target]:
    """The targets in `data`; raises `JobFileError` with every bad line and its number.

    The first line decides: `{` begins NDJSON, a comma or the word app_id makes it CSV, anything else is one
    APP/CONNECTOR per line. Blank lines and lines that begin with # do not count. Repeated pairs count once.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise JobFileError(path, [Problem(1, 1, "not UTF-8 text")]) from None
    problems: list[Problem] = []
    targets: dict[tuple[str, str], Target] = {}
    for number, found in _rows(text, problems):
        if not is_id(found.app_id) or not is_id(found.connector_id):
            problems.append(Problem(number, 1, f"'{found}' is no pair of app and connector id"))
        else:
            targets.setdefault(found[:2], found)
    if problems:
        raise JobFileError(path, problems[:100])
    return list(targets.values())


def _rows(text: str, problems: list[Problem]) -> Iterator[tuple[int, Target]]:
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    lines = [(number, line) for number, line in lines if not line.startswith("#")]
    first = lines[0][1] if lines else ""
    if first.lstrip().startswith("{"):
        yield from _ndjson(lines, problems)
    elif "," in first or ";" in first or "\t" in first:
        yield from _csv(text, problems)
    else:
        for number, line in lines:
            try:
                yield number, pair(line)
            except ValueError as error:
                problems.append(Problem(number, 1, str(error)))


def _ndjson(lines: list[tuple[int, str]], problems: list[Problem]) -> Iterator[tuple[int, Target]]:
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


def _csv(text: str, problems: list[Problem]) -> Iterator[tuple[int, Target]]:
    try:
        dialect = csv.Sniffer().sniff(text[:4096], ",;\t")
    except csv.Error:
        dialect = csv.get_dialect("excel")  # type: ignore[assignment]
    reader = csv.DictReader(io.StringIO(text), dialect=dialect)
    names = {name.strip() for name in reader.fieldnames or ()}
    if not names & set(_APP) or not names & set(_CONNECTOR):
        problems.append(Problem(1, 1, f"the header has no columns {_APP[0]} and {_CONNECTOR[0]}"))
        return
    for row in reader:
        yield reader.line_num, _target({(name or "").strip(): value for name, value in row.items()})


def _target(row: Mapping[str, object]) -> Target:
    def first(names: tuple[str, ...]) -> str:
        return next((str(row[name]).strip() for name in names if row.get(name)), "")

    return Target(first(_APP), first(_CONNECTOR), first(_NAME) or None)
