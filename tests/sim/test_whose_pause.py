"""Whose pause it is, judged by the tenant's own mark and the tenant's own time; and what absence proves."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from runner.base.errors import ExitCode
from runner.base.model import Outcome, RunResult
from runner.base.policy import DANGER_TIME, READ_LAG, LimitPolicy, RetryPolicy
from runner.base.settings import ClientCredentials
from runner.runs import run
from runner.sandbox import Behaviour
from runner.store import RunRecord, Store
from runner.windows.undo import undo, undo_job
from tests.sim.conftest import Bench, OpenBench, counts, job, pairs
from tests.virtual_clock import wall

pytestmark = pytest.mark.anyio

ONE, THREE = pairs(1), pairs(3)
DAY = 86_400.0
NO_SUCH = b'{"code":5,"message":"not found (request-id: r-1)","details":[]}'


async def undone(b: Bench, paused: RunResult, **context: object) -> RunResult:
    """Undo a run that has something to be undone."""
    record = b.store.run(paused.run_id)
    result = await undo(record, undo_job(job([]), record), b.context(**context))
    assert result is not None
    return result


def is_paused(b: Bench, *targets: tuple[str, str]) -> list[bool]:
    """Whether the tenant has these paused."""
    return [b.tenant.state(*target).pause is not None for target in targets]


# The tenant's time


@pytest.mark.parametrize("ahead", [130.0, -130.0, DAY, -DAY])
@pytest.mark.parametrize("fate", ["ok", "drop_after"])
async def test_clocks_that_are_apart_keep_nothing_paused(bench: OpenBench, ahead: float, fate: str) -> None:
    async with bench(THREE, ahead=ahead) as b:
        b.server.script("app0/con0", [fate])
        paused = await b.run(job(THREE))
        result = await undone(b, paused)

        assert (paused.exit_code, result.exit_code, counts(result)) == (ExitCode.OK, ExitCode.OK, {"changed": 3})
        assert not any(is_paused(b, *THREE))


@pytest.mark.parametrize("ahead", [0.0, 130.0, -DAY])
async def test_what_a_killed_run_has_paused_is_undone_by_the_tenants_time(
    bench: OpenBench, tmp_path: Path, ahead: float
) -> None:
    async with bench(THREE, "latency=1s", ahead=ahead) as b:
        record = await _killed(b, tmp_path, after=6.5)
        await asyncio.sleep(2 * DANGER_TIME)
        result = await undo(record, undo_job(job([]), record), b.context())

        assert result is not None
        assert result.exit_code == ExitCode.OK
        assert not any(is_paused(b, *THREE))


async def _killed(b: Bench, tmp_path: Path, *, after: float) -> RunRecord:
    """A pause whose process is killed after so many seconds."""
    with Store(tmp_path / "state") as doomed:
        task = asyncio.create_task(replace(b, store=doomed).run(job(THREE, limits=LimitPolicy(concurrency=1))))
        await asyncio.wait([task], timeout=after)
        doomed.connection.close()
        task.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await task
    return b.store.run()


async def test_the_offset_of_the_tenants_clock_is_kept_with_the_run_and_warned_of(
    bench: OpenBench, caplog: pytest.LogCaptureFixture
) -> None:
    async with bench(ONE, ahead=130.0) as b:
        record = b.store.run((await b.run(job(ONE))).run_id)

    assert record.clock_offset == pytest.approx(130.0, abs=2.0)
    assert record.clock_uncertainty is not None
    assert record.clock_uncertainty <= 2.0
    assert [line for line in caplog.messages if "130 s behind the tenant's" in line]


async def test_our_clock_may_be_set_in_the_middle_of_a_run(bench: OpenBench) -> None:
    async with bench(THREE, "latency=1s") as b:
        step = 0.0

        def ours() -> float:
            return wall() + step

        task = asyncio.create_task(run(job(THREE, limits=LimitPolicy(concurrency=1)), b.context(wall=ours)))
        await asyncio.sleep(3.5)
        step = -DAY
        paused = await task
        result = await undone(b, paused, wall=ours)

        assert (paused.exit_code, result.exit_code) == (ExitCode.OK, ExitCode.OK)
        assert not any(is_paused(b, *THREE))


async def test_a_pause_that_had_to_be_repeated_is_judged_by_the_time_of_the_repeat(bench: OpenBench) -> None:
    async with bench(ONE, "latency=10s") as b:
        b.server.script("/".join(ONE[0]), ["ok,applied=no"])
        paused = await b.run(job(ONE))
        [row] = b.rows(paused)
        result = await undone(b, paused)

        assert (row.outcome, b.posts().count("/".join(ONE[0]))) == (Outcome.CHANGED, 3)
        assert row.receipt is not None
        assert (result.exit_code, is_paused(b, *ONE)) == (ExitCode.OK, [False])


async def test_a_mark_of_before_is_not_told_for_certain_where_gateways_have_clocks_of_their_own(
    bench: OpenBench,
) -> None:
    """The reply was lost, and the next one tells a time an hour earlier: by which clock was the mark made?"""
    async with bench(ONE, "latency=1s", Behaviour(clock=3600.0)) as b:
        b.server.script("/".join(ONE[0]), ["drop_after,delay=5s"])
        asyncio.get_running_loop().call_later(
            4.0, setattr, b.tenant, "behaviour", replace(b.tenant.behaviour, clock=0.0)
        )
        paused = await b.run(job(ONE))
        await asyncio.sleep(2 * DANGER_TIME)

        assert counts(paused) == {"unknown": 1}
        assert len(b.store.held(b.store.run(paused.run_id))) == 1


# Somebody else


async def test_a_pause_that_somebody_makes_between_our_read_and_our_request_is_theirs(bench: OpenBench) -> None:
    async with bench(THREE) as b:
        asyncio.get_running_loop().call_later(3.0, b.tenant.pause_by_other, *THREE[2])
        for target in THREE:
            b.server.script("/".join(target), ["status=429,retry_after=20"])
        paused = await b.run(job(THREE))
        rows = b.results(paused)
        result = await undone(b, paused)

        assert [rows["/".join(target)].outcome for target in THREE] == [
            Outcome.CHANGED,
            Outcome.CHANGED,
            Outcome.UNCHANGED,
        ]
        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 2})
        assert is_paused(b, *THREE) == [False, False, True]


async def test_a_mark_that_is_a_few_seconds_too_old_is_nobodys_receipt_and_stays_held(bench: OpenBench) -> None:
    async with bench(THREE) as b:
        asyncio.get_running_loop().call_later(3.0, b.tenant.pause_by_other, *THREE[2])
        for target in THREE:
            b.server.script("/".join(target), ["status=429,retry_after=9"])
        paused = await b.run(job(THREE))
        result = await undone(b, paused)

        assert (paused.exit_code, result.exit_code) == (ExitCode.OK, ExitCode.INCOMPLETE)
        assert counts(result) == {"changed": 2, "skipped": 1}
        assert is_paused(b, *THREE) == [False, False, True]
        assert len(b.store.held(b.store.run(paused.run_id))) == 1


async def test_a_machine_that_sleeps_during_a_request_forgets_nothing(bench: OpenBench) -> None:
    """The loop's clock does not count the sleep: the tenant's is an hour further when the reply is missed."""
    async with bench(THREE) as b:
        slept = 0.0

        def tenants() -> float:
            return wall() + slept

        def falls_asleep() -> None:
            nonlocal slept
            slept = 3600.0

        b.tenant._clock = tenants
        b.server.script("app2/con2", ["silence_after"])
        asyncio.get_running_loop().call_later(10.0, falls_asleep)
        paused = await b.run(job(THREE))
        await asyncio.sleep(2 * DANGER_TIME)
        result = await undone(b, paused)

        assert result.exit_code == ExitCode.OK
        assert not any(is_paused(b, *THREE))


async def test_a_refusal_and_a_colleagues_pause_are_not_taken_for_ours(bench: OpenBench) -> None:
    async with bench(THREE) as b:
        b.server.script("app2/con2", ["status=400"])
        b.server.script("app0/con0", ["ok,hold=12s"])
        asyncio.get_running_loop().call_later(6.0, b.tenant.pause_by_other, *THREE[2])
        paused = await b.run(job(THREE))
        result = await undone(b, paused)

        assert paused.exit_code == ExitCode.INCOMPLETE
        assert result.exit_code == ExitCode.INCOMPLETE
        assert is_paused(b, *THREE) == [False, False, True]


async def test_going_on_leaves_alone_what_was_undone(bench: OpenBench) -> None:
    async with bench(THREE) as b:
        b.server.script("app2/con2", ["status=400"])
        todo = job(THREE)
        paused = await b.run(todo)
        await undone(b, paused)
        again = await b.proceed(paused.run_id, todo, Outcome.FAILED)

        assert again.exit_code == ExitCode.OK
        assert is_paused(b, *THREE) == [False, False, True]


async def test_a_strangers_mark_gets_into_no_report(bench: OpenBench) -> None:
    async with bench(THREE) as b:
        b.server.script("app2/con2", ["status=400"])
        todo = job(THREE)
        paused = await b.run(todo)
        b.tenant.resume_by_other(*THREE[0])
        b.tenant.pause_by_other(*THREE[0])
        await b.proceed(paused.run_id, todo, Outcome.FAILED)
        row = b.results(paused)["app0/con0"]

        assert row.after is None
        assert "somebody else has paused it anew since" in (row.detail or "")


async def test_an_old_read_does_not_end_anothers_hold(bench: OpenBench, tmp_path: Path) -> None:
    """One run has read everything as active, and comes to a connector minutes later: a window has it paused by then."""
    async with bench(THREE) as b:
        b.server.script("app0/con0", ["status=429,retry_after=250"])
        slow = asyncio.create_task(b.run(replace(job(THREE, limits=LimitPolicy(concurrency=1)), name="slow")))
        await asyncio.sleep(5)
        with Store(tmp_path / "state") as other_store:
            other = replace(b, store=other_store)
            window = await other.run(replace(job([THREE[2]]), name="window"), windowed=True)
            await slow

            assert len(b.store.held(b.store.run(window.run_id))) == 1


async def test_a_colleagues_pause_is_not_that_of_a_request_that_died_long_before(
    bench: OpenBench, tmp_path: Path
) -> None:
    async with bench(THREE) as b:
        b.server.script("app0/con0", ["silence"])  # hung up somewhere, and never applied
        record = await _killed(b, tmp_path, after=1.0)
        await asyncio.sleep(99.0)
        b.tenant.pause_by_other(*THREE[0])
        await asyncio.sleep(2 * DANGER_TIME)
        await undo(record, undo_job(job([]), record), b.context())

        assert is_paused(b, THREE[0]) == [True]


async def test_a_request_that_waits_is_noted_again_before_it_leaves(bench: OpenBench, tmp_path: Path) -> None:
    """Refused at first, the second one leaves 40 s later and dies. A colleague's pause after its life is not ours."""
    async with bench(THREE) as b:
        b.server.script("app0/con0", ["status=429,retry_after=40", "silence"])
        record = await _killed(b, tmp_path, after=41.0)
        await asyncio.sleep(68.0)
        b.tenant.pause_by_other(*THREE[0])
        await asyncio.sleep(2 * DANGER_TIME)
        await undo(record, undo_job(job([]), record), b.context())

        assert is_paused(b, THREE[0]) == [True]


async def test_an_anomaly_that_comes_before_the_first_read_is_no_receipt(bench: OpenBench) -> None:
    async with bench(ONE, "latency=2s") as b:
        asyncio.get_running_loop().call_later(7.5, b.tenant.anomaly, *ONE[0])
        paused = await b.run(job(ONE))
        [row] = b.rows(paused)
        result = await undone(b, paused)

        assert (row.outcome, row.receipt) == (Outcome.CHANGED, None)
        assert "C1 itself has paused it since" in (row.detail or "")
        assert (result.exit_code, counts(result), is_paused(b, *ONE)) == (ExitCode.INCOMPLETE, {"skipped": 1}, [True])


# Holds that the world has overtaken


async def test_a_hold_on_what_somebody_has_resumed_ends_with_the_next_run_that_reads_it(bench: OpenBench) -> None:
    async with bench(ONE) as b:
        first = await b.run(replace(job(ONE), name="first"))
        b.tenant.resume_by_other(*ONE[0])
        await asyncio.sleep(READ_LAG + 60)
        second = await b.run(replace(job(ONE), name="second"), windowed=True)

        assert not b.store.held(b.store.run(first.run_id))
        assert (await undone(b, second)).exit_code == ExitCode.OK
        assert is_paused(b, *ONE) == [False]


async def test_a_sync_since_the_pause_proves_at_once_that_it_was_ended(bench: OpenBench) -> None:
    async with bench(ONE) as b:
        await b.run(replace(job(ONE), name="first"))
        await asyncio.sleep(1)
        b.tenant.resume_by_other(*ONE[0])
        await asyncio.sleep(1)
        second = await b.run(replace(job(ONE), name="second"), windowed=True)

        assert (await undone(b, second)).exit_code == ExitCode.OK
        assert is_paused(b, *ONE) == [False]


async def test_what_is_left_to_a_run_that_may_be_over_is_said(bench: OpenBench) -> None:
    """Reads lag behind, so the second run pauses what the first one has paused already."""
    async with bench(ONE, "", Behaviour(lag=20.0, sync_seconds=0.0)) as b:
        first = await b.run(replace(job(ONE, verify=False), name="first"))
        await asyncio.sleep(1)
        second = await b.run(replace(job(ONE, verify=False), name="second"))
        left = await undone(b, second)
        [row] = b.rows(left)

        assert (left.exit_code, row.outcome) == (ExitCode.INCOMPLETE, Outcome.SKIPPED)
        assert f"c1-runner undo {first.run_id}" in (row.detail or "")
        assert (await undone(b, first)).exit_code == ExitCode.OK
        assert is_paused(b, *ONE) == [False]


async def test_a_read_that_falls_behind_an_earlier_one_does_not_end_a_hold(bench: OpenBench) -> None:
    """A replica that lags: the pause was verified, and a later read shows the connector as it was before."""
    async with bench(ONE, "", Behaviour(lag=5.0)) as b:
        paused = await b.run(job(ONE))
        b.tenant.behaviour = replace(b.tenant.behaviour, lag=60.0)
        undoing = asyncio.create_task(undone(b, paused))
        await asyncio.sleep(50)
        b.tenant.behaviour = replace(b.tenant.behaviour, lag=0.0)
        result = await undoing

        assert [row.after is not None and row.after.paused for row in b.rows(paused)] == [True]
        assert counts(result) == {"changed": 1}
        assert is_paused(b, *ONE) == [False]


async def test_a_sync_that_has_begun_since_proves_a_resume_at_once(bench: OpenBench) -> None:
    async with bench(ONE, "") as b:
        paused = await b.run(job(ONE))
        await asyncio.sleep(1)
        b.tenant.resume_by_other(*ONE[0])
        await asyncio.sleep(5)
        began = wall()

        assert counts(await undone(b, paused)) == {"unchanged": 1}
        assert wall() - began < 1


# Absence is proven


async def test_a_gateways_404_ends_no_hold(bench: OpenBench) -> None:
    async with bench(ONE) as b:
        paused = await b.run(job(ONE))
        b.server.script("connector", ["status=404"] * 8)
        b.server.script("connectors", ["status=404"] * 8)
        before = b.store.held(b.store.run(paused.run_id))
        result = await undone(b, paused)

        assert result.exit_code == ExitCode.INCOMPLETE
        assert b.store.held(b.store.run(paused.run_id)) == before
        b.server._schedule._scripts.clear()
        assert (await undone(b, paused)).exit_code == ExitCode.OK
        assert is_paused(b, *ONE) == [False]


async def test_a_connector_that_is_still_listed_is_not_gone(bench: OpenBench) -> None:
    async with bench(ONE) as b:
        paused = await b.run(job(ONE))
        b.server.script("connector", ["status=404"] * 8)
        result = await undone(b, paused)

        assert result.exit_code == ExitCode.INCOMPLETE
        assert len(b.store.held(b.store.run(paused.run_id))) == 1


async def test_when_everything_is_gone_at_once_nothing_is_forgotten(bench: OpenBench) -> None:
    targets = pairs(8, per_app=4)
    async with bench(targets) as b:
        paused = await b.run(job(targets))
        for target in targets:
            b.tenant.delete(*target)
        result = await undone(b, paused)

        assert result.exit_code == ExitCode.STOPPED
        assert "none of the first 5 connectors exists" in (result.stopped or "")
        assert len(b.store.held(b.store.run(paused.run_id))) == 8


async def test_what_is_gone_is_forgotten_where_others_exist(bench: OpenBench) -> None:
    targets = pairs(8, per_app=4)
    async with bench(targets) as b:
        paused = await b.run(job(targets))
        for target in targets[:6]:
            b.tenant.delete(*target)
        result = await undone(b, paused)

        assert counts(result) == {"changed": 2, "skipped": 6}
        assert not b.store.held(b.store.run(paused.run_id))


# A window that could not end


async def test_a_run_that_must_resume_does_not_pause_what_it_could_not_read(bench: OpenBench) -> None:
    async with bench(ONE) as b:
        b.server.script("connectors", ["status=403"] * 3)
        result = await b.run(job(ONE, retry=RetryPolicy(attempts=1)), windowed=True)

        assert counts(result) == {"failed": 1}
        assert b.posts() == []


# A credential that may not see pauses


def blind(b: Bench) -> Bench:
    """The same tenant, for a role that pauses and is shown no pause."""
    client = b.server.desk.blind
    return replace(b, settings=replace(b.settings, credential=ClientCredentials(client.client_id, client.secret or "")))


async def test_who_sees_no_pauses_is_told_so_when_it_pauses_and_forgets_nothing(bench: OpenBench) -> None:
    async with bench(ONE) as seeing:
        b = blind(seeing)
        paused = await b.run(job(ONE))
        undo_result = await undone(b, paused)

        assert (counts(paused), counts(undo_result)) == ({"unknown": 1}, {"unknown": 1})
        assert (paused.exit_code, undo_result.exit_code) == (ExitCode.INCOMPLETE, ExitCode.INCOMPLETE)
        assert len(b.store.held(b.store.run(paused.run_id))) == 1
        assert is_paused(b, *ONE) == [True]


async def test_a_resume_by_name_is_sent_for_what_is_held_and_cannot_be_seen(bench: OpenBench) -> None:
    async with bench(ONE) as seeing:
        b = blind(seeing)
        paused = await b.run(job(ONE))
        await asyncio.sleep(2 * DANGER_TIME)
        by_name = await b.run(replace(job(ONE, "resume"), name="by-name"))

        assert (by_name.exit_code, counts(by_name)) == (ExitCode.OK, {"changed": 1})
        assert is_paused(b, *ONE) == [False]
        assert not b.store.held(b.store.run(paused.run_id))


async def test_who_sees_no_pauses_ends_nobodys_hold(bench: OpenBench) -> None:
    async with bench(ONE) as seeing:
        b = blind(seeing)
        first = await b.run(replace(job(ONE), name="first"))
        await asyncio.sleep(READ_LAG + 100)
        await b.run(replace(job(ONE), name="second"))

        assert len(b.store.held(b.store.run(first.run_id))) == 1
        [hold] = b.store.holds(b.settings.tenant).values()
        assert len(hold.leases) == 2
