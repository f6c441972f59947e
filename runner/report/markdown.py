"""Markdown (GitHub's, which CommonMark readers understand too): for a change ticket or a CI step's summary.

The verdict, the facts, the counts, then what needs attention, then the rest; lists are bounded so that a
summary stays below GitHub's limit of 1 MiB, and what is left out is counted.
"""

import itertools
import re
from collections.abc import Iterable, Iterator
from typing import TextIO

from runner.base.model import Outcome
from runner.report.document import duration
from runner.report.explain import reasons
from runner.report.extras import Extras
from runner.report.text import plain, shortened
from runner.report.verdict import conclusion, default_hints
from runner.report.words import (
    ATTENTION,
    connectors,
    count_text,
    duration_text,
    exit_text,
    moment_text,
    outcome_words,
    requests_text,
    state_change,
)
from runner.store.records import RunRecord, TargetRecord

LISTED = 500
"""Rows of each of the two tables at most."""

_SPECIAL = re.compile(r"([!-/:-@\[-`{-~])")
_MARKS = {"good": "✅", "attention": "⚠️", "bad": "❌", "open": "⏳"}


def write_markdown(run: RunRecord, targets: Iterable[TargetRecord], out: TextIO, extras: Extras) -> None:
    """Write the report; `targets` is read to its end, and only what is listed is kept."""
    urgent, others = _sorted_out(targets)
    sections = (
        _verdict(run),
        _facts(run),
        _counts(run),
        _table("Needs attention", run, urgent, sum(run.counts[outcome] for outcome in ATTENTION)),
        _next(default_hints(run) if extras.hints is None else extras.hints),
        _folded(run, others),
    )
    out.writelines(f"{line}\n" for line in itertools.chain.from_iterable(sections))


def escaped(text: str) -> str:
    """Text that Markdown shows as it is: no markup, no link, no mention, on one line."""
    return _SPECIAL.sub(_neutral, plain(text))


def _neutral(match: re.Match[str]) -> str:
    # A mention is looked for in the finished page; the comment keeps the sign and the name apart there.
    return "@<!-- -->" if match[0] == "@" else f"\\{match[0]}"


def _code(text: str) -> str:
    """Text in a code span that works inside a table as well."""
    text = plain(text).replace("|", "\\|")
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    return f"{fence} {text} {fence}" if "`" in text else f"{fence}{text}{fence}"


def _verdict(run: RunRecord) -> Iterator[str]:
    verdict = conclusion(run)
    yield f"## {_MARKS[verdict.tone]} {verdict.headline}"
    yield ""
    if verdict.notes:
        yield escaped(" ".join(verdict.notes))
        yield ""


def _facts(run: RunRecord) -> Iterator[str]:
    took = duration(run.started_at, run.finished_at)
    facts = {
        "Job": escaped(run.job_name),
        "Reason": escaped(run.reason) if run.reason else "not given",
        "Tenant": _code(run.tenant),
        "Operation": _code(run.operation),
        "Run": _code(run.run_id),
        "By": escaped(f"{run.user} on {run.host}"),
        "Started": moment_text(run.started_at),
        "Took": duration_text(took) if took is not None else "no end is recorded",
        "Requests": requests_text(run),
        "Exit code": escaped(exit_text(run)),
        **({"Pauses end": moment_text(run.until)} if run.until is not None else {}),
        **({"Credential ends": moment_text(run.credential_until)} if run.credential_until is not None else {}),
    }
    yield "| | |"
    yield "| --- | --- |"
    yield from (f"| {name} | {value} |" for name, value in facts.items())
    yield ""


def _counts(run: RunRecord) -> Iterator[str]:
    words = outcome_words(run)
    yield "| " + " | ".join(words.values()) + " |"
    yield "|" + " ---: |" * len(words)
    yield "| " + " | ".join(count_text(run.counts[outcome]) for outcome in words) + " |"
    yield ""


def _next(hints: Iterable[str]) -> Iterator[str]:
    commands = [plain(hint) for hint in hints]
    if commands:
        yield from ("### Next", "", *(f"    {command}" for command in commands), "")


def _folded(run: RunRecord, others: list[TargetRecord]) -> Iterator[str]:
    total = run.planned - sum(run.counts[outcome] for outcome in ATTENTION)
    if not total:
        return
    yield f"<details><summary>{connectors(total)} without trouble</summary>"
    yield ""
    yield from _table(None, run, others, total)
    yield "</details>"


def _table(title: str | None, run: RunRecord, rows: list[TargetRecord], total: int) -> Iterator[str]:
    if not total:
        return
    if title:
        yield from (f"### {title}", "")
    yield "| Outcome | App | Connector | State | What happened | Request |"
    yield "| --- | --- | --- | --- | --- | --- |"
    words = outcome_words(run)
    yield from (_row(words[target.outcome], target) for target in rows)
    yield ""
    if more := total - len(rows):
        yield from (f"and {count_text(more)} more", "")


def _row(word: str, target: TargetRecord) -> str:
    cells = (
        word,
        _name(target.app_name, target.target.app_id),
        _name(target.connector_name, target.target.connector_id),
        state_change(target),
        "; ".join(escaped(shortened(reason, 300)) for reason in reasons(target)),
        _code(target.request_id) if target.request_id else "",
    )
    return f"| {' | '.join(cells)} |"


def _name(name: str | None, identity: str) -> str:
    return f"{escaped(shortened(name, 100))} {_code(identity)}" if name else _code(identity)


def _sorted_out(targets: Iterable[TargetRecord]) -> tuple[list[TargetRecord], list[TargetRecord]]:
    """The first targets that need attention, failures before unknowns, and the first of the others."""
    found: dict[Outcome | None, list[TargetRecord]] = {outcome: [] for outcome in (*ATTENTION, None)}
    for target in targets:
        rows = found[target.outcome if target.outcome in ATTENTION else None]
        if len(rows) < LISTED:
            rows.append(target)
    urgent = [target for outcome in ATTENTION for target in found[outcome]]
    return urgent[:LISTED], found[None]
