"""When a request is sent again, and what is never swallowed."""

import asyncio
from collections.abc import Awaitable, Callable

import anyio
import pytest

from runner.api.retry import is_retryable, retrying, until_spent
from runner.base.errors import AccessError, ApiError, ExitCode, RunnerError, StoppingError, StorageError
from runner.base.model import AttemptClass, Verdict
from runner.base.policy import RetryPolicy
from runner.base.stop import Stop, now

pytestmark = pytest.mark.anyio

AMBIGUOUS = Verdict(AttemptClass.AMBIGUOUS, "HTTP 502", 502, retryable=True)
UNSENT = Verdict(AttemptClass.NOT_SENT, "cannot connect", retryable=True)
REFUSED = Verdict(AttemptClass.REFUSED, "HTTP 404", 404)


class Failing:
    """A request that fails as it is told, and then succeeds; remembers when it was tried."""

    def __init__(self, *errors: BaseException) -> None:
        self._errors = list(errors)
        self.at: list[float] = []

    async def __call__(self) -> str:
        self.at.append(anyio.current_time())
        if self._errors:
            raise self._errors.pop(0)
        return "done"

    @property
    def pauses(self) -> list[float]:
        """Seconds between tries."""
        return [later - earlier for earlier, later in zip(self.at, self.at[1:], strict=False)]


def failed(verdict: Verdict = AMBIGUOUS, times: int = 1) -> list[BaseException]:
    return [ApiError(verdict) for _ in range(times)]


async def test_what_succeeds_is_tried_once() -> None:
    request = Failing()

    assert await retrying(RetryPolicy(), Stop())(request) == "done"
    assert len(request.at) == 1


@pytest.mark.parametrize("failures", [1, 2, 3, 4])
async def test_a_retryable_failure_is_tried_again_until_it_succeeds(failures: int) -> None:
    request = Failing(*failed(times=failures))

    assert await retrying(RetryPolicy(attempts=5), Stop())(request) == "done"
    assert len(request.at) == failures + 1


@pytest.mark.parametrize("attempts", [1, 2, 5])
async def test_after_the_last_attempt_the_last_error_comes_out_as_it_is(attempts: int) -> None:
    errors = failed(times=10)
    request = Failing(*errors)

    with pytest.raises(ApiError) as raised:
        await retrying(RetryPolicy(attempts=attempts), Stop())(request)
    assert len(request.at) == attempts
    assert raised.value is errors[attempts - 1]


@pytest.mark.parametrize(
    "error",
    [
        ApiError(REFUSED),
        AccessError("revoked"),
        StorageError("disk full"),
        StoppingError("enough"),
        RunnerError("a bug"),
        ValueError("a bug"),
        TimeoutError(),
        OSError("bare"),
        KeyboardInterrupt(),
        SystemExit(3),
        GeneratorExit(),
        asyncio.CancelledError(),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_everything_off_the_whitelist_passes_through_at_once(error: BaseException) -> None:
    request = Failing(error)

    assert not is_retryable(error)
    raised: BaseException | None = None
    try:
        await retrying(RetryPolicy(), Stop())(request)
    except BaseException as caught:
        raised = caught
    assert raised is error
    assert len(request.at) == 1


async def test_cancellation_ends_a_back_off() -> None:
    request = Failing(*failed(times=5))
    slow = RetryPolicy(attempts=5, base=1e6, cap=1e6)

    with anyio.move_on_after(1) as scope:
        await retrying(slow, Stop())(request)
    assert scope.cancelled_caught
    assert len(request.at) == 1


async def test_the_end_of_the_run_ends_a_back_off() -> None:
    request, stop = Failing(*failed(times=5)), Stop()
    slow = RetryPolicy(attempts=5, base=1e6, cap=1e6)

    async def end_the_run() -> None:
        await anyio.sleep(2)
        stop.request("enough", ExitCode.STOPPED)

    async with anyio.create_task_group() as group:
        group.start_soon(end_the_run)
        with pytest.raises(StoppingError, match="enough"):
            await retrying(slow, stop)(request)
    assert anyio.current_time() == pytest.approx(2)


async def test_every_call_has_its_own_count() -> None:
    requests = [Failing(*failed(times=3)) for _ in range(20)]
    policy, stop = RetryPolicy(attempts=4), Stop()

    async def call(request: Failing) -> None:
        await retrying(policy, stop)(request)

    async with anyio.create_task_group() as group:
        for request in requests:
            group.start_soon(call, request)
    assert [len(request.at) for request in requests] == [4] * 20
    assert retrying(policy, stop) is not retrying(policy, stop)


async def test_the_back_off_doubles_with_full_jitter_up_to_its_cap() -> None:
    policy = RetryPolicy(attempts=8, base=0.5, cap=4)
    seen = []
    for _ in range(200):
        request = Failing(*failed(times=7))
        await retrying(policy, Stop())(request)
        seen.append(request.pauses)

    for number, pauses in enumerate(zip(*seen, strict=True)):
        limit = min(4, 0.5 * 2**number)
        assert max(pauses) <= limit
        assert max(pauses) > 0.9 * limit  # it is jitter over the full range,
        assert min(pauses) < 0.1 * limit  # not around its middle


async def test_what_could_not_be_sent_is_given_more_time() -> None:
    longest = 0.0
    for _ in range(200):
        request = Failing(*failed(UNSENT))
        await retrying(RetryPolicy(base=0.001, connect_base=2.0), Stop())(request)
        longest = max(longest, *request.pauses)

    assert 1.8 < longest <= 2.0


@pytest.mark.parametrize("asked", [7.0, 200.0])
async def test_a_wait_that_the_tenant_asks_for_is_kept_whatever_the_cap(asked: float) -> None:
    verdict = Verdict(AttemptClass.AMBIGUOUS, "HTTP 503", 503, retryable=True, throttled=True, retry_after=asked)
    request = Failing(*failed(verdict))
    await retrying(RetryPolicy(cap=1), Stop())(request)

    assert request.pauses == [pytest.approx(asked)]


async def test_a_connection_closed_just_then_is_tried_again_soon_but_only_once() -> None:
    closed = Verdict(AttemptClass.AMBIGUOUS, "closed", retryable=True, disconnected=True)
    request = Failing(*failed(closed, times=2))
    await retrying(RetryPolicy(), Stop())(request)

    assert 0 < request.pauses[0] <= 0.25
    assert request.pauses[1] > 0


# The count and the time that a target has


def counted(request: Failing) -> Callable[[], Awaitable[str]]:
    return request.__call__


async def test_attempts_are_counted_as_the_caller_counts_them() -> None:
    request = Failing(*failed(times=50))
    until = until_spent(lambda: len(request.at) // 2, 5, now() + 3600, lambda: 0)  # every other one is free

    with pytest.raises(ApiError):
        await retrying(RetryPolicy(attempts=1), Stop(), until=until)(counted(request))
    assert len(request.at) == 10


async def test_a_target_has_its_time_on_the_clock_of_the_loop() -> None:
    request = Failing(*failed(times=1000))
    until = until_spent(lambda: 0, 5, now() + 60, lambda: 0)

    with pytest.raises(ApiError):
        await retrying(RetryPolicy(base=5, cap=5), Stop(), until=until)(counted(request))
    assert 50 < anyio.current_time() <= 60  # it gives up before the sleep that would go too far
    assert len(request.at) > 10


async def test_waiting_ones_turn_takes_nothing_from_that_time() -> None:
    request = Failing(*failed(times=1000))
    until = until_spent(lambda: 0, 5, now() + 60, lambda: 600)

    with pytest.raises(ApiError):
        await retrying(RetryPolicy(base=5, cap=5), Stop(), until=until)(counted(request))
    assert 600 < anyio.current_time() <= 660


async def test_who_calls_may_say_what_is_worth_another_try() -> None:
    request = Failing(*failed(times=3))

    with pytest.raises(ApiError):
        await retrying(RetryPolicy(), Stop(), worth=lambda error: False)(request)
    assert len(request.at) == 1
