"""Removing old runs; never one that may live, that keeps something paused, or of which anything is uncertain.

A run and the undos of it are removed together or not at all. The lock of their job is held meanwhile: nobody goes on
with what is being removed, and a run that is under way is left alone whoever works on it, and wherever.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from runner.store.locks import forget_window, idle, is_gone, window_lives
from runner.store.records import HELD, UNCERTAIN

_REPORTING = 3600.0
"""Seconds within which a process that has ended a run certainly has written its reports."""

_STAYS = f"""(coalesce(r.finished_at, r.started_at) >= :before OR EXISTS (
    SELECT 1 FROM targets t WHERE t.run = r.run AND ((r.operation = 'pause' AND {HELD})
        OR (t.released_at IS NULL AND {UNCERTAIN}))))"""
"""Whether what is recorded keeps a run `r` from being removed: its age, a hold, or something uncertain."""

_FAMILIES = f"""
    SELECT coalesce(r.undoes, r.run) AS root, r.tenant, r.job_name FROM runs r GROUP BY root HAVING NOT max({_STAYS})
"""

_MEMBERS = f"""
    SELECT run_id, pid, host, windowed, finished_at, {_STAYS} FROM runs r WHERE coalesce(r.undoes, r.run) = :root
"""


class _Member(NamedTuple):
    run_id: str
    pid: int
    host: str
    windowed: int
    finished_at: float | None
    stays: int


def prune(connection: sqlite3.Connection, directory: Path, before: float, now: float) -> tuple[int, int]:
    """Remove runs that ended before a moment (epoch seconds, as `now`); returns how many were removed, and kept."""
    removed = 0
    for root, tenant, job in connection.execute(_FAMILIES, {"before": before}).fetchall():
        with idle(directory, tenant, job) as free:
            if free:
                removed += _remove(connection, directory, root, before, now)
    old = "SELECT count(*) FROM runs WHERE coalesce(finished_at, started_at) < ?"
    return removed, int(connection.execute(old, (before,)).fetchone()[0])


def _remove(connection: sqlite3.Connection, directory: Path, root: int, before: float, now: float) -> int:
    """Remove a run and its undos, unless one of them has to stay; returns how many they are."""
    with _transaction(connection):
        rows = connection.execute(_MEMBERS, {"before": before, "root": root})
        members = [_Member(*row) for row in rows]
        if any(member.stays or _may_live(member, directory, now) for member in members):
            return 0
        connection.execute("DELETE FROM runs WHERE coalesce(undoes, run) = ?", (root,))
    for member in members:
        forget_window(directory, member.run_id)
    return len(members)


def _may_live(member: _Member, directory: Path, now: float) -> bool:
    """Whether a process may still need a run whose job nobody has the lock of: its window, or its reports."""
    if member.windowed and window_lives(directory, member.run_id):
        return True
    ended = member.finished_at
    return ended is not None and ended > now - _REPORTING and not is_gone(member.pid, member.host)


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise
