"""The command group. A command's module is imported when the command is used, so `--help` stays quick."""

import importlib

import click

from runner.base.version import __version__

# name: (module:attribute, one line of help)
COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("runner.cli.run:run", "Carry out a job file."),
    "plan": ("runner.cli.run:plan", "Show what a job would do, from live state, without doing it."),
    "pause": ("runner.cli.adhoc:pause", "Pause connectors without a job file, or all of them."),
    "resume": ("runner.cli.adhoc:resume", "Resume connectors without a job file."),
    "sync": ("runner.cli.adhoc:sync", "Start a sync of connectors without a job file."),
    "window": ("runner.cli.window:window", "Pause, run a command, and resume what was paused."),
    "undo": ("runner.cli.undo:undo", "Resume exactly what a run has paused."),
    "expire": ("runner.cli.undo:expire", "Resume everything whose window is over; for cron."),
    "extend": ("runner.cli.undo:extend", "Move the end of a window."),
    "validate": ("runner.cli.validate:validate", "Check job files without touching the tenant."),
    "continue": ("runner.cli.again:continue_", "Go on with a run that was interrupted, or repeat what failed."),
    "connectors": ("runner.cli.seeing:connectors", "List the tenant's connectors with their state."),
    "status": ("runner.cli.status:status", "Say what is paused, since when, by whom and why."),
    "init": ("runner.cli.init:init", "Write a job file from the live tenant, ready to be cut down."),
    "report": ("runner.cli.history:report", "Make the report of a run again, in any format."),
    "runs": ("runner.cli.history:runs", "List the runs that the state directory knows."),
    "schema": ("runner.cli.validate:schema", "Print the JSON Schema of job files or of reports."),
    "sandbox": ("runner.cli.sandbox:sandbox", "Serve a simulated tenant on a loopback port."),
}

_EXIT_CODES = {
    "0": "every target is in the wanted state",
    "1": "a bug in c1-runner",
    "2": "usage, job file or settings are wrong: nothing was sent",
    "3": "credentials refused or not allowed, run-wide",
    "4": "finished, but some targets failed, are unknown or were left out",
    "5": "stopped early: failure threshold, deadline or outage",
    "6": "nothing was selected",
    "7": "state, report or output could not be written",
    "75": "another run holds the lock",
    "129, 130, 143": "ended by SIGHUP, SIGINT, SIGTERM",
}
"""What `--help` says of `runner.base.errors.ExitCode`; any other code means failure."""


class LazyGroup(click.Group):
    """Commands by name, imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table, without importing them; then the exit codes."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])
        with formatter.section("Exit codes"):
            formatter.write_dl(list(_EXIT_CODES.items()))


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="c1-runner")
def app() -> None:
    """Pause, resume or sync many C1 connectors at once, and account for each of them.

    \b
    Try it against the embedded tenant, without credentials:
      c1-runner run jobs/demo.yaml --sandbox
    """
