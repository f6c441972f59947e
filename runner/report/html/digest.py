"""One reading of a run's targets, keeping only what the page shows: memory is bounded whatever the plan's size."""

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field

from runner.base.model import Outcome
from runner.report.document import duration
from runner.report.explain import explanation, reasons
from runner.report.html.rows import Row
from runner.report.words import ATTENTION, outcome_words
from runner.store.records import RunRecord, TargetRecord

LISTED_ROWS = 20_000
"""Rows of the table at most; those that need attention go first."""

LISTED_CASES = 100
"""Cases of one group that are described; its count is exact."""

LISTED_GROUPS = 40
"""Different reasons for one outcome; later ones are counted together."""

NAMED_SPANS = 60
"""A timeline of so few targets has a line for each, with its name."""

OUTCOMES = tuple(Outcome)
_GROUPED = (*ATTENTION, Outcome.SKIPPED, Outcome.NOT_ATTEMPTED)


@dataclass(slots=True)
class Group:
    """Targets of one outcome for one reason."""

    outcome: Outcome
    what: str
    advice: str
    count: int = 0
    cases: list[TargetRecord] = field(default_factory=list)
    said: set[str] | None = None  # what the record says of every one of them

    @property
    def common(self) -> list[str]:
        """What is said of all of several cases, and so needs saying once."""
        said = reasons(self.cases[0]) if self.count > 1 else []
        return [reason for reason in said if self.said and reason in self.said and reason != self.what]

    def add(self, target: TargetRecord) -> None:
        """Count one more target."""
        said = set(reasons(target))
        self.said = said if self.said is None else self.said & said
        self.count += 1
        if len(self.cases) < LISTED_CASES:
            self.cases.append(target)


def _limited(run: RunRecord) -> bool:
    """Whether a rate limit had a part in the run: without one, a wait for a turn is no more than the gentle start."""
    limits = run.job.get("limits") or {}
    return run.throttled > 0 or limits.get("rate") is not None


@dataclass(slots=True)
class Spans:
    """When each attempted target was worked on; the same place in every array is the same target."""

    starts: "array[float]" = field(default_factory=lambda: array("d"))  # seconds since the epoch
    ends: "array[float]" = field(default_factory=lambda: array("d"))
    outcomes: bytearray = field(default_factory=bytearray)  # places in OUTCOMES
    throttled: bytearray = field(default_factory=bytearray)  # 0 or 1
    waited: "array[float]" = field(default_factory=lambda: array("f"))  # seconds
    named: list[TargetRecord] = field(default_factory=list)  # the first NAMED_SPANS + 1
    limited: bool = False  # whether a rate limit had a part in the run

    def __len__(self) -> int:
        return len(self.starts)

    def add(self, target: TargetRecord) -> None:
        """Keep a target's times, if it has both."""
        if target.started_at is None or target.finished_at is None:
            return
        self.starts.append(target.started_at)
        self.ends.append(max(target.finished_at, target.started_at))
        self.outcomes.append(OUTCOMES.index(target.outcome))
        self.throttled.append(target.throttled > 0)
        self.waited.append(self.held_back(target))
        if len(self.named) <= NAMED_SPANS:
            self.named.append(target)

    def held_back(self, target: TargetRecord) -> float:
        """Seconds of a target's time that the limit took; 0 for less than a tenth of it, no wait to speak of."""
        whole = duration(target.started_at, target.finished_at) or 0.0
        return min(target.waited, whole) if self.limited and target.waited > whole / 10 else 0.0


@dataclass(slots=True)
class Digest:
    """What one page shows of a run's targets."""

    groups: list[Group] = field(default_factory=list)  # failures first, the largest first
    rows: list[bytes] = field(default_factory=list)  # as UTF-8; failures first, then in plan order
    spans: Spans = field(default_factory=Spans)


def gather(run: RunRecord, targets: Iterable[TargetRecord]) -> Digest:
    """Read all targets once."""
    row = Row(outcome_words(run))
    groups: dict[tuple[Outcome, str], Group] = {}
    rows: dict[Outcome | None, list[bytes]] = {outcome: [] for outcome in (*ATTENTION, None)}
    spans = Spans(limited=_limited(run))
    for target in targets:
        place = rows[target.outcome if target.outcome in ATTENTION else None]
        if len(place) < LISTED_ROWS:
            place.append(row(target).encode())
        if target.outcome in _GROUPED:
            _join(groups, target)
        spans.add(target)
    listed = [line for place in rows.values() for line in place]
    order = {outcome: place for place, outcome in enumerate(_GROUPED)}
    ordered = sorted(groups.values(), key=lambda group: (order[group.outcome], -group.count))
    return Digest(ordered, listed[:LISTED_ROWS], spans)


def _join(groups: dict[tuple[Outcome, str], Group], target: TargetRecord) -> None:
    if target.outcome in ATTENTION:
        what, advice = explanation(target)
    else:
        what, advice = target.detail or "No reason is recorded.", ""
    if (target.outcome, what) not in groups and len(groups) >= LISTED_GROUPS:
        what, advice = "Other reasons.", ""
    groups.setdefault((target.outcome, what), Group(target.outcome, what, advice)).add(target)
