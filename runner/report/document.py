"""The report as values: a run's header and one result per target, the fields of `c1-runner/report/1`.

Every format is made from these. Times are RFC 3339 in UTC with milliseconds, durations are seconds rounded to
milliseconds. What is not known is null: a run without a recorded end (under way, or cut off) has neither
`finished_at` nor `duration_s` nor `exit_code`.
"""

from datetime import UTC, datetime
from functools import lru_cache

from runner.base.model import ConnectorState, JsonObject, Outcome
from runner.store.records import RunRecord, TargetRecord

SCHEMA = "c1-runner/report/1"

HEADER_FIELDS = (
    "schema", "run_id", "job", "operation", "tenant", "reason", "started_at", "finished_at", "duration_s",
    "exit_code", "stopped", "counts", "requests", "by", "until", "credential_until",
)  # fmt: skip
RESULT_FIELDS = (
    "app_id", "connector_id", "app_name", "connector_name", "outcome", "detail", "http_status", "error",
    "request_id", "attempts", "throttled", "started_at", "finished_at", "duration_s", "before", "after",
)  # fmt: skip
STATE_FIELDS = (
    "state", "paused_at", "sync_status", "category", "reason", "sync_started_at", "sync_completed_at",
    "last_error",
)  # fmt: skip

_FRACTIONS = tuple(f".{millisecond:03}Z" for millisecond in range(1000))
"""How a timestamp ends, ready made: each target has two."""


def header(run: RunRecord) -> JsonObject:
    """What the report says of the run as a whole; the keys are `HEADER_FIELDS`."""
    return {
        "schema": SCHEMA,
        "run_id": run.run_id,
        "job": {"name": run.job_name, "path": run.job_path, "sha256": run.job_sha256},
        "operation": run.operation,
        "tenant": run.tenant,
        "reason": run.reason,
        "started_at": timestamp(run.started_at),
        "finished_at": timestamp(run.finished_at),
        "duration_s": duration(run.started_at, run.finished_at),
        "exit_code": run.exit_code,
        "stopped": run.stopped,
        "counts": {outcome.value: run.counts.get(outcome, 0) for outcome in Outcome},
        "requests": {"total": run.requests, "retries": run.retries, "throttled": run.throttled},
        "by": {"user": run.user, "host": run.host},
        "until": timestamp(run.until),
        "credential_until": timestamp(run.credential_until),
    }


def result(record: TargetRecord) -> JsonObject:
    """What the report says of one target; the keys are `RESULT_FIELDS`."""
    return {
        "app_id": record.target.app_id,
        "connector_id": record.target.connector_id,
        "app_name": record.app_name,
        "connector_name": record.connector_name,
        "outcome": record.outcome.value,
        "detail": record.detail,
        "http_status": record.http_status,
        "error": record.error,
        "request_id": record.request_id,
        "attempts": record.attempts,
        "throttled": record.throttled,
        "started_at": timestamp(record.started_at),
        "finished_at": timestamp(record.finished_at),
        "duration_s": duration(record.started_at, record.finished_at),
        "before": state(record.before),
        "after": state(record.after),
    }


def state(seen: ConnectorState | None) -> JsonObject | None:
    """A connector's state at one moment, or None if it was not read; the keys are `STATE_FIELDS`."""
    if seen is None:
        return None
    return {
        "state": state_word(seen),
        "paused_at": seen.paused_at,
        "sync_status": seen.status,
        "category": seen.category,
        "reason": seen.reason,
        "sync_started_at": seen.sync_started_at,
        "sync_completed_at": seen.sync_completed_at,
        "last_error": seen.last_error,
    }


def state_word(seen: ConnectorState) -> str:
    """One word for a state: deleted, paused, running (a sync), error (of the last sync) or active."""
    if seen.deleted:
        return "deleted"
    if seen.paused:
        return "paused"
    if seen.running:
        return "running"
    return "error" if seen.status == "SYNC_STATUS_ERROR" else "active"


def timestamp(epoch: float | None) -> str | None:
    """Seconds since the epoch as `2026-11-23T16:26:11.042Z`."""
    if epoch is None:
        return None
    second, millisecond = divmod(round(epoch * 1_000_000) // 1000, 1000)
    return _second(second) + _FRACTIONS[millisecond]


@lru_cache(maxsize=64)  # in plan order most moments lie close together
def _second(epoch: int) -> str:
    return datetime.fromtimestamp(epoch, UTC).replace(tzinfo=None).isoformat()


def duration(started_at: float | None, finished_at: float | None) -> float | None:
    """Seconds between two moments, never negative: a clock that was set back lengthens nothing."""
    if started_at is None or finished_at is None:
        return None
    return round(finished_at - started_at, 3) if finished_at > started_at else 0.0
