"""JUnit XML: what CI systems read, per connector."""

import io
from pathlib import Path
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st
from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from runner.model import Outcome, Result
from runner.report import render, write
from runner.report.text import plain
from tests.unit.report.samples import HOSTILE, Sample, entry, hostile, recorded


def written(sample: Sample) -> str:
    out = io.StringIO()
    render("junit", sample.run, sample.targets, out)
    return out.getvalue()


def suites(sample: Sample, tmp_path: Path) -> list[TestSuite]:
    write(tmp_path / "out.xml", sample.run, sample.targets)
    document = JUnitXml.fromfile(str(tmp_path / "out.xml"))
    assert isinstance(document, JUnitXml)
    return list(document)


def test_there_is_a_suite_per_app_and_a_case_per_connector(mixed: Sample, tmp_path: Path) -> None:
    found = suites(mixed, tmp_path)

    assert [suite.name for suite in found] == ["Okta (app0)", "Okta (app1)", "Okta (app2)"]
    assert [case.name for case in found[1]] == ["Okta production (con2)", "Okta production (con3)"]


def test_each_outcome_is_what_a_ci_system_makes_of_it(mixed: Sample, tmp_path: Path) -> None:
    cases = [case for suite in suites(mixed, tmp_path) for case in suite]
    assert all(isinstance(case, TestCase) for case in cases)

    assert [[type(found) for found in case.result] for case in cases] == [
        [], [], [Failure], [Error], [Skipped], [Skipped],
    ]  # fmt: skip
    assert cases[2].result[0].message == "failed: HTTP 500: internal"
    assert "request id: req-3" in cases[2].result[0].text
    assert cases[5].result[0].message == "not attempted: more than 10% failed"
    assert cases[2].time == 8.5


def test_the_totals_are_those_of_the_cases(tmp_path: Path) -> None:
    found = [Outcome.CHANGED, *[Outcome.FAILED] * 3, *[Outcome.UNKNOWN] * 2, *[Outcome.SKIPPED] * 4]
    with recorded(tmp_path, [entry(seq, Result(outcome)) for seq, outcome in enumerate(found)]) as sample:
        root = ElementTree.fromstring(written(sample))
    totals = {"tests": 10, "failures": 3, "errors": 2, "skipped": 4}

    for name, total in totals.items():
        assert root.get(name) == str(total)
        assert sum(int(suite.get(name, "")) for suite in root) == total


def test_an_app_that_comes_in_pieces_is_one_suite(tmp_path: Path) -> None:
    done = Result(Outcome.CHANGED)
    entries = [entry(0, done), entry(2, done), entry(1, done)]
    pieces = [(planned._replace(seq=seq), result) for seq, (planned, result) in enumerate(entries)]
    with recorded(tmp_path / "state", pieces) as sample:
        found = suites(sample, tmp_path)

    assert [suite.tests for suite in found] == [2, 1]


@given(name=st.one_of(st.sampled_from(HOSTILE), st.text(min_size=1)))
def test_any_name_can_be_read_by_an_xml_parser(name: str) -> None:
    run, target = hostile(name)
    out = io.StringIO()
    render("junit", run, [target], out)
    [suite] = ElementTree.fromstring(out.getvalue())

    assert suite.get("name") == f"{plain(name)} (app0)"
    assert suite[0].get("name") == f"{plain(name)} (con0)"
    assert suite[0][0].get("message") == f"failed: {plain(name)}"
    assert (suite[0][0].text or "").split("\n")[0] == plain(name)
