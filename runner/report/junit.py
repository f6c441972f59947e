"""JUnit XML, as CI systems show it: a suite per app, a case per connector.

A failed target is a failure, an unknown one an error (nothing proves what came of it), skipped and not attempted
ones are skipped, each with its reason. There is no standard for this format; these are the elements that
Jenkins, GitLab and GitHub's reporters agree on, within what the schema of Jenkins' xUnit plugin (`junit-10.xsd`)
allows: it counts the skipped ones of a suite, but not those of all suites together.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TextIO
from xml.sax.saxutils import escape, quoteattr

from runner.base.model import Outcome
from runner.report.document import duration, timestamp
from runner.report.text import plain
from runner.report.words import attempts_text
from runner.store.records import RunRecord, TargetRecord

_ELEMENTS = {
    Outcome.FAILED: "failure",
    Outcome.UNKNOWN: "error",
    Outcome.SKIPPED: "skipped",
    Outcome.NOT_ATTEMPTED: "skipped",
}


@dataclass(slots=True)
class _Suite:
    """One app's cases, as finished text: an element's counts stand before what it contains."""

    name: str
    elements: Counter[str] = field(default_factory=Counter)
    cases: int = 0
    seconds: float = 0.0
    body: bytearray = field(default_factory=bytearray)


def write_junit(run: RunRecord, targets: Iterable[TargetRecord], out: TextIO) -> None:
    """Write the whole document. Cases are collected by app: about 100 bytes of memory for one that went well."""
    suites: dict[str, _Suite] = {}
    for target in targets:
        app_id = target.target.app_id
        suite = suites.setdefault(app_id, _Suite(_named(target.app_name, app_id)))
        _add(suite, target)
    out.write("<?xml version='1.0' encoding='UTF-8'?>\n")
    title = f"{run.job_name}: {run.operation} on {run.tenant}, run {run.run_id}"
    seconds = duration(run.started_at, run.finished_at) or 0.0
    out.write(f"<testsuites name={_quoted(title)} {_totals(suites.values())} {_time(seconds)}>\n")
    for suite in suites.values():
        out.write(_opening(run, suite))
        out.write(suite.body.decode())
        out.write("  </testsuite>\n")
    out.write("</testsuites>\n")


def _add(suite: _Suite, target: TargetRecord) -> None:
    element = _ELEMENTS.get(target.outcome)
    seconds = duration(target.started_at, target.finished_at) or 0.0
    suite.cases += 1
    suite.seconds += seconds
    case = (
        f"    <testcase classname={_quoted(suite.name)} "
        f"name={_quoted(_named(target.connector_name, target.target.connector_id))} {_time(seconds)}"
    )
    if element is None:
        suite.body += f"{case}/>\n".encode()
    else:
        suite.elements[element] += 1
        suite.body += f"{case}>{_finding(element, target)}</testcase>\n".encode()


def _finding(element: str, target: TargetRecord) -> str:
    words = target.outcome.replace("_", " ")
    reasons = list(dict.fromkeys(text for text in (target.error, target.detail) if text))
    message = _quoted(": ".join([words, *reasons[:1]]))
    if element == "skipped":
        return f"<skipped message={message}/>"
    lines = [
        *reasons,
        attempts_text(target.attempts),
        *([f"request id: {target.request_id}"] if target.request_id else []),
        str(target.target),
    ]
    body = escape("\n".join(map(plain, lines)))
    return f"<{element} type={_quoted(target.outcome)} message={message}>{body}</{element}>"


def _opening(run: RunRecord, suite: _Suite) -> str:
    started = (timestamp(run.started_at) or "").partition(".")[0]  # to the second, as Ant has it
    totals = f"{_totals([suite])} skipped='{suite.elements['skipped']}' {_time(suite.seconds)}"
    return f"  <testsuite name={_quoted(suite.name)} timestamp='{started}' {totals}>\n"


def _time(seconds: float) -> str:
    return f"time='{seconds:.3f}'"


def _totals(suites: Iterable[_Suite]) -> str:
    suites = list(suites)
    elements: Counter[str] = sum((suite.elements for suite in suites), Counter())
    return (
        f"tests='{sum(suite.cases for suite in suites)}' failures='{elements['failure']}' errors='{elements['error']}'"
    )


def _named(name: str | None, identity: str) -> str:
    """Two of the same name are two: the id is part of what a CI system tells cases apart by."""
    return f"{name} ({identity})" if name else identity


def _quoted(text: str) -> str:
    return quoteattr(plain(text))
