"""Overlapping runs over the same connectors: what one of them still wants paused, no other resumes."""

import asyncio
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from runner.base.errors import ExitCode
from runner.base.model import Job, Outcome, RunResult, Window
from runner.base.pauses import Moment
from runner.base.policy import DANGER_TIME, READ_LAG, LimitPolicy
from runner.sandbox import Behaviour
from runner.store import Store
from runner.windows.undo import undo, undo_job
from tests.sim.conftest import Bench, OpenBench, counts, job, pairs

pytestmark = pytest.mark.anyio

ONE = pairs(1)


def named(name: str, **fields: object) -> Job:
    """A job of another name over one connector."""
    return replace(job(ONE), name=name, **fields)  # type: ignore[arg-type]


async def end(b: Bench, paused: RunResult) -> RunResult | None:
    """Undo a run."""
    record = b.store.run(paused.run_id)
    return await undo(record, undo_job(job([]), record), b.context())


def paused(b: Bench) -> bool:
    """Whether the connector is paused."""
    return b.tenant.state(*ONE[0]).pause is not None


@pytest.mark.parametrize("first_ends", ["first", "last"])
async def test_of_two_windows_the_last_one_that_ends_resumes(bench: OpenBench, first_ends: str) -> None:
    async with bench(ONE) as b:
        first, second = await b.run(named("first")), await b.run(named("second"))
        assert (counts(first), counts(second)) == ({"changed": 1}, {"unchanged": 1})
        order = [first, second] if first_ends == "first" else [second, first]
        left = await end(b, order[0])
        assert left is not None
        assert (left.exit_code, counts(left), paused(b)) == (ExitCode.OK, {"skipped": 1}, True)
        [row] = b.rows(left)
        assert f"stays paused for run {order[1].run_id}" in (row.detail or "")
        resumed = await end(b, order[1])

        assert resumed is not None
        assert (resumed.exit_code, counts(resumed), paused(b)) == (ExitCode.OK, {"changed": 1}, False)
        assert await end(b, order[0]) is None


async def test_what_somebody_else_keeps_paused_is_no_lease(bench: OpenBench) -> None:
    async with bench(ONE) as b:
        b.tenant.pause_by_other(*ONE[0])
        result = await b.run(named("first"))

        assert await end(b, result) is None
        assert paused(b)


async def test_the_next_run_of_the_same_job_takes_over_what_has_no_end(bench: OpenBench) -> None:
    async with bench(ONE) as b:
        nights = [await b.run(named("nightly")) for _ in range(3)]

        assert await end(b, nights[0]) is None
        resumed = await end(b, nights[2])
        assert resumed is not None
        assert (counts(resumed), paused(b)) == ({"changed": 1}, False)


async def test_a_window_of_the_same_job_keeps_its_own_lease(bench: OpenBench) -> None:
    async with bench(ONE) as b:
        window = await b.run(named("nightly", window=Window(3600.0)))
        again = await b.run(named("nightly"))
        left = await end(b, again)

        assert left is not None
        assert (counts(left), paused(b)) == ({"skipped": 1}, True)
        resumed = await end(b, window)
        assert resumed is not None
        assert counts(resumed) == {"changed": 1}


async def test_a_resume_by_name_ends_every_lease_on_it(bench: OpenBench) -> None:
    async with bench(ONE) as b:
        first, second = await b.run(named("first")), await b.run(named("second"))
        await asyncio.sleep(1)
        await b.run(replace(job(ONE, "resume"), name="by-name"))

        assert await end(b, first) is None
        assert await end(b, second) is None


async def test_a_lease_that_somebody_has_ended_by_hand_holds_up_nobody(bench: OpenBench) -> None:
    async with bench(ONE) as b:
        await b.run(named("forgotten"))
        b.tenant.resume_by_other(*ONE[0])
        await asyncio.sleep(2 * READ_LAG)
        window = await b.run(named("window"))
        result = await end(b, window)

        assert result is not None
        assert (counts(result), paused(b)) == ({"changed": 1}, False)


async def test_a_read_that_lags_behind_outlives_no_lease(bench: OpenBench) -> None:
    async with bench(ONE, "", Behaviour(lag=20.0)) as b:
        first = await b.run(named("first", verify=False))
        await asyncio.sleep(5)
        second = await b.run(named("second", verify=False))  # it reads the connector as active, as it was before
        assert counts(second) == {"changed": 1}
        await asyncio.sleep(60)
        left = await end(b, second)

        assert left is not None
        assert (counts(left), paused(b)) == ({"skipped": 1}, True)
        resumed = await end(b, first)
        assert resumed is not None
        assert (counts(resumed), paused(b)) == ({"changed": 1}, False)


async def test_two_runs_that_pause_at_the_same_time_both_hold_it(bench: OpenBench, tmp_path: Path) -> None:
    async with bench(ONE, "latency=1s", Behaviour(renew_mark=True)) as b:
        with Store(tmp_path / "state") as other_store:
            other = replace(b, store=other_store)
            results: dict[str, RunResult] = {}

            async def run(at: Bench, name: str) -> None:
                results[name] = await at.run(named(name))

            async with anyio.create_task_group() as group:
                group.start_soon(run, b, "first")
                group.start_soon(run, other, "second")
            # The second one sees that the first is at it, reads again, and joins its pause.
            assert sorted(str(counts(result)) for result in results.values()) == ["{'changed': 1}", "{'unchanged': 1}"]
            left = await end(b, results["first"])
            assert left is not None
            assert (counts(left), paused(b)) == ({"skipped": 1}, True)
            resumed = await end(other, results["second"])

            assert resumed is not None
            assert (counts(resumed), paused(b)) == ({"changed": 1}, False)


async def test_a_pause_that_meets_the_end_of_another_window_pauses_anew(bench: OpenBench, tmp_path: Path) -> None:
    async with bench(ONE, "latency=1s") as b:
        first = await b.run(named("first"))
        with Store(tmp_path / "state") as other_store:
            other = replace(b, store=other_store)
            results: list[RunResult] = []

            async def begin() -> None:
                await asyncio.sleep(2.5)  # the undo has read the connector, and its resume is on the way
                results.append(await other.run(named("second")))

            async with anyio.create_task_group() as group:
                group.start_soon(begin)
                ended = await end(b, first)
            assert ended is not None
            assert (counts(ended), counts(results[0])) == ({"changed": 1}, {"changed": 1})
            assert paused(b)
            resumed = await end(other, results[0])

            assert resumed is not None
            assert (counts(resumed), paused(b)) == ({"changed": 1}, False)


async def test_an_end_that_was_cut_off_holds_up_nobody_for_good(bench: OpenBench) -> None:
    async with bench(ONE) as b:
        first = await b.run(named("first"))
        record = b.store.run(first.run_id)
        leases = b.store.leases(record.tenant, record.run)
        [planned] = [planned for planned, _ in b.store.held(record)]
        leases.end(planned.target, Moment(b.context().wall()))  # and then its process is killed
        began = anyio.current_time()
        second = await b.run(named("second"))

        assert anyio.current_time() - began < 2 * DANGER_TIME
        assert second.exit_code == ExitCode.OK
        assert paused(b)
        left = await end(b, first)
        assert left is not None
        assert counts(left) == {"skipped": 1}
        resumed = await end(b, second)
        assert resumed is not None
        assert (counts(resumed), paused(b)) == ({"changed": 1}, False)


async def test_twenty_windows_at_once_and_the_last_one_resumes(bench: OpenBench, tmp_path: Path) -> None:
    targets = pairs(5)
    async with bench(targets, "latency=50ms") as b:
        stores = [Store(tmp_path / "state") for _ in range(20)]
        resumed: list[int] = []

        async def window(number: int, store: Store) -> None:
            await asyncio.sleep(number % 5 * 0.3)
            with store:
                mine = replace(b, store=store)
                todo = replace(job(targets, limits=LimitPolicy(resume_rate=100.0)), name=f"window-{number}")
                result = await mine.run(todo, windowed=True)
                assert result.exit_code == ExitCode.OK
                for _ in range(10):  # while its work goes on, everything it wants paused is paused
                    await asyncio.sleep(0.1 + number % 7 / 10)
                    assert all(b.tenant.state(*target).pause is not None for target in targets)
                record = store.run(result.run_id)
                ended = await undo(record, undo_job(todo, record), mine.context())
                if ended is not None:
                    assert ended.exit_code == ExitCode.OK
                    resumed.append(ended.counts[Outcome.CHANGED])

        async with anyio.create_task_group() as group:
            for number, store in enumerate(stores):
                group.start_soon(window, number, store)

        assert not any(b.tenant.state(*target).pause is not None for target in targets)
        assert sum(resumed) >= len(targets)
        assert len(b.arrivals("resume")) == sum(resumed)
