"""`pause`, `resume` and `sync` without a job file: a few connectors by id, or all of them, fast."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click

from runner import runs as engine
from runner.base.errors import NothingSelectedError, UsageError
from runner.base.model import Job, OperationName, Outcome, Selection, Target, Window
from runner.base.operations import OPERATIONS
from runner.cli import options, state
from runner.cli.carry_out import carry_out, look_ahead, prepare
from runner.cli.plan_text import headline, plan_text
from runner.jobfile import pairlist
from runner.planning.preview import Preview
from runner.store import Store


def _command(operation: OperationName, word: str) -> click.Command:
    """The command for one operation; the three differ in nothing else."""

    @options.manner
    def command(
        overrides: options.Overrides,
        manner: options.Manner,
        pairs: tuple[str, ...],
        everything: bool,
        targets_path: str | None,
        from_run: str | None,
        only: tuple[Outcome, ...] | None,
        yes: bool,
        sandbox: bool,
        faults: str | None,
        window: Window | None = None,
    ) -> int:
        with Store(state.directory(manner.state_dir)) as store:
            pin, earlier = _of_run(store, from_run, only)
            targets = [*map(_pair, pairs), *_listed(targets_path), *earlier]
            job = _job(operation, word, targets, pin, everything=everything)
            job = prepare(replace(overrides.apply(job), window=window), manner)
            _check(job, _sources(pairs, targets_path, from_run), everything=everything)
            if not yes:
                _check_terminal(targets_path)
                _confirm(look_ahead(job, manner, sandbox=sandbox, faults=faults))
            return carry_out(job, manner, engine.run, store=store, sandbox=sandbox, faults=faults)

    command.__doc__ = _help(word, OPERATIONS[operation].would_be)
    decorated: Callable[..., int] = command
    if operation is OperationName.PAUSE:
        decorated = options.ending(decorated)
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return click.command(word)(decorated)


_OPTIONS = (
    click.argument("pairs", nargs=-1, metavar="[APP/CONNECTOR ...]"),
    click.option("--all", "everything", is_flag=True, help="Every connector of the tenant; needs --reason."),
    click.option("--targets", "targets_path", type=options.GIVEN_FILE, metavar="FILE",
                 help="Pairs from a file, - for standard input: APP/CONNECTOR lines, CSV or JSON."),
    click.option("--from-run", metavar="RUN", help="The targets of an earlier run."),
    click.option("--only", type=options.Outcomes(tuple(Outcome)), metavar="OUTCOMES",
                 help="With --from-run: those with these outcomes, such as failed,unknown."),
    click.option("--yes", is_flag=True, envvar="C1_RUNNER_YES", show_envvar=True,
                 help="Do not ask; needed where there is no terminal."),
    options.sandbox,
    options.faults,
)  # fmt: skip


def _help(word: str, done: str) -> str:
    return f"""{word.capitalize()} connectors without a job file.

    On a terminal it shows what would be {done} and asks for the tenant's name; elsewhere it needs --yes.

    \b
    Examples:
      c1-runner {word} 2aHRcore/2bWorkdayUS
      c1-runner {word} --all --reason "INC-77" --exclude "Payroll*" --yes
      c1-runner connectors --select "AWS*" --format csv | c1-runner {word} --targets - --yes
    """


def _job(operation: OperationName, name: str, targets: list[Target], pin: str | None, *, everything: bool) -> Job:
    select = Selection(all=True) if everything else None
    return Job(operation, name, targets=tuple(dict.fromkeys(targets)), select=select, tenant=pin)


def _check(job: Job, sources: list[str], *, everything: bool) -> None:
    """Refuse what cannot be meant; `sources` are where the targets come from, as they were given."""
    if everything and sources:
        raise click.UsageError(f"--all takes every connector, and {sources[0]} names some of them: take one out")
    if not everything and not sources:
        raise click.UsageError("name connectors as APP/CONNECTOR, or use --all, --targets or --from-run")
    if not everything and not job.targets:
        raise NothingSelectedError(f"nothing is selected: no such target in {' and '.join(sources)}. Nothing was sent")
    if everything and not job.reason:
        raise click.UsageError('--all needs a --reason, such as --reason "INC-77: directory outage"')


def _sources(pairs: tuple[str, ...], targets_path: str | None, from_run: str | None) -> list[str]:
    given = (pairs and pairs[0], targets_path is not None and f"--targets {targets_path}")
    return [str(each) for each in (*given, from_run is not None and f"--from-run {from_run}") if each]


def _check_terminal(targets_path: str | None) -> None:
    if not sys.stdin.isatty() or not sys.stderr.isatty() or targets_path == "-":
        raise UsageError("there is no terminal to ask on: add --yes. Nothing was sent")


_LISTED_AT_QUESTION = 15
"""Targets of one outcome that are named before the question, so that what it is about stays on the screen."""


def _confirm(shown: Preview) -> None:
    """Show what would happen and ask for the tenant's name; anything else ends it, with nothing sent."""
    tenant = shown.run.tenant
    if shown.apps:
        click.echo(f"{tenant} has {shown.apps} apps with {shown.connectors} connectors.", err=True)
    click.echo(plan_text(shown, command=None, listed=_LISTED_AT_QUESTION), nl=False, err=True)
    if len(shown.targets) > _LISTED_AT_QUESTION:
        click.echo(f"\n{headline(shown)}", err=True)
    try:
        answer = click.prompt(f"\nType the tenant's name ({tenant}) to go on", err=True, default="", show_default=False)
    except click.Abort:
        click.echo("\nc1-runner: no answer; nothing was sent", err=True)
        raise
    if str(answer).strip().casefold() != tenant.casefold():
        raise UsageError("that is not the tenant's name; nothing was sent")


def _pair(text: str) -> Target:
    try:
        return pairlist.pair(text)
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _listed(path: str | None) -> list[Target]:
    if path is None:
        return []
    try:
        data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from None
    return pairlist.parse(data, "<stdin>" if path == "-" else path)


def _of_run(store: Store, run_id: str | None, only: tuple[Outcome, ...] | None) -> tuple[str | None, list[Target]]:
    """The tenant of an earlier run and those of its targets that are wanted."""
    if run_id is None:
        if only is not None:
            raise click.UsageError("--only goes with --from-run")
        return None, []
    record = store.run(run_id)
    return record.tenant, [row.target for row in store.targets(record) if only is None or row.outcome in only]


pause = _command(OperationName.PAUSE, "pause")
resume = _command(OperationName.RESUME, "resume")
sync = _command(OperationName.FORCE_SYNC, "sync")
