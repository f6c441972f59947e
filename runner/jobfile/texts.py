"""What single texts of a job may be: names, hosts, patterns, pairs, report paths.

Each function takes the text and returns it in its normal form, or raises ValueError with a message that is
written to follow the name of the setting. Flags that mean the same can use the same functions.
"""

import re
from collections.abc import Iterable
from pathlib import PurePath

from runner.base import paths
from runner.base.model import ID_PATTERN, is_id
from runner.base.units import shown
from runner.selection import STATUS_WORDS, compile_pattern

REPORT_SUFFIXES = (".json", ".ndjson", ".csv", ".xml", ".md", ".html")
"""A report's format is known by its suffix."""

REPORT_PLACEHOLDERS = ("name", "started", "run_id", "operation", "tenant")
"""What the path of a report can hold in braces."""

NAME_PATTERN = r"[^\x00-\x1f\x7f/\\:*?\"<>| .]([^\x00-\x1f\x7f/\\:*?\"<>|]{0,98}[^\x00-\x1f\x7f/\\:*?\"<>| .])?"
"""What a job's name may look like, so that it can be part of a file name on every system."""

LINE_LENGTH = 500

STDIN = "<stdin>"
"""What a job file on standard input is called in messages."""

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_LOOPBACK = r"(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?"
TENANT_PATTERN = rf"({_LABEL}(\.{_LABEL})*\.[a-z][a-z0-9-]*[a-z0-9])|{_LOOPBACK}"
PAIR_PATTERN = f"({ID_PATTERN})/({ID_PATTERN})"

_is_name = re.compile(NAME_PATTERN).fullmatch
_is_tenant = re.compile(TENANT_PATTERN).fullmatch
_is_pair = re.compile(PAIR_PATTERN).fullmatch
_unprintable = re.compile(  # control characters, line breaks, and marks that reverse the text around them
    "[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]"
).search
_unsafe_in_names = re.compile(r"[\x00-\x1f\x7f/\\:*?\"<>|]+")
_in_braces = re.compile(r"\{([^{}]*)\}")
_A_TENANT = "expected a full host name such as acme.conductor.one"
_AN_ID = "expected an id of 1 to 64 letters, digits, - and _"


def line(text: str) -> str:
    """One line of text for people, such as a reason or a label."""
    stripped = text.strip()
    if not stripped:
        raise ValueError("must not be empty")
    if len(stripped) > LINE_LENGTH:
        raise ValueError(f"must have at most {LINE_LENGTH} characters, not {len(stripped)}")
    if found := _unprintable(stripped):
        raise ValueError(f"must be one line without control characters, found U+{ord(found[0]):04X}")
    return stripped


def job_name(text: str) -> str:
    """A job's name, which becomes part of file names."""
    name = line(text)
    if not _is_name(name):
        raise ValueError(
            'expected at most 100 characters that can stand in a file name, without / \\ : * ? " < > | '
            f"and without a dot at either end, not {shown(name)}"
        )
    return name


def job_name_from(path: str) -> str:
    """The name of a job that gives none: its file's name, with what cannot stand in names replaced."""
    stem = "stdin" if path == STDIN else PurePath(path).stem
    cleaned = "".join(each for each in _unsafe_in_names.sub("-", stem) if not _unprintable(each))
    return cleaned[:100].strip(" .") or "job"


def tenant(text: str) -> str:
    """A tenant's host in lower case; a port is for loopback addresses alone."""
    host = text.strip().lower()
    if _is_tenant(host) and len(host) <= 253:
        return host
    message = f"{_A_TENANT}, not {shown(text)}"
    bare = host.partition("://")[2].partition("/")[0] or host.partition("/")[0]
    if _is_tenant(bare):
        raise ValueError(f"{message}: write {bare}")
    if re.fullmatch(_LABEL, host):
        raise ValueError(f"{message}: write {host}.conductor.one, or the host that your browser shows")
    raise ValueError(message)


def identifier(text: str) -> str:
    """An app or connector id."""
    if not is_id(text):
        raise ValueError(f"{_AN_ID}, not {shown(text)}")
    return text


def pair(text: str) -> tuple[str, str]:
    """App id and connector id from `APP/CONNECTOR`."""
    found = _is_pair(text)
    if found is None:
        raise ValueError(f"expected APP/CONNECTOR, two ids of letters, digits, - and _, not {shown(text)}")
    return found[1], found[2]


def pattern(text: str) -> str:
    """An exact id, a glob on names, or a /regular expression/ on names."""
    stripped = line(text)
    compile_pattern(stripped)
    return stripped


def status(text: str) -> str:
    """A word for a state of synchronization, one of C1's own, or a glob or /regular expression/ on either."""
    stripped = pattern(text)
    word = stripped.casefold()
    if compile_pattern(stripped).is_exact and word not in STATUS_WORDS and not word.startswith("sync_status_"):
        expected = f"expected {', '.join(STATUS_WORDS)}, or one of C1's own such as SYNC_STATUS_ERROR"
        raise ValueError(f"{expected}, not {shown(stripped)}{did_you_mean(word, STATUS_WORDS)}")
    return stripped


def report_path(text: str) -> str:
    """A report's path: a known suffix, and known placeholders in braces."""
    path = line(text)
    for name in _in_braces.findall(path):
        if name not in REPORT_PLACEHOLDERS:
            known = ", ".join(f"{{{each}}}" for each in REPORT_PLACEHOLDERS)
            suggestion = did_you_mean(name, REPORT_PLACEHOLDERS) or f": known are {known}"
            raise ValueError(f"unknown placeholder {{{name}}}{suggestion}")
    if re.search("[{}]", _in_braces.sub("", path)):
        raise ValueError(f"{shown(path)} has a brace without its partner")
    if PurePath(path).suffix.lower() not in REPORT_SUFFIXES:
        raise ValueError(f"{shown(path)} must end in one of {' '.join(REPORT_SUFFIXES)}: the suffix is the format")
    return paths.expanded_text(path)


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """`: did you mean 'x'?` for the nearest of the known words, or nothing."""
    import difflib  # takes a while to load, and only mistakes need it

    nearest = difflib.get_close_matches(given[:100].lower(), known, n=1)
    return f": did you mean {nearest[0]!r}?" if nearest else ""
