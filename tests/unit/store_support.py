"""A store with a run in it, and a second look at it from outside."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from runner.base.model import ConnectorState, Planned, Target
from runner.store import Journal, Store
from runner.store.journal import RunStart

START = 1_790_000_000.0
TENANT = "acme.conductor.one"

ACTIVE = ConnectorState(None, "SYNC_STATUS_DONE", sync_started_at="2026-09-21T14:00:00Z")
PAUSED = ConnectorState("2026-09-21T14:13:21Z", "SYNC_STATUS_DONE", category="USER", reason="CHG-1", can_resume=True)


def start(run_id: str = "20260921-141320-abc123", **fields: object) -> RunStart:
    """What is known of a run when it begins."""
    values: dict[str, object] = {
        "run_id": run_id,
        "job": {"limits": {"concurrency": 10}},
        "job_name": "freeze",
        "job_path": "jobs/freeze.yaml",
        "job_sha256": "00ff",
        "operation": "pause",
        "tenant": TENANT,
        "reason": "CHG-1",
        "version": "1.0",
        "host": "ops1",
        "user": "me",
        "pid": 4711,
        "started_at": START,
    }
    return RunStart(**(values | fields))  # type: ignore[arg-type]


def target(seq: int) -> Target:
    """The target in a place of the plan."""
    return Target(f"app{seq // 3}", f"con{seq}")


def planned(seq: int, before: ConnectorState | None = ACTIVE) -> Planned:
    """A target on its way to a worker."""
    return Planned(seq, target(seq), f"App {seq // 3}", f"Connector {seq}", before)


def begun(store: Store, count: int, run_id: str = "20260921-141320-abc123", **fields: object) -> Journal:
    """The journal of a run with so many planned targets."""
    journal = store.journal(start(run_id, **fields))
    journal.plan(Planned(seq, target(seq)) for seq in range(count))
    return journal


class Outside:
    """What another process would see: a connection that shares nothing with the store's."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def rows(self, columns: str, table: str = "targets") -> list[tuple[object, ...]]:
        """The committed rows of a table, in the order of their keys."""
        connection = sqlite3.connect(self._path)
        try:
            return connection.execute(f"SELECT {columns} FROM {table}").fetchall()
        finally:
            connection.close()


@asynccontextmanager
async def served(journal: Journal) -> AsyncIterator[None]:
    """The journal commits beside the block, as it does beside a run."""
    async with anyio.create_task_group() as group:
        group.start_soon(journal.serve)
        yield
        group.cancel_scope.cancel()
