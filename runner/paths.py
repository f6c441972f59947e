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
    if found := _variable(written):
        raise ValueError(f"{written!r}: nothing fills in {found[0]} here: write the path out")
    if not written.startswith("~"):
        return Path(written)
    whole = os.path.expanduser(written)  # noqa: PTH111 (pathlib's tells no user from no home)
    user = written.partition("/")[0]
    if whole.startswith("~"):
        who = f"no user {user[1:]!r} is known" if user != "~" else "no home directory is known"
        raise ValueError(f"{written!r}: {who} here: write the path out")
    if not is_text(whole):
        raise ValueError(f"{written!r}: the name of the home directory is not UTF-8: write another path")
    return Path(whole)


def is_text(text: str) -> bool:
    """Whether `text` holds no bytes that could not be decoded (lone surrogates): JSON and SQLite take no others."""
    return not any("\ud800" <= character <= "\udfff" for character in text)
