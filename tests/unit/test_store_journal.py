"""What is durable when: plan, intents and outcomes as another process sees them."""

from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.base.errors import StorageError
from runner.base.model import Outcome, Planned, Result, Target
from runner.store import Journal, Store
from tests.unit.store_support import ACTIVE, PAUSED, START, Outside, begun, planned, served, start

pytestmark = pytest.mark.anyio

CHANGED = Result(Outcome.CHANGED, None, 200, None, "req-1", 2, 1, START, START + 3, PAUSED)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "state") as opened:
        yield opened


@pytest.fixture(scope="module")
def store_of_many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with Store(tmp_path_factory.mktemp("state")) as opened:
        yield opened


@pytest.fixture
def outside(store: Store) -> Outside:
    return Outside(store.path)


# Plan


async def test_the_plan_is_durable_when_it_is_written(store: Store, outside: Outside) -> None:
    begun(store, 100)

    assert outside.rows("count(*), min(seq), max(seq), count(intent_at), count(outcome)") == [(100, 0, 99, 0, 0)]
    assert outside.rows("run_id, finished_at", "runs") == [("20260921-141320-abc123", None)]


async def test_a_plan_that_fails_half_way_leaves_nothing(store: Store, outside: Outside) -> None:
    journal = store.journal(start())
    with pytest.raises(StorageError, match="journal could not be written"):
        journal.plan(Planned(seq, Target("app", "con")) for seq in [0, 1, 2, 1])
    assert outside.rows("count(*)") == [(0,)]
    journal.plan([Planned(0, Target("app", "con"))])
    assert outside.rows("count(*)") == [(1,)]


async def test_a_plan_that_raises_half_way_leaves_nothing_and_no_transaction_open(
    store: Store, outside: Outside
) -> None:
    def broken() -> Iterator[Planned]:
        yield Planned(0, Target("app", "con"))
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        store.journal(start()).plan(broken())
    assert not store.connection.in_transaction
    assert outside.rows("count(*)") == [(0,)]


async def test_a_target_may_join_the_plan_while_the_run_goes_on(store: Store, outside: Outside) -> None:
    journal = begun(store, 1)
    async with served(journal):
        journal.add(planned(1))
        await journal.intent(planned(1), START)
        assert outside.rows("seq, app_id, connector_id, connector_name, intent_at") == [
            (0, "app0", "con0", None, None),
            (1, "app0", "con1", "Connector 1", START),
        ]
    assert journal.commits == 1


# Intents and outcomes


async def test_an_intent_is_durable_before_its_request_may_leave(store: Store, outside: Outside) -> None:
    journal = begun(store, 3)
    async with served(journal):
        await journal.intent(planned(1), START + 5)
        assert outside.rows("seq, intent_at, outcome") == [(0, None, None), (1, START + 5, None), (2, None, None)]


async def test_an_intent_waits_until_somebody_commits(store: Store, outside: Outside) -> None:
    journal = begun(store, 1)
    with anyio.move_on_after(60) as scope:
        await journal.intent(planned(0), START)
    assert scope.cancelled_caught
    assert outside.rows("intent_at") == [(None,)]
    journal.commit()
    assert outside.rows("intent_at") == [(START,)]


async def test_the_records_of_one_turn_share_one_commit(store: Store) -> None:
    journal = begun(store, 50)
    async with served(journal), anyio.create_task_group() as group:
        for seq in range(50):
            group.start_soon(journal.intent, planned(seq), START)
    assert journal.commits == 1

    async with served(journal):
        for seq in range(50):
            journal.outcome(planned(seq), CHANGED)
        await anyio.sleep(1)
    assert journal.commits == 2


async def test_an_intent_and_the_outcomes_before_it_share_one_commit(store: Store, outside: Outside) -> None:
    journal = begun(store, 2)
    async with served(journal):
        await journal.intent(planned(0), START)
        journal.outcome(planned(0), CHANGED)
        await journal.intent(planned(1), START)
        assert outside.rows("seq, outcome") == [(0, "changed"), (1, None)]
    assert journal.commits == 2


async def test_an_intent_that_is_to_be_alone_is_kept_out_by_another_runs_lease_and_by_nothing_else(
    store: Store, outside: Outside
) -> None:
    other = begun(store, 4, "20260921-141319-000000")
    elsewhere = begun(store, 4, "20260921-141319-000001", tenant="other.conductor.one")
    resuming = begun(store, 4, "20260921-141319-000002", operation="resume")
    journal = begun(store, 4)
    for seq in range(2):
        other.outcome(planned(seq), CHANGED)
    for stranger in (elsewhere, resuming):
        for seq in range(4):
            stranger.outcome(planned(seq), CHANGED)
    for each in (other, elsewhere, resuming):
        each.commit()
    store.connection.execute("UPDATE targets SET released_at = ? WHERE run = ? AND seq = 1", (START, other.run))
    alone: dict[int, bool] = {}

    async def intend(seq: int) -> None:
        alone[seq] = await journal.intent(planned(seq), START + 5, alone=True)

    async with served(journal):
        async with anyio.create_task_group() as group:
            for seq in range(4):
                group.start_soon(intend, seq)
        assert alone == {0: False, 1: True, 2: True, 3: True}
        assert (journal.run, 0, None) in outside.rows("run, seq, intent_at")
        assert await journal.intent(planned(0), START + 6)
    assert (journal.run, 0, START + 6) in outside.rows("run, seq, intent_at")


async def test_of_two_runs_that_intend_at_once_one_sees_the_other(store: Store, tmp_path: Path) -> None:
    alone: list[bool] = []

    async def intend(journal: Journal) -> None:
        alone.append(await journal.intent(planned(0), START, alone=True))

    with Store(tmp_path / "state") as beside:
        journals = begun(store, 1), begun(beside, 1, "20260921-141321-000000")
        async with served(journals[0]), served(journals[1]), anyio.create_task_group() as group:
            for journal in journals:
                group.start_soon(intend, journal)
    assert sorted(alone) == [False, True]


async def test_a_group_is_one_transaction_and_so_one_sync_however_many_records_it_has(store: Store) -> None:
    journal = begun(store, 40)
    said: list[str] = []
    store.connection.set_trace_callback(said.append)
    for seq in range(40):
        journal.outcome(planned(seq), CHANGED)
    journal.commit()

    assert [words for words in said if not words.lstrip().startswith("UPDATE")] == ["BEGIN IMMEDIATE", "COMMIT"]
    assert store.connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)  # there a commit is one sync,
    assert store.connection.execute("PRAGMA synchronous").fetchone() == (2,)  # and FULL has it before it returns


async def test_a_group_stays_open_as_long_as_nobody_minds(store: Store) -> None:
    journal = begun(store, 3)
    async with anyio.create_task_group() as group:
        group.start_soon(journal.serve, lambda: 0.05)
        journal.outcome(planned(0), CHANGED)
        await anyio.sleep(0.04)
        assert journal.commits == 0
        await journal.intent(planned(1), START)
        assert journal.commits == 1
        assert anyio.current_time() < 0.06
        group.cancel_scope.cancel()


async def test_nothing_to_write_is_no_commit(store: Store) -> None:
    journal = begun(store, 1)
    journal.commit()
    async with served(journal):
        await anyio.sleep(10)

    assert journal.commits == 0


async def test_an_outcome_is_durable_though_everybody_is_cancelled_meanwhile(store: Store, outside: Outside) -> None:
    journal = begun(store, 1)
    async with served(journal):
        await journal.intent(planned(0), START)
        journal.outcome(planned(0), CHANGED)
    journal.commit()

    assert outside.rows("outcome, http_status, attempts, throttled") == [("changed", 200, 2, 1)]


async def test_all_that_is_known_of_a_target_comes_back(store: Store) -> None:
    journal = begun(store, 1)
    journal.outcome(planned(0), CHANGED)
    journal.finish(START + 9, 0, None, (3, 1, 1))
    (row,) = store.targets(store.run())

    assert (row.seq, row.target, row.app_name, row.connector_name) == (
        0,
        Target("app0", "con0"),
        "App 0",
        "Connector 0",
    )
    assert (row.outcome, row.http_status, row.request_id) == (Outcome.CHANGED, 200, "req-1")
    assert (row.attempts, row.throttled, row.started_at, row.finished_at) == (2, 1, START, START + 3)
    assert (row.before, row.after) == (ACTIVE, PAUSED)


async def test_a_later_look_changes_outcome_and_state_and_keeps_the_detail(store: Store) -> None:
    journal = begun(store, 2)
    for seq in range(2):
        journal.outcome(planned(seq), CHANGED._replace(detail="as it was", after=None))
    journal.verified(0, Outcome.CHANGED, None, PAUSED)
    journal.verified(1, Outcome.UNKNOWN, "reads as if nothing had happened", None)
    journal.commit()
    first, second = store.targets(store.run())

    assert (first.outcome, first.detail, first.after) == (Outcome.CHANGED, "as it was", PAUSED)
    assert (second.outcome, second.detail) == (Outcome.UNKNOWN, "reads as if nothing had happened")


async def test_the_end_of_the_account_is_durable(store: Store, outside: Outside) -> None:
    journal = begun(store, 1)
    journal.outcome(planned(0), CHANGED)
    journal.finish(START + 9, 4, "the deadline has passed", (7, 2, 1))

    assert outside.rows("finished_at, exit_code, stopped, requests, retries, throttled", "runs") == [
        (START + 9, 4, "the deadline has passed", 7, 2, 1)
    ]
    assert outside.rows("outcome") == [("changed",)]


# What a crash leaves


async def test_a_crash_at_any_commit_forgets_no_target_that_may_have_been_sent(store: Store, tmp_path: Path) -> None:
    """After each commit the file is read as a new process would find it."""
    journal, sent = begun(store, 6), set[int]()
    for seq in range(6):
        async with served(journal):
            await journal.intent(planned(seq), START)
            sent.add(seq)
            with Store(store.directory) as after:
                rows = list(after.targets(after.run()))
            assert {row.seq for row in rows if row.outcome is Outcome.UNKNOWN} >= sent - set(range(0, seq, 2))
            assert {row.seq for row in rows if row.outcome is Outcome.NOT_ATTEMPTED} == set(range(6)) - sent
            if seq % 2 == 0:
                journal.outcome(planned(seq), CHANGED)


async def test_an_open_intent_reads_as_unknown_and_says_why(store: Store) -> None:
    journal = begun(store, 2)
    async with served(journal):
        await journal.intent(planned(0), START + 5)
    opened, untouched = store.targets(store.run())

    assert (opened.outcome, opened.started_at, opened.before) == (Outcome.UNKNOWN, START + 5, ACTIVE)
    assert "may have been sent" in (opened.detail or "")
    assert (untouched.outcome, untouched.detail, untouched.started_at) == (Outcome.NOT_ATTEMPTED, None, None)


async def test_the_counts_of_an_unfinished_run_are_those_of_its_targets(store: Store) -> None:
    journal = begun(store, 5)
    async with served(journal):
        await journal.intent(planned(0), START)
    journal.outcome(planned(1), CHANGED)
    journal.outcome(planned(2), CHANGED)
    journal.commit()
    run = store.run()

    assert run.planned == 5
    assert {outcome: count for outcome, count in run.counts.items() if count} == {
        Outcome.CHANGED: 2,
        Outcome.UNKNOWN: 1,
        Outcome.NOT_ATTEMPTED: 2,
    }
    assert (run.requests, run.retries, run.throttled) == (4, 2, 2)
    assert (run.finished_at, run.exit_code) == (None, None)


# Texts from outside


TEXTS = st.text(st.characters(codec="utf-8"))


@settings(max_examples=50)
@given(name=TEXTS, detail=TEXTS)
def test_every_text_comes_back_as_it_went_in(store_of_many: Store, name: str, detail: str) -> None:
    run_id = f"run-{len(store_of_many.runs())}"
    journal = begun(store_of_many, 1, run_id)
    journal.outcome(Planned(0, Target("app0", "con0"), name, name), CHANGED._replace(detail=detail))
    journal.commit()
    (row,) = store_of_many.targets(store_of_many.run())

    assert (row.app_name, row.connector_name, row.detail) == (name, name, detail)


async def test_a_text_that_cannot_be_stored_is_a_storage_error_and_leaves_no_transaction_open(store: Store) -> None:
    journal = begun(store, 2)
    journal.outcome(Planned(0, Target("app0", "con0"), "\ud800"), CHANGED)
    with pytest.raises(StorageError):
        journal.commit()

    assert not store.connection.in_transaction
