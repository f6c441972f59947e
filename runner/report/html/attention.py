"""What needs attention: failures first, then what is not known, each reason once with the connectors it met."""

from runner.report.explain import reasons
from runner.report.html.digest import Group
from runner.report.html.markup import NOTHING, Markup, element, escaped, joined
from runner.report.html.rows import LONGEST, chip, named
from runner.report.text import shortened
from runner.report.words import (
    ATTENTION,
    attempts_text,
    connectors,
    count_text,
    outcome_words,
    state_change,
    waits_text,
)
from runner.store.records import RunRecord, TargetRecord

_OPEN_CASES = 5
"""Cases that a reader sees at once; the others unfold."""


def attention(run: RunRecord, groups: list[Group]) -> Markup:
    """The section; it says so as well when there is nothing."""
    urgent = [group for group in groups if group.outcome in ATTENTION]
    others = [group for group in groups if group.outcome not in ATTENTION]
    nothing = element("p", Markup("Nothing: no connector failed, and none is in doubt."), class_="calm")
    return element(
        "section",
        element("h2", Markup("What needs attention"), id="attention"),
        *([_group(run, group) for group in urgent] or [nothing]),
        _rest(run, others) if others else NOTHING,
    )


def _rest(run: RunRecord, groups: list[Group]) -> Markup:
    return joined([element("h2", Markup("What was left")), *(_group(run, group) for group in groups)])


def _group(run: RunRecord, group: Group) -> Markup:
    shown, folded = group.cases[:_OPEN_CASES], group.cases[_OPEN_CASES:]
    head = element(
        "h3",
        chip(group.outcome, outcome_words(run)[group.outcome]),
        Markup(" "),
        escaped(shortened(group.what, LONGEST)),
    )
    advice = element("p", escaped(f"{connectors(group.count)}. {group.advice}".rstrip()), class_="advice")
    return element(
        "article",
        head,
        advice,
        *(element("p", escaped(shortened(reason, LONGEST)), class_="common") for reason in group.common),
        _cases(group, shown),
        _folded(group, folded) if folded else NOTHING,
        class_=f"group {group.outcome}",
    )


def _folded(group: Group, cases: list[TargetRecord]) -> Markup:
    beyond = group.count - len(group.cases)
    summary = element("summary", escaped(f"{count_text(group.count - _OPEN_CASES)} more"))
    note = f"{count_text(beyond)} more are in the table below." if beyond else ""
    return element(
        "details",
        summary,
        _cases(group, cases),
        element("p", escaped(note), class_="muted") if note else NOTHING,
    )


def _cases(group: Group, targets: list[TargetRecord]) -> Markup:
    return element("ul", *(_case(group, target) for target in targets), class_="cases")


def _case(group: Group, target: TargetRecord) -> Markup:
    who = joined(
        [
            named(target.app_name, target.target.app_id),
            named(target.connector_name, target.target.connector_id),
        ],
        " <i>/</i> ",
    )
    lines = [
        element("p", escaped(shortened(reason, LONGEST)), class_="said")
        for reason in reasons(target)
        if reason != group.what and reason not in group.common
    ]
    facts = [escaped(fact) for fact in _facts(target)]
    if target.request_id:
        facts.append(joined([Markup("request "), element("code", escaped(target.request_id))]))
    meta = element("p", joined(facts, " · "), class_="muted") if facts else NOTHING
    return element("li", element("p", who, class_="who"), meta, *lines)


def _facts(target: TargetRecord) -> list[str]:
    facts = []
    if change := state_change(target):
        facts.append(change)
    if target.attempts:
        facts.append(attempts_text(target.attempts))
    if target.throttled:
        facts.append(waits_text(target.throttled))
    return facts
