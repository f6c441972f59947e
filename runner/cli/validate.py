"""`validate` and `schema`: what a job file may say, without touching a tenant."""

import json
from collections.abc import Mapping
from typing import Any

import click

from runner import jobfile
from runner.base.errors import ExitCode, UsageError
from runner.base.model import Job


@click.command()
@click.argument("jobs", nargs=-1, required=True, metavar="JOB...")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing of files that are right.")
def validate(jobs: tuple[str, ...], quiet: bool) -> int:
    """Check job files; `-` is standard input. Every error of every file is shown, with its place.

    \b
    Example:
      c1-runner validate jobs/*.yaml
    """
    code = ExitCode.OK
    for path in jobs:
        try:
            job = jobfile.load(path)
        except UsageError as error:
            click.echo(str(error), err=True)
            code = ExitCode.USAGE
        else:
            if not quiet:
                click.echo(f"{path}: ok, {_describe(job)}")
    return code


@click.command()
@click.argument("of", type=click.Choice(["job", "report"]), default="job")
def schema(of: str) -> None:
    """Print the JSON Schema of job files (the default) or of JSON reports.

    \b
    Examples:
      c1-runner schema > job.schema.json
      c1-runner schema report
    """
    document = jobfile.json_schema() if of == "job" else _report_schema()
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


def _report_schema() -> Mapping[str, Any]:
    from runner import report

    return report.json_schema()


def _describe(job: Job) -> str:
    count = len(job.targets)
    parts = [f"{count} connector{'' if count == 1 else 's'}"] if count else []
    if job.select is not None:
        parts.append("a selection")
    return f"{job.operation} of {' and '.join(parts)}"
