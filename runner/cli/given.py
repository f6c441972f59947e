"""What a person has given, before anything is made of it: text, or bytes that are none.

Arguments and variables are bytes to the system. What cannot be decoded reaches Python as lone surrogates, which no
JSON, no database and no HTTP takes; so it is refused here, once, with the name of where it stands.
"""

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from runner.base.errors import UsageError
from runner.base.paths import is_text

if TYPE_CHECKING:
    import click

_OURS = ("C1_RUNNER_", "CONDUCTORONE_")
_PATHS = ("_FILE", "_DIR", "_CONFIG")
"""How the names of variables of ours end that hold paths."""

_FILES = ("job_path", "jobs", "path")
"""The arguments, by their parameters' names, that are files."""


def check_given(arguments: Sequence[str], environ: Mapping[str, str]) -> None:
    """Raise `UsageError` for an argument or a variable of ours that is no text.

    What follows `--` is a command and its arguments, and is handed on as the bytes that it is.
    """
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    for number, argument in enumerate(own):
        if not is_text(argument):
            place, is_path = _place(own, number)
            raise _refusal(place, f" ({_fault(argument)})", "give" if place.startswith("-") else "type", is_path)
    for name, value in sorted(environ.items()):
        if name.startswith(_OURS) and not is_text(value):
            # Nothing of it is shown: it may be a secret.
            raise _refusal(name, "", "set", name.endswith(_PATHS))


def _refusal(place: str, fault: str, verb: str, is_path: bool) -> UsageError:
    encoding = sys.getfilesystemencoding().upper()
    way = f"{verb} {place if verb == 'give' else 'it'} in that encoding"
    way += ", or rename the file or folder" if is_path else ""
    return UsageError(f"{place}: holds bytes that are not {encoding}{fault}: {way}. Nothing was sent")


def _place(arguments: Sequence[str], number: int) -> tuple[str, bool]:
    """The option that an argument belongs to, or the argument itself, escaped; and whether it is a path."""
    argument, before = arguments[number], arguments[number - 1] if number else ""
    name, equals, _ = argument.partition("=")
    values, paths = _options(arguments)
    if argument.startswith("-") and equals and is_text(name):
        return name, name in paths
    is_option = before.startswith("-") and "=" not in before and len(before) > 1
    if is_option and values.get(before, True) and not argument.startswith("-"):  # one that is not known takes a value
        return before, before in paths
    return repr(argument), not argument.startswith("-") and not paths.isdisjoint(_FILES)


def _options(arguments: Sequence[str]) -> tuple[dict[str, bool], set[str]]:
    """Of the command that is called: its options, whether each takes a value; and which parameters are paths.

    Only who has something to complain of asks this: it imports the command.
    """
    import click

    from runner.cli import options
    from runner.cli.app import app

    context, command, found = click.Context(app), cast("click.Command", app), list[click.Parameter]()
    for argument in arguments:
        called = command.get_command(context, argument) if isinstance(command, click.Group) else None
        if called is not None:
            command, found = called, [*found, *called.params]
    values = {
        name: not (each.is_flag or each.count) for each in found if isinstance(each, click.Option) for name in each.opts
    }
    paths = [each for each in found if isinstance(each.type, click.Path) or each.type is options.GIVEN_FILE]
    files = (each.name for each in found if isinstance(each, click.Argument) and each.name is not None)
    return values, {name for each in paths for name in each.opts} | {name for name in files if name in _FILES}


def _fault(argument: str) -> str:
    place, found = next((place, each) for place, each in enumerate(argument, 1) if not is_text(each))
    return f"0x{ord(found) & 0xFF:02x} at character {place}"
