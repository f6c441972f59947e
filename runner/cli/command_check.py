"""Whether a window's command can start, as far as can be known before anything is paused for it."""

import shutil
from pathlib import Path

from runner.base.errors import UsageError

_LONGEST = 4096  # bytes of a first line that are read


def check_command(name: str) -> None:
    """Raise `UsageError` for a command that is not there, or a script that the system could not start.

    The system takes a script's first line as it is: a carriage return becomes a part of the interpreter's name.
    """
    found = shutil.which(name)
    if found is None:
        why = " (not executable)" if Path(name).is_file() else ""
        raise UsageError(f"{name}{why}: no such command; nothing was sent")
    first = _first_line(found)
    if not first.startswith(b"#!"):
        return
    if first.endswith(b"\r"):
        raise UsageError(
            f"{name}: its lines end in CR LF, as on Windows, so no interpreter is found; "
            "save it with plain line ends (sed -i 's/\\r$//' does that); nothing was sent"
        )
    interpreter = first.removeprefix(b"#!").split(maxsplit=1)
    if not interpreter or not Path(interpreter[0].decode("utf-8", "surrogateescape")).exists():
        shown = ascii(b"".join(interpreter[:1]).decode("utf-8", "replace"))
        raise UsageError(f"{name}: its first line names the interpreter {shown}, which is not there; nothing was sent")


def _first_line(path: str) -> bytes:
    """The first line without its end; nothing for what cannot be read, or has none."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 (a name of the command line, which need be no text)
            return file.readline(_LONGEST).removesuffix(b"\n")
    except OSError:
        return b""
