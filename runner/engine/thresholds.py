"""What the outcomes of a run say about the run: too many failures, or a credential that may do nothing."""

from runner.base.errors import ExitCode
from runner.base.model import Job, Outcome, Result, Verdict
from runner.base.policy import Share
from runner.base.stop import Stop


class Watch:
    """Sees every outcome as it comes, and asks the run to stop when going on would do no good."""

    def __init__(self, job: Job, stop: Stop, planned: int = 0) -> None:
        self._job = job
        self._stop = stop
        self.planned = planned
        self._finished = 0
        self._failures = 0
        self._failures_before = 0  # in the waves that are through
        self._answered = 0
        self._forbidden = self._powerless = self._missing = self._alien = 0  # of those

    @property
    def remaining(self) -> int:
        """How many targets of the plan have no outcome yet."""
        return max(0, self.planned - self._finished)

    def finished(self, result: Result) -> None:
        """Take note of one target's outcome."""
        self._finished += 1
        if result.outcome in (Outcome.FAILED, Outcome.UNKNOWN):
            self._failures += 1
            self._check_threshold()
        if result.verdict is not None and result.verdict.status is not None:
            self._count(result.verdict)

    def _count(self, verdict: Verdict) -> None:
        """One more target got an answer; the first ones may say that no other will do better."""
        self._answered += 1
        self._forbidden += verdict.forbidden
        self._powerless += verdict.lacks_permission
        self._missing += verdict.missing
        self._alien += verdict.alien
        policy, answered = self._job.retry, self._answered
        if answered == self._powerless == policy.forbidden_streak:
            self._forbid()
        if answered == self._missing == policy.missing_streak:
            words = f"none of the first {answered} connectors exists: check the ids, and whose tenant this is"
            self._stop.request(words, ExitCode.STOPPED)
        redirected = answered == 1 and 300 <= (verdict.status or 0) < 400
        if redirected or answered == self._alien == policy.alien_streak:
            self._stop.request(f"what answers is not C1's API: {verdict.message}", ExitCode.STOPPED)

    def wave_ended(self, number: int, size: int) -> None:
        """A wave of `size` targets is through: too many failures in it keep the next one from starting.

        Without a `max_failures` a single one is too many: that is what waves are for.
        """
        failures, self._failures_before = self._failures - self._failures_before, self._failures
        limit = self._job.limits.max_failures or Share(0)
        if failures > limit.of(size):
            words = f"{failures} of {size} failed or are unknown in wave {number}; the next wave was not started"
            self._stop.request(words, ExitCode.STOPPED)

    def drained(self) -> None:
        """Everything was tried: if each request was forbidden, that is the credential's fault."""
        if 0 < self._answered == self._forbidden:
            self._forbid()

    def _forbid(self) -> None:
        self._stop.request(
            f"this credential may not {self._job.operation} connectors (403 for each of {self._answered}); "
            "it takes the Super Administrator or Connector Administrator role; "
            "an Application Administrator may do so for their own connectors alone",
            ExitCode.ACCESS,
        )

    def _check_threshold(self) -> None:
        limit = self._job.limits.max_failures
        if limit is not None and self._failures > limit.of(self.planned):
            # without their number: what is in flight can fail, too, and the account has all of them
            self._stop.request(
                f"the failed and unknown targets are more than max_failures ({limit}) allows", ExitCode.STOPPED
            )
