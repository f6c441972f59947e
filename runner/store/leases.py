"""Who wants a connector paused: one lease for each run and connector, across all that share the state directory.

A run holds a lease on each connector that it has paused, or may have, and on each that it found paused by
another run here. When a run is undone it gives its leases up one by one; only the last one that is given up
leads to a resume. Every change is one transaction, durable when it returns.

A lease is no column of its own: it follows from what the journal has on a target (see `records.HELD`).
"""

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from runner.errors import StorageError
from runner.model import UNCLEAR, ConnectorState, Marks, Outcome, Planned, Target
from runner.policy import CLOCK_SKEW, DANGER_TIME, READ_LAG, Timeouts
from runner.store.records import HELD, state_of

_LEASES = f"""
    SELECT t.app_id, t.connector_id, t.run, r.run_id, r.job_name, r.user, r.host, r.reason, r.until, r.windowed,
        r.started_at, t.outcome, t.detail, t.before, t.after, t.intent_at, t.finished_at, t.unclear_at, t.joined_at,
        t.ending_at, {HELD} AS held
    FROM targets t JOIN runs r USING (run) WHERE r.tenant = ? AND r.operation = 'pause'
"""


class Standing(Enum):
    """What becomes of the wish to keep a connector paused that another run here has paused."""

    JOINED = "joined"  # from now on this run wants it paused as well
    ENDING = "ending"  # the other one is about to resume it
    ENDED = "ended"  # the other one has resumed it: what was read is not true any more


class Lease(NamedTuple):
    """A run's wish that a connector stays paused, given up already or not. Times are epoch seconds."""

    run: int
    run_id: str
    job_name: str
    user: str
    host: str
    reason: str | None
    until: float | None
    windowed: bool  # a command is at work while it lasts
    started_at: float  # of the run
    settled_at: float | None
    held: bool
    ending_at: float | None
    unclear_at: float | None
    ours: bool  # this run itself has paused it: it was active before
    marks: tuple[str, ...]
    span: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Ending:
    """What a run that gives up its lease has to do."""

    left_to: Lease | None  # another run still wants it paused: nothing
    marks: Marks  # resume it, if it is paused by one of these
    not_before: float | None  # epoch seconds: earlier, a request that is held up could pause it again


class Leases:
    """The leases of one run, beside those of all others on its tenant. Every method raises `StorageError`."""

    def __init__(self, connection: sqlite3.Connection, path: Path, tenant: str, run: int) -> None:
        self._connection = connection
        self._path = path
        self._tenant = tenant
        self._run = run

    def ours(self, target: Target, state: ConnectorState) -> bool:
        """Whether another run here has paused a target that was read as paused."""
        return _marks(self._others(target)).cover(state)

    def join(self, target: Target, now: float) -> Standing:
        """Take a lease on a target that another run here has paused; its row must be durable already."""
        with self._transaction():
            others = [lease for lease in in_force(list(self._of(target))) if lease.run != self._run]
            if not others:
                return Standing.ENDED
            if any(lease.ending_at is not None and now < lease.ending_at + DANGER_TIME for lease in others):
                return Standing.ENDING
            self._update("joined_at = ?, released_at = NULL", now, self._run, target)
            self._take_over(others, target, now)
        return Standing.JOINED

    def take(self, target: Target, now: float) -> None:
        """Take a lease on a target that a pause of ours has kept, and is about to be paused anew."""
        with self._transaction():
            self._update("joined_at = ?, released_at = NULL", now, self._run, target)

    def end(self, target: Target, now: float) -> Ending:
        """Give up the lease on a target, or say what it takes to resume it; others cannot join it meanwhile."""
        with self._transaction():
            leases = list(self._of(target))
            others = [lease for lease in in_force(leases) if lease.run != self._run and lease.ending_at is None]
            if others:
                self._update("released_at = ?", now, self._run, target)
            else:
                self._update("ending_at = ?", now, self._run, target)
        left_to = max(others, key=_how_long, default=None)
        unclear = max((lease.unclear_at for lease in leases if lease.unclear_at is not None), default=None)
        return Ending(left_to, _marks(leases), None if unclear is None else unclear + DANGER_TIME)

    def settle(self, target: Target, outcome: Outcome, now: float) -> None:
        """Close what `end` has begun: with a resume the lease is gone, otherwise it is as before."""
        gone = outcome in (Outcome.CHANGED, Outcome.UNCHANGED, Outcome.SKIPPED)
        with self._transaction():
            self._update("released_at = ?, ending_at = NULL", now if gone else None, self._run, target)

    def _take_over(self, others: Iterable[Lease], target: Target, now: float) -> None:
        """A lease without an end passes on to the next run of the same job: one undo ends what a cron job keeps up."""
        (job_name,) = self._connection.execute("SELECT job_name FROM runs WHERE run = ?", (self._run,)).fetchone()
        for lease in others:
            if lease.job_name == job_name and lease.until is None and not lease.windowed:
                self._update("released_at = ?", now, lease.run, target)

    def _of(self, target: Target) -> Iterator[Lease]:
        rows = self._connection.execute(
            f"{_LEASES} AND t.app_id = ? AND t.connector_id = ?", (self._tenant, *target[:2])
        )
        return (lease for _, lease in _read(rows, _last_signs(self._connection)))

    def _others(self, target: Target) -> Iterator[Lease]:
        return (lease for lease in self._of(target) if lease.run != self._run)

    def _update(self, change: str, value: float | None, run: int, target: Target) -> None:
        where = "app_id = ? AND connector_id = ? AND run = ?"
        self._connection.execute(f"UPDATE targets SET {change} WHERE {where}", (value, *target[:2], run))

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            yield
            self._connection.execute("COMMIT")
        except BaseException as error:
            with contextlib.suppress(sqlite3.Error):
                self._connection.rollback()
            if not isinstance(error, (sqlite3.Error, OSError)):
                raise
            raise StorageError(f"{self._path}: the leases could not be read or written ({error})") from error


@dataclass(frozen=True, slots=True)
class Hold:
    """What the runs here know of one connector that they keep paused."""

    leases: tuple[Lease, ...]  # those in force
    marks: Marks


def holds(connection: sqlite3.Connection, tenant: str) -> dict[tuple[str, str], Hold]:
    """Every connector of a tenant on which a run here has paused, by (app id, connector id)."""
    rows = connection.execute(f"{_LEASES} ORDER BY t.app_id, t.connector_id", (tenant,))
    found = {}
    for pair, group in groupby(_read(rows, _last_signs(connection)), key=lambda item: item[0]):
        leases = [lease for _, lease in group]
        found[pair] = Hold(tuple(in_force(leases)), _marks(leases))
    return found


def held(connection: sqlite3.Connection, run: int) -> list[tuple[Planned, float | None]]:
    """What a run still wants paused, in plan order, and when a request for it last got no clear answer."""
    rows = connection.execute(
        "SELECT t.seq, t.app_id, t.connector_id, t.app_name, t.connector_name, t.outcome, t.finished_at, t.unclear_at "
        f"FROM targets t WHERE t.run = ? AND {HELD} ORDER BY t.seq",
        (run,),
    )
    last_sign = _last_signs(connection)
    return [
        (
            Planned(seq, Target(app_id, connector_id), app_name, connector_name),
            _unclear(run, outcome, finished_at, unclear_at, last_sign),
        )
        for seq, app_id, connector_id, app_name, connector_name, outcome, finished_at, unclear_at in rows
    ]


def _unclear(
    run: int,
    outcome: str | None,
    finished_at: float | None,
    unclear_at: float | None,
    last_sign: Callable[[int], float],
) -> float | None:
    """When a request for a target last got no clear answer, at the latest; None if every one did."""
    if outcome is None:  # cut off by a crash: its request was under way then
        return last_sign(run) + Timeouts().request
    return finished_at if outcome == Outcome.UNKNOWN and unclear_at is None else unclear_at


def release_resumed(connection: sqlite3.Connection, run: int, now: float) -> None:
    """After a resume of named connectors: no run that had paused them before wants them paused any more."""
    connection.execute(_RELEASE_RESUMED, {"run": run, "now": now})


_RELEASE_RESUMED = f"""
    UPDATE targets SET released_at = :now FROM (
        SELECT t.run, t.seq
        FROM targets x JOIN runs y USING (run)
            JOIN targets t ON t.app_id = x.app_id AND t.connector_id = x.connector_id
            JOIN runs r ON r.run = t.run
        WHERE x.run = :run AND x.outcome IN ('changed', 'unchanged')
            AND r.tenant = y.tenant AND r.operation = 'pause' AND {HELD}
            AND coalesce(t.joined_at, t.finished_at, t.intent_at) < coalesce(x.started_at, y.started_at)
    ) AS resumed WHERE targets.run = resumed.run AND targets.seq = resumed.seq
"""


def in_force(leases: Sequence[Lease]) -> Iterator[Lease]:
    """The leases that count: not given up, and not outlived.

    A pause has been outlived when a later run found the connector active, and paused it anew; so much later
    that the read was no late echo of the time before.
    """
    renewed = max((lease.started_at for lease in leases if lease.ours), default=0.0)
    for lease in leases:
        if lease.held and (lease.settled_at is None or lease.settled_at + READ_LAG >= renewed):
            yield lease


def _how_long(lease: Lease) -> float:
    return float("inf") if lease.until is None else lease.until


def _marks(leases: Iterable[Lease]) -> Marks:
    found = list(leases)
    return Marks(
        frozenset(mark for lease in found for mark in lease.marks),
        tuple(lease.span for lease in found if lease.span is not None),
    )


def _last_signs(connection: sqlite3.Connection) -> Callable[[int], float]:
    """When a run was last seen at work, epoch seconds: about the time of its crash, if it has crashed."""
    known: dict[int, float] = {}

    def last_sign(run: int) -> float:
        if run not in known:
            times = "SELECT max(max(coalesce(intent_at, 0), coalesce(finished_at, 0))) FROM targets WHERE run = ?"
            known[run] = float(connection.execute(times, (run,)).fetchone()[0] or 0)
        return known[run]

    return last_sign


def _read(rows: Iterable[Sequence[Any]], last_sign: Callable[[int], float]) -> Iterator[tuple[tuple[str, str], Lease]]:
    for (
        app_id, connector_id, run, run_id, job_name, user, host, reason, until, windowed, started_at,
        outcome, detail, before, after, intent_at, finished_at, unclear_at, joined_at, ending_at, is_held,
    ) in rows:  # fmt: skip
        marks: tuple[str, ...] = ()
        span = None
        ours = _was_active(before) and intent_at is not None
        if joined_at is not None:  # the pause it found was ours, and so is what its own request made of it
            marks = (*_mark(before), *_mark(after))
        elif ours and (outcome in ("changed", "unknown", None) or detail == UNCLEAR):
            unclear_at = _unclear(run, outcome, finished_at, unclear_at, last_sign)
            end = unclear_at if outcome is None else finished_at
            marks = _mark(after)
            span = None if after else (intent_at - CLOCK_SKEW, (end or intent_at) + CLOCK_SKEW)
        yield (app_id, connector_id), Lease(
            run, run_id, job_name, user, host, reason, until, bool(windowed), started_at,
            joined_at or finished_at or intent_at, bool(is_held), ending_at, unclear_at,
            ours and joined_at is None and outcome in ("changed", "unknown", None), marks, span,
        )  # fmt: skip


def _was_active(before: str | None) -> bool:
    state = state_of(before)
    return state is not None and not state.paused


def _mark(text: str | None) -> tuple[str, ...]:
    """The mark of the pause that a recorded state shows, unless it is one of C1's own."""
    state = state_of(text)
    return (state.paused_at,) if state is not None and state.paused_at is not None and not state.anomaly else ()
