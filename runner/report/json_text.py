"""JSON and NDJSON: the whole report, faithful to every character, one line per target.

JSON is one document: the header's fields, then `results`. NDJSON is the same as lines: first the header
with `"type": "run"`, then each result with `"type": "target"` and the run's id, so that a line stands for
itself. Both are described by `report.schema.json` beside this file. What is unsafe to look at in a terminal is
written as an escape; a JSON parser gives it back unchanged.
"""

import json
from collections.abc import Iterable
from typing import TextIO

from runner.model import JsonObject
from runner.report.document import header, result
from runner.report.text import json_safe
from runner.store.records import RunRecord, TargetRecord

_compact = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
_indented = json.JSONEncoder(ensure_ascii=False, allow_nan=False, indent=2).encode


def write_json(run: RunRecord, targets: Iterable[TargetRecord], out: TextIO) -> None:
    """Write one JSON document; targets are written as they come."""
    out.write(json_safe(_indented(header(run)).removesuffix("\n}")))
    out.write(',\n  "results": [')
    separator = "\n    "
    for target in targets:
        out.write(f"{separator}{_line(result(target))}")
        separator = ",\n    "
    out.write("]\n}\n" if separator == "\n    " else "\n  ]\n}\n")


def write_ndjson(run: RunRecord, targets: Iterable[TargetRecord], out: TextIO) -> None:
    """Write one line for the run, then one per target as they come."""
    out.write(f"{_line({'type': 'run'} | header(run))}\n")
    for target in targets:
        out.write(f"{_line({'type': 'target', 'run_id': run.run_id} | result(target))}\n")


def _line(document: JsonObject) -> str:
    return json_safe(_compact(document))
