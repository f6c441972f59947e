"""How much a run keeps paused, counted: what of it is uncertain, what others hold too, what an undo has left."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.base.model import Outcome, Result
from runner.base.pauses import Moment
from runner.store import Holding, Journal, Store
from tests.unit.store_support import START, TENANT, begun, planned, served, start

pytestmark = pytest.mark.anyio

FIRST, SECOND = "20260921-141319-000000", "20260922-141319-000000"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "state") as opened:
        yield opened


async def asked(journal: Journal, seq: int, at: float = START, result: Result | None = None) -> None:
    """A pause is asked for; without a result its process ends then."""
    async with served(journal):
        await journal.intent(planned(seq), at)
    if result is not None:
        journal.outcome(planned(seq), result._replace(started_at=at, finished_at=at + 1))
        journal.commit()


async def test_what_is_paused_and_what_may_be_is_counted_and_nothing_else(store: Store) -> None:
    journal = begun(store, 7, FIRST)
    await asked(journal, 0, result=Result(Outcome.CHANGED))
    await asked(journal, 1, result=Result(Outcome.UNKNOWN))
    await asked(journal, 2, result=Result(Outcome.FAILED, unproven=True))
    await asked(journal, 3)
    await asked(journal, 4, result=Result(Outcome.FAILED))
    await asked(journal, 6, result=Result(Outcome.UNKNOWN))
    journal.outcome(planned(5), Result(Outcome.UNCHANGED))
    journal.commit()
    store.leases(TENANT, journal.run).settle(planned(1).target, Outcome.CHANGED, START + 60)

    assert store.holding(store.run(FIRST)) == Holding(connectors=4, uncertain=3)
    assert len(store.held(store.run(FIRST))) == 4


async def test_a_run_that_does_not_pause_keeps_nothing_paused(store: Store) -> None:
    journal = begun(store, 1, FIRST, operation="resume")
    await asked(journal, 0, result=Result(Outcome.CHANGED))

    assert store.holding(store.run(FIRST)) == Holding()


@pytest.mark.parametrize(
    ("end", "other", "shared"),
    [(START + 9, None, True), (START + 9, START + 10, True), (START + 9, START + 8, False), (None, None, False)],
)
async def test_what_another_run_wants_beyond_the_end_of_one_is_shared(
    store: Store, end: float | None, other: float | None, shared: bool
) -> None:
    """Without an end of its own there is nothing to say: an undo tells who wants it still."""
    first = begun(store, 2, FIRST, until=other)
    for seq in range(2):
        await asked(first, seq, result=Result(Outcome.CHANGED))
    second = begun(store, 1, SECOND, until=end)
    store.leases(TENANT, second.run).join(planned(0).target, Moment(START + 10), paused=True)
    second.outcome(planned(0), Result(Outcome.UNCHANGED))
    second.commit()

    assert store.holding(store.run(SECOND)) == Holding(connectors=1, shared=shared)


async def test_the_newest_undo_that_has_come_to_its_end_is_named(store: Store) -> None:
    journal = begun(store, 1, FIRST)
    await asked(journal, 0, result=Result(Outcome.CHANGED))
    for place, finished in enumerate((True, True, False)):
        undo = store.journal(start(f"20260923-141319-00000{place}", operation="resume", undoes=journal.run))
        if finished:
            undo.finish(START + 60, 4, None, (1, 0, 0))

    assert store.holding(store.run(FIRST)).left_by == "20260923-141319-000001"
