"""What the state machine of windows has found, each told as a story of its own."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from runner.base.errors import ExitCode
from runner.base.model import Job, Outcome, RunResult, Window
from runner.base.policy import DANGER_TIME, LimitPolicy, RetryPolicy
from runner.sandbox import Behaviour
from runner.store import Store
from runner.windows.undo import undo, undo_job
from tests.sim.conftest import Bench, OpenBench, counts, job, pairs
from tests.virtual_clock import wall

pytestmark = pytest.mark.anyio

ONE = pairs(1)
ONCE = RetryPolicy(attempts=1)


def named(name: str, **fields: object) -> Job:
    """A job of another name over one connector."""
    return replace(job(ONE), name=name, **fields)  # type: ignore[arg-type]


async def end(b: Bench, paused: RunResult, **limits: float) -> RunResult | None:
    """Undo a run."""
    record = b.store.run(paused.run_id)
    return await undo(record, undo_job(job([], limits=LimitPolicy(**limits)), record), b.context())  # type: ignore[arg-type]


def paused(b: Bench, *targets: tuple[str, str]) -> list[bool]:
    """Which of these are paused; without any, the one that there is."""
    return [b.tenant.state(*target).pause is not None for target in targets or ONE]


def paused_anew_by_somebody(b: Bench, target: tuple[str, str]) -> None:
    """Somebody else ends a pause, and makes one."""
    b.tenant.resume_by_other(*target)
    b.tenant.pause_by_other(*target)


async def test_a_read_before_the_request_that_took_effect_is_no_receipt_of_it(bench: OpenBench) -> None:
    async with bench(ONE) as b:
        b.server.script("app0/con0", ["drop"])
        result = await end(b, await b.run(job(ONE, verify=False)))

        assert result is not None
        assert (counts(result), paused(b)) == ({"changed": 1}, [False])


async def test_a_last_look_has_nothing_to_say_of_what_was_left_alone(bench: OpenBench) -> None:
    async with bench(ONE) as b:
        b.server.script("app0/con0", ["drop_after"])
        result = await b.run(job(ONE))
        paused_anew_by_somebody(b, ONE[0])
        undone = await end(b, result)

        assert undone is not None
        assert (counts(undone), paused(b)) == ({"skipped": 1}, [True])
        assert await end(b, result) is None


async def test_what_was_to_stay_paused_does_not_end_with_a_window_of_the_same_job(bench: OpenBench) -> None:
    async with bench(ONE) as b:
        first = await b.run(named("nightly"))
        window = await b.run(named("nightly", window=Window(60.0)))
        left = await end(b, window)

        assert left is not None
        assert (counts(left), paused(b)) == ({"skipped": 1}, [True])
        await end(b, first)
        assert paused(b) == [False]


@pytest.mark.parametrize(("preflight", "outcome"), [(True, "changed"), (False, "skipped")])
async def test_active_is_not_believed_before_reads_can_show_the_pause(
    bench: OpenBench, preflight: bool, outcome: str
) -> None:
    async with bench(ONE, "", Behaviour(lag=20.0)) as b:
        result = await end(b, await b.run(job(ONE, verify=False, preflight=preflight)))

        assert result is not None
        assert (counts(result), paused(b)) == ({outcome: 1}, [not preflight])


async def test_a_resume_by_name_that_read_too_early_ends_no_lease(bench: OpenBench) -> None:
    targets = pairs(2, per_app=2)
    async with bench(targets, "", Behaviour(lag=20.0)) as b:
        b.tenant.pause_by_other(*targets[1])  # which shows that this credential sees pauses
        await asyncio.sleep(30)
        first = await b.run(replace(named("first", verify=False), targets=job(targets[:1]).targets))
        await asyncio.sleep(1)
        by_name = await b.run(replace(job(targets[:1], "resume"), name="by-name"))
        assert counts(by_name) == {"unchanged": 1}
        result = await end(b, first)

        assert result is not None
        assert (counts(result), paused(b, targets[0])) == ({"changed": 1}, [False])


async def test_going_on_claims_no_pause_that_somebody_made_in_between(bench: OpenBench) -> None:
    async with bench(ONE) as b:
        b.server.script("app0/con0", ["silence"])
        b.server.script("connector", ["status=403"])
        todo = job(ONE, retry=ONCE, verify=False)
        result = await b.run(todo)
        assert counts(result) == {"unknown": 1}
        await asyncio.sleep(3 * DANGER_TIME)
        b.tenant.pause_by_other(*ONE[0])
        again = await b.proceed(result.run_id, todo)
        assert counts(again) == {"unchanged": 1}
        await end(b, result)

        assert paused(b) == [True]


async def test_going_on_takes_no_pause_of_somebody_else_for_a_receipt(bench: OpenBench) -> None:
    targets = pairs(2, per_app=2)
    async with bench(targets) as b:
        b.server.script("app0/con1", ["status=400"])
        result = await b.run(job(targets))
        assert counts(result) == {"changed": 1, "failed": 1}
        paused_anew_by_somebody(b, targets[0])
        await b.proceed(result.run_id, job(targets), Outcome.FAILED)
        undone = await end(b, result)

        assert undone is not None
        assert (counts(undone), paused(b, *targets)) == ({"changed": 1, "skipped": 1}, [True, False])


async def test_a_pause_that_comes_later_than_a_request_can_live_is_left_alone_and_said(bench: OpenBench) -> None:
    async with bench(ONE) as b:
        b.server.script("app0/con0", ["ok,delay=100s"])  # given up after 30 s, and applied all the same
        todo = job(ONE, retry=ONCE, verify=False)
        result = await b.run(todo)
        assert counts(result) == {"failed": 1}
        await asyncio.sleep(DANGER_TIME)
        again = await b.proceed(result.run_id, todo, Outcome.FAILED)
        assert counts(again) == {"unknown": 1}
        undone = await end(b, result)

        assert undone is not None
        assert (undone.exit_code, counts(undone), paused(b)) == (ExitCode.INCOMPLETE, {"skipped": 1}, [True])


async def test_going_on_joins_what_another_run_has_paused_in_between(bench: OpenBench) -> None:
    async with bench(ONE) as b:
        b.server.script("app0/con0", ["silence"])
        b.server.script("connector", ["status=403"])
        todo = named("first", retry=ONCE, verify=False)
        first = await b.run(todo)
        await asyncio.sleep(3 * DANGER_TIME)
        second = await b.run(named("second"))
        await b.proceed(first.run_id, todo)
        left = await end(b, second)

        assert left is not None
        assert (counts(left), paused(b)) == ({"skipped": 1}, [True])
        await end(b, first)
        assert paused(b) == [False]


async def test_a_slow_undo_leaves_what_another_run_has_come_to_want(bench: OpenBench, tmp_path: Path) -> None:
    targets = pairs(3)
    async with bench(targets) as b:
        first = await b.run(job(targets))
        with Store(tmp_path / "state") as other_store:
            other = replace(b, store=other_store)

            async def join() -> RunResult:
                await asyncio.sleep(DANGER_TIME + 30)
                return await other.run(named("second"))

            second = asyncio.create_task(join())
            undone = await end(b, first, resume_rate=0.01)  # the last one is resumed after 200 seconds
            joined = await second

            assert undone is not None
            assert counts(undone) == {"changed": 2, "skipped": 1}
            assert (joined.exit_code, paused(b, *targets)) == (ExitCode.OK, [True, False, False])
            await end(other, joined)
            assert paused(b) == [False]


async def test_a_pause_that_reads_mislead_waits_for_the_end_of_another_one(bench: OpenBench, tmp_path: Path) -> None:
    async with bench(ONE, "latency=10ms", Behaviour(lag=2.0)) as b:
        first = await b.run(named("first", verify=False))
        with Store(tmp_path / "state") as other_store:
            other = replace(b, store=other_store)
            undoing = asyncio.create_task(end(b, first))
            await asyncio.sleep(0.05)
            second = await other.run(named("second", verify=False))  # it reads the connector as active still
            await undoing

            assert (second.exit_code, paused(b)) == (ExitCode.OK, [True])


async def test_a_crash_after_a_long_wait_leaves_behind_when_its_request_was_under_way(
    bench: OpenBench, tmp_path: Path
) -> None:
    async with bench(ONE) as b:
        b.server.script("app0/con0", ["status=429,retry_after=250", "silence_after"])
        with Store(tmp_path / "state") as doomed:
            task = asyncio.create_task(replace(b, store=doomed).run(job(ONE)))
            await asyncio.wait([task], timeout=260.0)
            doomed.connection.close()
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task
        record = b.store.run()
        result = await undo(record, undo_job(job([]), record), b.context())

        assert result is not None
        assert (counts(result), paused(b)) == ({"changed": 1}, [False])


async def test_a_window_is_extended_although_an_undo_of_it_was_cut_off(bench: OpenBench) -> None:
    async with bench(ONE) as b:
        first = await b.run(named("first", window=Window(60.0)))
        second = await b.run(named("second"))
        record = b.store.run(first.run_id)
        [(planned, _)] = b.store.held(record)
        left = await end(b, second)
        assert left is not None
        third = await b.run(named("third"))
        b.store.leases(record.tenant, record.run)._update("ending_at = ?", wall(), record.run, planned.target)
        await asyncio.sleep(2 * DANGER_TIME)
        b.store.extend(record, wall() + 3600.0, wall())
        left = await end(b, third)

        assert left is not None
        assert (counts(left), paused(b)) == ({"skipped": 1}, [True])


async def test_going_on_with_a_resume_ends_no_pause_that_was_made_since_by_a_clock_that_was_set_back(
    bench: OpenBench,
) -> None:
    """The earlier part of the resume has read con0 as active, at a time that this machine's clock now has ahead."""
    async with bench(pairs(2)) as b:
        b.server.script("app1/con1", ["status=403"])
        b.tenant.pause_by_other(*pairs(2)[1])
        by_name = replace(job(pairs(2), "resume"), name="by-name", retry=ONCE)
        resumed = await b.run(by_name)
        held = await b.run(job(ONE), wall=lambda: wall() - 600)
        await asyncio.sleep(30)
        again = await b.proceed(resumed.run_id, by_name, Outcome.FAILED, wall=lambda: wall() - 600)

        assert counts(again) == {"changed": 1, "unchanged": 1}
        assert len(b.store.held(b.store.run(held.run_id))) == 1


async def test_what_a_cut_off_run_had_joined_and_somebody_has_paused_anew_is_not_its_own_when_it_goes_on(
    bench: OpenBench,
) -> None:
    async with bench(ONE) as b:
        first, second = await b.run(named("first")), await b.run(named("second"))
        # The process was killed when it had joined the pause, and had not recorded the outcome yet.
        b.store.connection.execute("UPDATE targets SET outcome = NULL, detail = NULL, finished_at = NULL WHERE run = 2")
        await asyncio.sleep(1)
        paused_anew_by_somebody(b, ONE[0])
        await asyncio.sleep(2 * DANGER_TIME)
        again = await b.proceed(second.run_id, named("second"))
        await end(b, again)
        await end(b, first)

        assert counts(again) == {"unchanged": 1}
        assert paused(b) == [True]
