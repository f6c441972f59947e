"""`window`: pause, run a command, and resume what was paused, whatever happens."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import anyio
import click

from runner import jobfile, report
from runner.base import policy, units
from runner.base.model import RunResult, Window
from runner.base.settings import Settings
from runner.base.signals import Signals
from runner.cli import options, state
from runner.cli.account import Hints, account, json_report, rescue_receipt
from runner.cli.carry_out import context, prepare
from runner.cli.command_check import check_command
from runner.cli.logs import notice
from runner.cli.process import spare_the_collector
from runner.cli.progress import observer
from runner.cli.tenant import connected
from runner.engine.session import Context
from runner.report.text import plain
from runner.store import RunRecord, Store
from runner.windows import hold as engine


def _duration(bounds: policy.Bounds) -> options.Unit:
    return options.Unit("duration", lambda text: units.duration(text, bounds))


@click.command()
@click.argument("job_path", metavar="JOB")
@click.argument("command", nargs=-1, required=True, metavar="-- CMD [ARGS...]")
@click.option(
    "--drain",
    type=_duration(policy.DRAIN),
    metavar="DURATION",
    help="Before the command: wait so long for the syncs that still run, such as 15m.",
)
@click.option(
    "--still-syncing",
    type=click.Choice(["give-up", "go-on"]),
    default="give-up",
    show_default=True,
    help="With --drain: what to do when some still run in the end.",
)
@click.option("--keep-paused-on-failure", is_flag=True, help="If the command fails, resume nothing.")
@click.option(
    "--grace",
    type=_duration(policy.Bounds(0, 3600)),
    default="10s",
    show_default=True,
    help="How long the command has to end when it is told to.",
)
@options.sync_wait
@options.wait_timeout
@options.resume_rate
@options.ending
@options.sandbox
@options.faults
@options.manner
def window(
    overrides: options.Overrides,
    manner: options.Manner,
    job_path: str,
    command: tuple[str, ...],
    drain: float | None,
    still_syncing: str,
    keep_paused_on_failure: bool,
    grace: float,
    wait_for: str | None,
    wait_timeout: float,
    resume_rate: float | None,
    window: Window | None,
    sandbox: bool,
    faults: str | None,
) -> int:
    """Pause what a job names, run a command, and resume exactly what was paused.

    It resumes when the command succeeds, fails, is killed or runs past the window's end (it then gets TERM, and
    KILL after the grace), when the terminal goes away, and on signals. The exit code is the command's own,
    unless not everything could be resumed: then 4. If pausing fails beyond max_failures, the command is not run.

    The command finds C1_RUNNER_RUN_ID and C1_RUNNER_REPORT, the path of a JSON report, in its environment.

    \b
    Examples:
      c1-runner window freeze.yaml --for 2h -- ./migrate.sh
      c1-runner window freeze.yaml --drain 15m --until 2026-12-01T02:00+01:00 -- make upgrade
    """  # fmt: skip
    job = overrides.apply(jobfile.load(job_path))
    limits = replace(job.limits, resume_rate=resume_rate or job.limits.resume_rate)
    job = prepare(replace(job, limits=limits, window=window or job.window), manner)
    check_command(command[0])
    terms = engine.Terms(
        job,
        command,
        drain=drain,
        give_up=still_syncing == "give-up",
        keep_on_failure=keep_paused_on_failure,
        grace=grace,
        sync_wait=wait_timeout if wait_for else None,
    )

    async def main() -> int:
        async with connected(job, sandbox=sandbox, faults=faults) as settings:
            with _Desk(job.reports, manner, store, settings, sandbox) as desk:
                return await engine.Window(terms, desk).hold()

    spare_the_collector()
    with Store(state.directory(manner.state_dir)) as store:
        return anyio.run(main)


class _Desk(engine.Desk):
    """Shows what happens in a window, as every run is shown."""

    def __init__(
        self, reports: tuple[str, ...], manner: options.Manner, store: Store, settings: Settings, sandbox: bool
    ) -> None:
        self.store = store
        self.wall = time.time
        self._reports = reports
        self._manner = manner
        self._settings = settings
        self._sandbox = sandbox
        self._facts: Path | None = None
        self._written: list[Path] = []
        self._accounted = False

    def __enter__(self) -> Self:
        if not any(Path(template).suffix == ".json" for template in self._reports):
            folder = self.store.directory / "facts"
            state.check_room(folder, folder / "report.json")
        return self

    def __exit__(self, *_: object) -> None:
        if self._facts is not None:  # written for the command alone
            with suppress(OSError):
                self._facts.unlink()

    @contextmanager
    def context(self, signals: Signals, **more: Any) -> Iterator[Context]:
        """A run with the progress that was asked for, as long as the block."""
        manner = self._manner
        with observer(manner.progress, self.store, quiet=manner.quiet, state_dir=manner.state_dir) as shown:
            yield context(self._settings, self.store, manner, shown, heard=signals, **more)

    def account(self, result: RunResult) -> None:
        """Print the recap and write the reports: first of the pause, then of the resume."""
        resumed, self._accounted = self._accounted, True  # the store, which would tell as well, may be lost
        reports = [_beside(path) for path in self._reports] if resumed else self._reports
        manner = self._manner
        # What the window has paused it resumes itself; to go on with pausing then would be bad advice.
        hints = Hints(manner.state_dir, possible=resumed and not self._sandbox, undoable=False)
        done = account(self.store, result, reports, hints, output_format=manner.output_format, quiet=manner.quiet)
        self._written += done.written
        sys.stdout.flush()  # the command writes to the same place

    def facts(self, record: RunRecord) -> dict[str, str]:
        """The run's id and its JSON report, which is made if none was asked for."""
        written = json_report(self._written)
        if written is None:  # none was wanted, or it could not be written where it was
            written = self._facts = self.store.directory / "facts" / f"{record.run_id}.json"
            report.write(written, record, self.store.targets(record))
        return {"C1_RUNNER_RUN_ID": record.run_id, "C1_RUNNER_REPORT": str(written.resolve())}

    def note(self, text: str) -> None:
        """Say it on stderr, unless quiet is asked for."""
        if not self._manner.quiet:
            self.say(text)

    def say(self, text: str) -> None:
        """Say it on stderr."""
        notice(plain(text))

    def undo_by_hand(self, run_id: str) -> str:
        """The command with the state directory, or with a receipt where the state is gone."""
        hints = Hints(self._manner.state_dir)
        if not self.store.in_place:
            receipt = json_report(self._written) or rescue_receipt(self.store, run_id)
            return hints.undo_by(receipt) if receipt is not None else hints.command("c1-runner connectors")
        return hints.command(f"c1-runner undo {run_id}")


def _beside(template: str) -> str:
    """Where the report of the resume goes, if the one of the pause goes to `template`."""
    path = Path(template)
    if any(word in template for word in ("{run_id}", "{operation}")):
        return template
    return str(path.with_name(f"{path.stem}-resume{path.suffix}"))
