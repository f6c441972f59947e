"""The read side: runs and targets as values, with the outcome of what a crash left open."""

import itertools
import json
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from runner.base.model import ConnectorState, Look, Mark, Outcome, PauseKind, Span, Target
from runner.base.policy import NOTED_EVERY, Timeouts

# What a crash left open is said here, once, for every reader: an intent without an outcome may have been
# applied, a target without an intent was never sent.
_OUTCOME = """
    CASE WHEN outcome IS NOT NULL THEN outcome
         WHEN intent_at IS NOT NULL THEN 'unknown'
         ELSE 'not_attempted' END
"""
_TARGETS = f"""
    SELECT seq, app_id, connector_id, app_name, connector_name, {_OUTCOME} AS outcome,
        CASE WHEN outcome IS NULL AND intent_at IS NOT NULL THEN ? ELSE detail END AS detail,
        http_status, error, request_id, attempts, throttled, coalesce(started_at, intent_at) AS started_at,
        finished_at, before, after, waited, unproven, left_to, receipt, sent_from, sent_until, unclear_at
    FROM targets WHERE run = ?
"""
_OUTCOMES = {outcome.value: outcome for outcome in Outcome}  # to ask the class takes ten times as long
_OPEN_INTENT = "a request may have been sent; the run ended before its outcome was recorded"


class RunRecord(NamedTuple):
    """A run as the store has it. Times are seconds since the epoch."""

    run: int
    run_id: str
    job: Mapping[str, Any]
    job_name: str
    job_path: str | None
    job_sha256: str | None
    operation: str
    tenant: str
    reason: str | None
    version: str
    host: str
    user: str
    pid: int
    started_at: float
    finished_at: float | None
    exit_code: int | None
    stopped: str | None
    whole: bool  # whether everything that was selected is in the plan
    requests: int
    retries: int
    throttled: int
    counts: Mapping[Outcome, int]
    until: float | None = None  # when its pauses end by themselves
    windowed: bool = False  # a command runs while they last
    undoes: int | None = None  # the run whose pauses this one ends
    clock_offset: float | None = None  # seconds that the tenant's clock was ahead of this machine's
    clock_uncertainty: float | None = None
    reader: str | None = None  # the credential that has read the states, nothing secret
    sees_marks: bool = False  # whether that credential was shown any pause
    credential_until: float | None = None  # when that credential ends, where it is known

    @property
    def planned(self) -> int:
        """How many targets the run has."""
        return sum(self.counts.values())


class TargetRecord(NamedTuple):
    """A planned target as the store has it; always with exactly one outcome."""

    seq: int
    target: Target
    app_name: str | None
    connector_name: str | None
    outcome: Outcome
    detail: str | None
    http_status: int | None
    error: str | None
    request_id: str | None
    attempts: int
    throttled: int
    started_at: float | None
    finished_at: float | None
    before: ConnectorState | None
    after: ConnectorState | None
    waited: float = 0.0  # seconds it was held back by the tenant's limit
    receipt: Mark | None = None  # the mark of this run's own pause
    span: Span | None = None  # when a request can have taken effect, in the tenant's time
    unproven: bool = False  # it failed after a request without a clear answer, which could still take effect
    left_to: str | None = None  # the id of the run that an undo has left its pause to


class PaceSample(NamedTuple):
    """The rate limit at one moment of a run."""

    at: float  # seconds since the epoch
    rate: float | None  # requests per second allowed from now on; None: no limit known
    refused: int = 0  # requests answered with 429 since the sample before


UNCERTAIN = "(t.outcome IS 'unknown' OR t.unproven OR (t.outcome IS NULL AND t.intent_at IS NOT NULL))"
"""Whether a request was sent for a target `t`, and nothing proves what came of it."""

HELD = f"""(t.released_at IS NULL AND ((t.joined_at IS NOT NULL AND coalesce(t.outcome, 'unchanged') = 'unchanged')
    OR t.outcome IS 'changed' OR {UNCERTAIN}))"""
"""Whether a pause run still wants its target `t` paused: it has paused it, or may have, or has joined another run."""

WANTED_BY_OTHERS = f"""EXISTS (
    SELECT 1 FROM targets t JOIN runs r USING (run)
    WHERE t.app_id = targets.app_id AND t.connector_id = targets.connector_id AND t.run != targets.run
        AND r.operation = 'pause' AND {HELD}
        AND r.tenant = (SELECT own.tenant FROM runs own WHERE own.run = targets.run))
"""
"""Whether another run here has a lease on a row of `targets`, so that it may be about to resume it.

Asked before each pause: the whole lease, read and made, would cost as much as the journal.
"""

UNCLEAR_AT = f"""CASE WHEN t.outcome IS NULL THEN max(t.intent_at, coalesce(t.unclear_at, 0)) + {NOTED_EVERY}
        + coalesce(json_extract(r.job, '$.timeouts.request'), {Timeouts().request})
    WHEN t.outcome = 'unknown' THEN coalesce(t.unclear_at, t.finished_at) ELSE t.unclear_at END"""
"""When a request for a target `t` of run `r` was last given up without a clear answer, at the latest; NULL if none was.

A crash gives up what is under way then, and says no more than when that was noted.
"""


def all_runs(connection: sqlite3.Connection) -> list[RunRecord]:
    """Every run, the newest first."""
    return _runs(connection, "", ())


def find_runs(connection: sqlite3.Connection, run_id: str | None) -> list[RunRecord]:
    """The runs whose id begins with `run_id` (an exact match alone), or the newest one."""
    if run_id is None:
        return _runs(connection, "WHERE run = (SELECT max(run) FROM runs)", ())
    exact = _runs(connection, "WHERE run_id = ?", (run_id,))
    return exact or _runs(connection, "WHERE substr(run_id, 1, length(?1)) = ?1", (run_id,))


def endless_runs(connection: sqlite3.Connection, tenant: str) -> list[RunRecord]:
    """The runs on a tenant that have no end, the newest first; not those that a later run has made good."""
    made_good = """EXISTS (SELECT 1 FROM runs later WHERE later.run > runs.run AND later.tenant = runs.tenant
        AND later.job_name = runs.job_name AND later.operation = runs.operation AND later.exit_code = 0)"""
    return _runs(connection, f"WHERE finished_at IS NULL AND tenant = ? AND NOT {made_good}", (tenant,))


def pausing_runs(connection: sqlite3.Connection, tenant: str) -> list[RunRecord]:
    """The runs that still want something paused on a tenant, the newest first."""
    wanting = f"operation = 'pause' AND EXISTS (SELECT 1 FROM targets t WHERE t.run = runs.run AND {HELD})"
    return _runs(connection, f"WHERE tenant = ? AND {wanting}", (tenant,))


def run_of(connection: sqlite3.Connection, run: int) -> RunRecord:
    """A run by its row."""
    return _runs(connection, "WHERE run = ?", (run,))[0]


def looks(connection: sqlite3.Connection, tenant: str) -> frozenset[Look]:
    """What our own pauses look like on a tenant."""
    rows = connection.execute("SELECT category, reason FROM looks WHERE tenant = ?", (tenant,))
    return frozenset(Look(category or None, reason or None) for category, reason in rows)


def sees_marks(connection: sqlite3.Connection, tenant: str, reader: str) -> bool:
    """Whether a credential was ever shown a pause on a tenant: another may read every connector as active."""
    seen = "SELECT 1 FROM runs WHERE tenant = ? AND reader = ? AND sees_marks LIMIT 1"
    return connection.execute(seen, (tenant, reader)).fetchone() is not None


def _runs(connection: sqlite3.Connection, where: str, values: Sequence[str | int]) -> list[RunRecord]:
    cursor = connection.execute(f"SELECT * FROM runs {where} ORDER BY run DESC", values)
    names = [column[0] for column in cursor.description]
    return [_run(connection, dict(zip(names, row, strict=True))) for row in cursor.fetchall()]


def _run(connection: sqlite3.Connection, row: dict[str, Any]) -> RunRecord:
    tally = connection.execute(
        f"SELECT {_OUTCOME}, count(*), sum(attempts), sum(max(attempts - 1, 0)), sum(throttled) "
        "FROM targets WHERE run = ? GROUP BY 1",
        (row["run"],),
    ).fetchall()
    counts = dict.fromkeys(Outcome, 0) | {Outcome(outcome): count for outcome, count, *_ in tally}
    if row["requests"] is None:  # not finished: what the targets' own records add up to
        row["requests"], row["retries"], row["throttled"] = (sum(line[i] for line in tally) for i in (2, 3, 4))
    flags = {name: bool(row[name]) for name in ("whole", "windowed", "sees_marks")}
    return RunRecord(**(row | flags | {"job": json.loads(row["job"]), "counts": counts}))


def targets(connection: sqlite3.Connection, run: RunRecord) -> Iterator[TargetRecord]:
    """A run's targets in plan order, one at a time."""
    cursor = connection.execute(f"{_TARGETS} ORDER BY seq", (_OPEN_INTENT, run.run))
    return map(_target, cursor)


def pace(connection: sqlite3.Connection, run: RunRecord) -> list[PaceSample]:
    """How a run's pace went, in order of time."""
    rows = connection.execute("SELECT at, rate, throttled FROM pace_samples WHERE run = ? ORDER BY at", (run.run,))
    samples, before = [], 0
    for at, rate, throttled in rows:
        samples.append(PaceSample(at, rate, max(throttled - before, 0)))
        before = throttled
    return samples


def touched_by_app(connection: sqlite3.Connection, run: RunRecord) -> Iterator[list[TargetRecord]]:
    """The targets that a run has changed so far, or may have, app by app.

    Those whose requests were refused are among them: a refusal does not name the connector that it is about.
    """
    refused = "outcome = 'failed' AND http_status IS NOT NULL AND intent_at IS NOT NULL"
    where = f"AND released_at IS NULL AND (outcome = 'changed' OR unproven OR ({refused})) ORDER BY app_id, seq"
    cursor = connection.execute(f"{_TARGETS} {where}", (_OPEN_INTENT, run.run))
    for _, rows in itertools.groupby(map(_target, cursor), key=lambda target: target.target.app_id):
        yield list(rows)


def open_targets(
    connection: sqlite3.Connection, run: RunRecord, outcomes: Collection[Outcome]
) -> Iterator[tuple[TargetRecord, tuple[float, float] | None]]:
    """The targets with one of these outcomes, uncertain ones first, and between when requests for these were sent.

    What has been undone is uncertain no more, whatever it was.
    """
    marks = ", ".join("?" * len(outcomes))
    timed = f"(SELECT t.*, {UNCLEAR_AT} AS given_up_at FROM targets t JOIN runs r USING (run))"
    cursor = connection.execute(
        f"SELECT * FROM ({_TARGETS.replace('FROM targets', f', intent_at, given_up_at, released_at FROM {timed}')}) "
        f"WHERE outcome IN ({marks}) ORDER BY outcome != 'unknown', seq",
        (_OPEN_INTENT, run.run, *outcomes),
    )
    for *row, intent_at, unclear_at, released_at in cursor:
        target = _target(row)
        uncertain = target.outcome is Outcome.UNKNOWN or target.unproven
        since = intent_at if uncertain and released_at is None else None
        yield target, None if since is None else (since, unclear_at or since)


def _target(row: Sequence[Any]) -> TargetRecord:
    """A record of a row; the columns stand in the order of the fields."""
    *row, unproven, left_to, receipt, sent_from, sent_until, unclear_at = row
    seq, app_id, connector_id, app_name, connector_name, outcome, *reply, before, after, waited = row
    target = Target(app_id, connector_id)
    states = (state_of(before), state_of(after))
    span = span_of(sent_from, sent_until, unclear_at, outcome)
    known = (_OUTCOMES[outcome], *reply, *states, waited, mark_of(receipt), span, bool(unproven), left_to)
    return TargetRecord._make((seq, target, app_name, connector_name, *known))


def mark_of(text: str | None) -> Mark | None:
    """A mark as the journal has written it."""
    if text is None:
        return None
    if text.startswith("{"):  # a whole state, as an older version kept it; that took no anomaly for its own
        state = state_of(text)
        return None if state is None or state.kind is PauseKind.ANOMALY else Mark.of(state)
    at, category, reason = json.loads(text)
    return Mark(at, Look(category, reason))


def span_of(begin: float | None, end: float | None, unclear_at: float | None, outcome: str | None) -> Span | None:
    """When a request can have taken effect; accepted, if none of them was without a clear answer."""
    if begin is None or end is None:
        return None
    return Span(begin, end, accepted=outcome == Outcome.CHANGED and unclear_at is None)


def state_of(text: str | None) -> ConnectorState | None:
    """A connector's state as the journal has written it."""
    return None if text is None else ConnectorState(**({"paused_at": None, "status": None} | json.loads(text)))
