"""Who wants a connector paused: one lease for each run and connector, across all that share the state directory.

A run holds a lease on each connector that it has paused, or may have, and on each that it found paused by
another run here. When a run is undone it gives its leases up one by one; only the last one that is given up
leads to a resume. Every change is one transaction, durable when it returns.

A lease is no column of its own: it follows from what the journal has on a target (see `records.HELD`).
"""

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from runner.errors import StorageError
from runner.model import UNCLEAR, ConnectorState, Look, Mark, Marks, Outcome, Planned, Span, Target, epoch
from runner.pauses import Moment
from runner.policy import DANGER_TIME, READ_LAG, REQUEST_LIFE
from runner.store.records import HELD, UNCLEAR_AT, WANTED_BY_OTHERS, looks, mark_of, span_of, state_of

_LEASES = f"""
    SELECT t.app_id, t.connector_id, t.run, r.run_id, r.job_name, r.user, r.host, r.reason, r.until, r.windowed,
        r.started_at, t.outcome, t.detail, t.before, t.after, t.intent_at, t.finished_at, {UNCLEAR_AT} AS unclear_at,
        t.joined_at, t.ending_at, t.receipt, t.sent_from, t.sent_until, {HELD} AS held
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
    unseen: bool  # it has asked for a pause, and no read has shown one since
    marks: tuple[Mark, ...]
    span: Span | None  # for who knows no mark
    sent: Span | None  # when its requests can have taken effect, in the tenant's time; None for one that has joined

    def shown_in(self, moment: Moment) -> float:
        """Seconds from a moment until every read shows its pause, if it took effect at all."""
        if self.sent is not None and moment.tenant is not None:
            return self.sent.end + READ_LAG - moment.tenant
        settled = (self.settled_at or self.started_at) + READ_LAG
        return (settled if self.unclear_at is None else max(settled, self.unclear_at + DANGER_TIME)) - moment.wall

    def safe_in(self, moment: Moment) -> float:
        """Seconds from a moment until none of its requests can arrive any more."""
        if self.unclear_at is None:
            return 0.0
        if self.sent is not None and moment.tenant is not None:
            return self.sent.end - REQUEST_LIFE + DANGER_TIME - moment.tenant
        return self.unclear_at + DANGER_TIME - moment.wall

    @property
    def read_as_active(self) -> Moment:
        """When its run had read the connector as active, at the latest: then it asked for the pause."""
        return Moment(self.started_at, self.sent.begin if self.sent is not None else None)

    def began_before(self, moment: Moment) -> bool:
        """Whether it was asked for before a moment."""
        if self.sent is not None and moment.tenant is not None:
            return self.sent.begin < moment.tenant
        return (self.settled_at or self.started_at) <= moment.wall

    def is_over(self, state: ConnectorState, moment: Moment) -> bool:
        """Whether somebody has ended its pause, if a read has shown the connector as active.

        A read that only lags behind shows no sync that has begun since, and not so late.
        """
        if state.paused:
            return False
        return self.shown_in(moment) < 0 or any(state.synced_since(mark.at) for mark in self.marks)

    def is_ending(self, now: float) -> bool:
        """Whether a resume of it may be under way."""
        return self.held and self.ending_at is not None and now < self.ending_at + DANGER_TIME


class Ending(NamedTuple):
    """What a run that gives up its lease has to do."""

    left_to: Lease | None  # another run still wants it paused: nothing
    marks: Marks  # resume it, if it is paused by one of these
    safe_in: float | None  # seconds: earlier, a request that is held up could pause it again; None: there was none
    shown_in: float  # seconds: earlier, a read need not show the pause yet
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

    def join(self, target: Target, moment: Moment, *, paused: bool, read: ConnectorState | None = None) -> Standing:
        """Take a lease beside those of other runs here; the target's row must be durable already.

        `paused` says whether their pause was read to be in force; if it was, and they have ended it, no lease is
        taken. What another run is about to end gets the lease, too: it keeps that run from sending anything more, but
        not what it has sent already. Leases on a pause that somebody has ended, as `read` shows, are dropped.
        """
        now = moment.wall
        with self._transaction():
            leases = list(self._of(target))
            if read is not None and not paused:
                leases = self._drop_overtaken(leases, target, read, moment)
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
        shown_in = max((lease.shown_in(moment) for lease in leases if lease.unseen), default=0.0)
        return Ending(left_to, self._marks(leases), safe_in, shown_in, contradicted)

    def settle(self, target: Target, outcome: Outcome, now: float) -> None:
        """Close what `end` has begun: with a resume the lease is gone, otherwise it is as before."""
        gone = outcome in (Outcome.CHANGED, Outcome.UNCHANGED, Outcome.SKIPPED)
        with self._transaction():
            self._update("released_at = ?, ending_at = NULL", now if gone else None, self._run, target)

    def _drop_overtaken(
        self, leases: Iterable[Lease], target: Target, read: ConnectorState, moment: Moment
    ) -> list[Lease]:
        """Give up what the world has overtaken: a connector that reads as active is held by nobody any more."""
        kept = []
        for lease in leases:
            other = lease.held and lease.run != self._run and not lease.is_ending(moment.wall)
            if other and lease.is_over(read, moment):
                self._update("released_at = ?", moment.wall, lease.run, target)
            else:
                kept.append(lease)
        return kept

    def _marks(self, leases: Iterable[Lease]) -> Marks:
        if self._looks is None:
            self._looks = looks(self._connection, self._tenant)
        return _marks(leases, self._looks)

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
            f"{_LEASES} AND t.app_id = ? AND t.connector_id = ?", (self._tenant, *target[:2])
        )
        return (lease for _, lease in _read(rows))

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
    rows = connection.execute(f"{_LEASES} ORDER BY t.app_id, t.connector_id", (tenant,))
    found, known = {}, looks(connection, tenant)
    for pair, group in groupby(_read(rows), key=lambda item: item[0]):
        leases = [lease for _, lease in group]
        found[pair] = Hold(tuple(in_force(leases)), _marks(leases, known))
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


def release_resumed(connection: sqlite3.Connection, run: int, now: float) -> None:
    """After a resume of named connectors: no run that had paused them before wants them paused any more.

    What was read as active may be paused all the same, by a pause that reads did not show yet, or whose request
    was held up. Such a lease stays until its run is undone.
    """
    told = connection.execute(_TOLD, (run,))
    resumed = {
        (app_id, connector_id): (outcome, Moment(at, tenant)) for app_id, connector_id, outcome, at, tenant in told
    }
    rows = connection.execute(f"{_LEASES_ON} AND {HELD}", (run,)).fetchall()
    gone = []
    for pair, lease in _read(rows):
        outcome, at = resumed[pair]
        clear = outcome == Outcome.CHANGED and lease.unclear_at is None
        if (clear and lease.began_before(at)) or lease.shown_in(at) < 0:
            gone.append((now, lease.run, *pair))
    connection.executemany("UPDATE targets SET released_at = ? WHERE run = ? AND app_id = ? AND connector_id = ?", gone)


_TOLD = """
    SELECT x.app_id, x.connector_id, x.outcome, coalesce(x.started_at, y.started_at),
        coalesce(x.started_at, y.started_at) + y.clock_offset - y.clock_uncertainty
    FROM targets x JOIN runs y USING (run) WHERE x.run = ? AND x.outcome IN ('changed', 'unchanged')
"""
_LEASES_ON = _LEASES.replace(
    "r.tenant = ?",
    """EXISTS (
        SELECT 1 FROM targets x JOIN runs y USING (run) WHERE x.run = ? AND x.outcome IN ('changed', 'unchanged')
            AND y.tenant = r.tenant AND x.app_id = t.app_id AND x.connector_id = t.connector_id)""",
)
"""The leases on what a run has resumed."""


def in_force(leases: Sequence[Lease]) -> Iterator[Lease]:
    """The leases that count: not given up, and not outlived.

    A pause has been outlived when a later run found the connector active, and paused it anew; so much later
    that the read was no late echo of the time before.
    """
    for lease in leases:
        later = (other for other in leases if other.ours and other.run > lease.run)
        if lease.held and not any(lease.shown_in(other.read_as_active) < 0 for other in later):
            yield lease


def _is_older(lease: Lease, than: Lease) -> bool:
    """Whether a lease stands for a pause that was made before another run read the connector as active."""
    return lease.ours and lease.run < than.run and lease.began_before(than.read_as_active)


def _how_long(lease: Lease) -> float:
    return float("inf") if lease.until is None else lease.until


def _marks(leases: Iterable[Lease], looks: frozenset[Look]) -> Marks:
    found = list(leases)
    return Marks(
        tuple(dict.fromkeys(mark for lease in found for mark in lease.marks)),
        tuple(lease.span for lease in found if lease.span is not None),
        looks,
        any(lease.held and not lease.marks for lease in found),
    )


def _read(rows: Iterable[Sequence[Any]]) -> Iterator[tuple[tuple[str, str], Lease]]:
    for (
        app_id, connector_id, run, run_id, job_name, user, host, reason, until, windowed, started_at,
        outcome, detail, before, after, intent_at, finished_at, unclear_at, joined_at, ending_at,
        receipt, sent_from, sent_until, is_held,
    ) in rows:  # fmt: skip
        joined = joined_at is not None and _is_paused(before)
        ours = _was_active(before) and intent_at is not None
        own = mark_of(receipt)
        # The pause that a run has joined was ours, and so is what its own request, if there was one, made of it.
        marks = tuple(mark for mark in (own, Mark.of(state_of(before)) if joined else None) if mark is not None)
        asked = intent_at is not None and (outcome in _MAYBE or detail == UNCLEAR)
        sent = span_of(sent_from, sent_until, unclear_at, outcome)
        span = sent if asked and (ours or joined) else None
        if joined and own is None and (renewed := _made_in(span, after)) is not None:
            marks = (*marks, renewed)
        if own is not None or _is_paused(after):
            span = None
        yield (app_id, connector_id), Lease(
            run, run_id, job_name, user, host, reason, until, bool(windowed), started_at,
            joined_at or finished_at or intent_at, bool(is_held), ending_at, unclear_at,
            ours and outcome in _MAYBE, asked and not _is_paused(after), marks, span,
            sent if joined_at is None else None,
        )  # fmt: skip


_MAYBE = (Outcome.CHANGED, Outcome.UNKNOWN, None)


def _was_active(before: str | None) -> bool:
    state = state_of(before)
    return state is not None and not state.paused


def _is_paused(text: str | None) -> bool:
    state = state_of(text)
    return state is not None and state.paused


def _made_in(span: Span | None, after: str | None) -> Mark | None:
    """The mark that was read after a request, if it was made in the time of that request."""
    mark = Mark.of(state_of(after))
    at = epoch(mark.at) if mark is not None else None
    return mark if span is not None and at is not None and span.begin <= at <= span.end else None
