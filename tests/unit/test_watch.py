"""Thresholds, and the credential that may do nothing."""

import anyio
import pytest

from runner.base.errors import ExitCode
from runner.base.model import AttemptClass, Job, OperationName, Outcome, Result, Verdict
from runner.base.policy import LimitPolicy, Share
from runner.base.stop import Stop
from runner.engine.thresholds import Watch

pytestmark = pytest.mark.anyio


def answered(outcome: Outcome, status: int, **said: bool) -> Result:
    """An outcome whose last reply has this status."""
    verdict = Verdict(AttemptClass.REFUSED, f"HTTP {status}: as it was said", status, **said)  # type: ignore[arg-type]
    return Result(outcome, http_status=status, verdict=verdict)


FAILED = answered(Outcome.FAILED, 500)
FORBIDDEN = answered(Outcome.FAILED, 403, forbidden=True, lacks_permission=True)
NOT_THIS_ONE = answered(Outcome.FAILED, 403, forbidden=True)
MISSING = answered(Outcome.FAILED, 404, missing=True)
CHANGED = answered(Outcome.CHANGED, 200)
UNCHANGED = Result(Outcome.UNCHANGED)


def watched(planned: int, max_failures: Share | None = None) -> tuple[Watch, Stop]:
    stop = Stop()
    job = Job(OperationName.PAUSE, "test", limits=LimitPolicy(max_failures=max_failures))
    return Watch(job, stop, planned), stop


def until_stopped(watch: Watch, stop: Stop, result: Result, at_most: int = 1000) -> int:
    """After how many such results the run is asked to stop."""
    for count in range(1, at_most + 1):
        watch.finished(result)
        if stop.requested:
            return count
    return 0


@pytest.mark.parametrize(
    ("limit", "planned", "stopped_by"),
    [
        (Share(0), 100, 1),
        (Share(3), 100, 4),
        (Share(10, percent=True), 100, 11),
        (Share(10, percent=True), 105, 11),  # 10.5 may fail
        (Share(10, percent=True), 9, 1),  # 0.9 may fail
        (Share(0, percent=True), 100, 1),
        (Share(100, percent=True), 100, 101),
        (Share(0.5, percent=True), 1000, 6),
    ],
    ids=str,
)
async def test_the_threshold_is_exceeded_never_equalled(limit: Share, planned: int, stopped_by: int) -> None:
    watch, stop = watched(planned, limit)

    assert until_stopped(watch, stop, FAILED) == stopped_by
    assert stop.exit_code == ExitCode.STOPPED
    assert stop.reason is not None
    assert "max_failures" in stop.reason
    assert str(limit) in stop.reason


async def test_without_a_threshold_failures_stop_nothing() -> None:
    watch, stop = watched(100)

    assert until_stopped(watch, stop, FAILED) == 0


async def test_unknown_counts_as_failure_and_the_rest_does_not() -> None:
    watch, stop = watched(100, Share(1))
    for outcome in (Outcome.CHANGED, Outcome.UNCHANGED, Outcome.SKIPPED, Outcome.NOT_ATTEMPTED):
        for _ in range(5):
            watch.finished(Result(outcome))
    watch.finished(Result(Outcome.UNKNOWN))
    assert not stop.requested

    watch.finished(Result(Outcome.FAILED))
    assert stop.requested


async def test_five_forbidden_and_nothing_else_is_the_credentials_fault() -> None:
    watch, stop = watched(100)

    assert until_stopped(watch, stop, FORBIDDEN) == 5
    assert stop.exit_code == ExitCode.ACCESS
    assert stop.reason is not None
    assert "Connector Administrator" in stop.reason


async def test_one_request_that_was_allowed_clears_the_credential() -> None:
    watch, stop = watched(100)
    for _ in range(4):
        watch.finished(FORBIDDEN)
    watch.finished(CHANGED)

    assert until_stopped(watch, stop, FORBIDDEN) == 0
    watch.drained()
    assert not stop.requested


async def test_a_target_that_took_no_request_says_nothing_about_the_credential() -> None:
    watch, stop = watched(100)
    for _ in range(20):
        watch.finished(UNCHANGED)

    assert until_stopped(watch, stop, FORBIDDEN) == 5


async def test_a_short_job_whose_every_request_was_forbidden_ends_as_refused_access() -> None:
    watch, stop = watched(2)
    watch.finished(FORBIDDEN)
    watch.finished(FORBIDDEN)
    assert not stop.requested

    watch.drained()
    assert stop.exit_code == ExitCode.ACCESS


async def test_a_drained_run_without_a_forbidden_request_is_fine() -> None:
    watch, stop = watched(2)
    watch.finished(UNCHANGED)
    watch.drained()

    assert not stop.requested
    await anyio.lowlevel.checkpoint()


async def test_refusals_of_single_connectors_end_nothing_while_others_are_left() -> None:
    watch, stop = watched(100)

    assert until_stopped(watch, stop, NOT_THIS_ONE, at_most=10) == 0
    watch.finished(CHANGED)
    watch.drained()
    assert not stop.requested


async def test_a_job_whose_every_connector_was_refused_ends_as_refused_access() -> None:
    watch, stop = watched(10)

    assert until_stopped(watch, stop, NOT_THIS_ONE, at_most=10) == 0
    watch.drained()
    assert stop.exit_code == ExitCode.ACCESS


async def test_five_that_c1_does_not_know_and_nothing_else_are_the_wrong_tenant_or_ids() -> None:
    watch, stop = watched(100)

    assert until_stopped(watch, stop, MISSING) == 5
    assert "none of the first 5 connectors exists" in (stop.reason or "")


@pytest.mark.parametrize("status", [401, 403, 404, 405])
async def test_a_gateways_refusals_blame_neither_the_credential_nor_the_ids(status: int) -> None:
    watch, stop = watched(100)

    assert until_stopped(watch, stop, answered(Outcome.FAILED, status, alien=True)) == 5
    assert stop.exit_code == ExitCode.STOPPED
    assert stop.reason == f"what answers is not C1's API: HTTP {status}: as it was said"


async def test_a_gateway_that_refuses_some_ends_nothing() -> None:
    watch, stop = watched(100)
    watch.finished(CHANGED)

    assert until_stopped(watch, stop, answered(Outcome.FAILED, 403, alien=True)) == 0
    watch.drained()
    assert not stop.requested


async def test_the_first_answer_that_leads_elsewhere_ends_the_run() -> None:
    watch, stop = watched(100)

    assert until_stopped(watch, stop, answered(Outcome.UNKNOWN, 302, alien=True)) == 1
    assert stop.exit_code == ExitCode.STOPPED
