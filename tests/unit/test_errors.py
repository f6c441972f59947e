"""The exception tree and the exit codes."""

import inspect
import re

import pytest

from runner.base import errors
from runner.base.errors import ApiError, ExitCode, JobFileError, Problem, RunnerError
from runner.base.model import AttemptClass, Verdict
from runner.cli.app import _EXIT_CODES

TREE = {cls.__name__: cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, RunnerError)}


def test_the_tree_in_the_docstring_is_the_tree_in_the_code() -> None:
    drawn = re.findall(r"([A-Z]\w+Error)\b", errors.__doc__ or "")

    assert sorted(drawn) == sorted(TREE)


@pytest.mark.parametrize("name", sorted(TREE))
def test_every_error_has_a_docstring_and_an_exit_code_that_is_listed(name: str) -> None:
    assert TREE[name].__doc__
    assert TREE[name].exit_code in ExitCode
    assert TREE[name].exit_code != ExitCode.OK


@pytest.mark.parametrize("line", (errors.__doc__ or "").splitlines())
def test_an_exit_code_in_the_docstring_is_the_one_of_the_class(line: str) -> None:
    drawn = re.search(r"(\w+Error)\s+(\d+)\s", line)

    if drawn:
        assert TREE[drawn[1]].exit_code == int(drawn[2])


def test_the_exit_codes_are_the_published_ones() -> None:
    assert [int(code) for code in ExitCode] == [0, 1, 2, 3, 4, 5, 6, 7, 75, 129, 130, 143]


def test_the_help_explains_every_exit_code() -> None:
    explained = [int(number) for numbers in _EXIT_CODES for number in numbers.split(",")]

    assert explained == [int(code) for code in ExitCode]


def test_a_job_file_error_shows_its_problems_in_the_order_of_the_file() -> None:
    error = JobFileError("jobs/a.yaml", [Problem(9, 1, "later"), Problem(2, 14, "earlier"), Problem(2, 3, "first")])

    assert str(error) == "jobs/a.yaml:2:3: first\njobs/a.yaml:2:14: earlier\njobs/a.yaml:9:1: later"
    assert [problem.line for problem in error.problems] == [2, 2, 9]


def test_a_failed_request_says_what_its_verdict_says() -> None:
    verdict = Verdict(AttemptClass.REFUSED, "HTTP 404: no such connector", 404)

    assert str(ApiError(verdict)) == verdict.message
    assert ApiError(verdict).verdict is verdict
