"""What a person has given, before anything is made of it: text, or bytes that are none.

Arguments and variables are bytes to the system. What cannot be decoded reaches Python as lone surrogates, which no
JSON, no database and no HTTP takes; so it is refused here, once, with the name of where it stands.
"""

import sys
from collections.abc import Mapping, Sequence

from runner.errors import UsageError
from runner.paths import is_text

_OURS = ("C1_RUNNER_", "CONDUCTORONE_")


def check_given(arguments: Sequence[str], environ: Mapping[str, str]) -> None:
    """Raise `UsageError` for an argument or a variable of ours that is no text.

    What follows `--` is a command and its arguments, and is handed on as the bytes that it is.
    """
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    for number, argument in enumerate(own):
        if not is_text(argument):
            raise _refusal(_place(own, number), f" ({_fault(argument)})")
    for name, value in sorted(environ.items()):
        if name.startswith(_OURS) and not is_text(value):
            raise _refusal(name, "")  # nothing of it is shown: it may be a secret


def _refusal(place: str, fault: str) -> UsageError:
    encoding = sys.getfilesystemencoding().upper()
    return UsageError(
        f"{place}: holds bytes that are not {encoding}{fault}: type it in that encoding, or rename the file. "
        "Nothing was sent"
    )


def _place(arguments: Sequence[str], number: int) -> str:
    """The option that an argument belongs to, or the argument itself, escaped."""
    argument, before = arguments[number], arguments[number - 1] if number else ""
    name, equals, _ = argument.partition("=")
    if argument.startswith("-") and equals and is_text(name):
        return name
    if before.startswith("-") and "=" not in before and len(before) > 1 and not argument.startswith("-"):
        return before
    return repr(argument)


def _fault(argument: str) -> str:
    place, found = next((place, each) for place, each in enumerate(argument, 1) if not is_text(each))
    return f"0x{ord(found) & 0xFF:02x} at character {place}"
