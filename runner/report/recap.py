"""The recap on standard output: verdict first, then the counts, what went wrong, and what to type next."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from runner.base.model import Outcome
from runner.report.document import duration
from runner.report.explain import reasons
from runner.report.text import plain, shortened
from runner.report.verdict import conclusion, default_hints
from runner.report.words import (
    ATTENTION,
    attempts_text,
    count_text,
    duration_text,
    moment_text,
    outcome_words,
    requests_text,
)
from runner.store.records import RunRecord, TargetRecord

LISTED = 20
"""Targets of one outcome that are named; the rest is counted."""

_Paint = Callable[[str, str], str]
"""Puts colour codes around a text, or leaves it alone."""

_NAMED = (*ATTENTION, Outcome.SKIPPED)
_BOLD, _RED, _GREEN, _YELLOW, _DIM, _END = "\x1b[1m", "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[2m", "\x1b[0m"
_TONES = {"good": _GREEN, "attention": _YELLOW, "bad": _RED, "open": _YELLOW}
_OUTCOMES = {Outcome.FAILED: _RED, Outcome.UNKNOWN: _YELLOW}


def recap(
    run: RunRecord,
    targets: Iterable[TargetRecord],
    *,
    hints: Sequence[str] | None = None,
    color: bool = False,
    listed: int = LISTED,
) -> str:
    """A run's recap as text for a terminal, lines ending in newlines.

    `targets` is read only as far as there is something to name. `hints` are the commands worth typing next;
    by default the one that writes a report.
    """
    paint = _painted if color else _unpainted
    commands = default_hints(run) if hints is None else hints
    lines = [
        *_verdict(run, paint),
        "",
        *_counts(run, paint),
        *_named(run, targets, listed, paint),
        *(["", "Next:", *(f"  {command}" for command in commands)] if commands else []),
    ]
    return "".join(f"{line}\n" for line in lines)


def _verdict(run: RunRecord, paint: _Paint) -> Iterator[str]:
    verdict = conclusion(run)
    yield paint(f"{verdict.headline}.", _BOLD + _TONES[verdict.tone])
    yield from verdict.notes
    took = duration(run.started_at, run.finished_at)
    facts = [
        f"job {shortened(run.job_name, 60)}",
        f"run {run.run_id}",
        plain(run.tenant),
        moment_text(run.started_at),
        *([f"exit code {run.exit_code}"] if run.exit_code else []),
        *([duration_text(took)] if took is not None else []),
        requests_text(run),
    ]
    yield paint(" · ".join(facts), _DIM)


def _counts(run: RunRecord, paint: _Paint) -> Iterator[str]:
    words = outcome_words(run)
    word_width = max(map(len, words.values()))
    width = max(len(count_text(run.counts[outcome])) for outcome in words)
    for outcome, word in words.items():
        count = run.counts[outcome]
        line = f"  {word:<{word_width}}  {count_text(count):>{width}}"
        yield paint(line, _OUTCOMES.get(outcome, "") if count else _DIM)


def _named(run: RunRecord, targets: Iterable[TargetRecord], listed: int, paint: _Paint) -> Iterator[str]:
    words = outcome_words(run)
    for outcome, found in _first_of_each(run, targets, listed).items():
        yield ""
        yield paint(f"{words[outcome].capitalize()}:", _BOLD)
        for target in found:
            yield f"  {_who(target)}"
            yield from (f"      {line}" for line in _why(target))
        if more := run.counts[outcome] - len(found):
            yield f"  and {count_text(more)} more"


def _first_of_each(run: RunRecord, targets: Iterable[TargetRecord], listed: int) -> dict[Outcome, list[TargetRecord]]:
    """The first targets of each outcome worth naming; stops reading when it has them."""
    found: dict[Outcome, list[TargetRecord]] = {outcome: [] for outcome in _NAMED if run.counts[outcome]}
    missing = {outcome: min(listed, run.counts[outcome]) for outcome in found}
    if not any(missing.values()):
        return found
    for target in targets:
        if missing.get(target.outcome, 0) > 0:
            found[target.outcome].append(target)
            missing[target.outcome] -= 1
            if not any(missing.values()):
                break
    return found


def _who(target: TargetRecord) -> str:
    names = [shortened(name, 60) for name in (target.app_name, target.connector_name) if name]
    return f"{' / '.join(names)}  ({target.target})" if names else str(target.target)


def _why(target: TargetRecord) -> Iterator[str]:
    yield from (shortened(reason, 300) for reason in reasons(target))
    if target.request_id:
        yield f"request {shortened(target.request_id, 100)}, {attempts_text(target.attempts)}"


def _painted(text: str, codes: str) -> str:
    return f"{codes}{text}{_END}" if codes else text


def _unpainted(text: str, _codes: str) -> str:
    return text
