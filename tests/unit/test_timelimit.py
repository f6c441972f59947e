"""Everybody gets the same time, watched by one timer."""

import asyncio

import anyio
import pytest

from runner.api.timelimit import TimeLimit

pytestmark = pytest.mark.anyio


async def taking(limit: TimeLimit, seconds: float) -> float:
    """How long something that takes so long may go on."""
    begun = anyio.current_time()
    try:
        with limit.begin():
            await anyio.sleep(seconds)
    except TimeoutError:
        pass
    return anyio.current_time() - begun


async def test_each_gets_the_same_time_from_its_own_beginning_and_no_more() -> None:
    limit, found = TimeLimit(10), dict[float, float]()

    async def after(delay: float, seconds: float) -> None:
        await anyio.sleep(delay)
        found[delay] = await taking(limit, seconds)

    async with anyio.create_task_group() as group:
        for delay, seconds in ((0, 50), (1, 3), (2, 9.5), (3, 50), (3.5, 50), (20, 50)):
            group.start_soon(after, delay, seconds)

    assert found == pytest.approx({0: 10, 1: 3, 2: 9.5, 3: 10, 3.5: 10, 20: 10})


async def test_what_is_within_sees_the_end_first_and_may_go_on_from_there() -> None:
    limit, seen = TimeLimit(10), 0.0

    with limit.begin() as running:
        with pytest.raises(TimeoutError), running:
            await anyio.sleep(50)
        seen = anyio.current_time()
        await anyio.sleep(50)

    assert anyio.current_time() - seen == pytest.approx(50)


async def test_who_is_cancelled_at_the_very_end_of_the_time_is_cancelled() -> None:
    limit = TimeLimit(10)
    task = asyncio.create_task(taking(limit, 50))
    asyncio.get_running_loop().call_later(10, task.cancel)

    await asyncio.wait([task])

    assert task.cancelled()


async def test_a_task_is_as_before_after_its_time_was_over() -> None:
    assert await taking(TimeLimit(10), 50) == pytest.approx(10)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0

    with anyio.move_on_after(5) as scope:
        await taking(TimeLimit(10), 50)
    assert scope.cancelled_caught
