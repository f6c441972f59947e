"""Removing old runs: what goes, and each reason for which a run stays."""

import os
import platform
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.base.model import Outcome, Result
from runner.store import Store
from runner.store.locks import exclusive, idle, window_lock
from tests.unit.store_support import START, TENANT, begun, planned

LATER = START + 1_000_000
END = (START + 60, 0, None, (1, 0, 0))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store."""
    with Store(tmp_path) as opened:
        yield opened


def ran(store: Store, run_id: str, *results: Result, finish: bool = True, **fields: object) -> int:
    """A run whose targets came to these results; returns its row."""
    journal = begun(store, len(results), run_id, **fields)
    for seq, result in enumerate(results):
        journal.outcome(planned(seq), result)
    journal.commit()
    if finish:
        journal.finish(*END)
    return journal.run


def left(store: Store) -> list[str]:
    return [run.run_id for run in store.runs()]


def pruned(store: Store, before: float = LATER, now: float = LATER) -> tuple[int, int]:
    return store.prune(before, now)


@pytest.mark.parametrize("operation", ["pause", "resume", "force_sync"])
def test_a_run_of_which_all_is_settled_goes(store: Store, operation: str) -> None:
    outcomes = (Outcome.UNCHANGED, Outcome.FAILED, Outcome.SKIPPED, Outcome.NOT_ATTEMPTED)
    ran(store, "a", *map(Result, outcomes), operation=operation)

    assert pruned(store) == (1, 0)
    assert left(store) == []
    assert store.connection.execute("SELECT count(*) FROM targets").fetchone() == (0,)


def test_a_young_run_stays(store: Store) -> None:
    ran(store, "a", Result(Outcome.UNCHANGED))

    assert pruned(store, before=START + 60) == (0, 0)
    assert left(store) == ["a"]


@pytest.mark.parametrize("operation", ["pause", "resume", "force_sync"])
@pytest.mark.parametrize(
    "result",
    [Result(Outcome.UNKNOWN), Result(Outcome.FAILED, unproven=True), None],
    ids=["unknown", "failed without a clear answer", "no outcome"],
)
def test_what_is_uncertain_stays(store: Store, operation: str, result: Result | None) -> None:
    row = ran(store, "a", *([result] if result else []), operation=operation, finish=result is not None)
    if result is None:
        store.connection.execute(
            "INSERT INTO targets (run, seq, app_id, connector_id, intent_at) VALUES (?, 0, 'app0', 'con0', ?)",
            (row, START),
        )

    assert pruned(store) == (0, 1)


def test_what_keeps_something_paused_stays_until_it_is_undone(store: Store) -> None:
    row = ran(store, "a", Result(Outcome.CHANGED))
    assert pruned(store) == (0, 1)

    store.connection.execute("UPDATE targets SET released_at = ? WHERE run = ?", (START, row))
    ran(store, "b", Result(Outcome.CHANGED), operation="resume", undoes=row)
    assert pruned(store) == (2, 0)


def test_a_pause_that_is_uncertain_and_undone_is_certain(store: Store) -> None:
    row = ran(store, "a", Result(Outcome.UNKNOWN))
    store.connection.execute("UPDATE targets SET released_at = ? WHERE run = ?", (START, row))

    assert pruned(store) == (1, 0)


def test_a_run_and_its_undos_stay_and_go_together(store: Store) -> None:
    kept = ran(store, "a", Result(Outcome.CHANGED))
    ran(store, "b", Result(Outcome.FAILED), operation="resume", undoes=kept)
    uncertain = ran(store, "c", Result(Outcome.UNCHANGED), job_name="other")
    ran(store, "d", Result(Outcome.UNKNOWN), operation="resume", undoes=uncertain, job_name="other")
    ran(store, "e", Result(Outcome.UNCHANGED))

    assert pruned(store) == (1, 4)
    assert left(store) == ["d", "c", "b", "a"]


def test_whoever_holds_the_lock_of_a_job_keeps_its_runs(store: Store) -> None:
    ran(store, "a", Result(Outcome.UNCHANGED), finish=False)
    ran(store, "b", Result(Outcome.UNCHANGED))
    ran(store, "c", Result(Outcome.UNCHANGED), job_name="other")
    with idle(store.directory, TENANT, "freeze") as free:
        assert free
        assert pruned(store) == (1, 2)
        assert left(store) == ["b", "a"]

    assert pruned(store) == (2, 0)


def test_a_run_that_was_cut_off_and_has_sent_nothing_goes(store: Store) -> None:
    begun(store, 2, "a")

    assert pruned(store) == (1, 0)


def test_an_open_window_keeps_its_run_and_leaves_no_file_when_that_goes(store: Store) -> None:
    ran(store, "a", Result(Outcome.UNCHANGED), windowed=True)
    with window_lock(store.directory, "a"):
        assert pruned(store) == (0, 1)
    assert pruned(store) == (1, 0)
    assert not (store.directory / "locks" / "window-a.lock").exists()


@pytest.mark.parametrize(
    ("pid", "host", "after", "goes"),
    [
        (os.getpid(), platform.node(), 10, False),
        (os.getpid(), "elsewhere", 10, False),
        (os.getpid(), platform.node(), 4000, True),
        (2**22 + 1, platform.node(), 10, True),
    ],
    ids=["at work", "who knows", "at something else by now", "gone"],
)
def test_a_process_that_may_still_write_its_reports_keeps_its_run(
    store: Store, pid: int, host: str, after: float, goes: bool
) -> None:
    ran(store, "a", Result(Outcome.UNCHANGED), pid=pid, host=host)
    ended = END[0]

    assert pruned(store, before=ended + 1, now=ended + after) == ((1, 0) if goes else (0, 1))


def test_nobody_begins_a_job_while_its_runs_are_removed_and_none_is_kept_from_it_afterwards(tmp_path: Path) -> None:
    with idle(tmp_path, TENANT, "freeze") as first, idle(tmp_path, TENANT, "freeze") as second:
        assert (first, second) == (True, False)
    (path,) = (tmp_path / "locks").iterdir()
    with exclusive(path, 0):
        pass
