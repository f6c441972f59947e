"""Where state lives, and where reports go."""

import itertools
import os
import shlex
import tempfile
from collections.abc import Sequence
from pathlib import Path

from runner import report
from runner.errors import StorageError


def directory(given: Path | None) -> Path:
    """The state directory: the one given, or the platform's (it must outlive a reboot: no cache)."""
    if given is not None:
        return given.expanduser()
    import platformdirs

    return platformdirs.user_state_path("c1-runner")


def to_type(command: str, given: Path | None) -> str:
    """A command of ours as it has to be typed here, to be about the same state directory."""
    if given is None or str(given) == os.environ.get("C1_RUNNER_STATE_DIR"):
        return command
    return f"{command} --state-dir {shlex.quote(str(given))}"


def config_file() -> Path:
    """The user's configuration file; it need not exist."""
    import platformdirs

    named = os.environ.get("C1_RUNNER_CONFIG")
    return Path(named) if named else platformdirs.user_config_path("c1-runner") / "config.yaml"


def check_reports(templates: Sequence[str]) -> None:
    """Raise before anything is sent if a report could not be written.

    `UsageError` for a template that makes no sense, `StorageError` for a place that takes no file. Only what
    is known before the run is looked at: the folders above the first placeholder.
    """
    for template in templates:
        report.check(template)
        path = Path(template)
        if path.is_dir():
            raise StorageError(f"{path}: is a directory; give the report a file name. Nothing was sent")
        if "{" not in template:
            path = report.destination(path)
        check_room(Path(*itertools.takewhile(lambda part: "{" not in part, path.parent.parts)), path)


def check_room(folder: Path, path: Path) -> None:
    """Raise `StorageError` if a folder takes no file; `path` is the one that is wanted there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        why = error.strerror or error
        raise StorageError(f"{path}: the report could not be written ({why}). Nothing was sent") from None
