"""The command line: the only room that prints or exits."""

import gc
import os
import sys
from typing import NoReturn

from runner.base.errors import ExitCode, RunnerError
from runner.cli import streams
from runner.cli.given import check_given

_NEW_OBJECTS = 100_000
"""How many more objects there must be before the garbage collector looks for cycles among the young.

With Python's own 700 it walks the modules a hundred times while they load, and finds next to nothing. A start takes
more than half as many.
"""


def main() -> NoReturn:
    """Run the command line and leave with its exit code; no error a user can cause shows a traceback."""
    gc.set_threshold(_NEW_OBJECTS)
    import click

    from runner.cli.app import app

    streams.make_unfailing()
    try:
        check_given(sys.argv[1:], os.environ)
        code = app.main(prog_name="c1-runner", standalone_mode=False)
    except RunnerError as error:
        code = _complain(str(error), error.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        code = _complain(error.format_message(), ExitCode.USAGE, prefix="")
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "c1-runner"
        code = _complain(f"{error.format_message()}\nTry '{command} --help'.", ExitCode.USAGE)
    except click.ClickException as error:
        code = _complain(error.format_message(), ExitCode.USAGE)
    except (click.Abort, KeyboardInterrupt):
        code = ExitCode.INTERRUPTED
    except Exception:
        code = _complain(f"this is a bug in c1-runner; please report it\n{_traceback()}", ExitCode.BUG)
    gc.freeze()  # or Python would look for cycles among all that is left, on its way out
    sys.exit(_with_losses(code or ExitCode.OK))


def _with_losses(code: int) -> int:
    """The exit code, with what could not be printed or put down taken into account: it hides no other trouble."""
    loss = streams.output_loss()
    if loss is not None:
        _complain(f"standard output could not be written ({loss}): what was printed there is lost, or not whole", code)
    return ExitCode.STORAGE if code == ExitCode.OK and streams.anything_lost() else code


def _traceback() -> str:
    """The error being handled, without secrets."""
    import traceback

    from runner.cli.logs import redact

    return redact(traceback.format_exc())


def _complain(message: str, code: int, prefix: str = "c1-runner: ") -> int:
    logs = sys.modules.get("runner.cli.logs")  # imported by the commands that log; the others start without it
    if logs is not None and prefix:
        logs.notice(message)
    else:
        print(f"{prefix}{message}", file=sys.stderr)
    return code
