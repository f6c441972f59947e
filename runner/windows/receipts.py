"""Receipts from elsewhere: a run's JSON report, taken into the store, so that the run can be undone here.

A report holds what a receipt is made of: the state before, the tenant's own mark of the pause, when, and why.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.base.errors import UsageError
from runner.base.model import ConnectorState, OperationName, Outcome, Planned, Result, Span, Target, epoch, is_id
from runner.base.policy import CLOCKS_DISAGREE, REQUEST_LIFE
from runner.engine.decide import receipt
from runner.store import RunRecord, Store
from runner.store.journal import RunStart

SCHEMA = "c1-runner/report/1"

_is_run_id = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{6}").fullmatch
_STATE = {
    "paused_at": "paused_at",
    "status": "sync_status",
    "category": "category",
    "reason": "reason",
    "sync_started_at": "sync_started_at",
    "sync_completed_at": "sync_completed_at",
    "last_error": "last_error",
}
"""The fields of a state, and what the report calls them."""


@dataclass(frozen=True, slots=True)
class Receipts:
    """What a report says of a run that has paused connectors."""

    start: RunStart
    rows: list[tuple[Planned, Result]]
    finished_at: float
    exit_code: int


def adopt(path: Path, store: Store, tenant: str) -> RunRecord:
    """The run that a report is of, as the store has it; one that is not known here is taken in first.

    Raises `UsageError` when the file cannot be read, is no JSON report of a pause, or is of another tenant.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        json.dumps(document, ensure_ascii=False).encode()  # an escape can hold half a character: no database takes one
        receipts = _receipts(document, path)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from None
    except KeyError as error:
        raise UsageError(
            f"{path}: no JSON report of a pause that c1-runner has written ({error.args[0]} is missing)"
        ) from None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, ArithmeticError) as error:
        raise UsageError(f"{path}: no JSON report of a pause that c1-runner has written ({error})") from None
    if receipts.start.tenant != tenant:
        raise UsageError(f"{path}: of a run on {receipts.start.tenant}, but the credentials lead to {tenant}")
    known = {run.run_id: run for run in store.runs()}
    if receipts.start.run_id not in known:
        store.adopt(receipts.start, receipts.rows, receipts.finished_at, receipts.exit_code)
    return store.run(receipts.start.run_id)


def _receipts(document: Any, path: Path) -> Receipts:
    """The receipts in a report; raises ValueError, LookupError or TypeError if they are not there."""
    if document["schema"] != SCHEMA:
        raise ValueError(f"schema is {document['schema']!r}, not {SCHEMA!r}")
    if document["operation"] != OperationName.PAUSE:
        raise ValueError(f"it is of a {document['operation']}, and only a pause can be undone")
    if not _is_run_id(document["run_id"]):
        raise ValueError(f"{document['run_id']!r} is no run id")
    started_at = _time(document["started_at"])
    name, tenant, reason = str(document["job"]["name"]), str(document["tenant"]), document["reason"]
    start = RunStart(
        run_id=document["run_id"],
        job={"operation": OperationName.PAUSE, "name": name, "tenant": tenant, "reason": reason},
        job_name=name,
        job_path=document["job"]["path"],
        job_sha256=document["job"]["sha256"],
        operation=OperationName.PAUSE,
        tenant=tenant,
        reason=reason,
        version="",
        host="elsewhere",
        user=path.name,
        pid=0,
        started_at=started_at,
    )
    rows = [_row(seq, row, started_at) for seq, row in enumerate(document["results"])]
    if len({planned.target[:2] for planned, _ in rows}) != len(rows):
        raise ValueError("it names a connector twice")
    finished_at = document["finished_at"]
    return Receipts(start, rows, _time(finished_at) if finished_at else started_at, _count(document["exit_code"] or 0))


def _row(seq: int, row: Any, run_started_at: float) -> tuple[Planned, Result]:
    target = Target(row["app_id"], row["connector_id"])
    if not is_id(target.app_id) or not is_id(target.connector_id):
        raise ValueError(f"{target} is no pair of ids")
    outcome, finished_at = Outcome(row["outcome"]), row["finished_at"]
    started_at = _time(row["started_at"]) if row["started_at"] else run_started_at
    ended_at = _time(finished_at) if finished_at else started_at
    unclear = outcome is Outcome.UNKNOWN or (outcome is Outcome.CHANGED and _count(row["attempts"]) > 1)
    before, after = _state(row["before"]), _state(row["after"])
    # The other host's clock is taken to be right: if it was not, what has no mark is left alone.
    span = Span(started_at - CLOCKS_DISAGREE, ended_at + (REQUEST_LIFE if unclear else CLOCKS_DISAGREE), not unclear)
    result = Result(
        outcome,
        row["detail"],
        None if row["http_status"] is None else _count(row["http_status"]),
        row["error"],
        row["request_id"],
        _count(row["attempts"]),
        _count(row["throttled"]),
        started_at,
        ended_at,
        after,
        ended_at if unclear else None,
        unproven=outcome is Outcome.FAILED and _may_have_taken_effect(row),
        receipt=receipt(before, after, None) if outcome is Outcome.CHANGED and after is not None else None,
        span=span,
    )
    return Planned(seq, target, row["app_name"], row["connector_name"], before), result


def _may_have_taken_effect(row: Any) -> bool:
    """Whether a target that failed was sent anything which C1 has not refused: 4xx says that there was no effect."""
    status = row["http_status"]
    return _count(row["attempts"]) > 0 and not (status is not None and 400 <= _count(status) < 500)


def _state(document: Any) -> ConnectorState | None:
    if document is None:
        return None
    state = ConnectorState(**{field: document[name] for field, name in _STATE.items()})
    if any(not isinstance(getattr(state, field), str | None) for field in _STATE):
        raise TypeError("a connector's state is not made of texts")
    return state


def _count(value: Any) -> int:
    count = int(value)
    if not 0 <= count < 2**31:
        raise ValueError(f"{count:.3g} is no count")
    return count


def _time(text: Any) -> float:
    found = epoch(text)
    if found is None:
        raise ValueError(f"{text!r} is no time")
    return found
