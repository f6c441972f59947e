"""The retry budget: in a bulk run it decides when something is sent again, not whether."""

from runner.base.policy import RetryPolicy


class RetryBudget:
    """Grants retries as a share of what was sent, so that trouble is never made worse by repetition."""

    def __init__(self, policy: RetryPolicy) -> None:
        self._policy = policy
        self._granted = 0

    def grant(self, requests: int) -> bool:
        """Whether one more retry fits in, after `requests` sent so far; counts it if it does."""
        if self._granted >= self._policy.budget_floor + self._policy.budget_share * requests:
            return False
        self._granted += 1
        return True
