"""Files that hold one YAML document: their bytes, and what a table of known keys makes of them."""

from pathlib import Path
from typing import BinaryIO

from yaml.events import DocumentStartEvent, StreamEndEvent

from runner.base import policy
from runner.base.errors import JobFileError, UsageError
from runner.jobfile.compound import Table
from runner.jobfile.kind import T, read_value
from runner.jobfile.source import Source, UnreadableError


def read_file(path: Path, title: str) -> bytes:
    """The bytes of a file, one more than allowed at the most; UsageError when it cannot be read."""
    try:
        with path.open("rb") as file:
            return read_bytes(file)
    except FileNotFoundError:
        raise UsageError(f"{path}: there is no such file") from None
    except IsADirectoryError:
        raise UsageError(f"{path}: is a directory, not {title}") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from error


def read_bytes(file: BinaryIO) -> bytes:
    """The same of a file that is open."""
    return file.read(policy.MAX_JOB_BYTES + 1)


def read_document(text: bytes, path: str, table: Table[T], holds: str, *, empty: str) -> T:
    """What `table` makes of the bytes of the file `path`, which holds one `holds`.

    Raises JobFileError with everything that is wrong, for an empty file with the advice `empty`, and UsageError
    for more bytes than a file may have.
    """
    if len(text) > policy.MAX_JOB_BYTES:
        raise UsageError(f"{path}: larger than {policy.MAX_JOB_BYTES // 2**20} MiB: split the {holds}")
    source = Source(text)
    try:
        value = _read(source, table, holds, empty)
    except UnreadableError:
        value = None
    if value is None or source.problems or source.slips:
        raise JobFileError(path, source.slips or source.problems)
    return value


def _read(source: Source, table: Table[T], holds: str, empty: str) -> T | None:
    source.next()  # the stream's start
    start = source.next()
    if isinstance(start, StreamEndEvent):
        raise source.stop(start, f"the file is empty: {empty}")
    value = read_value(table, source, source.next(), "")
    source.next()  # the document's end
    if isinstance(following := source.next(), DocumentStartEvent):
        raise source.stop(following, f"a second document begins here: one file holds one {holds}")
    return value
