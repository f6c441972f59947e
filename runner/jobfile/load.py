"""From a file, or its bytes, to a `Job`."""

import hashlib
import sys
from pathlib import Path
from typing import BinaryIO

from yaml.events import DocumentStartEvent, StreamEndEvent

from runner import policy
from runner.errors import JobFileError, UsageError
from runner.jobfile.compound import Section
from runner.jobfile.document import DOCUMENT
from runner.jobfile.kind import Schema, read_value
from runner.jobfile.source import Source, UnreadableError
from runner.jobfile.texts import STDIN, job_name_from
from runner.model import Job, OperationName


def load(path: str | Path) -> Job:
    """The job in a file, or on standard input for `-`.

    Raises JobFileError with everything that is wrong in it, and UsageError when it cannot be read at all.
    """
    if str(path) == "-":
        return loads(_read(sys.stdin.buffer), STDIN)
    try:
        with Path(path).open("rb") as file:
            data = _read(file)
    except FileNotFoundError:
        raise UsageError(f"{path}: there is no such file") from None
    except IsADirectoryError:
        raise UsageError(f"{path}: is a directory, not a job file") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from error
    return loads(data, str(path))


def loads(text: bytes, path: str) -> Job:
    """The job in the bytes of a file; `path` is its name in messages, and names a job that gives no name.

    Raises JobFileError with everything that is wrong, and UsageError for more bytes than a job file may have.
    """
    if len(text) > policy.MAX_JOB_BYTES:
        raise UsageError(f"{path}: larger than {policy.MAX_JOB_BYTES // 2**20} MiB: split the job")
    source = Source(text)
    try:
        section = _read_document(source)
    except UnreadableError:
        section = None
    if section is None or source.problems:
        raise JobFileError(path, source.problems)
    return _job(section, path, hashlib.sha256(text).hexdigest())


def json_schema() -> Schema:
    """The format of job files as JSON Schema 2020-12, for editors and other checks."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "c1-runner job",
        "description": "What to do to which connectors of a C1 tenant.",
        **DOCUMENT.schema(),
    }


def _read(file: BinaryIO) -> bytes:
    return file.read(policy.MAX_JOB_BYTES + 1)


def _read_document(source: Source) -> Section | None:
    source.next()  # the stream's start
    start = source.next()
    if isinstance(start, StreamEndEvent):
        raise source.stop(start, "the file is empty: `c1-runner init` writes one to begin with")
    section = read_value(DOCUMENT, source, source.next(), "")
    source.next()  # the document's end
    if isinstance(following := source.next(), DocumentStartEvent):
        raise source.stop(following, "a second document begins here: one file holds one job")
    return section


def _job(section: Section, path: str, sha256: str) -> Job:
    values = dict(section.values)
    del values["version"]
    operation = OperationName(values.pop("operation"))
    name = values.pop("name", None) or job_name_from(path)
    targets = values.pop("connectors", ())
    reports = values.pop("report", ())
    return Job(operation, name, targets, reports=reports, path=path, sha256=sha256, **values)
