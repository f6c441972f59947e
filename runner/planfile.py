"""A saved plan: what `plan -o` found, carried out exactly, or not at all if the tenant has changed since."""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from runner import policy
from runner.conduct import Context
from runner.errors import StorageError, UsageError
from runner.model import ConnectorState, Job, Outcome, RunResult, Target, is_id
from runner.preview import Preview, preview
from runner.run import run
from runner.store import TargetRecord

SCHEMA = "c1-runner/plan/1"

_TO_DO = (Outcome.CHANGED, Outcome.UNCHANGED, Outcome.UNKNOWN)
_SHOWN = 20  # differences that are named


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """A job over exactly the planned targets, and the state each of them was in."""

    tenant: str
    job: Job
    states: dict[str, ConnectorState | None]  # by target

    async def carry_out(self, job: Job, context: Context) -> RunResult:
        """Run the plan; raises `UsageError` with the differences if the tenant has moved away from it."""
        if context.settings.tenant != self.tenant:
            raise UsageError(f"the plan is for {self.tenant}, but the credentials lead to {context.settings.tenant}")
        now = await preview(job, context.settings, include_anomalies=True, include_protected=True, wall=context.wall)
        differences = [words for target in now.targets if (words := self._difference(target))]
        if differences:
            more = f"\n  and {len(differences) - _SHOWN} more" if len(differences) > _SHOWN else ""
            listed = "\n  ".join(differences[:_SHOWN])
            raise UsageError(f"the tenant has changed since the plan was made:\n  {listed}{more}\nplan again")
        return await run(job, context)

    def _difference(self, now: TargetRecord) -> str | None:
        before = self.states[str(now.target)]
        if before is None or now.before is None:
            return None if before is now.before else f"{now.target}: could not be read"
        if (before.paused, before.paused_at, before.deleted) == (
            now.before.paused,
            now.before.paused_at,
            now.before.deleted,
        ):
            return None
        return f"{now.target}: was {_word(before)}, is {_word(now.before)}"


def save(path: Path, job: Job, shown: Preview) -> None:
    """Write a plan as JSON; raises `StorageError`."""
    document = {
        "schema": SCHEMA,
        "tenant": shown.run.tenant,
        "job": asdict(replace(job, targets=(), reports=tuple(job.reports))),
        "targets": [_row(target) for target in shown.targets],
    }
    try:
        path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise StorageError(f"{path}: the plan could not be written ({error.strerror})") from error


def load(path: Path) -> SavedPlan:
    """Read a plan; raises `UsageError` when it cannot be read or is none."""
    try:
        return _saved(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(f"{path}: not a plan that `c1-runner plan -o` has saved ({_first_line(error)})") from None


def _saved(document: Any) -> SavedPlan:
    """A plan from its JSON; raises ValueError (pydantic's error is one), LookupError or TypeError if it is none."""
    if document["schema"] != SCHEMA:
        raise ValueError(f"schema is {document['schema']!r}, not {SCHEMA!r}")
    rows = [row for row in document["targets"] if Outcome(row["outcome"]) in _TO_DO]
    targets = tuple(Target(row["app_id"], row["connector_id"], row["connector_name"]) for row in rows)
    states = TypeAdapter(dict[str, ConnectorState | None]).validate_python(
        {str(target): row["before"] for target, row in zip(targets, rows, strict=True)}
    )
    wrong = [target for target in targets if not is_id(target.app_id) or not is_id(target.connector_id)]
    if wrong or len(states) != len(targets) or not isinstance(document["tenant"], str):
        raise ValueError("its targets are not pairs of ids, each once, of one tenant")
    job: Job = TypeAdapter(Job).validate_python(document["job"] | {"targets": targets, "select": None, "exclude": ()})
    if job.limits.concurrency not in policy.CONCURRENCY or job.retry.attempts not in policy.ATTEMPTS:
        raise ValueError("its limits are out of range")
    return SavedPlan(document["tenant"], job, states)


def _row(target: TargetRecord) -> dict[str, Any]:
    return {
        "app_id": target.target.app_id,
        "connector_id": target.target.connector_id,
        "app_name": target.app_name,
        "connector_name": target.connector_name,
        "outcome": target.outcome,
        "detail": target.detail,
        "before": None if target.before is None else asdict(target.before),
    }


def _word(state: ConnectorState) -> str:
    if state.deleted:
        return "deleted"
    return f"paused since {state.paused_at or 'unknown'}" if state.paused else "active"


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
