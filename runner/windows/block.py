"""A window around a block of Python: pauses before it, and resumes exactly that after it, whatever happens in it.

pause ─► sound? ─► the block ─► undo
           └─ no ─────────────► undo, and the block is not entered
"""

from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace

import anyio

from runner.base.errors import ExitCode, UsageError, WindowError
from runner.base.model import Job, OperationName, RunResult
from runner.engine.session import Context
from runner.runs import run
from runner.windows.obstacle import obstacle_of
from runner.windows.undo import undo_run


@asynccontextmanager
async def window(job: Job, context: Context) -> AsyncIterator[RunResult]:
    """Keep what `job` names paused while the block lasts; yields the run that has paused it.

    The block ends with `TimeoutError` where the job has a window, and that is over. Everything is resumed then, as
    after a failure or a cancellation, which the resume does not heed. Raises as `run.run` while nothing was paused;
    `WindowError` when the block must not be entered, and when not all could be resumed after it.
    """
    if job.operation is not OperationName.PAUSE:
        raise UsageError(f"a window pauses, and this job is a {job.operation}; nothing was sent")
    with ExitStack() as living:
        paused = await run(replace(job, verify=True), context._replace(windowed=True, living=living))
        resumed: RunResult | None = None
        try:
            if (obstacle := obstacle_of(paused, job, context.store)) is not None:
                raise WindowError(f"{obstacle}: what was paused is resumed", paused)
            with anyio.fail_after(_left(paused, context)):
                yield paused
        finally:
            like = replace(job, limits=replace(job.limits, deadline=None))
            with anyio.CancelScope(shield=True):
                resumed = await undo_run(paused.run_id, context, like)
        if resumed is not None and resumed.exit_code != ExitCode.OK:
            raise WindowError("not everything that was paused could be resumed", resumed)


def _left(paused: RunResult, context: Context) -> float | None:
    """Seconds until the window ends; None for one that ends with its block alone."""
    until = context.store.run(paused.run_id).until
    return None if until is None else max(0.0, until - context.wall())
