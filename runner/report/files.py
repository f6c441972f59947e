"""Report files: their names from templates, and writing them whole or not at all."""

import contextlib
import os
import re
import secrets
import stat
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from runner.base.errors import StorageError, UsageError
from runner.report.extras import Extras
from runner.report.formats import SIGNATURES, format_of, render
from runner.store.records import RunRecord, TargetRecord

PLACEHOLDERS = ("name", "started", "run_id", "operation", "tenant")
"""What a template may name in braces."""

_placeholders = re.compile(r"\{(\w+)\}")
_UNFIT = re.compile(r"[^\w.+@=-]+")
_LONGEST = 80
"""Bytes that a value may add to a file name, of which file systems take 255."""


def check(template: str) -> None:
    """Raise `UsageError` for a template that cannot become a report; ask before anything is sent."""
    format_of(Path(template))
    for name in _placeholders.findall(template):
        if name not in PLACEHOLDERS:
            known = ", ".join(f"{{{known}}}" for known in PLACEHOLDERS)
            raise UsageError(f"{template}: {{{name}}} is not known in a report's name; there are {known}")


def expand(template: str, run: RunRecord) -> Path:
    """The path that a template gives for a run, its values made fit for a file name."""
    check(template)
    values = {
        "name": run.job_name,
        "started": f"{datetime.fromtimestamp(run.started_at, UTC):%Y%m%dT%H%M%SZ}",
        "run_id": run.run_id,
        "operation": run.operation,
        "tenant": run.tenant,
    }
    return Path(_placeholders.sub(lambda match: _fit(values[match[1]]), template))


def write(path: Path, run: RunRecord, targets: Iterable[TargetRecord], extras: Extras | None = None) -> None:
    """Write a run's report, in the format of the path's suffix: after this it is there whole, and durable.

    Missing directories are made. Raises `UsageError` for an unknown suffix and `StorageError` when it cannot
    be written; then an older file of that name is as it was.
    """
    format = format_of(path)
    with _storage_errors(path), _replacing(path) as out:
        out.write(SIGNATURES.get(format, ""))
        render(format, run, targets, out, extras)


def destination(path: Path) -> Path:
    """Where a report of this name goes: a link leads to its file."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[TextIO]:
    """A file that takes the place of `path` when the block ends well, and vanishes when it does not.

    It gets the mode of the one it replaces, and its owner where we may. A link stays: what it leads to is replaced.
    """
    if path.is_dir():
        raise IsADirectoryError(f"it is a directory; name a file in it, such as {path / 'report'}{path.suffix}")
    path = destination(path)
    before = path.stat() if path.exists() else None
    if before is not None and not stat.S_ISREG(before.st_mode):
        with open(path, "w", encoding="utf-8", newline="", opener=_open_special) as out:
            yield out
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.parent / f".{secrets.token_hex(8)}.tmp"
    try:
        with open(beside, "x", encoding="utf-8", newline="", opener=_opener) as out:
            if before is not None:
                _take_over(out.fileno(), before)
            yield out
            out.flush()
            os.fsync(out.fileno())
        beside.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):  # what went wrong first is what matters
            beside.unlink()
        raise
    _sync_directory(path.parent)


def _take_over(file: int, before: os.stat_result) -> None:
    """Give a new file the owner of the one it replaces, or at least the group, and the mode."""
    try:
        os.fchown(file, before.st_uid, before.st_gid)
    except OSError:
        with contextlib.suppress(OSError):
            os.fchown(file, -1, before.st_gid)
    os.fchmod(file, stat.S_IMODE(before.st_mode))


def _open_special(path: str, flags: int) -> int:
    """Open a pipe or a device; a pipe that nobody reads is an error, and not waited for."""
    file = os.open(path, flags | os.O_NONBLOCK)
    os.set_blocking(file, True)
    return file


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags, 0o644)


def _sync_directory(directory: Path) -> None:
    """Make a renamed file's name durable, where the system can (Windows cannot open directories)."""
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextlib.contextmanager
def _storage_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"{path}: the report could not be written ({error.strerror or error}); nothing is lost: "
            "once that is put right, `c1-runner report --report PATH` makes it from the state directory"
        ) from error


def _fit(value: str) -> str:
    """A value as a part of a file name: no separators, nothing hidden, nothing that looks like an option."""
    text = _UNFIT.sub("-", value).lstrip(".-").encode()[:_LONGEST].decode(errors="ignore")
    return text or "unnamed"
