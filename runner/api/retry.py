"""When a request is sent again: tenacity, with a whitelist over our own error class."""

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    wait_random_exponential,
)
from tenacity.wait import wait_base

from runner.errors import ApiError
from runner.policy import RetryPolicy
from runner.stop import Stop


def retrying(policy: RetryPolicy, stop: Stop) -> AsyncRetrying:
    """A fresh retry object for one call: state in a shared one would leak between calls.

    Sleeps end when the run does; the last error is raised as it is.
    """
    return AsyncRetrying(
        retry=retry_if_exception(_is_retryable),
        stop=stop_after_attempt(policy.attempts),
        wait=_BackOff(policy),
        sleep=stop.sleep,
        reraise=True,
    )


def _is_retryable(error: BaseException) -> bool:
    # The class is asked first: tenacity hands over cancellation and KeyboardInterrupt, too.
    return isinstance(error, ApiError) and error.verdict.retryable


class _BackOff(wait_base):
    """Full jitter, but never less than the server asks for."""

    def __init__(self, policy: RetryPolicy) -> None:
        self._jitter = wait_random_exponential(multiplier=policy.base, max=policy.cap)

    def __call__(self, retry_state: RetryCallState) -> float:
        error = retry_state.outcome.exception() if retry_state.outcome else None
        asked = error.verdict.retry_after if isinstance(error, ApiError) else None
        return max(self._jitter(retry_state), asked or 0.0)
