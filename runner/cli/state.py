"""Where state lives, and where reports go."""

import os
from collections.abc import Sequence
from pathlib import Path

from runner import report
from runner.errors import StorageError
from runner.store import RunRecord


def directory(given: Path | None) -> Path:
    """The state directory: the one given, or the platform's (it must outlive a reboot: no cache)."""
    if given is not None:
        return given.expanduser()
    import platformdirs

    return platformdirs.user_state_path("c1-runner")


def check_reports(templates: Sequence[str], record: RunRecord) -> None:
    """Raise before anything is sent if a report of this run could not be written.

    `UsageError` for a template that makes no sense, `StorageError` for a place that takes no file.
    """
    for template in templates:
        path = report.expand(template, record)
        if path.is_dir():
            raise StorageError(f"{path}: is a directory; give the report a file name. Nothing was sent")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"{path}: no report can be written there ({error.strerror}). Nothing was sent") from None
        if not os.access(path.parent, os.W_OK | os.X_OK):
            raise StorageError(f"{path}: no report can be written there (no permission). Nothing was sent")
