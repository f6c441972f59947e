"""One request to stop, seen by everything that waits."""

import math
from contextlib import suppress

import anyio
import pytest

from runner.base.errors import ExitCode, StoppingError
from runner.base.stop import Stop

pytestmark = pytest.mark.anyio

ASCENDING = [
    ExitCode.STOPPED,
    ExitCode.INTERRUPTED,
    ExitCode.BUG,
    ExitCode.ACCESS,
    ExitCode.STORAGE,
]


async def test_a_run_goes_on_until_it_is_asked_to_stop() -> None:
    stop = Stop()

    stop.check()
    assert not stop.requested
    assert stop.exit_code == ExitCode.OK
    assert "not asked" in repr(stop)


async def test_the_reason_and_the_code_are_kept() -> None:
    stop = Stop()
    stop.request("the deadline has passed", ExitCode.STOPPED)

    assert stop.requested
    assert (stop.reason, stop.exit_code) == ("the deadline has passed", ExitCode.STOPPED)
    with pytest.raises(StoppingError, match="the deadline has passed"):
        stop.check()


@pytest.mark.parametrize("second", ASCENDING[1:])
async def test_a_graver_reason_takes_the_place_of_a_lighter_one(second: ExitCode) -> None:
    stop = Stop()
    stop.request("the deadline has passed", ExitCode.STOPPED)
    stop.request("graver", second)

    assert (stop.reason, stop.exit_code) == ("graver", second)


@pytest.mark.parametrize("first", ASCENDING)
async def test_a_lighter_or_equal_reason_changes_nothing(first: ExitCode) -> None:
    stop = Stop()
    stop.request("first", first)
    for later in ASCENDING[: ASCENDING.index(first) + 1]:
        stop.request("later", later)

    assert (stop.reason, stop.exit_code) == ("first", first)


async def test_of_two_signals_the_first_stays() -> None:
    stop = Stop()
    stop.request("SIGTERM received", ExitCode.TERMINATED)
    stop.request("SIGINT received", ExitCode.INTERRUPTED)

    assert stop.exit_code == ExitCode.TERMINATED


async def test_a_sleep_lasts_as_long_as_asked_when_nothing_happens() -> None:
    before = anyio.current_time()
    await Stop().sleep(2.5)

    assert anyio.current_time() - before == pytest.approx(2.5)


async def test_every_sleep_ends_at_once_when_the_run_does() -> None:
    stop, ended = Stop(), []

    async def wait() -> None:
        with pytest.raises(StoppingError, match="enough"):
            await stop.sleep(3600)
        ended.append(anyio.current_time())

    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(wait)
        await anyio.sleep(1)
        stop.request("enough", ExitCode.STOPPED)

    assert ended == [pytest.approx(1)] * 5


async def test_a_sleep_does_not_begin_when_the_run_has_ended() -> None:
    stop = Stop()
    stop.request("enough", ExitCode.STOPPED)
    before = anyio.current_time()

    with pytest.raises(StoppingError):
        await stop.sleep(60)
    assert anyio.current_time() == before


@pytest.mark.parametrize("seconds", [math.inf, -math.inf, math.nan])
async def test_an_endless_sleep_is_a_bug(seconds: float) -> None:
    with pytest.raises(ValueError, match="cannot sleep"):
        await Stop().sleep(seconds)


async def test_who_waits_for_the_end_is_woken_once_it_comes() -> None:
    stop = Stop()
    async with anyio.create_task_group() as group:
        group.start_soon(stop.wait)
        await anyio.sleep(1)
        stop.request("enough", ExitCode.STOPPED)
    await stop.wait()


async def test_waiting_for_something_else_ends_with_it_or_with_the_run() -> None:
    stop, happened, never = Stop(), anyio.Event(), anyio.Event()
    ends: list[float] = []

    async def wait_for(event: anyio.Event) -> None:
        with suppress(StoppingError):
            await stop.wait_for(event)
        ends.append(anyio.current_time())

    async with anyio.create_task_group() as group:
        for event in (happened, never, never):
            group.start_soon(wait_for, event)
        await anyio.sleep(1)
        happened.set()
        await anyio.sleep(1)
        stop.request("enough", ExitCode.STOPPED)
    assert ends == [1.0, 2.0, 2.0]
    with pytest.raises(StoppingError):
        await stop.wait_for(happened)


async def test_waiting_for_something_else_can_be_cancelled() -> None:
    stop = Stop()
    with anyio.move_on_after(5) as scope:
        await stop.wait_for(anyio.Event())
    assert scope.cancelled_caught
    stop.check()
