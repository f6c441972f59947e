"""JSON and NDJSON: the whole report, faithful to every character, one line per target.

JSON is one document: the header's fields, then `results`. NDJSON is the same as lines: first the header
with `"type": "run"`, then each result with `"type": "target"` and the run's id, so that a line stands for
itself. Both are described by `report.schema.json` beside this file. What is unsafe to look at in a terminal is
written as an escape; a JSON parser gives it back unchanged.
"""

import itertools
import json
from collections.abc import Iterable
from typing import TextIO

from runner.base.model import JsonObject
from runner.report.document import RESULT_FIELDS, header, result
from runner.report.text import json_safe
from runner.store.records import RunRecord, TargetRecord

_compact = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
_indented = json.JSONEncoder(ensure_ascii=False, allow_nan=False, indent=2).encode

_TOGETHER = 100
"""Results that are encoded in one go: to begin costs a third of what one result takes."""

_BORDER = f'}}, {{"{RESULT_FIELDS[0]}": '
"""Where a result ends and the next one begins, and nowhere else: within a string a quote has a backslash before it."""

_LINE_BREAK = _BORDER.replace(" ", "\n    ", 1)


def write_json(run: RunRecord, targets: Iterable[TargetRecord], out: TextIO) -> None:
    """Write one JSON document; targets are written as they come, a hundred at a time."""
    out.write(json_safe(_indented(header(run)).removesuffix("\n}")))
    out.write(',\n  "results": [')
    results, separator = map(result, targets), "\n    "
    while some := list(itertools.islice(results, _TOGETHER)):
        lines = _compact(some)[1:-1].replace(_BORDER, _LINE_BREAK)
        out.write(f"{separator}{json_safe(lines)}")
        separator = ",\n    "
    out.write("]\n}\n" if separator == "\n    " else "\n  ]\n}\n")


def write_ndjson(run: RunRecord, targets: Iterable[TargetRecord], out: TextIO) -> None:
    """Write one line for the run, then one per target as they come."""
    out.write(f"{_line({'type': 'run'} | header(run))}\n")
    for target in targets:
        out.write(f"{_line({'type': 'target', 'run_id': run.run_id} | result(target))}\n")


def _line(document: JsonObject) -> str:
    return json_safe(_compact(document))
