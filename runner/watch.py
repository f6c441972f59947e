"""What the outcomes of a run say about the run: too many failures, or a credential that may do nothing."""

from runner.errors import ExitCode
from runner.model import Job, Outcome, Result
from runner.stop import Stop

_FORBIDDEN = 403


class Watch:
    """Sees every outcome as it comes, and asks the run to stop when going on would do no good."""

    def __init__(self, job: Job, stop: Stop, planned: int) -> None:
        self._job = job
        self._stop = stop
        self._planned = planned
        self._failures = 0
        self._forbidden = 0
        self._allowed = False

    def finished(self, result: Result) -> None:
        """Take note of one target's outcome."""
        if result.outcome in (Outcome.FAILED, Outcome.UNKNOWN):
            self._failures += 1
            self._check_threshold()
        if result.http_status == _FORBIDDEN:
            self._forbidden += 1
            if self._forbidden >= self._job.retry.forbidden_streak:
                self.drained()
        elif result.http_status is not None:
            self._allowed = True

    def drained(self) -> None:
        """All requests so far were answered: if each was forbidden, that is the credential's fault."""
        if self._forbidden and not self._allowed:
            self._stop.request(
                f"this credential may not {self._job.operation} connectors (403 for each of {self._forbidden}); "
                "it takes the Super Administrator or Connector Administrator role",
                ExitCode.ACCESS,
            )

    def _check_threshold(self) -> None:
        limit = self._job.limits.max_failures
        if limit is not None and self._failures > limit.of(self._planned):
            self._stop.request(
                f"{self._failures} targets failed or are unknown, more than max_failures ({limit}) allows",
                ExitCode.STOPPED,
            )
