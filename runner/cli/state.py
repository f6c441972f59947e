"""Where state lives, and where reports go."""

import os
from collections.abc import Sequence
from pathlib import Path

from runner.errors import StorageError


def directory(given: Path | None) -> Path:
    """The state directory: the one given, or the platform's (it must outlive a reboot: no cache)."""
    if given is not None:
        return given.expanduser()
    import platformdirs

    return platformdirs.user_state_path("c1-runner")


def check_writable(paths: Sequence[Path]) -> None:
    """Raise `StorageError` if a report could not be written, before anything is sent."""
    for path in paths:
        if path.is_dir():
            raise StorageError(f"{path}: is a directory; give the report a file name. Nothing was sent")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(
                f"{path}: the report could not be written ({error.strerror}). Nothing was sent"
            ) from None
        if not os.access(path.parent, os.W_OK | os.X_OK):
            raise StorageError(f"{path}: the report could not be written (no permission). Nothing was sent")
