"""Opening the state file, and finding runs in it."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.base.errors import StorageError, UsageError
from runner.store import Store
from runner.store.database import new_run_id
from runner.store.schema import MIGRATIONS
from tests.unit.store_support import START, Outside, begun


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "state") as opened:
        yield opened


def pragma(store: Store, name: str) -> object:
    return store.connection.execute(f"PRAGMA {name}").fetchone()[0]


# Opening


def test_a_new_store_is_made_with_its_directory_for_its_owner_alone(tmp_path: Path) -> None:
    with Store(tmp_path / "deep" / "down") as store:
        assert store.path.is_file()
        assert store.directory.stat().st_mode & 0o777 == 0o700


def test_what_is_committed_survives_a_power_cut(store: Store) -> None:
    assert pragma(store, "journal_mode") == "wal"
    assert pragma(store, "synchronous") == 2  # FULL
    assert pragma(store, "user_version") == len(MIGRATIONS)


def test_opening_again_finds_what_was_there(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        begun(store, 3)
    with Store(tmp_path) as store:
        assert [run.planned for run in store.runs()] == [3]


def test_a_store_that_is_not_open_says_so(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(RuntimeError, match="not open"):
        _ = store.connection
    with store:
        pass
    with pytest.raises(RuntimeError, match="not open"):
        _ = store.connection


def test_a_file_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    store = Store(tmp_path)
    with pytest.raises(UsageError, match=r"state\.db: written by a newer c1-runner.*--state-dir"), store:
        pytest.fail("it must not open")
    with pytest.raises(RuntimeError, match="not open"):  # nothing is held on to
        _ = store.connection
    assert Outside(store.path).rows("user_version", "pragma_user_version") == [(len(MIGRATIONS) + 1,)]


@pytest.mark.parametrize(
    "content",
    [b"not a database at all, but long enough to be read as one" * 20, b"SQLite format 3\x00" + b"\xff" * 4000],
)
def test_a_damaged_file_is_named_and_kept(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(content)
    with pytest.raises(StorageError, match=r"state\.db: .*"), Store(tmp_path) as store:
        store.runs()
    assert path.read_bytes() == content


def test_damage_in_the_middle_is_found_when_it_is_read(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        begun(store, 2000)
        run = store.run()
        store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray((tmp_path / "state.db").read_bytes())
    content[8192:-8192] = b"\xa5" * (len(content) - 16384)
    (tmp_path / "state.db").write_bytes(content)
    with pytest.raises(StorageError, match=r"damaged.*move it away.*--state-dir"), Store(tmp_path) as store:
        list(store.targets(run))


def test_a_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    with pytest.raises(StorageError, match=r"state\.db: "), Store(tmp_path / "state"):
        pytest.fail("it must not open")


def test_a_state_file_that_is_a_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state.db").mkdir()
    with pytest.raises(StorageError, match=r"state\.db: "), Store(tmp_path):
        pytest.fail("it must not open")


def test_a_migration_that_was_cut_short_left_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = (*MIGRATIONS, "CREATE TABLE extra (x INTEGER) STRICT;\nCREATE TABLE runs (x INTEGER) STRICT;\n")
    with Store(tmp_path):
        pass
    monkeypatch.setattr("runner.store.database.MIGRATIONS", broken)
    with pytest.raises(StorageError, match="runs already exists"), Store(tmp_path):
        pytest.fail("it must not open")
    outside = Outside(tmp_path / "state.db")
    assert outside.rows("user_version", "pragma_user_version") == [(len(MIGRATIONS),)]
    assert ("extra",) not in outside.rows("name", "sqlite_master")


OPEN_AND_RECORD = """
import sys
from pathlib import Path
from runner.store import Store
from tests.unit.store_support import begun
print("ready", flush=True)
sys.stdin.readline()
with Store(Path(sys.argv[1])) as store:
    begun(store, 5, sys.argv[2])
"""


def test_processes_that_open_a_new_store_at_once_all_succeed(tmp_path: Path) -> None:
    starts = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN_AND_RECORD, str(tmp_path / "state"), f"run-{number}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        for number in range(6)
    ]
    for process in starts:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in starts:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    errors = [process.communicate()[1] for process in starts]

    assert [process.returncode for process in starts] == [0] * 6, errors
    with Store(tmp_path / "state") as store:
        assert sorted(run.run_id for run in store.runs()) == [f"run-{number}" for number in range(6)]


# Finding runs


def test_run_ids_sort_by_time_and_do_not_repeat() -> None:
    ids = [new_run_id(START + seconds) for seconds in range(0, 100_000, 977)]

    assert ids == sorted(ids)
    assert ids[0].startswith("20260921-141320-")
    assert len({new_run_id(START) for _ in range(50)}) == 50


def test_the_newest_run_is_the_one_without_a_name(store: Store) -> None:
    begun(store, 1, "20260921-100000-aaaaaa")
    begun(store, 1, "20260921-090000-bbbbbb")  # begun later, whatever its clock said

    assert store.run().run_id == "20260921-090000-bbbbbb"
    assert [run.run_id for run in store.runs()] == ["20260921-090000-bbbbbb", "20260921-100000-aaaaaa"]


@pytest.mark.parametrize(
    ("prefix", "found"),
    [
        ("20260921-100000-aaaaaa", "20260921-100000-aaaaaa"),
        ("20260921-10", "20260921-100000-aaaaaa"),
        ("20260922", "20260922-090000-cccccc"),
        ("exact", "exact"),
    ],
)
def test_a_run_is_found_by_its_id_or_a_beginning_of_it(store: Store, prefix: str, found: str) -> None:
    for run_id in ("20260921-100000-aaaaaa", "20260921-090000-bbbbbb", "20260922-090000-cccccc", "exact", "exactly"):
        begun(store, 1, run_id)

    assert store.run(prefix).run_id == found


@pytest.mark.parametrize("prefix", ["2026", "20260921-", ""])
def test_a_beginning_of_several_runs_is_refused_with_some_of_them(store: Store, prefix: str) -> None:
    for run_id in ("20260921-100000-aaaaaa", "20260921-090000-bbbbbb"):
        begun(store, 1, run_id)
    with pytest.raises(UsageError, match=r"beginning of several runs: .*aaaaaa"):
        store.run(prefix)


@pytest.mark.parametrize("prefix", ["2027", "%", "_0260921", "20260921-100000-aaaaaaa", "'; DROP TABLE runs; --"])
def test_an_unknown_run_is_refused_with_the_way_to_find_one(store: Store, prefix: str) -> None:
    begun(store, 1, "20260921-100000-aaaaaa")
    with pytest.raises(UsageError, match=r"no run .*c1-runner runs"):
        store.run(prefix)
    assert len(store.runs()) == 1


def test_an_empty_store_has_no_run_yet(store: Store) -> None:
    assert store.runs() == []
    with pytest.raises(UsageError, match="no run yet"):
        store.run()


def test_the_same_run_id_is_not_recorded_twice(store: Store) -> None:
    begun(store, 1)
    with pytest.raises(StorageError, match="UNIQUE"):
        begun(store, 1)


def test_the_schema_is_strict_about_types(store: Store) -> None:
    begun(store, 1)
    with pytest.raises(sqlite3.IntegrityError):
        store.connection.execute("UPDATE targets SET attempts = 'many'")
