"""The write side of one run: plan, intents and outcomes, in grouped commits.

An intent is durable before its request leaves; an outcome is durable with the next group. So after a crash
at any moment a target that the tenant may have changed has at least an intent: it is reported as unknown,
never forgotten. Records that come within a few turns of the event loop share one transaction and one sync.
"""

import asyncio
import contextlib
import itertools
import json
import operator
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import anyio.lowlevel

from runner.base.errors import StorageError
from runner.base.model import ConnectorState, Look, Mark, Outcome, Planned, Result, Span
from runner.store.records import WANTED_BY_OTHERS

_PLANNED = """
    INSERT INTO targets (run, seq, app_id, connector_id, app_name, connector_name) VALUES (?, ?, ?, ?, ?, ?)
"""
_INTENT = """
    UPDATE targets SET intent_at = ?, sent_from = ?, sent_until = ?, outcome = NULL, receipt = NULL, before = ?,
        app_name = ?, connector_name = ?, released_at = NULL
    WHERE run = ? AND seq = ?
"""
_INTENT_ALONE = f"{_INTENT} AND NOT {WANTED_BY_OTHERS}"
_OUTCOME = """
    UPDATE targets SET outcome = ?, detail = ?, http_status = ?, error = ?, request_id = ?, attempts = ?,
        throttled = ?, started_at = ?, finished_at = ?, unclear_at = ?, before = ?, after = ?, app_name = ?,
        connector_name = ?, waited = ?, unproven = ?, left_to = ?, receipt = ?, sent_from = coalesce(?, sent_from),
        sent_until = coalesce(?, sent_until), released_at = NULL, ending_at = NULL
    WHERE run = ? AND seq = ?
"""
_VERIFIED = """
    UPDATE targets SET outcome = ?1, detail = coalesce(?2, detail), after = ?3, receipt = coalesce(?4, receipt),
        unproven = unproven AND ?1 = 'failed'
    WHERE run = ?5 AND seq = ?6
"""
_UNDER_WAY = """
    UPDATE targets SET unclear_at = ?, sent_from = CASE WHEN ? THEN ? ELSE sent_from END, sent_until = ?
    WHERE run = ? AND seq = ?
"""
_LOOK = (
    "INSERT OR REPLACE INTO looks (tenant, category, reason, seen_at) SELECT tenant, ?, ?, ? FROM runs WHERE run = ?"
)

_FINISHED = """
    UPDATE runs SET finished_at = ?, exit_code = ?, stopped = ?, requests = coalesce(requests, 0) + ?,
        retries = coalesce(retries, 0) + ?, throttled = coalesce(throttled, 0) + ? WHERE run = ?
"""

_RECORDED = "SELECT app_id, connector_id, outcome FROM targets WHERE run = ? AND outcome IS NOT NULL ORDER BY seq"

_GONE = "the state file is gone, or another one is in its place"

_STATE = tuple(field.name for field in fields(ConnectorState))
_compact = json.JSONEncoder(separators=(",", ":")).encode

# sqlite3 searches for a way to adapt each None that it binds, and half of a row's columns are None: told that there is
# one, it takes a third less time for an outcome.
sqlite3.register_adapter(type(None), lambda nothing: nothing)

_QUIET_TURNS = 3
"""Turns of the event loop: a worker that has just recorded an outcome intends its next target within so many."""

_LARGE_GROUP = 1_000
"""Records that are committed without waiting for more."""


class RunStart(NamedTuple):
    """What is known of a run when it begins."""

    run_id: str
    job: dict[str, Any]  # the job without its targets, as JSON-ready values
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
    whole: bool = True  # whether the plan is known to its end when the run begins
    until: float | None = None  # when its pauses end by themselves, epoch seconds
    windowed: bool = False  # whether a command runs while they last
    undoes: int | None = None  # the run whose pauses it ends
    credential_until: float | None = None  # when its credential ends, where that is known; epoch seconds


class Unwritten(NamedTuple):
    """An outcome on its way to the disk; in words, should it not get there."""

    planned: Planned
    result: Result

    def __str__(self) -> str:
        detail = self.result.error or self.result.detail
        return f"{self.planned.target} {self.result.outcome}" + (f" ({detail})" if detail else "")


@dataclass(slots=True)
class _Group:
    """The records of one transaction, and who waits for it."""

    rows: list[tuple[str, Sequence[Any], object]] = field(default_factory=list)
    committed: asyncio.Event = field(default_factory=asyncio.Event)  # each target waits for one: anyio's costs more
    error: StorageError | None = None
    refused: set[int] = field(default_factory=set)  # places of targets whose intent another run's lease kept out


class Journal:
    """One run's records. `serve` must run beside the writers; `close` commits what is left.

    After a failed commit nothing is written any more: a sync that failed is never tried again, since the
    pages it covered may be gone. `lost` then holds what the disk did not take.
    """

    def __init__(self, connection: sqlite3.Connection, run: int, path: Path) -> None:
        self._connection = connection
        self._run = run
        self._path = path
        self._file = identity(path)
        self._group = _Group()
        self._pending = anyio.Event()
        self._failure: StorageError | None = None
        self.commits = 0
        self.lost: list[str] = []

    @property
    def run(self) -> int:
        """The run's row."""
        return self._run

    @classmethod
    def begin(cls, connection: sqlite3.Connection, start: RunStart, path: Path) -> "Journal":
        """Write the run's row, durably, and return its journal."""
        values = start._asdict() | {"job": json.dumps(start.job)}
        names, marks = ", ".join(values), ", ".join(f":{name}" for name in values)
        cursor = connection.execute(f"INSERT INTO runs ({names}) VALUES ({marks})", values)
        if cursor.lastrowid is None:
            raise StorageError(f"{path}: the run could not be recorded")
        return cls(connection, cursor.lastrowid, path)

    @classmethod
    def reopen(cls, connection: sqlite3.Connection, run: int, path: Path) -> "Journal":
        """Go on with a run whose account was closed, or never was."""
        journal = cls(connection, run, path)
        reopened = "UPDATE runs SET finished_at = NULL, exit_code = NULL, stopped = NULL WHERE run = ?"
        journal._transaction([(reopened, ((run,),))])
        return journal

    def plan(self, targets: Iterable[Planned]) -> None:
        """Add targets to the plan, in one transaction, durable when this returns."""
        self._transaction([(_PLANNED, (self._planned_row(planned) for planned in targets))])

    def _planned_row(self, planned: Planned) -> tuple[Any, ...]:
        return (self._run, planned.seq, *planned.target[:2], planned.app_name, planned.connector_name)

    def add(self, planned: Planned) -> None:
        """Add one target to the plan, while the run goes on; durable with the next group, before its intent."""
        self._add(_PLANNED, self._planned_row(planned), None)

    def whole(self) -> None:
        """Nothing is added to the plan any more; durable with the next group."""
        self._add("UPDATE runs SET whole = 1 WHERE run = ?", (self._run,), None)

    async def intent(self, planned: Planned, at: float, span: Span | None = None, *, alone: bool = False) -> bool:
        """Return when it is durable that a request for this target may leave from now on.

        `span` says when it can take effect, in the tenant's time, if that is known. With `alone` only if no other run
        here has a lease on the target: else nothing is recorded, and the answer is False. Asked within the
        transaction, so that of two runs one always sees the other.
        """
        if self._failure is not None:
            raise self._failure
        names = (planned.app_name, planned.connector_name)
        values = (at, *_bounds(span), state_json(planned.before), *names, self._run, planned.seq)
        group = self._add(_INTENT_ALONE if alone else _INTENT, values, None)
        await group.committed.wait()
        if group.error is not None:
            raise group.error
        return planned.seq not in group.refused

    def under_way(self, planned: Planned, at: float, span: Span | None, *, first: bool) -> None:
        """A request for a target is about to leave, a while after the last note; durable when this returns.

        `first` says that none has left so far, so that nothing can have taken effect before `span` begins.
        """
        begin, end = _bounds(span)
        self._add(_UNDER_WAY, (at, first, begin, end, self._run, planned.seq), None)
        self.commit()
        if self._failure is not None:
            raise self._failure

    def outcome(self, planned: Planned, result: Result) -> None:
        """Record what became of a target; durable with the next group, whoever is cancelled meanwhile."""
        self._add(_OUTCOME, self._outcome_row(planned, result), Unwritten(planned, result))

    def _outcome_row(self, planned: Planned, result: Result) -> tuple[Any, ...]:
        return (
            str(result.outcome), result.detail, result.http_status, result.error, result.request_id,
            result.attempts, result.throttled, result.started_at, result.finished_at, result.unclear_at,
            state_json(planned.before), state_json(result.after), planned.app_name, planned.connector_name,
            result.waited, result.unproven, result.left_to, mark_json(result.receipt), *_bounds(result.span),
            self._run, planned.seq,
        )  # fmt: skip

    def adopt(self, rows: Iterable[tuple[Planned, Result]], finished_at: float, exit_code: int) -> None:
        """Write the whole account of a run from elsewhere, within the transaction that the caller has begun."""
        for planned, result in rows:
            names = (planned.app_name, planned.connector_name)
            intent = (result.started_at, *_bounds(result.span), state_json(planned.before), *names)
            self._connection.execute(_PLANNED, self._planned_row(planned))
            self._connection.execute(_INTENT, (*intent, self._run, planned.seq))
            self._connection.execute(_OUTCOME, self._outcome_row(planned, result))
        self._connection.execute(_FINISHED, (finished_at, exit_code, None, 0, 0, 0, self._run))

    def verified(
        self,
        seq: int,
        outcome: Outcome,
        detail: str | None,
        after: ConnectorState | None,
        receipt: Mark | None = None,
        *,
        forget_span: bool = False,
    ) -> None:
        """Record what a look after the run showed of a changed target; a `receipt` that is known stays.

        With `forget_span` no pause is taken for this run's by its time.
        """
        if forget_span:
            self._add("UPDATE targets SET sent_from = NULL, sent_until = NULL WHERE run = ? AND seq = ?",
                      (self._run, seq), None)  # fmt: skip
        self._add(_VERIFIED, (outcome, detail, state_json(after), mark_json(receipt), self._run, seq), None)

    def look(self, look: Look, at: float) -> None:
        """Remember what stands beside the mark of a pause that is ours for certain."""
        self._add(_LOOK, (look.category or "", look.reason or "", at, self._run), None)

    def reader(self, reader: str, *, sees_marks: bool, offset: tuple[float, float] | None) -> None:
        """Record which credential has read the states, whether it sees pauses, and the tenant's clock.

        `offset` is by how many seconds that is ahead of this machine's, and how far off this may be.
        """
        columns = "reader = ?, sees_marks = max(sees_marks, ?), clock_offset = ?, clock_uncertainty = ?"
        values = (reader, sees_marks, *(offset or (None, None)), self._run)
        self._add(f"UPDATE runs SET {columns} WHERE run = ?", values, None)

    def paces(self) -> list[tuple[float, int]]:
        """When the pace was sampled so far, and how many answers had asked to slow down by then."""
        return self._connection.execute(
            "SELECT at, throttled FROM pace_samples WHERE run = ? ORDER BY at", (self._run,)
        ).fetchall()

    def pace(self, at: float, rate: float | None, throttled: int) -> None:
        """Record the pace at one moment; durable with the next group."""
        self._add("INSERT OR REPLACE INTO pace_samples VALUES (?, ?, ?, ?)", (self._run, at, rate, throttled), None)

    def forget_pace(self, at: float) -> None:
        """Drop the sample of that moment."""
        self._add("DELETE FROM pace_samples WHERE run = ? AND at = ?", (self._run, at), None)

    async def serve(self, patience: Callable[[], float] = lambda: 0.0) -> None:
        """Commit group after group until cancelled; raises `StorageError` when the disk refuses.

        `patience` says for how many seconds nobody minds that a group is held open.
        """
        while True:
            await self._pending.wait()
            if (seconds := patience()) > 0:
                await anyio.sleep(seconds)
            await self._gather()
            self.commit()

    async def _gather(self) -> None:
        """Return when a few turns of the event loop have added nothing, for a sync costs more than they do."""
        rows, known, quiet = self._group.rows, 0, 0
        while quiet < _QUIET_TURNS and len(rows) < _LARGE_GROUP:
            quiet = quiet + 1 if len(rows) == known else 0
            known = len(rows)
            await anyio.lowlevel.checkpoint()

    def commit(self) -> None:
        """Commit what has come since the last time, and wake who waits for it."""
        group, self._group = self._group, _Group()
        if self._pending.is_set():  # `serve` may be waiting on it: it must not be taken from under it unset
            self._pending = anyio.Event()
        if not group.rows:
            return
        try:
            alike = itertools.groupby(group.rows, key=operator.itemgetter(0))
            statements = ((statement, [values for _, values, _ in rows]) for statement, rows in alike)
            self._transaction(statements, group.refused)
            self.commits += 1
        except BaseException as error:  # of whatever kind: who waits must not take it for durable
            known = error if isinstance(error, StorageError) else StorageError(f"{self._path}: {error!r}")
            self._failure = group.error = known
            self.lost += [str(record) for _, _, record in group.rows if record is not None]
            raise
        finally:
            group.committed.set()

    def finish(self, at: float, exit_code: int, stopped: str | None, tally: tuple[int, int, int]) -> None:
        """Close the run's account: `tally` is requests, retries, throttled."""
        self.commit()
        self.check()
        values = (at, exit_code, stopped, *tally, self._run)
        self._transaction([(_FINISHED, (values,))])

    def check(self) -> None:
        """Raise `StorageError` if what was recorded is not where it can be read again."""
        if self._failure is not None:
            raise self._failure
        if not self._in_place():
            raise StorageError(f"{self._path}: the journal could not be written ({_GONE})")

    def unreadable(self) -> list[str]:
        """What is recorded, in words, if nobody else can read it: a file that was removed is still open here."""
        if self._in_place():
            return []
        try:
            rows = self._connection.execute(_RECORDED, (self._run,)).fetchall()
        except sqlite3.Error:
            return []
        return [f"{app_id}/{connector_id} {outcome}" for app_id, connector_id, outcome in rows]

    def _in_place(self) -> bool:
        return self._file is not None and identity(self._path) == self._file

    def _add(self, statement: str, values: Sequence[Any], record: object) -> _Group:
        if self._failure is None:
            if not self._group.rows:
                self._pending.set()
            self._group.rows.append((statement, values, record))
        elif record is not None:
            self.lost.append(str(record))
        return self._group

    def _transaction(
        self, statements: Iterable[tuple[str, Iterable[Sequence[Any]]]], refused: set[int] | None = None
    ) -> None:
        """Do it all or nothing; `refused` gets the places of the targets whose intent was kept out."""
        try:
            if not self._in_place():  # SQLite would go on writing to a file that has no name any more
                raise FileNotFoundError(_GONE)
            self._connection.execute("BEGIN IMMEDIATE")
            for statement, rows in statements:
                if refused is not None and statement is _INTENT_ALONE:
                    refused.update(self._kept_out(list(rows)))
                else:
                    self._connection.executemany(statement, rows)
            self._connection.execute("COMMIT")
        except BaseException as error:
            with contextlib.suppress(sqlite3.Error):
                self._connection.rollback()
            if not isinstance(error, (sqlite3.Error, OSError, UnicodeError)):
                raise
            raise StorageError(f"{self._path}: the journal could not be written ({error})") from error

    def _kept_out(self, intents: Sequence[Sequence[Any]]) -> Iterator[int]:
        """Write intents; of those that another run's lease keeps out it yields the last value, the place."""
        cursor = self._connection.executemany(_INTENT_ALONE, intents)
        if cursor.rowcount == len(intents):
            return
        for values in intents:  # written once more, for that is the same, to tell them apart
            if cursor.execute(_INTENT_ALONE, values).rowcount == 0:
                yield values[-1]


def identity(path: Path) -> tuple[int, int] | None:
    """What tells a file from another one of the same name; None if there is none."""
    try:
        status = os.stat(path)  # noqa: PTH116 (it is asked before every commit, and this is quicker)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def state_json(state: ConnectorState | None) -> str | None:
    """A connector's state as the store keeps it: compact JSON, absent fields left out."""
    if state is None:
        return None
    return _compact({name: value for name in _STATE if (value := getattr(state, name)) is not None})


def mark_json(mark: Mark | None) -> str | None:
    """A mark as the store keeps it: when, category, reason."""
    return None if mark is None else _compact((mark.at, *mark.look))


def _bounds(span: Span | None) -> tuple[float | None, float | None]:
    return (None, None) if span is None else (span.begin, span.end)
