"""Why what a window is for must not begin: not all is paused, or not all could be resumed by itself."""

from collections.abc import Sequence

from runner.base.model import Job, Outcome, RunResult
from runner.base.policy import Share
from runner.store import Store, TargetRecord

_MOST = 3
"""Connectors that a line for people names; the rest is counted."""


def obstacle_of(paused: RunResult, job: Job, store: Store) -> str | None:
    """Why nothing is to be begun after this pause, in words; None if nothing stands in the way."""
    return _not_paused(paused, job) or _unsound(paused, store)


def named(rows: Sequence[TargetRecord]) -> str:
    """A few connectors by their names, and how many more."""
    return some_of([row.connector_name or str(row.target) for row in rows])


def some_of(names: Sequence[str]) -> str:
    """The first few names, and how many more."""
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return ", ".join(names[:_MOST]) + more


def _not_paused(paused: RunResult, job: Job) -> str | None:
    if paused.stopped is not None:
        return paused.stopped
    failures = paused.counts.get(Outcome.FAILED, 0) + paused.counts.get(Outcome.UNKNOWN, 0)
    limit = job.limits.max_failures or Share(0)
    if failures > limit.of(sum(paused.counts.values())):
        return f"{failures} could not be paused, and max_failures allows {limit}"
    return None if sum(paused.counts.values()) or job.allow_empty else "nothing was selected"


def _unsound(paused: RunResult, store: Store) -> str | None:
    """Why not all that was paused could be resumed: its mark was not read, or is not this run's for certain."""
    rows = (row for row in store.targets(store.run(paused.run_id)) if row.outcome is Outcome.CHANGED)
    unsound = [row for row in rows if row.receipt is None]
    return f"no mark of its own pause is known of {named(unsound)}" if unsound else None
