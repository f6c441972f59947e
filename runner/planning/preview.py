"""What a job would do, from live state, without a mutating request."""

import os
import platform
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import NamedTuple

import anyio

from runner.api.client import Client
from runner.base.errors import ExitCode, OutageError
from runner.base.model import Job, Outcome, Planned, Result
from runner.base.operations import OPERATIONS
from runner.base.settings import Settings
from runner.base.stop import Stop
from runner.base.version import __version__
from runner.engine.decide import Leave, decide
from runner.planning.discover import Told
from runner.planning.kinds import McpServers
from runner.planning.planner import Planner
from runner.store import RunRecord, TargetRecord


class Preview(NamedTuple):
    """A plan in the shape of a run's account, so every report format can show it."""

    run: RunRecord
    targets: list[TargetRecord]
    apps: int  # of the tenant, as far as they were listed
    connectors: int
    mcp: McpServers | None = None  # what was found of its MCP servers, if anybody asked


async def preview(
    job: Job,
    settings: Settings,
    *,
    include_anomalies: bool = False,
    include_protected: bool = False,
    told: Told | None = None,
    kinds: bool = False,
    wall: Callable[[], float] = time.time,
) -> Preview:
    """Each target of `job`, in plan order, with the outcome that its state lets expect.

    What a rule leaves alone is `skipped`, with the rule; a target whose state cannot be read is `unknown`. With
    `kinds` the tenant is asked for its MCP servers even where the job does not go by that.
    Raises `UsageError` when the plan breaks a limit, `AccessError`, `OutageError` or `ApiError` when the
    tenant cannot be asked, or not within the job's deadline.
    """
    operation, stop, started_at = OPERATIONS[job.operation], Stop(), wall()

    def judged(planned: Planned) -> TargetRecord:
        result = decide(operation, planned, Leave(not include_anomalies))
        return _target(planned, result or _expected(planned, f"would be {operation.would_be}"))

    async with Client(
        settings, stop=stop, limits=job.limits, retry=job.retry, timeouts=job.timeouts, wall=wall
    ) as client:
        await client.sign_in()
        planner = Planner(job, client, stop, include_protected=include_protected, told=told, kinds=kinds)
        found = None
        with anyio.CancelScope(deadline=client.turns.ends_at):
            found = await planner.look()
        if found is None:
            words = f"the deadline of {job.limits.deadline:g} s passed before the plan was known; nothing was sent"
            raise OutageError(words)
        targets = [judged(planned) for planned in found]
    run = _run(job, settings, client, targets, started_at, wall())
    if planner.unlisted:
        run = run._replace(stopped=f"not everything could be listed: {planner.unlisted}", whole=False)
    return Preview(run, targets, planner.apps, planner.connectors, planner.mcp)


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
    exit_code = ExitCode.INCOMPLETE if doubtful else ExitCode.OK
    if not targets and not job.allow_empty:
        exit_code = ExitCode.NOTHING
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
        exit_code=exit_code,
        stopped=None,
        whole=True,
        requests=client.total.requests,
        retries=client.total.retries,
        throttled=client.total.throttled,
        counts=counts,
        credential_until=settings.credential.expires_at,
    )
