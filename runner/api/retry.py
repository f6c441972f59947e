"""When a request is sent again: tenacity, with a whitelist over our own error class."""

import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt
from tenacity.stop import stop_base
from tenacity.wait import wait_base, wait_random_exponential

from runner.base.errors import ApiError
from runner.base.model import AttemptClass
from runner.base.policy import RetryPolicy
from runner.base.stop import Stop, now

Value = TypeVar("Value")

Predicate = Callable[[BaseException], bool]


def is_retryable(error: BaseException) -> bool:
    """Whether sending the same request again may help.

    The class is asked first: tenacity hands over cancellation and KeyboardInterrupt, too.
    """
    return isinstance(error, ApiError) and error.verdict.retryable


def retrying(
    policy: RetryPolicy, stop: Stop, *, until: stop_base | None = None, worth: Predicate = is_retryable
) -> AsyncRetrying:
    """A fresh retry object for one call: state in a shared one would leak between calls.

    It ends when `until` says so (by default after the policy's attempts) or an error is not `worth` another
    try, and then raises the last error as it is. Sleeps end when the run does.
    """
    return AsyncRetrying(
        retry=retry_if_exception(worth),
        stop=until or stop_after_attempt(policy.attempts),
        wait=BackOff(policy),
        sleep=stop.sleep,
        reraise=True,
    )


async def persist(function: Callable[[], Awaitable[Value]], retry: Callable[[], AsyncRetrying]) -> Value:
    """The value of `function`, called as often as the retry object that `retry` makes has it.

    Nearly every call succeeds at once, so the object is only made after a failure, which it then sees as the
    first of its attempts.
    """
    try:
        return await function()
    except ApiError as error:
        failures = [error]

    async def attempt() -> Value:
        if failures:
            raise failures.pop()
        return await function()

    return await retry()(attempt)


class BackOff(wait_base):
    """Full jitter over a base that grows, per kind of failure; never less than the server asks for."""

    def __init__(self, policy: RetryPolicy) -> None:
        self._after_reply = wait_random_exponential(multiplier=policy.base, max=policy.cap)
        self._unsent = wait_random_exponential(multiplier=policy.connect_base, max=policy.cap)

    def __call__(self, retry_state: RetryCallState) -> float:
        """Seconds until the next try."""
        error = retry_state.outcome.exception() if retry_state.outcome else None
        if not isinstance(error, ApiError):
            return self._after_reply(retry_state)
        verdict = error.verdict
        if verdict.disconnected and retry_state.attempt_number == 1:
            # Most often an idle connection that the server closed just then. Not quite at once: should it be an
            # outage, all workers find out together before any of them sends again.
            return random.uniform(0.05, 0.25)
        jitter = self._unsent if verdict.attempt is AttemptClass.NOT_SENT else self._after_reply
        return max(jitter(retry_state), verdict.retry_after or 0.0)


class while_up(stop_base):
    """Stop after so many attempts, not counting those after which the tenant was taken to be down.

    How long an outage is waited out is decided once, for the whole run, not by each request's tries.
    """

    def __init__(self, attempts: int, down: Callable[[], bool]) -> None:
        self._left = attempts
        self._down = down

    def __call__(self, retry_state: RetryCallState) -> bool:  # noqa: ARG002 (tenacity's interface)
        """Whether to give up now; asked once after each failure."""
        self._left -= not self._down()
        return self._left <= 0


class until_spent(stop_base):
    """Stop when `attempts` have been made, by the caller's own count, or `ends_at` has come: loop time,
    put off by what was `waited`.

    tenacity's `stop_after_delay` reads another clock than the event loop's, and ends after the sleep that
    goes too far rather than before it.
    """

    def __init__(self, attempts: Callable[[], int], limit: int, ends_at: float, waited: Callable[[], float]) -> None:
        self._attempts = attempts
        self._limit = limit
        self._waited = waited
        self._ends_at = ends_at

    def __call__(self, retry_state: RetryCallState) -> bool:
        """Whether to give up now."""
        ahead = now() + retry_state.upcoming_sleep
        return self._attempts() >= self._limit or ahead >= self._ends_at + self._waited()
