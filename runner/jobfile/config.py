"""The user's configuration file: what holds for every job of this person."""

from pathlib import Path
from typing import NamedTuple

from runner.base.model import Exclusion
from runner.jobfile.compound import Key, Table
from runner.jobfile.file import read_document, read_file
from runner.jobfile.rules import RULES


class Config(NamedTuple):
    """What a configuration file says."""

    protected: tuple[Exclusion, ...] = ()  # what no job touches


_CONFIG = Table(
    {"protected": Key(RULES, "What no job touches, unless --include-protected is given.")},
    lambda section: Config(**section.values),
    title="a configuration file",
)


def load_config(path: Path | None) -> Config:
    """The configuration in a file; a file that is missing says nothing, nor does none at all.

    Raises JobFileError with everything that is wrong in it, and UsageError when it is there and cannot be read:
    the list of what is protected must not get lost silently.
    """
    if path is None or _is_missing(path):
        return Config()
    text = read_file(path, "a configuration file")
    return read_document(text, str(path), _CONFIG, "configuration", empty="write `protected: []`, or remove it")


def _is_missing(path: Path) -> bool:
    try:
        path.lstat()  # a link to nowhere is there, and cannot be read
    except FileNotFoundError:
        return True
    except OSError:
        return False  # reading says what is wrong
    return False
