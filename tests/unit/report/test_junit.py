"""JUnit XML: what CI systems read, per connector."""

import io
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from runner.base.model import Outcome, Result
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
        assert root.get(name) == (None if name == "skipped" else str(total))
        assert sum(int(suite.get(name, "")) for suite in root) == total


class Rule(NamedTuple):
    """What the schema of Jenkins' xUnit plugin (junit-10.xsd) has on an element."""

    required: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    children: frozenset[str] = frozenset()
    text: bool = False


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "testsuites": Rule(optional=words("name time tests failures errors"), children=words("testsuite")),
        "testsuite": Rule(
            words("name tests failures errors"),
            words("group time skipped timestamp hostname id package file log url"),
            words("testsuite properties testcase system-out system-err"),
        ),
        "testcase": Rule(
            words("name"),
            words("time classname group"),
            words("skipped error failure rerunFailure rerunError flakyFailure flakyError system-out system-err"),
        ),
        **dict.fromkeys(("failure", "error", "skipped"), Rule(optional=words("type message"), text=True)),
    }
)
SECONDS = re.compile(r"(([0-9]{0,3},)*[0-9]{3}|[0-9]{0,3})*(\.[0-9]{0,3})?")
MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}")


def breaches(document: str) -> list[str]:
    """Where a document does not keep to the rules."""
    root = ElementTree.fromstring(document)
    found = [] if root.tag == "testsuites" else [f"the root is {root.tag}"]
    for element in root.iter():
        rule = RULES[element.tag]
        names = element.attrib.keys()
        found += [f"{element.tag} lacks {name}" for name in rule.required - names]
        found += [f"{element.tag} has {name}" for name in names - rule.required - rule.optional]
        found += [f"{child.tag} in {element.tag}" for child in element if child.tag not in rule.children]
        if not rule.text and any(text and text.strip() for text in (element.text, *(each.tail for each in element))):
            found.append(f"text in {element.tag}")
        for name, pattern in (("time", SECONDS), ("timestamp", MOMENT)):
            if not pattern.fullmatch(element.get(name, "2026-11-23T16:26:11" if pattern is MOMENT else "0")):
                found.append(f"{name} of {element.tag}: {element.get(name)}")
    return found


def test_it_keeps_to_the_schema_of_jenkins(mixed: Sample, tmp_path: Path) -> None:
    with recorded(tmp_path, [], finish=None) as empty:
        assert breaches(written(empty)) == []
    assert breaches(written(mixed)) == []


@pytest.mark.parametrize(
    ("right", "wrong", "breach"),
    [
        ("<testsuites ", "<testsuites skipped='2' ", "testsuites has skipped"),
        (" failures='", " fails='", "testsuite lacks failures"),
        ("timestamp='2026-11-23T16:26:11'", "timestamp='2026-11-23T16:26:11.042Z'", "timestamp of testsuite: "),
        ("time='8.500'", "time='8.5 s'", "time of testcase: 8.5 s"),
        ("<skipped ", "later<skipped ", "text in testcase"),
    ],
)
def test_a_breach_of_the_schema_is_found(mixed: Sample, right: str, wrong: str, breach: str) -> None:
    document = written(mixed)

    assert right in document
    assert any(found.startswith(breach) for found in breaches(document.replace(right, wrong)))


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
