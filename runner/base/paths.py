"""Paths as people write them: a leading `~` is their home, and a variable that no shell has filled in is a slip.

Where a path stands in a variable, a file or behind `=`, no shell expands it: `~/x` and `$HOME/x` arrive as they
are, and would be looked for, or made, in the working directory.
"""

import os
import re
from pathlib import Path

_variable = re.compile(r"\$(?:\{[^}/]*\}|\([^)/]*\)|[A-Za-z_]\w*)").search


def expanded(written: str) -> Path:
    """The path that is meant; raises ValueError with a message that is written to follow the setting's name."""
    return Path(expanded_text(written))


def expanded_text(written: str) -> str:
    """The same as text, which stays as it was written where nothing is expanded: a template, or `-`."""
    if found := _variable(written):
        raise ValueError(f"{written!r}: nothing fills in {found[0]} here: write the path out")
    if not written.startswith(("~", "/", "-")) and not _is_here():
        raise ValueError(f"{written!r}: the working directory is gone: change to another one, or write the whole path")
    if not written.startswith("~"):
        return written
    user, whole = written.partition("/")[0], os.path.expanduser(written)  # noqa: PTH111 (of a template, not a Path)
    if whole.startswith("~") or (user == "~" and not os.environ.get("HOME", "/").startswith("/")):
        who = f"no user {user[1:]!r} is known" if user != "~" else "no home directory is known"
        raise ValueError(f"{written!r}: {who} here: write the path out")
    if not is_text(whole):
        raise ValueError(f"{written!r}: the name of the home directory is not UTF-8: write another path")
    return whole


def _is_here() -> bool:
    """Whether there is a working directory, which a relative path starts from."""
    try:
        return bool(Path.cwd())
    except OSError:
        return False


def is_text(text: str) -> bool:
    """Whether `text` holds no bytes that could not be decoded (lone surrogates): JSON and SQLite take no others."""
    return not any("\ud800" <= character <= "\udfff" for character in text)
