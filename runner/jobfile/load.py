"""From a file, or its bytes, to a `Job`."""

import hashlib
import sys
from pathlib import Path

from runner.base import paths
from runner.base.errors import UsageError
from runner.base.model import Job, OperationName
from runner.jobfile.compound import Section
from runner.jobfile.document import DOCUMENT
from runner.jobfile.file import read_bytes, read_document, read_file
from runner.jobfile.kind import Schema
from runner.jobfile.texts import STDIN, job_name_from


def load(path: str | Path) -> Job:
    """The job in a file, or on standard input for `-`.

    Raises JobFileError with everything that is wrong in it, and UsageError when it cannot be read at all.
    """
    if str(path) == "-":
        return loads(read_bytes(sys.stdin.buffer), STDIN)
    try:
        file = paths.expanded_text(str(path))
    except ValueError as error:
        raise UsageError(str(error)) from None
    return loads(read_file(Path(file), "a job file"), file)


def loads(text: bytes, path: str) -> Job:
    """The job in the bytes of a file; `path` is its name in messages, and names a job that gives no name.

    Raises JobFileError with everything that is wrong, and UsageError for more bytes than a job file may have.
    """
    section = read_document(text, path, DOCUMENT, "job", empty="`c1-runner init` writes one to begin with")
    return _job(section, path, hashlib.sha256(text).hexdigest())


def json_schema() -> Schema:
    """The format of job files as JSON Schema 2020-12, for editors and other checks."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "c1-runner job",
        "description": "What to do to which connectors of a C1 tenant.",
        **DOCUMENT.schema(),
    }


def _job(section: Section, path: str, sha256: str) -> Job:
    values = dict(section.values)
    del values["version"]
    operation = OperationName(values.pop("operation"))
    name = values.pop("name", None) or job_name_from(path)
    targets = values.pop("connectors", ())
    reports = values.pop("report", ())
    return Job(operation, name, targets, reports=reports, path=path, sha256=sha256, **values)
