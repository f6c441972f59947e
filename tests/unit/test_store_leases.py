"""Leases, asked and taken in the store alone; how runs use them is tested with the tenant's answers, in tests/sim."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.model import Outcome, Planned, Result
from runner.store import Journal, Store
from runner.store.leases import Leases, Standing
from tests.unit.store_support import START, TENANT, Outside, begun, planned, served

pytestmark = pytest.mark.anyio

DAY = 86400.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "state") as opened:
        yield opened


@pytest.fixture
def outside(store: Store) -> Outside:
    return Outside(store.path)


async def paused(journal: Journal, at: float) -> None:
    async with served(journal):
        await journal.intent(planned(0), at)
    journal.outcome(planned(0), Result(Outcome.CHANGED, started_at=at, finished_at=at + 1))
    journal.commit()


def of(store: Store, journal: Journal) -> Leases:
    return store.leases(TENANT, journal.run)


async def test_two_runs_that_find_only_an_outlived_lease_see_each_other(store: Store) -> None:
    """The first run's pause was ended by somebody else, and a second one's was undone: what is left holds nothing."""
    outlived = begun(store, 1, "20260921-141319-000000")
    await paused(outlived, START)
    undone = begun(store, 1, "20260922-141319-000000", started_at=START + DAY)
    await paused(undone, START + DAY)
    of(store, undone).end(planned(0).target, START + DAY + 60)
    of(store, undone).settle(planned(0).target, Outcome.CHANGED, START + DAY + 61)
    now = START + 2 * DAY
    first, second = (begun(store, 1, f"20260923-141319-00000{place}", started_at=now) for place in range(2))

    alone: list[bool] = []
    for journal in (first, second):
        async with served(journal):
            alone.append(await journal.intent(planned(0), now, alone=True))
    standings = [of(store, journal).join(planned(0).target, now, paused=False) for journal in (second, first)]
    await paused(first, now)
    ending = of(store, first).end(planned(0).target, now + 2)

    assert alone == [False, False]
    assert standings == [Standing.ENDED, Standing.JOINED]
    assert ending.left_to is not None
    assert ending.left_to.run == second.run


async def test_a_pause_that_was_ended_is_not_joined(store: Store, outside: Outside) -> None:
    other = begun(store, 1, "20260921-141319-000000")
    await paused(other, START)
    of(store, other).end(planned(0).target, START + 60)
    of(store, other).settle(planned(0).target, Outcome.CHANGED, START + 61)
    journal = begun(store, 1)

    assert of(store, journal).join(planned(0).target, START + 62, paused=True) is Standing.ENDED
    assert (journal.run, None) in outside.rows("run, joined_at")


async def test_a_target_that_is_no_longer_recorded_is_contended_by_nobody(store: Store) -> None:
    other = begun(store, 2, "20260921-141319-000000")
    await paused(other, START)
    journal = begun(store, 1)
    assert of(store, journal).contended(planned(0))
    assert not of(store, journal).contended(Planned(7, planned(0).target))
