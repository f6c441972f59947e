"""CSV (RFC 4180, UTF-8): a header row, then one row per target, safe to open in a spreadsheet."""

import csv
from collections.abc import Iterable
from typing import TextIO

from runner.report.document import RESULT_FIELDS, STATE_FIELDS, result
from runner.report.text import plain
from runner.store.records import RunRecord, TargetRecord

Cell = str | int | float | None

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")  # noqa: RUF001 (full width is what is meant)
"""A spreadsheet takes a cell that begins so for a formula (OWASP, CSV Injection)."""

_STATES = ("before", "after")
_PLAIN_FIELDS = tuple(field for field in RESULT_FIELDS if field not in _STATES)

COLUMNS = (*_PLAIN_FIELDS, *(f"{moment}_{field}" for moment in _STATES for field in STATE_FIELDS))
"""A result's fields, its two states flattened; what is not known is an empty cell."""


def write_csv(_run: RunRecord, targets: Iterable[TargetRecord], out: TextIO) -> None:
    """Write the table; targets are written as they come. `out` must not translate line ends."""
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    writer.writerows(map(_row, targets))


def guarded(value: Cell) -> Cell:
    """A cell on one line, and with an apostrophe in front of what would be taken for a formula."""
    if not isinstance(value, str):
        return value
    text = plain(value)
    return f"'{text}" if value.startswith(_FORMULA) else text


def _row(record: TargetRecord) -> list[Cell]:
    fields = result(record)
    row = [guarded(fields[field]) for field in _PLAIN_FIELDS]
    for moment in _STATES:
        state = fields[moment] or {}
        row += [guarded(state.get(field)) for field in STATE_FIELDS]
    return row
