"""Which formats there are, and which suffix of a path asks for which."""

import importlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePath
from types import MappingProxyType
from typing import TextIO

from runner.base.errors import UsageError
from runner.report.extras import Extras
from runner.store.records import RunRecord, TargetRecord

# module:function, imported when a report is written: the first request does not wait for them
_DATA: Mapping[str, str] = MappingProxyType(
    {
        "json": "runner.report.json_text:write_json",
        "ndjson": "runner.report.json_text:write_ndjson",
        "csv": "runner.report.csv_table:write_csv",
        "junit": "runner.report.junit:write_junit",
    }
)
_PAGES: Mapping[str, str] = MappingProxyType(
    {
        "markdown": "runner.report.markdown:write_markdown",
        "html": "runner.report.html:write_html",
    }
)

FORMATS: Mapping[str, str] = MappingProxyType(
    {
        ".json": "json",
        ".ndjson": "ndjson",
        ".csv": "csv",
        ".xml": "junit",
        ".md": "markdown",
        ".html": "html",
    }
)
"""The format that each suffix stands for."""

SIGNATURES: Mapping[str, str] = MappingProxyType({"csv": "\ufeff"})
"""What a file of a format begins with: without a byte order mark Excel reads a CSV file in the system's code page.

A stream begins without: what reads a pipe would take it for a part of the first name.
"""


def format_of(path: PurePath) -> str:
    """The format that a path's suffix asks for; `UsageError` lists the suffixes when it asks for none."""
    try:
        return FORMATS[path.suffix.lower()]
    except KeyError:
        raise UsageError(f"{path}: the report's format follows its suffix: {', '.join(FORMATS)}") from None


def render(
    format: str,
    run: RunRecord,
    targets: Iterable[TargetRecord],
    out: TextIO,
    extras: Extras | None = None,
) -> None:
    """Write a run's report in one of the `FORMATS` to `out`, reading `targets` (in plan order) once.

    `extras` adds to the formats for people; the ones for programs hold the store's rows alone.
    """
    if format in _PAGES:
        _writer(_PAGES[format])(run, targets, out, extras or Extras())
    else:
        _writer(_DATA[format])(run, targets, out)


def _writer(name: str) -> Callable[..., None]:
    module, _, function = name.partition(":")
    writer: Callable[..., None] = getattr(importlib.import_module(module), function)
    return writer
