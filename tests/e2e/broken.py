"""The command on a system whose calls fail: the same program, in a process where some functions of `os` are spoilt."""

import sys
from collections.abc import Mapping, Sequence

from tests.e2e.shell import Finished, Shell

_PROGRAM = """
import builtins, errno, fcntl, os, pathlib, sys

def fail(module, name, number, *, part="", after=0):
    '''Let a function fail where an argument, or the path of its descriptor, has `part` in it; `after` good calls.'''
    true, calls = getattr(module, name), [0]
    def failing(*arguments, **options):
        first = arguments[0]
        where = os.readlink(f"/proc/self/fd/{first}") if isinstance(first, int) else os.fspath(first)
        if part in str(where):
            calls[0] += 1
            if calls[0] > after:
                raise OSError(number, os.strerror(number))
        return true(*arguments, **options)
    setattr(module, name, failing)

%s
sys.argv[0] = "c1-runner"
from runner.cli import main
main()
"""


def run(
    shell: Shell, faults: str, *arguments: str, env: Mapping[str, str] | None = None, within: float = 60.0
) -> Finished:
    """Run the command to its end, with `faults` (calls of `fail`, in Python) in force."""
    return shell.pipe([sys.executable, "-c", _PROGRAM % faults, *arguments], env=env)


def program(faults: str, arguments: Sequence[str]) -> list[str]:
    """The command line of such a process."""
    return [sys.executable, "-c", _PROGRAM % faults, *arguments]
