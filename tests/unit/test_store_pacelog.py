"""The pace of a run in the store: what changed, never more than a bounded number of samples, nothing lost."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.store import Journal, PaceLog, PaceSample, Store
from runner.store.pacelog import MOST
from tests.unit.store_support import START, begun

RUN = "20260921-141320-abc123"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path) as opened:
        yield opened


def kept(store: Store, journal: Journal) -> list[PaceSample]:
    """The samples as a later process finds them."""
    journal.commit()
    return store.pace(store.run(RUN))


def test_only_changes_are_kept_and_refusals_are_counted_from_one_to_the_next(store: Store) -> None:
    journal = begun(store, 1)
    log = PaceLog(journal)
    for at, rate, throttled in ((0, None, 0), (1, None, 2), (2, 20.04, 2), (3, 20.04, 2), (4, 19.0, 5)):
        log.note(START + at, rate, throttled)

    assert kept(store, journal) == [
        PaceSample(START + 1, None, 2),
        PaceSample(START + 2, 20.0, 0),
        PaceSample(START + 4, 19.0, 3),
    ]


def test_a_run_that_nothing_slows_down_keeps_nothing(store: Store) -> None:
    journal = begun(store, 1)
    log = PaceLog(journal)
    for at in range(100):
        log.note(START + at, None, 0)

    assert kept(store, journal) == []
    assert journal.commits == 0


def test_a_pace_that_is_still_doubling_far_above_any_limit_is_told_as_none(store: Store) -> None:
    journal = begun(store, 1)
    PaceLog(journal).note(START, 1e300, 1)

    assert kept(store, journal) == [PaceSample(START, None, 1)]


def test_the_number_of_samples_is_bounded_and_no_refusal_is_lost_by_it(store: Store) -> None:
    journal = begun(store, 1)
    log = PaceLog(journal)
    for at in range(7 * MOST):
        log.note(START + at, 10.0 + at % 7, at)
    samples = kept(store, journal)

    assert MOST // 2 <= len(samples) <= MOST
    assert sum(sample.refused for sample in samples) == 7 * MOST - 1
    assert (samples[0].at, samples[-1].at) == (START, START + 7 * MOST - 1)


def test_a_run_that_is_gone_on_with_adds_to_what_there_is(store: Store) -> None:
    first = begun(store, 1)
    PaceLog(first).note(START, 10.0, 4)
    first.finish(START + 1, 5, None, (1, 0, 4))
    journal = store.reopen(store.run(RUN))
    log = PaceLog(journal)
    log.note(START + 60, None, 0)
    log.note(START + 61, 12.0, 3)

    assert kept(store, journal) == [PaceSample(START, 10.0, 4), PaceSample(START + 61, 12.0, 3)]


def test_a_run_that_is_removed_takes_its_samples_with_it(store: Store) -> None:
    journal = begun(store, 0)
    PaceLog(journal).note(START, 10.0, 4)
    journal.finish(START + 1, 0, None, (1, 0, 4))

    assert store.prune(START + 10, START + 10_000) == (1, 0)
    assert store.connection.execute("SELECT count(*) FROM pace_samples").fetchone() == (0,)


def test_the_looks_grow_rarer_with_the_age_of_the_run() -> None:
    elapsed, looks = 0.0, 0
    while elapsed < 86_400:
        elapsed += PaceLog.pause_after(elapsed)
        looks += 1

    assert looks < 4 * MOST
    assert PaceLog.pause_after(0) <= 0.25
