"""A window from the first pause to the last resume, with a command that only takes time."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from runner.base.errors import ExitCode
from runner.base.model import Job, Outcome, RunResult, Window
from runner.base.policy import LimitPolicy, RetryPolicy, Share
from runner.base.signals import Signals
from runner.engine.session import Context
from runner.store import RunRecord
from runner.windows import hold as engine
from runner.windows.undo import undo, undo_job
from tests.sim.conftest import Bench, OpenBench, job, pairs
from tests.virtual_clock import wall

pytestmark = pytest.mark.anyio

THREE = pairs(3)


class Desk(engine.Desk):
    """Keeps what a window says, and how its runs ended."""

    def __init__(self, b: Bench, ours: Callable[[], float] = wall) -> None:
        self.store = b.store
        self.wall = ours
        self.said: list[str] = []
        self.runs: list[RunResult] = []
        self._bench = b

    @contextmanager
    def context(self, signals: Signals, **more: Any) -> Iterator[Context]:
        yield self._bench.context(heard=signals, wall=self.wall, **more)

    def account(self, result: RunResult) -> None:
        self.runs.append(result)

    def facts(self, record: RunRecord) -> dict[str, str]:
        return {}

    def note(self, text: str) -> None:
        self.said.append(text)

    def say(self, text: str) -> None:
        self.said.append(text)

    def undo_by_hand(self, run_id: str) -> str:
        return f"c1-runner undo {run_id}"


class Held:
    """A window over a job: its code, what it said, and for how long its command had what it asked for."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.code: int | None = None
        self.command_seconds: float | None = None


@pytest.fixture
def hold(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Holds a window; `meanwhile` is what happens while its command runs for so many seconds."""

    async def held(
        b: Bench, todo: Job, *, seconds: float = 60.0, meanwhile: Any = None, ours: Callable[[], float] = wall
    ) -> Held:
        desk = Desk(b, ours)
        found = Held(desk)

        class Waiting:
            def __init__(self, *_: object, left: Callable[[], float], **__: object) -> None:
                self._left = left

            async def run(self, environment: Mapping[str, str], signals: Signals) -> int:
                began = asyncio.get_running_loop().time()
                if meanwhile is not None:
                    await meanwhile(desk)
                while (passed := asyncio.get_running_loop().time() - began) < seconds and self._left() > 0:  # noqa: ASYNC110
                    await asyncio.sleep(1)
                found.command_seconds = passed
                return 0

        monkeypatch.setattr(engine, "Command", Waiting)
        found.code = await engine.Window(engine.Terms(todo, ["work"]), desk).hold()
        return found

    return held


def is_paused(b: Bench, *targets: tuple[str, str]) -> list[bool]:
    """Whether the tenant has these paused."""
    return [b.tenant.state(*target).pause is not None for target in targets]


async def test_a_window_begins_and_ends_by_its_own_receipts(bench: OpenBench, hold: Any) -> None:
    async with bench(THREE) as b:
        window = await hold(b, job(THREE, verify=False))  # what it resumes by is verified all the same

        assert (window.code, window.command_seconds) == (ExitCode.OK, pytest.approx(60.0, abs=1))
        assert not any(is_paused(b, *THREE))


async def test_pauses_that_are_unknown_keep_the_command_from_running(bench: OpenBench, hold: Any) -> None:
    async with bench(THREE) as b:
        b.server.script("app0/con0", ["silence"])
        b.server.script("connector", ["status=403"] * 2)
        window = await hold(b, job(THREE, retry=RetryPolicy(attempts=1)))

        assert window.desk.runs[0].counts[Outcome.UNKNOWN] + window.desk.runs[0].counts[Outcome.FAILED] == 1
        assert window.command_seconds is None
        assert window.code != ExitCode.OK
        held = b.store.held(b.store.run(window.desk.runs[0].run_id))
        assert sum(is_paused(b, *THREE)) == len(held)


async def test_a_receipt_that_is_not_sound_keeps_the_command_from_running(bench: OpenBench, hold: Any) -> None:
    """However many failures the job allows: what is paused could not be resumed."""
    async with bench(THREE, "latency=2s") as b:
        asyncio.get_running_loop().call_later(7.0, b.tenant.anomaly, *THREE[0])
        todo = job(THREE, limits=LimitPolicy(concurrency=3, max_failures=Share(100, percent=True)))
        window = await hold(b, todo)

        assert window.command_seconds is None
        assert [line for line in window.desk.said if "no mark of its own pause is known of" in line]
        assert window.code != ExitCode.OK
        assert is_paused(b, *THREE) == [True, False, False]


async def test_the_resume_knows_no_deadline(bench: OpenBench, hold: Any) -> None:
    targets = pairs(6)
    async with bench(targets) as b:
        todo = job(targets, limits=LimitPolicy(concurrency=6, deadline=10.0, resume_rate=0.1))
        window = await hold(b, todo)

        assert window.code == ExitCode.OK
        assert not any(is_paused(b, *targets))


async def test_what_somebody_resumes_while_the_command_runs_is_named(bench: OpenBench, hold: Any) -> None:
    async with bench(THREE) as b:

        async def meanwhile(desk: Desk) -> None:
            await asyncio.sleep(20)
            b.tenant.resume_by_other(*THREE[1])

        window = await hold(b, job(THREE), meanwhile=meanwhile)

        assert window.code == ExitCode.INCOMPLETE
        assert [line for line in window.desk.said if "not paused any more when the window ended" in line]
        assert not any(is_paused(b, *THREE))


async def test_an_undo_by_force_is_told_at_the_end_of_the_window(bench: OpenBench, hold: Any) -> None:
    async with bench(THREE) as b:

        async def meanwhile(desk: Desk) -> None:
            record = b.store.run(desk.runs[0].run_id)
            await undo(record, undo_job(job([]), record), b.context())

        window = await hold(b, job(THREE), meanwhile=meanwhile)

        assert window.code == ExitCode.INCOMPLETE
        assert [line for line in window.desk.said if "not paused any more when the window ended" in line]


async def test_the_end_counts_while_it_pauses(bench: OpenBench, hold: Any) -> None:
    """The tenant asks to wait longer than the window lasts: it ends, and what was paused is resumed."""
    async with bench(THREE) as b:
        b.server.script("app2/con2", ["status=429,retry_after=30"] * 3)
        began = wall()
        window = await hold(b, job(THREE, window=Window(10.0)))

        assert wall() - began < 20
        assert window.command_seconds is None
        assert window.code == ExitCode.STOPPED
        assert not any(is_paused(b, *THREE))


@pytest.mark.parametrize("step", [86_400.0, -86_400.0])
async def test_for_means_the_time_that_passes_whatever_the_clock_is_set_to(
    bench: OpenBench, hold: Any, step: float
) -> None:
    async with bench(THREE) as b:
        set_by = 0.0

        async def meanwhile(desk: Desk) -> None:
            nonlocal set_by
            set_by = step

        todo = job(THREE, window=Window(600.0))
        window = await hold(b, todo, seconds=3600.0, meanwhile=meanwhile, ours=lambda: wall() + set_by)

        assert window.command_seconds == pytest.approx(600.0, abs=5)
        assert window.code == ExitCode.OK
        assert not any(is_paused(b, *THREE))


async def test_a_window_over_what_an_earlier_run_had_paused_and_somebody_resumed_ends_clean(
    bench: OpenBench, hold: Any
) -> None:
    async with bench(THREE) as b:
        earlier = await b.run(replace(job(THREE), name="earlier"))
        await asyncio.sleep(5)
        for target in THREE:
            b.tenant.resume_by_other(*target)
        await asyncio.sleep(5)
        window = await hold(b, job(THREE))

        assert window.code == ExitCode.OK
        assert not any(is_paused(b, *THREE))
        assert not b.store.held(b.store.run(earlier.run_id))
