"""c1-runner as a library: a dozen names, in whatever event loop runs already."""

import asyncio
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import runner
from runner.base.model import Window
from runner.base.policy import LimitPolicy
from tests.sim.conftest import Bench, OpenBench, job, pairs

pytestmark = pytest.mark.anyio

THREE = pairs(3)


def is_paused(b: Bench) -> list[bool]:
    """Which of the three the tenant has paused."""
    return [b.tenant.state(*target).pause is not None for target in THREE]


async def test_its_names_carry_out_a_job_in_a_loop_that_runs_and_print_nothing(
    bench: OpenBench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "job.yaml"
    path.write_text("version: 1\noperation: pause\nconnectors: [app0/con0, app1/con1]\n")
    async with bench(THREE) as b:
        context, handlers = b.context(), [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
        wanted = runner.load_job(str(path))
        looked = await runner.plan(wanted, b.settings)
        result = await runner.run(wanted, context)
        undone = await runner.undo(result.run_id, context)

        assert [row.outcome for row in looked.targets] == [runner.Outcome.CHANGED] * 2
        assert result.counts[runner.Outcome.CHANGED] == 2
        assert undone is not None
        assert (undone.exit_code, is_paused(b)) == (0, [False] * 3)
        assert await runner.undo(result.run_id, context) is None
        assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert capsys.readouterr() == ("", "")


async def test_a_window_keeps_connectors_paused_while_its_block_lasts(bench: OpenBench) -> None:
    async with bench(THREE) as b:
        async with runner.window(job(THREE), b.context()) as paused:
            assert (paused.counts[runner.Outcome.CHANGED], is_paused(b)) == (3, [True] * 3)
        assert is_paused(b) == [False] * 3


async def test_a_block_that_fails_or_is_cancelled_leaves_nothing_paused(bench: OpenBench) -> None:
    async with bench(THREE) as b:

        async def hang() -> None:
            async with runner.window(job(THREE), b.context()):
                await asyncio.sleep(1e6)

        with pytest.raises(ZeroDivisionError):
            async with runner.window(job(THREE), b.context()):
                _ = 1 / 0
        assert is_paused(b) == [False] * 3
        task = asyncio.create_task(hang())
        await asyncio.sleep(5)
        assert is_paused(b) == [True] * 3
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert is_paused(b) == [False] * 3


async def test_a_block_that_outlasts_its_window_is_ended(bench: OpenBench) -> None:
    async with bench(THREE) as b:
        with pytest.raises(TimeoutError):
            async with runner.window(job(THREE, window=Window(seconds=60)), b.context()):
                await asyncio.sleep(1e6)
        assert is_paused(b) == [False] * 3


async def test_a_block_is_not_entered_when_not_all_could_be_paused(bench: OpenBench) -> None:
    async with bench(THREE) as b:
        b.server.script("app1/con1", ["status=400"])
        entered = False
        with pytest.raises(runner.WindowError, match="1 could not be paused") as caught:
            async with runner.window(job(THREE), b.context()):
                entered = True
        assert (entered, is_paused(b)) == (False, [False] * 3)
        assert caught.value.result.counts[runner.Outcome.FAILED] == 1


async def test_what_cannot_be_resumed_after_the_block_is_raised(bench: OpenBench) -> None:
    async with bench(THREE) as b:

        async def work() -> None:
            async with runner.window(job(THREE, limits=LimitPolicy(concurrency=1)), b.context()):
                await asyncio.sleep(300)
                b.tenant.resume_by_other(*THREE[0])
                b.tenant.pause_by_other(*THREE[0])

        with pytest.raises(runner.WindowError, match="could be resumed") as caught:
            await work()
        assert (caught.value.result.exit_code, is_paused(b)) == (4, [True, False, False])


async def test_a_job_for_another_tenant_is_refused(bench: OpenBench) -> None:
    async with bench(THREE) as b:
        with pytest.raises(runner.RunnerError, match="nothing was sent"):
            await runner.run(replace(job(THREE), tenant="elsewhere.example"), b.context())
        assert b.arrivals("token") == []


def test_a_name_is_loaded_when_it_is_asked_for() -> None:
    code = "import sys, runner; runner.load_job; assert 'aiohttp' not in sys.modules, 'loaded'"
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = runner.nothing
    assert all(getattr(runner, name) is not None for name in dir(runner))
