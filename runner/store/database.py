"""Opening the state file: directory, pragmas, version, and errors in words."""

import contextlib
import secrets
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Self, TypeVar

from runner.base.errors import StorageError, UsageError
from runner.base.model import Look, Outcome, Planned, Result
from runner.base.pauses import Moment
from runner.store import holding, leases, pruning, records
from runner.store.holding import Holding
from runner.store.journal import Journal, RunStart, identity
from runner.store.leases import Hold, Leases
from runner.store.locks import exclusive, under_way, window_lives
from runner.store.records import PaceSample, RunRecord, TargetRecord
from runner.store.schema import MIGRATIONS

Row = TypeVar("Row")

FILE_NAME = "state.db"
BUSY_TIMEOUT = 10_000
"""Milliseconds to wait for another process's transaction; ours take milliseconds."""


@contextlib.contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite or the file system raises into one `StorageError` that names the file."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise StorageError(f"{path}: {_explain(error)}") from error


def _explain(error: Exception) -> str:
    text = str(error)
    if "malformed" in text or "not a database" in text:
        return f"the state file is damaged ({text}); move it away, or name another directory with --state-dir"
    return f"the state cannot be read or written ({text})"


class Store:
    """The state directory's database. Use it as a context manager; every method raises `StorageError`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / FILE_NAME
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None

    def __enter__(self) -> Self:
        with storage_errors(self.path):
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Several processes that make a new file at once would get in each other's way: SQLite does not
            # wait for a lock while it changes the journal mode.
            with exclusive(self.directory / "open.lock", BUSY_TIMEOUT / 1000):
                self._connection = _opened(self.path)
            self._file = identity(self.path)
        return self

    def __exit__(self, *_: object) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @property
    def connection(self) -> sqlite3.Connection:
        """The open connection of the writing side."""
        if self._connection is None:
            raise RuntimeError("the store is not open")
        return self._connection

    def journal(self, start: RunStart) -> Journal:
        """Begin a run: its row is durable when this returns. The plan and the outcomes go to the journal."""
        with storage_errors(self.path):
            return Journal.begin(self.connection, start, self.path)

    def adopt(
        self, start: RunStart, rows: Iterable[tuple[Planned, Result]], finished_at: float, exit_code: int
    ) -> None:
        """Take in a run that was recorded elsewhere, all of it or nothing."""
        with storage_errors(self.path):
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                Journal.begin(self.connection, start, self.path).adopt(rows, finished_at, exit_code)
                self.connection.execute("COMMIT")
            except BaseException:
                self.connection.rollback()
                raise

    def reopen(self, run: RunRecord) -> Journal:
        """The journal of an earlier run, to go on with it."""
        with storage_errors(self.path):
            return Journal.reopen(self.connection, run.run, self.path)

    def leases(self, tenant: str, run: int) -> Leases:
        """The leases of one run on its tenant's connectors."""
        return Leases(self.connection, self.path, tenant, run)

    def looks(self, tenant: str) -> frozenset[Look]:
        """What stands beside the marks of our own pauses on a tenant."""
        with storage_errors(self.path):
            return records.looks(self.connection, tenant)

    def sees_marks(self, tenant: str, reader: str) -> bool:
        """Whether a credential was ever shown a pause on a tenant."""
        with storage_errors(self.path):
            return records.sees_marks(self.connection, tenant, reader)

    def holds(self, tenant: str) -> dict[tuple[str, str], Hold]:
        """What the runs known here have paused on a tenant, by (app id, connector id)."""
        with storage_errors(self.path):
            return leases.holds(self.connection, tenant)

    def held(self, run: RunRecord) -> list[tuple[Planned, float | None]]:
        """What a run still wants paused, in plan order, and when a request for it last got no clear answer."""
        with storage_errors(self.path):
            return leases.held(self.connection, run.run)

    def holding(self, run: RunRecord) -> Holding:
        """How many connectors a run still wants paused, and how sure that is."""
        with storage_errors(self.path):
            return holding.holding(self.connection, run)

    def left(self, run: RunRecord) -> list[tuple[Planned, float | None]]:
        """What an undo of a run has left alone because the pause was not that run's any more; as `held`."""
        with storage_errors(self.path):
            return leases.left(self.connection, run.run)

    def release_resumed(self, run: RunRecord, seqs: Collection[int], since: Moment, now: float) -> None:
        """After a run has resumed connectors by name: no earlier run wants these paused any more.

        `seqs` are those that it has worked on after `since`.
        """
        with storage_errors(self.path):
            leases.release_resumed(self.connection, run.run, seqs, since, now)

    def abrupt_runs(self, tenant: str, *, holding: str | None = None) -> list[RunRecord]:
        """The runs on a tenant that ended without an account and have left something open, the newest first.

        After them the windows that are gone, and have not resumed what they had paused. `holding` is the job whose
        lock the caller has: its other runs cannot be under way.
        """
        with storage_errors(self.path):
            endless = records.endless_runs(self.connection, tenant)
            pausing = records.pausing_runs(self.connection, tenant)
        cut_off = [
            run
            for run in endless
            if run.counts[Outcome.UNKNOWN] + run.counts[Outcome.NOT_ATTEMPTED]
            and (run.job_name == holding or not under_way(self.directory, tenant, run.job_name, run.pid, run.host))
        ]
        ended = (run for run in pausing if run.windowed and run.finished_at is not None)
        return cut_off + [run for run in ended if not window_lives(self.directory, run.run_id)]

    def close_abrupt(self, run: RunRecord, stopped: str, exit_code: int, now: float) -> None:
        """Write the end of a run that ended without one, when nothing of it is left to be done."""
        with storage_errors(self.path):
            self.connection.execute(
                "UPDATE runs SET finished_at = ?, exit_code = ?, stopped = ? WHERE run = ? AND finished_at IS NULL",
                (now, exit_code, stopped, run.run),
            )

    def pausing_runs(self, tenant: str) -> list[RunRecord]:
        """The runs that still want something paused on a tenant, the newest first."""
        with storage_errors(self.path):
            return records.pausing_runs(self.connection, tenant)

    def extend(self, run: RunRecord, until: float, now: float) -> None:
        """Move the end of a run's pauses (epoch seconds); an undo that was cut off does not end them any more."""
        with storage_errors(self.path):
            leases.extend(self.connection, run.run, until, now)

    def give_end(self, run: RunRecord, until: float, now: float) -> None:
        """Let the pauses of a run end at a moment (epoch seconds), and with no command any more."""
        self.extend(run, until, now)
        with storage_errors(self.path):
            self.connection.execute("UPDATE runs SET windowed = 0 WHERE run = ?", (run.run,))

    def undone_by(self, run: RunRecord) -> RunRecord:
        """The run whose pauses `run` ends."""
        if run.undoes is None:
            raise ValueError(f"run {run.run_id} undoes nothing")
        with storage_errors(self.path):
            return records.run_of(self.connection, run.undoes)

    def runs(self) -> list[RunRecord]:
        """All runs, the newest first."""
        with storage_errors(self.path):
            return records.all_runs(self.connection)

    def run(self, run_id: str | None = None) -> RunRecord:
        """One run by its id or an unambiguous beginning of it; without one, the newest."""
        # A connection of its own reads what is on the disk, not what this process remembers of it.
        with storage_errors(self.path), contextlib.closing(self._reader()) as connection:
            matches = records.find_runs(connection, run_id)
        if not matches:
            what = f"no run {run_id!r}" if run_id else "no run yet"
            raise UsageError(f"{self.path}: {what}; `c1-runner runs` lists them")
        if len(matches) > 1:
            some = ", ".join(match.run_id for match in matches[:4])
            raise UsageError(f"{self.path}: {run_id!r} is the beginning of several runs: {some}")
        return matches[0]

    def prune(self, before: float, now: float) -> tuple[int, int]:
        """Remove the runs that ended before a moment (epoch seconds, as `now`); how many were removed, and kept.

        Kept is what may be at work, keeps something paused, or has a target of which nothing certain is known.
        """
        with storage_errors(self.path):
            return pruning.prune(self.connection, self.directory, before, now)

    def targets(self, run: RunRecord) -> Iterator[TargetRecord]:
        """The planned targets of a run in plan order, read one by one from a connection of their own."""
        return self._read(lambda connection: records.targets(connection, run))

    def pace(self, run: RunRecord) -> list[PaceSample]:
        """How the pace of a run went, in order of time; empty when nothing ever limited it."""
        with storage_errors(self.path):
            return records.pace(self.connection, run)

    def touched_by_app(self, run: RunRecord) -> Iterator[list[TargetRecord]]:
        """The targets that a run has changed so far, or may have, app by app."""
        return self._read(lambda connection: records.touched_by_app(connection, run))

    def open_targets(
        self, run: RunRecord, outcomes: Collection[Outcome]
    ) -> Iterator[tuple[TargetRecord, tuple[float, float] | None]]:
        """The targets with one of these outcomes, uncertain ones first, with the time of their requests."""
        return self._read(lambda connection: records.open_targets(connection, run, outcomes))

    def _read(self, query: Callable[[sqlite3.Connection], Iterator[Row]]) -> Iterator[Row]:
        """Rows from a connection of their own, so that writing goes on while they are read."""
        with storage_errors(self.path), contextlib.closing(self._reader()) as connection:
            yield from query(connection)

    def _reader(self) -> sqlite3.Connection:
        """A connection to a file that is there: reading must not make an empty one where it has vanished."""
        return connect(f"{self.path.absolute().as_uri()}?mode=rw")

    @property
    def in_place(self) -> bool:
        """Whether the file that was opened is still where others find it."""
        return self._file is not None and identity(self.path) == self._file

    def remembered(self, run_id: str) -> tuple[RunRecord, list[TargetRecord]] | None:
        """A run, and its targets, as the open connection knows it when its file has vanished; None if it does not."""
        try:
            run = records.find_runs(self.connection, run_id)[0]
            return run, list(records.targets(self.connection, run))
        except (sqlite3.Error, LookupError):
            return None


def new_run_id(now: float) -> str:
    """A run id for a run that starts at `now` (seconds since the epoch): sorts by time, unlikely to repeat."""
    return f"{datetime.fromtimestamp(now, UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def _opened(path: Path) -> sqlite3.Connection:
    connection = connect(path)
    try:
        migrate(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def connect(path: Path | str) -> sqlite3.Connection:
    """A connection to a state file, by its path, or by a URI as a text."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_TIMEOUT / 1000, uri=isinstance(path, str))
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        # FULL: a committed intent survives a power cut, not only a crash (sqlite.org/pragma.html#pragma_synchronous)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
    except BaseException:
        connection.close()
        raise
    return connection


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring a state file to this version's format; `UsageError` for one of a newer version."""
    version = version_of(connection)
    if version > len(MIGRATIONS):
        raise UsageError(
            f"{path}: written by a newer c1-runner (format {version}, this one knows {len(MIGRATIONS)}); "
            "update c1-runner, or name another directory with --state-dir"
        )
    if version == len(MIGRATIONS):
        return
    connection.execute("BEGIN EXCLUSIVE")
    try:
        for number in range(version_of(connection), len(MIGRATIONS)):  # another process may have been first
            for statement in _statements(MIGRATIONS[number]):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number + 1}")
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()  # SQLite may have done so already, after an error of the disk
        raise


def version_of(connection: sqlite3.Connection) -> int:
    """The format of a state file: how many migrations it has seen."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _statements(script: str) -> Iterator[str]:
    """Split a script; `executescript` would commit the transaction it stands in."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
