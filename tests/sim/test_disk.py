"""A disk that fails: nothing more is sent, the exit code says so, and what it did not take is told.

The faults are SQLite's own: a limit on the file's pages is a full disk, a query-only connection a read-only one.
"""

import asyncio
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

import anyio
import pytest

from runner.base.errors import ExitCode, StorageError, UsageError
from runner.base.policy import LimitPolicy
from runner.store import Store
from tests.sim.conftest import Bench, OpenBench, Pairs, counts, job, pairs

pytestmark = pytest.mark.anyio

WORKERS = 5
TARGETS = pairs(200, per_app=50)
JOB = job(TARGETS, limits=LimitPolicy(concurrency=WORKERS))
FEW = pairs(3)


def fill_up(store: Store) -> None:
    """Let the state file grow no more."""
    pages = store.connection.execute("PRAGMA page_count").fetchone()[0]
    store.connection.execute(f"PRAGMA max_page_count = {pages}")


def make_read_only(store: Store) -> None:
    """Let nothing be written any more."""
    store.connection.execute("PRAGMA query_only = ON")


def remove(store: Store) -> None:
    """Take the state directory away."""
    shutil.rmtree(store.directory)


def damage(store: Store) -> None:
    """Overwrite the state file and its log."""
    for path in (store.path, store.path.with_name(f"{store.path.name}-wal")):
        with path.open("r+b") as file:
            file.write(b"\xa5" * 65_536)


def replace_by_another(store: Store) -> None:
    """Put another state file in its place, as a backup that is played back would."""
    remove(store)
    with Store(store.directory):
        pass


def damage_the_middle(store: Store) -> None:
    """Leave the head of the state file, and spoil the pages behind it; nothing is in its log."""
    store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with store.path.open("r+b") as file:
        size = file.seek(0, 2)
        file.seek(8192)
        file.write(b"\xa5" * (size - 8192))


FAULTS: dict[str, Callable[[Store], None]] = {
    "full": fill_up,
    "read-only": make_read_only,
    "gone": remove,
    "replaced": replace_by_another,
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_disk_that_fails_during_the_run_stops_it_and_is_told(bench: OpenBench, fault: str) -> None:
    async with bench(TARGETS, "latency=1s") as b:
        posts_then: list[int] = []

        def strike() -> None:
            posts_then.append(len(b.posts()))
            FAULTS[fault](b.store)

        asyncio.get_running_loop().call_later(10.5, strike)
        result = await b.run(JOB)

        assert result.exit_code == ExitCode.STORAGE
        assert str(b.store.path) in (result.stopped or "")
        told = {line.split()[0] for line in result.unwritten if line.split()[1] == "changed"}
        assert told <= b.applied()
        if fault != "full":  # a full file takes a few rows more: its last pages have room
            assert len(b.posts()) == posts_then[0]
            # What a file without a name holds is told as well: nobody can read it afterwards.
            assert told == (set(b.posts()[-WORKERS:]) if fault == "read-only" else b.applied())
        assert sum("unknown" in line for line in result.unwritten) == 0
        assert b.store.path.exists() == (fault != "gone")


@pytest.mark.parametrize("fault", ["full", "read-only"])
async def test_what_a_failing_disk_took_before_is_true_afterwards(bench: OpenBench, fault: str) -> None:
    async with bench(TARGETS, "latency=1s") as b:
        asyncio.get_running_loop().call_later(10.5, FAULTS[fault], b.store)
        result = await b.run(JOB)

        with Store(b.store.directory) as reopened:
            b.store = reopened
            rows = b.results(result)
            assert len(rows) == len(TARGETS)
            assert {target for target in b.applied() if rows[target].outcome not in ("changed", "unknown")} == set()
            assert {target for target, row in rows.items() if row.outcome == "changed"} <= b.applied()
            again = await b.proceed(result.run_id, JOB)
            assert again.exit_code == ExitCode.OK
            assert counts(again) == {"changed": len(TARGETS)}


@pytest.mark.parametrize("fault", ["full", "read-only", "gone"])
async def test_a_disk_that_fails_at_the_start_lets_nothing_be_sent(bench: OpenBench, fault: str) -> None:
    async with bench(TARGETS) as b:
        FAULTS[fault](b.store)
        with pytest.raises(StorageError, match=r"state\.db|locks"):
            await b.run(JOB)
        assert b.server.oracle.requests == []


@pytest.mark.parametrize("spoil", [damage, damage_the_middle])
@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize("after", [10.5, 41.5], ids=["early", "at the end"])
async def test_a_state_file_damaged_during_the_run_is_never_told_as_success(
    bench: OpenBench, spoil: Callable[[Store], None], verify: bool, after: float
) -> None:
    async with bench(TARGETS, "latency=1s") as b:
        asyncio.get_running_loop().call_later(after, spoil, b.store)
        result = await b.run(replace(JOB, verify=verify))
        assert asyncio.get_running_loop().time() > after

        assert result.exit_code == ExitCode.STORAGE
        assert str(b.store.path) in (result.stopped or "")


async def test_a_state_file_that_is_none_is_refused_with_a_remedy(bench: OpenBench) -> None:
    async with bench(FEW) as b:
        await b.run(job(FEW))
        b.store.__exit__()
        b.store.path.write_bytes(b"\xa5" * 65_536)
        with pytest.raises(StorageError, match=r"damaged.*--state-dir"):
            Store(b.store.directory).__enter__()


async def test_a_state_file_of_a_newer_version_is_refused_and_left_alone(bench: OpenBench) -> None:
    async with bench(FEW) as b:
        await b.run(job(FEW))
        with closing(sqlite3.connect(b.store.path)) as connection:
            connection.execute("PRAGMA user_version = 99")
            connection.commit()
        with pytest.raises(UsageError, match="newer c1-runner"):
            Store(b.store.directory).__enter__()


async def test_a_run_of_another_tenant_is_not_gone_on_with(bench: OpenBench) -> None:
    async with bench(FEW) as b:
        result = await b.run(job(FEW, limits=LimitPolicy(deadline=1)))
    async with bench(FEW) as other:
        with pytest.raises(UsageError, match=r"was on .* but the credentials lead to"):
            await other.proceed(result.run_id, job(FEW))
        assert other.server.oracle.requests == []


async def test_two_runs_of_different_jobs_share_one_state_file(bench: OpenBench) -> None:
    targets = pairs(20)
    results: list[int] = []

    async def carry_out(b: Bench, name: str, some: Pairs) -> None:
        results.append((await b.run(replace(job(some), name=name))).exit_code)

    async with bench(targets, "latency=1s") as b:
        with Store(b.store.directory) as second:
            async with anyio.create_task_group() as group:
                group.start_soon(carry_out, b, "one", targets[:10])
                group.start_soon(carry_out, Bench(b.server, b.settings, second), "two", targets[10:])
        assert results == [ExitCode.OK, ExitCode.OK]
        assert len(b.applied()) == 20
