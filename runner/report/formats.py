"""Which formats there are, and which suffix of a path asks for which."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePath
from types import MappingProxyType
from typing import TextIO

from runner.errors import UsageError
from runner.report.csv_table import write_csv
from runner.report.json_text import write_json, write_ndjson
from runner.store.records import RunRecord, TargetRecord

Writer = Callable[[RunRecord, Iterable[TargetRecord], TextIO], None]

_WRITERS: Mapping[str, Writer] = MappingProxyType({"json": write_json, "ndjson": write_ndjson, "csv": write_csv})

FORMATS: Mapping[str, str] = MappingProxyType({".json": "json", ".ndjson": "ndjson", ".csv": "csv"})
"""The format that each suffix stands for."""


def format_of(path: PurePath) -> str:
    """The format that a path's suffix asks for; `UsageError` lists the suffixes when it asks for none."""
    try:
        return FORMATS[path.suffix.lower()]
    except KeyError:
        raise UsageError(f"{path}: the report's format follows its suffix: {', '.join(FORMATS)}") from None


def render(format: str, run: RunRecord, targets: Iterable[TargetRecord], out: TextIO) -> None:
    """Write a run's report in one of the `FORMATS` to `out`, reading `targets` (in plan order) once."""
    _WRITERS[format](run, targets, out)
