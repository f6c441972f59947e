"""N workers over a zero-buffer stream."""

import asyncio
import random
import tracemalloc
from collections.abc import Awaitable, Callable

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.base.errors import ExitCode, StoppingError
from runner.base.stop import Stop
from runner.engine.pool import Feed, work_through
from tests.virtual_clock import VirtualClockLoop

pytestmark = pytest.mark.anyio

Put = Callable[[int], Awaitable[None]]


def numbers(count: int) -> Feed[int]:
    async def feed(put: Put) -> None:
        for number in range(count):
            await put(number)

    return feed


class Work:
    """Takes its time over each item, and remembers what it saw."""

    def __init__(self, seconds: float = 1.0) -> None:
        self._seconds = seconds
        self.begun: list[int] = []
        self.done: list[int] = []
        self.at_once = self.most = 0

    async def __call__(self, item: int) -> None:
        self.begun.append(item)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await anyio.sleep(self._seconds)
        self.at_once -= 1
        self.done.append(item)


@pytest.mark.parametrize(("items", "workers"), [(0, 5), (1, 5), (5, 5), (100, 1), (100, 7), (3, 200)])
async def test_every_item_is_worked_on_once_and_never_more_than_workers_at_a_time(items: int, workers: int) -> None:
    work = Work()
    await work_through(numbers(items), work, workers=workers, stop=Stop())

    assert sorted(work.done) == list(range(items))
    assert work.begun == list(range(items))
    assert work.most == min(items, workers)
    assert anyio.current_time() == pytest.approx(-(-items // workers))


async def test_an_item_is_not_taken_from_the_feed_before_a_worker_is_free() -> None:
    work, put_at = Work(10), []

    async def feed(put: Put) -> None:
        for number in range(4):
            await put(number)
            put_at.append(anyio.current_time())

    await work_through(feed, work, workers=2, stop=Stop())
    assert put_at == [pytest.approx(moment) for moment in (0, 0, 10, 10)]


async def test_items_kept_ahead_wait_for_no_turn_of_the_feed_and_are_few() -> None:
    work, put_at = Work(10), []

    async def feed(put: Put) -> None:
        for number in range(6):
            await put(number)
            put_at.append(anyio.current_time())

    await work_through(feed, work, workers=2, stop=Stop(), ahead=1)
    assert put_at == [pytest.approx(moment) for moment in (0, 0, 0, 10, 10, 20)]
    assert work.begun == list(range(6))
    assert work.most == 2


async def test_what_was_kept_ahead_is_let_go_of_when_the_run_ends() -> None:
    work, stop = Work(10), Stop()

    async def feed(put: Put) -> None:
        for number in range(20):
            await put(number)
            if number == 4:
                stop.request("enough", ExitCode.STOPPED)

    await work_through(feed, work, workers=2, stop=stop, ahead=5)
    assert work.begun == work.done
    assert set(work.done) <= {0, 1}


async def test_a_slow_item_holds_up_nobody_else() -> None:
    done: list[int] = []

    async def work(item: int) -> None:
        await anyio.sleep(100 if item == 0 else 1)
        done.append(item)

    await work_through(numbers(21), work, workers=2, stop=Stop())
    assert done[-1] == 0
    assert anyio.current_time() == pytest.approx(100)


# The end of a run


async def test_after_stop_nothing_more_is_handed_over_and_what_is_begun_ends() -> None:
    work, stop = Work(), Stop()

    async def end_the_run() -> None:
        await anyio.sleep(2.5)
        stop.request("enough", ExitCode.STOPPED)

    async with anyio.create_task_group() as group:
        group.start_soon(end_the_run)
        await work_through(numbers(1000), work, workers=4, stop=stop)
    assert sorted(work.begun) == sorted(work.done) == list(range(12))
    assert anyio.current_time() == pytest.approx(3)


async def test_a_run_that_has_ended_begins_nothing() -> None:
    work, stop = Work(), Stop()
    stop.request("enough", ExitCode.STOPPED)
    await work_through(numbers(1000), work, workers=4, stop=stop)

    assert work.begun == []


async def test_work_that_ends_the_run_is_the_last() -> None:
    stop, seen = Stop(), []

    async def work(item: int) -> None:
        seen.append(item)
        if item == 7:
            stop.request("item 7", ExitCode.STOPPED)

    await work_through(numbers(1000), work, workers=1, stop=stop)
    assert seen == list(range(8))


async def test_a_feed_that_waits_is_not_waited_for_when_the_run_ends() -> None:
    work, stop = Work(), Stop()

    async def feed(put: Put) -> None:
        await put(0)
        await stop.sleep(3600)
        await put(1)

    async def end_the_run() -> None:
        await anyio.sleep(5)
        stop.request("enough", ExitCode.STOPPED)

    async with anyio.create_task_group() as group:
        group.start_soon(end_the_run)
        await work_through(feed, work, workers=2, stop=stop)
    assert work.done == [0]
    assert anyio.current_time() == pytest.approx(5)


async def test_a_feed_learns_at_once_that_the_run_has_ended() -> None:
    work, stop, put_after = Work(), Stop(), []

    async def feed(put: Put) -> None:
        await put(0)
        stop.request("enough", ExitCode.STOPPED)
        for number in range(1, 10):
            await put(number)
            put_after.append(number)

    await work_through(feed, work, workers=5, stop=stop)
    assert put_after == []
    assert work.done == [0]


async def test_a_feed_that_puts_from_many_tasks_is_not_left_hanging_when_the_run_ends() -> None:
    work, stop, ended = Work(10), Stop(), []

    async def feed(put: Put) -> None:
        async def put_some(first: int) -> None:
            try:
                for number in range(first, first + 10):
                    await put(number)
            except StoppingError:
                ended.append(first)

        async with anyio.create_task_group() as group:
            for first in range(0, 60, 10):
                group.start_soon(put_some, first)

    async def end_the_run() -> None:
        await anyio.sleep(5)
        stop.request("enough", ExitCode.STOPPED)

    with anyio.fail_after(3600):
        async with anyio.create_task_group() as group:
            group.start_soon(end_the_run)
            await work_through(feed, work, workers=2, stop=stop)
    assert len(work.done) == 2
    assert len(ended) == 6


async def test_one_pool_feeds_another_and_both_end_with_the_run() -> None:
    work, stop = Work(), Stop()

    async def feed(put: Put) -> None:
        async def list_app(app: int) -> None:
            for number in range(5):
                try:
                    await put(app * 5 + number)
                except StoppingError:
                    return

        await work_through(numbers(100), list_app, workers=3, stop=stop)

    async def end_the_run() -> None:
        await anyio.sleep(2.5)
        stop.request("enough", ExitCode.STOPPED)

    with anyio.fail_after(3600):
        async with anyio.create_task_group() as group:
            group.start_soon(end_the_run)
            await work_through(feed, work, workers=3, stop=stop)
    assert len(work.done) == len(work.begun) == 9


# Errors


async def test_an_error_that_escapes_the_work_ends_everything_and_is_shown() -> None:
    work = Work(100)

    async def fail(item: int) -> None:
        if item == 2:
            raise RuntimeError("a bug")
        await work(item)

    with pytest.raises(ExceptionGroup) as raised:
        await work_through(numbers(1000), fail, workers=4, stop=Stop())
    assert raised.group_contains(RuntimeError, match="a bug")
    assert work.done == []
    assert anyio.current_time() == 0


async def test_an_error_of_the_feed_ends_everything_and_is_shown() -> None:
    work = Work(100)

    async def feed(put: Put) -> None:
        await put(0)
        raise RuntimeError("a bug")

    with pytest.raises(ExceptionGroup) as raised:
        await work_through(feed, work, workers=4, stop=Stop())
    assert raised.group_contains(RuntimeError, match="a bug")


async def test_cancellation_reaches_the_workers() -> None:
    work = Work(100)
    with anyio.move_on_after(5) as scope:
        await work_through(numbers(1000), work, workers=4, stop=Stop())

    assert scope.cancelled_caught
    assert (len(work.begun), work.done) == (4, [])


# What a long list costs


async def test_a_long_list_costs_neither_tasks_nor_memory() -> None:
    most = 0

    async def work(item: int) -> None:
        nonlocal most
        most = max(most, len(asyncio.all_tasks()))

    tracemalloc.start()
    try:
        await work_through(numbers(100), work, workers=8, stop=Stop())
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        await work_through(numbers(5_000), work, workers=8, stop=Stop())
        grown = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert most <= 8 + 2
    assert grown < 200_000  # bytes


# Whatever the timing


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 30), st.integers(1, 8), st.integers(0, 2**16), st.floats(0, 20))
def test_whenever_the_run_ends_each_item_is_worked_on_whole_and_once_or_not_at_all(
    items: int, workers: int, seed: int, ends_at: float
) -> None:
    chance, stop = random.Random(seed), Stop()
    begun: list[int] = []
    done: list[int] = []

    async def feed(put: Put) -> None:
        for number in range(items):
            if chance.random() < 0.3:
                await anyio.sleep(chance.random() * 3)
            await put(number)

    async def work(item: int) -> None:
        begun.append(item)
        await anyio.sleep(chance.random() * 3)
        done.append(item)

    async def end_the_run() -> None:
        await anyio.sleep(ends_at)
        stop.request("enough", ExitCode.STOPPED)

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(end_the_run)
            await work_through(feed, work, workers=workers, stop=stop)
            group.cancel_scope.cancel()

    with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
        runner.run(main())
    assert begun == list(range(len(begun)))
    assert sorted(done) == begun
    if not stop.requested:
        assert len(done) == items
