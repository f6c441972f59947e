"""The top of the page: the verdict, the counts, what was asked, what happened, what to type next."""

from collections.abc import Iterable

from runner.base.model import Outcome
from runner.report.document import duration, timestamp
from runner.report.html.markup import NOTHING, Markup, element, escaped
from runner.report.text import shortened
from runner.report.verdict import conclusion
from runner.report.words import (
    count_text,
    duration_text,
    exit_text,
    moment_text,
    operation_title,
    outcome_words,
    requests_text,
)
from runner.store.records import RunRecord

_MARKS = {
    "good": ("Done", "M5 12.5l4.5 4.5L19 7.5"),
    "attention": ("Incomplete", "M12 6.5v7M12 17.2v.3"),
    "bad": ("Needs attention", "M12 6.5v7M12 17.2v.3"),
    "open": ("No end recorded", "M12 7v5.5l3.5 2"),
}
"""A word, and a stroke in a circle of 24 units."""


def header(run: RunRecord) -> Markup:
    """The verdict, which a reader takes in first."""
    verdict = conclusion(run)
    word, stroke = _MARKS[verdict.tone]
    mark = element(
        "svg",
        element("circle", cx=12, cy=12, r=11),
        element("path", d=stroke),
        viewBox="0 0 24 24",
        width=22,
        height=22,
        aria_hidden="true",
    )
    return element(
        "header",
        _context(run),
        element("p", mark, element("span", escaped(word)), class_="tone"),
        element("h1", escaped(f"{verdict.headline}.")),
        element("p", escaped(" ".join(verdict.notes)), class_="lead") if verdict.notes else NOTHING,
        class_=verdict.tone,
    )


def _context(run: RunRecord) -> Markup:
    """What was asked of whom, and when, on one line."""
    return element(
        "p",
        element("b", escaped(operation_title(run))),
        element("span", escaped(run.tenant)),
        element("bdi", escaped(shortened(run.reason or run.job_name, 120))),
        _time(run.started_at),
        class_="context",
    )


def counts(run: RunRecord) -> Markup:
    """How many targets came to which outcome, as a bar and as numbers."""
    words = outcome_words(run)
    items = [
        element(
            "li",
            element("b", escaped(count_text(run.counts[outcome]))),
            element("span", escaped(word)),
            class_=f"{outcome}{'' if run.counts[outcome] else ' none'}",
        )
        for outcome, word in words.items()
    ]
    return element(
        "section",
        _proportions(run, list(words)),
        element("ul", *items, class_="counts"),
        aria_label="Connectors by outcome",
    )


def facts(run: RunRecord) -> Markup:
    """Two lists: what was asked, what happened."""
    took = duration(run.started_at, run.finished_at)
    asked = {
        "Operation": escaped(operation_title(run)),
        "Tenant": element("code", escaped(run.tenant)),
        "Reason": element("bdi", escaped(shortened(run.reason, 1000))) if run.reason else escaped("not given"),
        "Job": _job(run),
        "Asked by": escaped(f"{run.user} on {run.host}"),
        **({"Until": _time(run.until)} if run.until is not None else {}),
    }
    happened = {
        "Started": _time(run.started_at),
        "Ended": _time(run.finished_at) if run.finished_at is not None else escaped("not recorded"),
        "Took": escaped(duration_text(took) if took is not None else "not known"),
        "Requests": escaped(requests_text(run)),
        "Exit code": escaped(exit_text(run)),
        "Run": element("code", escaped(run.run_id)),
    }
    return element(
        "div",
        _list("What was asked", asked),
        _list("What happened", happened),
        class_="facts",
    )


def commands(hints: Iterable[str]) -> Markup:
    """What to type next."""
    lines = [element("pre", element("code", escaped(hint), tabindex=0)) for hint in hints]
    if not lines:
        return NOTHING
    return element("section", element("h2", Markup("What to type next")), *lines, class_="next")


def _job(run: RunRecord) -> Markup:
    name = element("bdi", escaped(shortened(run.job_name, 200)))
    if not run.job_path:
        return name
    return element("span", name, Markup(" "), element("code", escaped(shortened(run.job_path, 300))))


def _list(title: str, entries: dict[str, Markup]) -> Markup:
    pairs = [element("div", element("dt", escaped(name)), element("dd", value)) for name, value in entries.items()]
    return element("section", element("h2", escaped(title)), element("dl", *pairs))


def _time(epoch: float) -> Markup:
    return element("time", escaped(moment_text(epoch)), datetime=timestamp(epoch))


def _proportions(run: RunRecord, order: list[Outcome]) -> Markup:
    """The counts as parts of one bar; even one among thousands can be seen."""
    shares = {outcome: max(run.counts[outcome] / (run.planned or 1), 0.006) for outcome in order if run.counts[outcome]}
    whole = sum(shares.values())
    begin = 0.0
    parts = []
    for outcome, share in shares.items():
        width = share / whole * 100
        parts.append(element("rect", class_=str(outcome), x=f"{begin:.2f}%", y=0, width=f"{width:.2f}%", height=12))
        begin += width
    return element("svg", *parts, class_="proportions", width="100%", height=12, aria_hidden="true")
