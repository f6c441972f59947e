"""Leases, asked and taken in the store alone; how runs use them is tested with the tenant's answers, in tests/sim."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.base.model import ConnectorState, Look, Mark, Outcome, Planned, Result
from runner.base.pauses import Moment
from runner.base.policy import READ_LAG
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


async def paused(journal: Journal, at: float, receipt: Mark | None = None) -> None:
    async with served(journal):
        await journal.intent(planned(0), at)
    journal.outcome(planned(0), Result(Outcome.CHANGED, started_at=at, finished_at=at + 1, receipt=receipt))
    journal.commit()


def of(store: Store, journal: Journal) -> Leases:
    return store.leases(TENANT, journal.run)


async def test_two_runs_that_find_only_an_outlived_lease_see_each_other(store: Store) -> None:
    """The first run's pause was ended by somebody else, and a second one's was undone: what is left holds nothing."""
    outlived = begun(store, 1, "20260921-141319-000000")
    await paused(outlived, START)
    undone = begun(store, 1, "20260922-141319-000000", started_at=START + DAY)
    await paused(undone, START + DAY, Mark("2026-09-22T14:13:21Z", Look(None, None)))
    of(store, undone).end(planned(0).target, Moment(START + DAY + 60))
    of(store, undone).settle(planned(0).target, Outcome.CHANGED, START + DAY + 61)
    now = START + 2 * DAY
    first, second = (begun(store, 1, f"20260923-141319-00000{place}", started_at=now) for place in range(2))

    alone: list[bool] = []
    for journal in (first, second):
        async with served(journal):
            alone.append(await journal.intent(planned(0), now, alone=True))
    standings = [of(store, journal).join(planned(0).target, Moment(now), paused=False) for journal in (second, first)]
    await paused(first, now)
    ending = of(store, first).end(planned(0).target, Moment(now + 2))

    assert alone == [False, False]
    assert standings == [Standing.ENDED, Standing.JOINED]
    assert ending.left_to is not None
    assert ending.left_to.run == second.run


async def test_a_pause_that_was_ended_is_not_joined(store: Store, outside: Outside) -> None:
    other = begun(store, 1, "20260921-141319-000000")
    await paused(other, START)
    of(store, other).end(planned(0).target, Moment(START + 60))
    of(store, other).settle(planned(0).target, Outcome.CHANGED, START + 61)
    journal = begun(store, 1)

    assert of(store, journal).join(planned(0).target, Moment(START + 62), paused=True) is Standing.ENDED
    assert (journal.run, None) in outside.rows("run, joined_at")


async def test_a_target_that_is_no_longer_recorded_is_contended_by_nobody(store: Store) -> None:
    other = begun(store, 2, "20260921-141319-000000")
    await paused(other, START)
    journal = begun(store, 1)
    assert of(store, journal).contended(planned(0))
    assert not of(store, journal).contended(Planned(7, planned(0).target))


async def test_two_undos_that_meet_do_not_leave_a_connector_to_each_other(store: Store) -> None:
    """The second run joins while the first one's resume is about to be sent; then both are undone at once."""
    first, second = begun(store, 1, "20260921-141319-000000"), begun(store, 1, "20260921-141320-000000")
    await paused(first, START)
    assert of(store, first).end(planned(0).target, Moment(START + 200)).left_to is None
    of(store, second).join(planned(0).target, Moment(START + 201), paused=True)
    left = of(store, second).end(planned(0).target, Moment(START + 202)).left_to
    again = of(store, first).end(planned(0).target, Moment(START + 210)).left_to

    assert (left, again) == (None, None)


async def test_a_pause_that_is_made_anew_is_wanted_by_its_run_again(store: Store) -> None:
    """Its run was undone, or an undo of it was cut off; both are over with the next intent and outcome."""
    first, second = begun(store, 1, "20260921-141319-000000"), begun(store, 1, "20260921-141320-000000")
    await paused(first, START)
    await paused(second, START)
    of(store, first).end(planned(0).target, Moment(START + 200))
    of(store, first).settle(planned(0).target, Outcome.CHANGED, START + 201)
    of(store, second).end(planned(0).target, Moment(START + 202))
    await paused(first, START + 203)
    await paused(second, START + 203)
    ending = of(store, second).end(planned(0).target, Moment(START + 204))

    assert ending.left_to is not None
    assert ending.left_to.run == first.run
    assert of(store, first).end(planned(0).target, Moment(START + 205)).left_to is None


async def test_an_outcome_ends_what_a_cut_off_undo_has_begun(store: Store, outside: Outside) -> None:
    journal = begun(store, 1)
    await paused(journal, START)
    of(store, journal).end(planned(0).target, Moment(START + 200))
    await paused(journal, START + 300)

    assert outside.rows("ending_at, released_at") == [(None, None)]


async def test_a_read_that_shows_the_end_of_a_pause_drops_its_holds(store: Store) -> None:
    """A sync that began after the mark proves it at once; without one, what no lag explains any more."""
    mark = Mark("2026-09-21T14:13:21Z", Look(None, None))
    active = ConnectorState(None, "SYNC_STATUS_DONE")
    synced = ConnectorState(None, "SYNC_STATUS_DONE", sync_started_at="2026-09-21T14:14:00Z")
    for read, seconds, dropped in ((active, 10, False), (synced, 10, True), (active, READ_LAG + 10, True)):
        first = begun(store, 1, f"20260921-141319-{int(seconds):06}-{dropped}")
        await paused(first, START, mark)
        second = begun(store, 1, f"20260921-141320-{int(seconds):06}-{dropped}", started_at=START + seconds)
        of(store, second).join(planned(0).target, Moment(START + seconds), paused=False, read=read)

        assert (store.held(store.run(f"20260921-141319-{int(seconds):06}-{dropped}")) == []) is dropped
        for journal in (first, second):
            of(store, journal).settle(planned(0).target, Outcome.CHANGED, START + seconds)


async def test_what_is_intended_anew_is_held_at_once_whatever_was_released(store: Store) -> None:
    """After a crash the intent is all that there is: it must not look as if nothing were wanted."""
    journal = begun(store, 1)
    await paused(journal, START)
    of(store, journal).end(planned(0).target, Moment(START + 200))
    of(store, journal).settle(planned(0).target, Outcome.CHANGED, START + 201)
    async with served(journal):
        await journal.intent(planned(0), START + 300)

    assert len(store.held(store.run("20260921-141320-abc123"))) == 1
