"""The JSON Schema of the report, as it ships beside this file."""

import json

from runner.base.model import JsonObject


def json_schema() -> JsonObject:
    """The JSON Schema (2020-12) of the report; `$defs.line` in it describes a line of NDJSON."""
    from importlib.resources import files  # takes a while to load, and no run needs it

    document: JsonObject = json.loads(files("runner.report").joinpath("report.schema.json").read_text(encoding="utf-8"))
    return document
