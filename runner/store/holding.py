"""How much a run still keeps paused, counted from its rows: what can be said of it before anything is read."""

import sqlite3
from typing import NamedTuple

from runner.base.model import OperationName
from runner.store.records import HELD, UNCERTAIN, RunRecord


class Holding(NamedTuple):
    """What a run wants kept paused by the record here, whatever the tenant shows by now."""

    connectors: int = 0
    uncertain: int = 0  # of these: a request was sent, and nothing proves what came of it
    shared: bool = False  # some of these another run here may want paused beyond this run's end
    left_by: str | None = None  # the latest undo of this run that has come to its end


_COUNTED = f"""
    SELECT count(*), coalesce(sum({UNCERTAIN}), 0) FROM targets t WHERE t.run = ? AND {HELD}
"""

_SHARED = f"""
    SELECT EXISTS (
        SELECT 1 FROM runs r CROSS JOIN targets t USING (run) CROSS JOIN targets own
        ON own.run = :run AND own.app_id = t.app_id AND own.connector_id = t.connector_id
        WHERE r.run != :run AND r.operation = 'pause' AND r.tenant = :tenant
            AND (r.until IS NULL OR r.until > :until) AND {HELD})
"""

_UNDONE_BY = "SELECT run_id FROM runs WHERE undoes = ? AND finished_at IS NOT NULL ORDER BY run DESC LIMIT 1"


def holding(connection: sqlite3.Connection, run: RunRecord) -> Holding:
    """What a run still keeps paused; nothing for one that has not paused."""
    if run.operation != OperationName.PAUSE:
        return Holding()
    connectors, uncertain = connection.execute(_COUNTED, (run.run,)).fetchone()
    if not connectors:
        return Holding()
    undo = connection.execute(_UNDONE_BY, (run.run,)).fetchone()
    shared = run.until is not None and connection.execute(_SHARED, run._asdict()).fetchone()[0]
    return Holding(connectors, uncertain, bool(shared), undo and undo[0])
