"""The account of a run, made from the store alone: for people, for programs, for CI.

`write` makes a report file whole or not at all, `render` writes any of the `FORMATS` to a stream, `expand`
`check` and `destination` deal with the names of report files, `recap` is the text for standard output.
"""

from runner.report.extras import Extras
from runner.report.files import PLACEHOLDERS, check, destination, expand, write
from runner.report.formats import FORMATS, render
from runner.report.recap import recap
from runner.report.schema import json_schema
from runner.report.verdict import default_hints

__all__ = [
    "FORMATS",
    "PLACEHOLDERS",
    "Extras",
    "check",
    "default_hints",
    "destination",
    "expand",
    "json_schema",
    "recap",
    "render",
    "write",
]
