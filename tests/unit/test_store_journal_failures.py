"""A disk that refuses: who is told, and that nothing is tried again."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from runner.base.errors import StorageError
from runner.base.model import Outcome, Result
from runner.store import Journal, Store
from tests.unit.store_support import ACTIVE, PAUSED, START, Outside, begun, planned, served

pytestmark = pytest.mark.anyio

CHANGED = Result(Outcome.CHANGED, None, 200, None, "req-1", 2, 1, START, START + 3, PAUSED)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "state") as opened:
        yield opened


@pytest.fixture
def outside(store: Store) -> Outside:
    return Outside(store.path)


def fill_the_disk(store: Store) -> None:
    """Let the file not grow any more, and the pages it has free be used up."""
    pages = store.connection.execute("PRAGMA page_count").fetchone()[0]
    store.connection.execute(f"PRAGMA max_page_count = {pages}")


def forbid_writing(store: Store) -> None:
    store.connection.execute("PRAGMA query_only = ON")


async def growing(journal: Journal) -> None:
    """Intend targets with large states until the disk refuses."""
    for seq in itertools.count():
        state = ACTIVE.__class__(None, "SYNC_STATUS_ERROR", last_error="x" * 5000)
        await journal.intent(planned(seq % 1000, state), START)


async def test_a_full_disk_is_told_to_whoever_waits_and_to_the_run(store: Store) -> None:
    journal = begun(store, 1000)
    fill_the_disk(store)

    async def until_the_disk_is_full() -> None:
        async with served(journal):
            with pytest.raises(StorageError, match=r"state\.db: the journal could not be written .*full"):
                await growing(journal)
            await anyio.sleep(1)

    with pytest.raises(ExceptionGroup) as raised:
        await until_the_disk_is_full()
    assert raised.group_contains(StorageError, match="full")


async def test_every_waiter_of_a_failed_commit_is_told(store: Store) -> None:
    journal, told = begun(store, 30), []
    forbid_writing(store)

    async def intend(seq: int) -> None:
        with pytest.raises(StorageError, match="readonly"):
            await journal.intent(planned(seq), START)
        told.append(seq)

    async with anyio.create_task_group() as group:
        for seq in range(30):
            group.start_soon(intend, seq)
        await anyio.lowlevel.checkpoint()
        with pytest.raises(StorageError):
            await journal.serve()
    assert len(told) == 30


async def test_after_a_failed_commit_nothing_is_tried_again(store: Store, outside: Outside) -> None:
    journal = begun(store, 3)
    journal.outcome(planned(0), CHANGED)
    forbid_writing(store)
    with pytest.raises(StorageError):
        journal.commit()
    store.connection.execute("PRAGMA query_only = OFF")  # the disk is well again, but what it has is not known

    with pytest.raises(StorageError):
        await journal.intent(planned(1), START)
    journal.outcome(planned(2), CHANGED)
    journal.commit()
    assert outside.rows("seq, intent_at, outcome") == [(0, None, None), (1, None, None), (2, None, None)]
    assert journal.commits == 0


async def test_the_end_of_the_account_is_not_written_over_a_hole_in_it(store: Store, outside: Outside) -> None:
    journal = begun(store, 1)
    journal.outcome(planned(0), CHANGED)
    forbid_writing(store)
    with pytest.raises(StorageError):
        journal.commit()
    store.connection.execute("PRAGMA query_only = OFF")

    with pytest.raises(StorageError):
        journal.finish(START, 7, "the disk is full", (1, 0, 0))
    assert outside.rows("finished_at", "runs") == [(None,)]


async def test_what_the_disk_did_not_take_is_kept_in_words(store: Store) -> None:
    journal = begun(store, 3)
    journal.outcome(planned(0), CHANGED)
    forbid_writing(store)
    with pytest.raises(StorageError):
        journal.commit()
    journal.outcome(planned(1), Result(Outcome.FAILED, error="HTTP 404: no such connector"))
    lost = "\n".join(str(line) for line in journal.lost)

    assert "app0/con0 changed" in lost
    assert "app0/con1 failed" in lost
    assert "HTTP 404" in lost
