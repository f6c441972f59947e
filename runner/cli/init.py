"""`init`: a job file from the live tenant, names as comments, ready to be cut down."""

from pathlib import Path

import click

from runner.base.errors import ExitCode, NothingSelectedError, UsageError
from runner.base.model import OperationName, Selection
from runner.cli import options
from runner.cli.seeing import look
from runner.cli.seen import Seen
from runner.report.text import shortened


@click.command()
@click.argument("path", metavar="[FILE]", type=options.GivenPath(path_type=Path, dir_okay=False), required=False)
@click.option(
    "--operation", type=click.Choice([str(name) for name in OperationName]), default="pause", show_default=True
)
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@options.partial
@options.state_dir
@options.sandbox
@options.faults
def init(
    path: Path | None,
    operation: str,
    force: bool,
    partial: bool,
    state_dir: Path | None,
    sandbox: bool,
    faults: str | None,
) -> int:
    """Write a job file that lists every connector of the tenant; without FILE, to standard output.

    Delete the lines that the job shall not touch, then look at it with `plan`.

    \b
    Example:
      c1-runner init freeze.yaml
    """
    view = look(Selection(all=True), state_dir, sandbox=sandbox, faults=faults, partial=partial)
    settings = view.settings
    alive = [one for one in view.seen if not one.connector.state.deleted]
    if not alive:
        raise NothingSelectedError(f"{settings.tenant} has no connectors: nothing was written")
    text = _job_file(operation, None if sandbox else settings.tenant, alive, whole=not partial)
    if path is None:
        click.echo(text, nl=False)
        return ExitCode.OK
    try:
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{path}: is there already; --force writes over it") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror})") from None
    click.echo(f"{path}: {len(alive)} connectors; now delete what the job shall not touch, and `c1-runner plan {path}`")
    return ExitCode.OK


_SUGGESTIONS = (
    '# reason: "CHG-1234: why"  # kept with the run and shown in reports',
    "# limits: {max_failures: 10%, deadline: 30m}  # what stops the run early",
    "# waves: [1, 10%, 100%]  # first one of them, then a tenth, then all, as long as nothing fails",
    '# report: "reports/{name}-{started}.html"',
)
"""Valid lines of a job, out of force: what is worth a thought before it runs."""


def _job_file(operation: str, tenant: str | None, seen: list[Seen], *, whole: bool) -> str:
    which = "Every connector of the tenant" if whole else "The tenant's connectors, as far as they could be listed"
    lines = [
        f"# {which}, by app, with the state it was in. Delete the lines that",
        "# this job shall not touch, then look at what it would do with `c1-runner plan`, which only reads.",
        "version: 1",
        f"operation: {operation}  # pause, resume or force_sync",
        *([f"tenant: {tenant}  # a pin: any other tenant is refused"] if tenant else []),
        *_SUGGESTIONS,
        "connectors:  # APP/CONNECTOR, both as ids",
    ]
    app_id = None
    for one in seen:
        if one.app.app_id != app_id:
            app_id = one.app.app_id
            lines.append(f"  # {shortened(one.app.name or 'an app without a name', 100)}")
        pair = f"{one.app.app_id}/{one.connector.connector_id}"
        lines.append(f"  - {pair}  # {shortened(one.connector.name or 'no name', 100)}, {one.state}")
    return "\n".join(lines) + "\n"
