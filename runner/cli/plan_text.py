"""A plan for people: what would be done, what is left alone and why. It never reads like something done."""

from collections.abc import Iterator

from runner.model import OperationName, Outcome
from runner.operations import OPERATIONS
from runner.preview import Preview
from runner.report.text import plain, shortened
from runner.store import TargetRecord

LISTED = 1000
"""Targets that are shown one by one; the rest is counted."""


def plan_text(preview: Preview, command: str | None) -> str:
    """The plan as lines for standard output; `command`, if given, carries it out."""
    return "".join(f"{line}\n" for line in _lines(preview, command))


def _lines(preview: Preview, command: str | None) -> Iterator[str]:
    run, operation = preview.run, OPERATIONS[OperationName(preview.run.operation)]
    changes = run.counts[Outcome.CHANGED]
    yield f"{changes} of {run.planned} connector{'' if run.planned == 1 else 's'} would be {operation.would_be}."
    yield f"job {shortened(run.job_name, 60)} · {plain(run.tenant)} · {run.requests} requests, all of them reads"
    yield ""
    words = {
        Outcome.CHANGED: f"would be {operation.would_be}",
        Outcome.UNCHANGED: operation.unchanged,
        Outcome.SKIPPED: "would be skipped",
        Outcome.FAILED: "would fail",
        Outcome.UNKNOWN: "not known",
    }
    width = max(map(len, words.values()))
    for target in preview.targets[:LISTED]:
        yield f"  {words[target.outcome]:<{width}}  {_who(target)}{_why(target)}"
    if len(preview.targets) > LISTED:
        yield f"  and {len(preview.targets) - LISTED} more; --format json shows them all"
    if command is not None and changes:
        yield ""
        yield "To carry it out:"
        yield f"  {command}"


def _who(target: TargetRecord) -> str:
    return f"{shortened(target.connector_name, 60)}  ({target.target})" if target.connector_name else str(target.target)


def _why(target: TargetRecord) -> str:
    if target.outcome in (Outcome.CHANGED, Outcome.UNCHANGED) or not target.detail:
        return ""
    return f": {shortened(target.detail, 200)}"
