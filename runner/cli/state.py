"""Where state lives, where configuration does, and where reports go."""

import itertools
import os
import re
import shlex
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from runner import report
from runner.base import paths
from runner.base.errors import StorageError, UsageError

_CONFIG = "C1_RUNNER_CONFIG"
_STATE = "C1_RUNNER_STATE_DIR"

_looks_meant = re.compile(  # not what editors and people put aside: config.yaml~, config.yaml.bak
    r"(config|configuration|conf|c1-runner)(\.(yaml|yml|json|toml|ini|cfg|conf|txt))*", re.IGNORECASE
).fullmatch


def directory(given: Path | None) -> Path:
    """The state directory: the one given, or the platform's (it must outlive a reboot: no cache)."""
    if given is not None:
        return given
    import platformdirs

    place = _of_platform(platformdirs.user_state_path, "XDG_STATE_HOME")
    if place is None:
        raise UsageError(
            f"no home directory is known here, so there is no place for the record of runs; name one with --state-dir "
            f"or {_STATE}, and keep it: it holds what has to be resumed"
        )
    return place


def to_type(command: str, given: Path | None) -> str:
    """A command of ours as it has to be typed here, to be about the same state directory."""
    if given is None or _is_of_environment(given):
        return command
    return f"{command} --state-dir {shlex.quote(str(given))}"


def config_file() -> Path | None:
    """The user's configuration file, which need not exist at its usual place; None where nobody has a home.

    What it protects must not get lost silently: `UsageError` when a file is named that is not there, or when another
    one stands where it is looked for, and looks as if it were meant.
    """
    if named := os.environ.get(_CONFIG):
        path = _path(named, _CONFIG)
        if not os.path.lexists(path):
            raise UsageError(f"{_CONFIG}: {path}: there is no such file, and what it protects is not known")
        return path
    import platformdirs

    place = _of_platform(platformdirs.user_config_path, "XDG_CONFIG_HOME")
    if place is None:
        return None
    path = place / "config.yaml"
    if not os.path.lexists(path) and (meant := _neighbours(place)):
        raise UsageError(
            f"{path}: there is no such file, but {' and '.join(meant)}: rename it to {path.name} if it is meant, "
            f"name it in {_CONFIG}, or move it away"
        )
    return path


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


def _path(written: str, source: str) -> Path:
    try:
        return paths.expanded(written)
    except ValueError as error:
        raise UsageError(f"{source}: {error}") from None


def _of_platform(place: Callable[[str], Path], variable: str) -> Path | None:
    """Our directory as the platform has it, or a variable does; None if it starts at a home that nobody knows."""
    if named := os.environ.get(variable, "").strip():
        path = _path(named, variable)
        if named.startswith("~") or not path.is_absolute():  # which is passed over by those who read it
            raise UsageError(f"{variable}: {named!r} does not begin with /: write the path out, or unset it")
    try:
        path = place("c1-runner")
    except RuntimeError:
        return None
    return path if path.is_absolute() else None


def _is_of_environment(given: Path) -> bool:
    named = os.environ.get(_STATE)
    try:
        return named is not None and paths.expanded(named) == given
    except ValueError:
        return False


def _neighbours(place: Path) -> list[str]:
    """The names in the folder that look as if they were its configuration file."""
    try:
        names = sorted(entry.name for entry in place.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise UsageError(f"{place}: cannot be read ({error.strerror}), and what is protected is not known") from None
    return [name for name in names if _looks_meant(name)]
