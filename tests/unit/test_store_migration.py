"""A state file of an older version is brought up to date, and makes no pause ours that was not."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from runner.base.model import Look, Mark
from runner.store import Store
from runner.store.schema import MIGRATIONS
from tests.unit.store_support import TENANT

BEFORE_RECEIPTS = 3
"""Migrations that an older version knew."""

MARK = "2026-09-21T14:13:21Z"
ACTIVE = {"status": "SYNC_STATUS_DONE"}
PAUSED = {"paused_at": MARK, "status": "SYNC_STATUS_DONE", "category": "PAUSED"}


def older(path: Path, before: Any, after: Any) -> None:
    """A state file of that version, with a run that has paused one connector."""
    path.parent.mkdir()
    connection = sqlite3.connect(path)
    for script in MIGRATIONS[:BEFORE_RECEIPTS]:
        connection.executescript(script)
    connection.execute(f"PRAGMA user_version = {BEFORE_RECEIPTS}")
    connection.execute(
        "INSERT INTO runs (run_id, job, job_name, operation, tenant, version, host, user, pid, started_at, whole) "
        "VALUES ('20260921-141320-abc123', '{}', 'freeze', 'pause', ?, '0', 'host', 'user', 1, 1790000000, 1)",
        (TENANT,),
    )
    states = [None if state is None else json.dumps(state) for state in (before, after)]
    connection.execute(
        "INSERT INTO targets (run, seq, app_id, connector_id, before, after, intent_at, outcome, finished_at) "
        "VALUES (1, 0, 'app1', 'con1', ?, ?, 1790000000, 'changed', 1790000001)",
        states,
    )
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    ("before", "after", "known"),
    [
        (ACTIVE, PAUSED, (Mark(MARK, Look("PAUSED", None)),)),
        (None, PAUSED, ()),  # its state before was not read
        (PAUSED, PAUSED, ()),  # it was paused before
        ({"status": "SYNC_STATUS_DISABLED"}, PAUSED, ()),
        (ACTIVE, PAUSED | {"category": "SYNC_DISABLED_CATEGORY_ANOMALY"}, ()),  # C1's own
        (ACTIVE, None, ()),
    ],
)
def test_the_receipts_of_an_older_version_are_the_ones_that_it_went_by(
    tmp_path: Path, before: Any, after: Any, known: tuple[Mark, ...]
) -> None:
    older(tmp_path / "state" / "state.db", before, after)
    with Store(tmp_path / "state") as store:
        hold = store.holds(TENANT)["app1", "con1"]

        assert hold.marks.known == known
        assert len(store.held(store.run())) == 1
