"""A plan for people: what would be done, what is left alone and why. It never reads like something done."""

from collections import Counter
from collections.abc import Iterator

from runner.base.model import OperationName, Outcome
from runner.base.operations import OPERATIONS
from runner.base.units import moment_text
from runner.cli.mcp_text import mcp_lines
from runner.planning.kinds import McpServers
from runner.planning.preview import Preview
from runner.report.text import plain, shortened
from runner.store import TargetRecord

LISTED = 1000
"""Targets of one outcome that are shown one by one; the rest is counted."""


def plan_text(preview: Preview, command: str | None, listed: int = LISTED) -> str:
    """The plan as lines for people; `command`, if given, carries it out, `listed` targets of each outcome are named."""
    return "".join(f"{line}\n" for line in _lines(preview, command, listed))


def headline(preview: Preview) -> str:
    """How many connectors would be changed, in one sentence."""
    run = preview.run
    if not run.planned:
        return "Nothing is selected: no connector fits."
    would_be = OPERATIONS[OperationName(run.operation)].would_be
    changes = run.counts[Outcome.CHANGED]
    return f"{changes} of {run.planned} connector{'' if run.planned == 1 else 's'} would be {would_be}."


def credential_lines(until: float | None) -> list[str]:
    """A line that says when the credential ends (epoch seconds), if that is known and not for ever."""
    return [] if until is None else [f"The access token ends {moment_text(until)}; nothing can be done with it later."]


def _lines(preview: Preview, command: str | None, listed: int) -> Iterator[str]:
    run, operation = preview.run, OPERATIONS[OperationName(preview.run.operation)]
    changes = run.counts[Outcome.CHANGED]
    yield headline(preview)
    if run.stopped:
        yield f"Partial: {plain(run.stopped)}."
    requests = f"{run.requests} request{'' if run.requests == 1 else 's'}"
    yield f"job {shortened(run.job_name, 60)} · {plain(run.tenant)} · {requests}, all of them reads"
    if preview.mcp is not None:
        yield from mcp_lines(preview.mcp)
    yield from credential_lines(run.credential_until)
    yield ""
    words = {
        Outcome.CHANGED: f"would be {operation.would_be}",
        Outcome.UNCHANGED: operation.unchanged,
        Outcome.SKIPPED: "would be skipped",
        Outcome.FAILED: "would fail",
        Outcome.UNKNOWN: "not known",
    }
    width = max(map(len, words.values()))
    shown = Counter[Outcome]()
    for target in preview.targets:
        shown[target.outcome] += 1
        if shown[target.outcome] <= listed:
            yield f"  {words[target.outcome]:<{width}}  {_who(target, preview.mcp)}{_why(target)}"
    for outcome, count in shown.items():
        if count > listed:
            rest = "" if command is None else "; --format json shows them all"
            yield f"  {words[outcome]:<{width}}  and {count - listed} more{rest}"
    if command is not None and changes:
        yield ""
        yield "To carry it out:"
        yield f"  {command}"


def _who(target: TargetRecord, mcp: McpServers | None) -> str:
    names = [shortened(name, 60) for name in (target.app_name, target.connector_name) if name]
    kind = ", MCP server" if mcp is not None and mcp.has(target.target) else ""
    return f"{' / '.join(names)}  ({target.target}{kind})" if names else f"{target.target}{kind}"


def _why(target: TargetRecord) -> str:
    if target.outcome in (Outcome.CHANGED, Outcome.UNCHANGED) or not target.detail:
        return ""
    return f": {shortened(target.detail, 200)}"
