"""Which formats there are, and which suffix of a path asks for which."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePath
from types import MappingProxyType
from typing import TextIO

from runner.errors import UsageError
from runner.report.csv_table import write_csv
from runner.report.extras import Extras
from runner.report.html import write_html
from runner.report.json_text import write_json, write_ndjson
from runner.report.junit import write_junit
from runner.report.markdown import write_markdown
from runner.store.records import RunRecord, TargetRecord

_DATA: Mapping[str, Callable[[RunRecord, Iterable[TargetRecord], TextIO], None]] = MappingProxyType(
    {"json": write_json, "ndjson": write_ndjson, "csv": write_csv, "junit": write_junit}
)
_PAGES: Mapping[str, Callable[[RunRecord, Iterable[TargetRecord], TextIO, Extras], None]] = MappingProxyType(
    {"markdown": write_markdown, "html": write_html}
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
        _PAGES[format](run, targets, out, extras or Extras())
    else:
        _DATA[format](run, targets, out)
