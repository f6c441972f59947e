"""What a job would do, from live state, without a mutating request."""

import os
import platform
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

from runner import __version__
from runner.api.client import Client
from runner.errors import AccessError, ExitCode
from runner.execute import decide
from runner.model import Job, Outcome, Planned, Result
from runner.operations import OPERATIONS
from runner.pool import work_through
from runner.settings import Settings
from runner.stop import Stop
from runner.store import RunRecord, TargetRecord
from runner.targets import with_state


@dataclass(frozen=True, slots=True)
class Preview:
    """A plan in the shape of a run's account, so every report format can show it."""

    run: RunRecord
    targets: list[TargetRecord]


async def preview(
    job: Job, settings: Settings, *, include_anomalies: bool = False, wall: Callable[[], float] = time.time
) -> Preview:
    """Each target of `job`, in plan order, with the outcome that its state lets expect.

    A target whose state cannot be read is `unknown`. Raises `AccessError` or `ApiError` when the tenant
    gives no token.
    """
    operation, stop, started_at = OPERATIONS[job.operation], Stop(), wall()
    targets: list[TargetRecord] = []

    async def judge(planned: Planned) -> None:
        result = decide(operation, planned, include_anomalies=include_anomalies)
        targets.append(_target(planned, result or _expected(planned, f"would be {operation.changed}")))

    async with Client(settings, stop=stop, limits=job.limits, retry=job.retry, timeouts=job.timeouts) as client:
        await client.sign_in()
        concurrency = job.limits.concurrency
        planned = (Planned(seq, target, connector_name=target.name) for seq, target in enumerate(job.targets))
        feed = with_state(planned, client, concurrency=concurrency, stop=stop)
        await work_through(feed, judge, workers=concurrency, stop=stop)
    if stop.reason is not None:
        raise AccessError(stop.reason)
    targets.sort(key=lambda target: target.seq)
    return Preview(_run(job, settings, client, targets, started_at, wall()), targets)


def _expected(planned: Planned, change: str) -> Result:
    if planned.unread is not None:
        return Result(Outcome.UNKNOWN, f"its state could not be read; it {change}, blindly", error=planned.unread)
    if planned.before is None:
        return Result(Outcome.FAILED, "the tenant does not list it: check the app and connector id", error="not found")
    return Result(Outcome.CHANGED, change)


def _target(planned: Planned, result: Result) -> TargetRecord:
    return TargetRecord(
        seq=planned.seq,
        target=planned.target,
        app_name=planned.app_name,
        connector_name=planned.connector_name,
        outcome=result.outcome,
        detail=result.detail,
        http_status=None,
        error=result.error,
        request_id=None,
        attempts=0,
        throttled=0,
        started_at=None,
        finished_at=None,
        before=planned.before,
        after=None,
    )


def _run(
    job: Job, settings: Settings, client: Client, targets: list[TargetRecord], started_at: float, now: float
) -> RunRecord:
    counts = dict.fromkeys(Outcome, 0) | Counter(target.outcome for target in targets)
    doubtful = counts[Outcome.FAILED] + counts[Outcome.UNKNOWN]
    return RunRecord(
        run=0,
        run_id="plan",
        job=asdict(replace(job, targets=())),
        job_name=job.name,
        job_path=job.path,
        job_sha256=job.sha256,
        operation=job.operation,
        tenant=settings.tenant,
        reason=job.reason,
        version=__version__,
        host=platform.node(),
        user="",
        pid=os.getpid(),
        started_at=started_at,
        finished_at=now,
        exit_code=ExitCode.INCOMPLETE if doubtful else ExitCode.OK,
        stopped=None,
        requests=client.total.requests,
        retries=client.total.retries,
        throttled=client.total.throttled,
        counts=counts,
    )
