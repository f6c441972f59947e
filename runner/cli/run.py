"""`run` and `plan`: a job file, carried out or only looked at."""

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner import jobfile, report
from runner import runs as engine
from runner.base.errors import ExitCode
from runner.base.model import Job, RunResult, Window
from runner.cli import options, state
from runner.cli.carry_out import Work, carry_out, look_ahead, prepare, show_plan
from runner.engine.session import Context
from runner.store import Store

if TYPE_CHECKING:
    from runner.planning.saved import SavedPlan


@click.command()
@click.argument("job_path", metavar="[JOB]", required=False)
@click.option(
    "--plan",
    "plan_path",
    type=options.GivenPath(path_type=Path, dir_okay=False),
    help="Carry out a plan that `plan -o` has saved; refused when the tenant has moved away from it.",
)
@options.manner
@options.ending
@options.sandbox
@options.faults
def run(
    overrides: options.Overrides,
    manner: options.Manner,
    job_path: str | None,
    plan_path: Path | None,
    window: Window | None,
    sandbox: bool,
    faults: str | None,
) -> int:
    """Carry out a job file; `-` is standard input.

    Ctrl-C once: nothing new starts, what is in flight ends, the account is written. Twice: leave now.

    \b
    Examples:
      c1-runner run jobs/demo.yaml --sandbox
      c1-runner run freeze.yaml --report freeze.json --report freeze.csv
      c1-runner run freeze.yaml --for 2h
      c1-runner run --plan plan.json
    """
    if (job_path is None) == (plan_path is None):
        raise click.UsageError("give a job file, or --plan with a saved plan")
    work: Work = engine.run
    if plan_path is not None:
        from runner.planning import saved  # no other command needs it

        planned = saved.load(plan_path)
        job, work = planned.job, _checked(planned)
    else:
        job = jobfile.load(job_path or "-")
    job = prepare(replace(overrides.apply(job), window=window or job.window), manner)
    with Store(state.directory(manner.state_dir)) as store:
        return carry_out(job, manner, work, store=store, sandbox=sandbox, faults=faults)


@click.command()
@click.argument("job_path", metavar="JOB")
@click.option(
    "-o",
    "--output",
    type=options.GivenPath(path_type=Path, dir_okay=False),
    help="Save the plan, for `run --plan`.",
)
@options.manner
@options.sandbox
@options.faults
def plan(
    overrides: options.Overrides,
    manner: options.Manner,
    job_path: str,
    output: Path | None,
    sandbox: bool,
    faults: str | None,
) -> int:
    """Show what a job would do, from live state; no mutating request is sent and nothing is recorded.

    \b
    Examples:
      c1-runner plan jobs/demo.yaml --sandbox
      c1-runner plan freeze.yaml -o plan.json && c1-runner run --plan plan.json
    """
    job = prepare(overrides.apply(jobfile.load(job_path)), manner)
    shown = look_ahead(job, manner, sandbox=sandbox, faults=faults)
    for template in job.reports:
        report.write(report.expand(template, shown.run), shown.run, shown.targets)
    command = shlex.join(["c1-runner", "run", *sys.argv[2:]])  # with the same options
    if output is not None:
        from runner.planning import saved

        saved.save(output, job, shown)
        command = f"c1-runner run --plan {output}"
    show_plan(shown, manner.output_format, command)
    return shown.run.exit_code or ExitCode.OK


def _checked(saved: "SavedPlan") -> Work:
    """To run a job, if the tenant is still as the plan has it."""

    async def work(job: Job, context: Context) -> RunResult:
        await saved.check(job, context)
        return await engine.run(job, context)

    return work
