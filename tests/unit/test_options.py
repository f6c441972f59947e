"""Flags go before variables, these before the job file, that before the defaults."""

from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from runner.base.model import Job, OperationName
from runner.base.policy import LimitPolicy, RetryPolicy, Share
from runner.cli import options
from runner.cli.app import app

JOB = Job(
    OperationName.PAUSE,
    "freeze",
    reason="from the file",
    limits=LimitPolicy(concurrency=3, rate=7, max_failures=Share(5), deadline=60),
    retry=RetryPolicy(attempts=2),
    reports=("file.json",),
)


@click.command()
@options.manner
def command(overrides: options.Overrides, manner: options.Manner) -> int:
    seen.update(overrides=overrides, manner=manner)
    return 0


seen: dict[str, Any] = {}


def applied(*arguments: str, **environ: str) -> Job:
    """The job as these arguments and variables leave it."""
    result = CliRunner().invoke(command, arguments, env=environ)
    assert result.exit_code == 0, result.output
    overrides: options.Overrides = seen["overrides"]
    return overrides.apply(JOB)


def test_without_flags_and_variables_the_job_stays_as_it_is() -> None:
    assert applied() == JOB


@pytest.mark.parametrize(
    ("flag", "variable", "value", "read", "expected"),
    [
        ("--concurrency", "C1_RUNNER_CONCURRENCY", "50", lambda job: job.limits.concurrency, 50),
        ("--rate", "C1_RUNNER_RATE", "600/m", lambda job: job.limits.rate, 10),
        ("--deadline", "C1_RUNNER_DEADLINE", "1h30m", lambda job: job.limits.deadline, 5400),
        ("--attempts", "C1_RUNNER_ATTEMPTS", "9", lambda job: job.retry.attempts, 9),
        ("--reason", "C1_RUNNER_REASON", "CHG-9", lambda job: job.reason, "CHG-9"),
    ],
)
def test_a_flag_or_its_variable_takes_the_place_of_the_job_files_word(flag, variable, value, read, expected) -> None:  # type: ignore[no-untyped-def]
    assert read(applied(flag, value)) == expected
    assert read(applied(**{variable: value})) == expected
    assert read(applied(**{variable: ""})) == read(JOB)


def test_a_flag_goes_before_its_variable() -> None:
    assert applied("--concurrency", "50", C1_RUNNER_CONCURRENCY="99").limits.concurrency == 50


def test_one_flag_leaves_the_other_limits_as_they_are() -> None:
    job = applied("--concurrency", "50")

    assert job.limits == LimitPolicy(concurrency=50, rate=7, max_failures=Share(5), deadline=60)
    assert (job.retry, job.reason, job.reports) == (JOB.retry, JOB.reason, JOB.reports)


def test_reports_on_the_command_line_take_the_place_of_those_of_the_file() -> None:
    assert applied("--report", "a.json", "--report", "b.csv").reports == ("a.json", "b.csv")


def test_reading_before_and_after_can_only_be_turned_off() -> None:
    job = applied("--no-preflight", "--no-verify")
    assert (job.preflight, job.verify) == (False, False)
    job = applied(C1_RUNNER_NO_PREFLIGHT="1", C1_RUNNER_NO_VERIFY="true")
    assert (job.preflight, job.verify) == (False, False)
    off = Job(OperationName.PAUSE, "x", preflight=False, verify=False)
    assert options.Overrides().apply(off) == off


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--concurrency", "0"),
        ("--concurrency", "201"),
        ("--concurrency", "-1"),
        ("--concurrency", "ten"),
        ("--concurrency", "1.5"),
        ("--concurrency", "nan"),
        ("--rate", "nan"),
        ("--rate", "0"),
        ("--rate", "-1/s"),
        ("--rate", "20000/s"),
        ("--rate", "inf"),
        ("--deadline", "0"),
        ("--deadline", "8d"),
        ("--deadline", "soon"),
        ("--attempts", "0"),
        ("--attempts", "21"),
        ("--exclude", "/(/"),
        ("--exclude", "(?=a)".join("//")),
        ("--exclude", " "),
        ("--reason", " "),
        ("--reason", "\x1b[2J"),
        ("--log-format", "xml"),
        ("--progress", "dots"),
        ("--format", "yaml"),
    ],
)
def test_a_value_out_of_range_is_refused_by_the_name_of_its_flag(flag: str, value: str) -> None:
    result = CliRunner().invoke(command, [flag, value])

    assert result.exit_code == 2
    assert flag in result.output


def test_a_variable_out_of_range_is_refused_by_its_own_name() -> None:
    result = CliRunner().invoke(command, [], env={"C1_RUNNER_RATE": "fast"})

    assert result.exit_code == 2
    assert "C1_RUNNER_RATE" in result.output or "--rate" in result.output
    assert "20/s" in result.output


def test_the_state_directory_is_a_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    assert CliRunner().invoke(command, ["--state-dir", str(tmp_path / "file")]).exit_code == 2
    assert CliRunner().invoke(command, [], env={"C1_RUNNER_STATE_DIR": str(tmp_path)}).exit_code == 0
    assert seen["manner"].state_dir == tmp_path


def test_a_unit_that_was_parsed_already_stays_as_it_is() -> None:
    assert options.Unit("rate", float).convert(7.5, None, None) == 7.5


@pytest.mark.parametrize("name", app.list_commands(click.Context(app)))
def test_every_command_explains_itself_with_an_example(name: str) -> None:
    result = CliRunner().invoke(app, [name, "--help"])

    assert result.exit_code == 0
    assert f"c1-runner {name}" in result.output
