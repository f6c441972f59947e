"""Who wants a connector paused: one lease for each run and connector, across all that share the state directory.

A run holds a lease on each connector that it has paused, or may have, and on each that it found paused by
another run here. When a run is undone it gives its leases up one by one; only the last one that is given up
leads to a resume. Every change is one transaction, durable when it returns.

A lease is no column of its own: it follows from what the journal has on a target (see `records.HELD`).
"""

import contextlib
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from enum import Enum
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from runner.base.errors import StorageError
from runner.base.model import ConnectorState, Look, Marks, Outcome, Planned, Target
from runner.base.pauses import Moment
from runner.base.policy import DANGER_TIME
from runner.store.lease import LEASES, Lease, in_force, marks_of, read
from runner.store.records import HELD, UNCLEAR_AT, WANTED_BY_OTHERS, looks


class Standing(Enum):
    """What becomes of the wish to keep a connector paused that another run here has paused."""

    JOINED = "joined"  # from now on this run wants it paused as well
    ENDING = "ending"  # the other one is about to resume it
    ENDED = "ended"  # the other one has resumed it: what was read is not true any more


class Ending(NamedTuple):
    """What a run that gives up its lease has to do."""

    left_to: Lease | None  # another run still wants it paused: nothing
    marks: Marks  # resume it, if it is paused by one of these
    safe_in: float | None  # seconds: earlier, a request that is held up could pause it again; None: there was none
    shown_in: float  # seconds: earlier, a read need not show the pause, not even if another one has shown it
    contradicted: bool = False  # this run has read the target as active after that other run's pause, and paused it


class Leases:
    """The leases of one run, beside those of all others on its tenant. Every method raises `StorageError`."""

    def __init__(self, connection: sqlite3.Connection, path: Path, tenant: str, run: int) -> None:
        self._connection = connection
        self._path = path
        self._tenant = tenant
        self._run = run
        self._looks: frozenset[Look] | None = None

    def ours(self, target: Target, state: ConnectorState) -> bool:
        """Whether another run here has paused a target that was read as paused."""
        with self._errors_named():
            return self._marks(self._others(target)).cover(state)

    def contended(self, planned: Planned) -> bool:
        """Whether another run here has a lease on a target of this run, so that it may be about to resume it."""
        asked = f"SELECT {WANTED_BY_OTHERS} FROM targets WHERE run = ? AND seq = ?"
        with self._errors_named():
            row = self._connection.execute(asked, (self._run, planned.seq)).fetchone()
        return row is not None and bool(row[0])

    def join(
        self,
        target: Target,
        moment: Moment,
        *,
        paused: bool,
        read: ConnectorState | None = None,
        sighted: bool = True,
    ) -> Standing:
        """Take a lease beside those of other runs here; the target's row must be durable already.

        `paused` says whether their pause was read to be in force; if it was, and they have ended it, no lease is
        taken. What another run is about to end gets the lease, too: it keeps that run from sending anything more, but
        not what it has sent already. Leases on a pause that somebody has ended, as `read` shows, are dropped;
        `sighted` says whether this credential sees pauses.
        """
        now = moment.wall
        with self._transaction():
            leases = list(self._of(target))
            if read is not None and not paused:
                over = [one for one in leases if one.is_over(read, moment, sighted=sighted)]
                leases = self._drop_overtaken(leases, target, over, moment)
            ending = any(lease.is_ending(now) for lease in leases if lease.run != self._run)
            others = [lease for lease in in_force(leases) if lease.run != self._run]
            ended = not others and not ending
            if not ended or not paused:  # a target that is about to be paused: whoever comes next must see it
                self._update("joined_at = ?, released_at = NULL", now, self._run, target)
            if ended:
                return Standing.ENDED
            if ending:
                return Standing.ENDING
            if paused:
                self._take_over(others, target, now)
        return Standing.JOINED

    def take(self, target: Target, now: float) -> None:
        """Take a lease on a target that a pause of ours has kept, and is about to be paused anew."""
        with self._transaction():
            self._update("joined_at = ?, released_at = NULL", now, self._run, target)

    def leave(self, target: Target) -> None:
        """Give back what `join` has taken: somebody else has paused the target since."""
        with self._transaction():
            self._update("joined_at = ?", None, self._run, target)

    def end(self, target: Target, moment: Moment) -> Ending:
        """Give up the lease on a target, or say what it takes to resume it.

        Others wait a while then before they rely on its pause; whoever takes longer to send asks again.
        """
        with self._transaction():
            leases = list(self._of(target))
            others = [lease for lease in in_force(leases) if lease.run != self._run and lease.ending_at is None]
            if others:
                self._update("released_at = ?", moment.wall, self._run, target)
            else:
                self._update("ending_at = ?", moment.wall, self._run, target)
        left_to = max(others, key=_how_long, default=None)
        own = next((lease for lease in leases if lease.run == self._run), None)
        contradicted = own is not None and own.ours and bool(others) and all(_is_older(lease, own) for lease in others)
        safe_in = max((lease.safe_in(moment) for lease in leases if lease.unclear_at is not None), default=None)
        shown_in = max((lease.shown_in(moment) for lease in leases if lease.unseen or lease.held), default=0.0)
        return Ending(left_to, self._marks(leases), safe_in, shown_in, contradicted)

    def settle(self, target: Target, outcome: Outcome, now: float) -> None:
        """Close what `end` has begun: with a resume the lease is gone, otherwise it is as before."""
        gone = outcome in (Outcome.CHANGED, Outcome.UNCHANGED, Outcome.SKIPPED)
        with self._transaction():
            self._update("released_at = ?, ending_at = NULL", now if gone else None, self._run, target)

    def _drop_overtaken(
        self, leases: Iterable[Lease], target: Target, over: Collection[Lease], moment: Moment
    ) -> list[Lease]:
        """Give up what the world has overtaken: a connector that reads as active is held by nobody any more."""
        kept = []
        for lease in leases:
            other = lease.held and lease.run != self._run and not lease.is_ending(moment.wall)
            if other and lease in over:
                self._update("released_at = ?", moment.wall, lease.run, target)
            else:
                kept.append(lease)
        return kept

    def _marks(self, leases: Iterable[Lease]) -> Marks:
        if self._looks is None:
            self._looks = looks(self._connection, self._tenant)
        return marks_of(leases, self._looks)

    def _take_over(self, others: Iterable[Lease], target: Target, now: float) -> None:
        """A lease without an end passes on to the next run of the same job: one undo ends what a cron job keeps up.

        But not to one that ends by itself, which is not what the earlier run was told.
        """
        own = "SELECT job_name, until IS NULL AND NOT windowed FROM runs WHERE run = ?"
        job_name, endless = self._connection.execute(own, (self._run,)).fetchone()
        for lease in others:
            if endless and lease.job_name == job_name and lease.until is None and not lease.windowed:
                self._update("released_at = ?", now, lease.run, target)

    def _of(self, target: Target) -> Iterator[Lease]:
        rows = self._connection.execute(
            f"{LEASES} AND t.app_id = ? AND t.connector_id = ?", (self._tenant, *target[:2])
        )
        return (lease for _, lease in read(rows))

    def _others(self, target: Target) -> Iterator[Lease]:
        return (lease for lease in self._of(target) if lease.run != self._run)

    def _update(self, change: str, value: float | None, run: int, target: Target) -> None:
        where = "app_id = ? AND connector_id = ? AND run = ?"
        self._connection.execute(f"UPDATE targets SET {change} WHERE {where}", (value, *target[:2], run))

    @contextlib.contextmanager
    def _errors_named(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise StorageError(f"{self._path}: the leases could not be read or written ({error})") from error

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._errors_named():
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self._connection.rollback()
                raise


class Hold(NamedTuple):
    """What the runs here know of one connector that they keep paused."""

    leases: tuple[Lease, ...]  # those in force
    marks: Marks


def holds(connection: sqlite3.Connection, tenant: str) -> dict[tuple[str, str], Hold]:
    """Every connector of a tenant on which a run here has paused, by (app id, connector id)."""
    rows = connection.execute(f"{LEASES} ORDER BY t.app_id, t.connector_id", (tenant,))
    found, known = {}, looks(connection, tenant)
    for pair, group in groupby(read(rows), key=lambda item: item[0]):
        leases = [lease for _, lease in group]
        found[pair] = Hold(tuple(in_force(leases)), marks_of(leases, known))
    return found


def held(connection: sqlite3.Connection, run: int) -> list[tuple[Planned, float | None]]:
    """What a run still wants paused, in plan order, and when a request for it last got no clear answer."""
    return _wanted(connection, run, HELD)


def left(connection: sqlite3.Connection, run: int) -> list[tuple[Planned, float | None]]:
    """What an undo of a run has left alone because the pause was not that run's any more; as `held`."""
    return _wanted(connection, run, _LEFT)


_LEFT = f"""NOT {HELD} AND t.intent_at IS NOT NULL AND (
    SELECT u.outcome = 'skipped' FROM targets u JOIN runs undo USING (run)
    WHERE undo.undoes = t.run AND u.app_id = t.app_id AND u.connector_id = t.connector_id
    ORDER BY undo.run DESC LIMIT 1)"""
"""Whether the latest undo of a pause run has left its target `t` alone."""


def _wanted(connection: sqlite3.Connection, run: int, which: str) -> list[tuple[Planned, float | None]]:
    rows = connection.execute(
        f"SELECT t.seq, t.app_id, t.connector_id, t.app_name, t.connector_name, {UNCLEAR_AT} "
        f"FROM targets t JOIN runs r USING (run) WHERE t.run = ? AND {which} ORDER BY t.seq",
        (run,),
    )
    return [
        (Planned(seq, Target(app_id, connector_id), app_name, connector_name), unclear_at)
        for seq, app_id, connector_id, app_name, connector_name, unclear_at in rows
    ]


def extend(connection: sqlite3.Connection, run: int, until: float, now: float) -> None:
    """Move the end of a run's pauses. What an undo at work is about to end, it ends all the same."""
    cut_off = "UPDATE targets SET ending_at = NULL WHERE run = ? AND ending_at < ?"
    connection.execute(cut_off, (run, now - DANGER_TIME))
    connection.execute("UPDATE runs SET until = ? WHERE run = ?", (until, run))


def release_resumed(connection: sqlite3.Connection, run: int, seqs: Collection[int], since: Moment, now: float) -> None:
    """After a resume of named connectors: no run that had paused them before wants them paused any more.

    `seqs` are the targets that were worked on after `since`. What was read as active may be paused all the same, by a
    pause that reads did not show yet, or whose request was held up. Such a lease stays until its run is undone.
    """
    told = connection.execute(_TOLD, (run,))
    resumed = {(app_id, connector_id): outcome for seq, app_id, connector_id, outcome in told if seq in seqs}
    gone = []
    for pair, lease in read(connection.execute(f"{_LEASES_ON} AND {HELD}", (run,)).fetchall()):
        clear = resumed.get(pair) == Outcome.CHANGED and lease.unclear_at is None
        if (clear and lease.began_before(since)) or (pair in resumed and lease.shown_in(since) < 0):
            gone.append((now, lease.run, *pair))
    connection.executemany("UPDATE targets SET released_at = ? WHERE run = ? AND app_id = ? AND connector_id = ?", gone)


_TOLD = """
    SELECT seq, app_id, connector_id, outcome FROM targets WHERE run = ? AND outcome IN ('changed', 'unchanged')
"""
_LEASES_ON = LEASES.replace(
    "r.tenant = ?",
    """EXISTS (
        SELECT 1 FROM targets x JOIN runs y USING (run) WHERE x.run = ? AND x.outcome IN ('changed', 'unchanged')
            AND y.tenant = r.tenant AND x.app_id = t.app_id AND x.connector_id = t.connector_id)""",
)
"""The leases on what a run has resumed."""


def _is_older(lease: Lease, than: Lease) -> bool:
    """Whether a lease stands for a pause that was made before another run read the connector as active."""
    return lease.ours and lease.run < than.run and lease.began_before(than.read_as_active)


def _how_long(lease: Lease) -> float:
    return float("inf") if lease.until is None else lease.until
