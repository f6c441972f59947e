"""The account of a run, made from the store alone: for people, for programs, for CI.

`write` makes a report file whole or not at all, `render` writes any of the `FORMATS` to a stream, `expand`
and `check` deal with the templates of report paths, `recap` is the text for standard output.
"""

from runner.report.files import PLACEHOLDERS, check, expand, write
from runner.report.formats import FORMATS, render
from runner.report.json_text import json_schema
from runner.report.recap import default_hints, recap

__all__ = [
    "FORMATS",
    "PLACEHOLDERS",
    "check",
    "default_hints",
    "expand",
    "json_schema",
    "recap",
    "render",
    "write",
]
