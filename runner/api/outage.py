"""When the tenant is down, a run holds still: one request every half minute, instead of one per worker.

Pure decisions about a clock that is handed in (seconds).
"""

from runner.base.policy import RetryPolicy


class Outage:
    """Opens after many failures in a row, and closes with the first answer of any kind."""

    def __init__(self, policy: RetryPolicy) -> None:
        self._policy = policy
        self._failures = 0
        self._since: float | None = None
        self._next_probe = 0.0

    def __repr__(self) -> str:
        return f"<Outage {'open' if self.open else 'closed'}, {self._failures} failures in a row>"

    @property
    def open(self) -> bool:
        """Whether the tenant is taken to be down."""
        return self._since is not None

    def delay(self, now: float) -> float:
        """Seconds until the next request may leave; 0 if it may now."""
        return max(0.0, self._next_probe - now) if self.open else 0.0

    def sent(self, now: float) -> None:
        """A request leaves: while the tenant is down, it is the probe of its interval."""
        self._next_probe = now + self._policy.outage_probe

    def encouraged(self, now: float) -> None:
        """The tenant gave a token: while it is taken to be down, the request that needs it may follow at once."""
        self._next_probe = now

    def answered(self) -> None:
        """A reply that says something: the tenant is there."""
        self._failures = 0
        self._since = None

    def failed(self, now: float) -> None:
        """No reply, or one that only a broken tenant gives."""
        self._failures += 1
        if self._since is None and self._failures >= self._policy.outage_failures:
            self._since = now
            self._next_probe = now + self._policy.outage_probe

    def hopeless(self, now: float) -> bool:
        """Whether it has lasted so long that the run should give up."""
        return self._since is not None and now - self._since >= self._policy.outage
