"""A saved plan: what `plan -o` found, carried out exactly, or not at all if the tenant has changed since."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from runner.base import policy
from runner.base.errors import StorageError, UsageError
from runner.base.model import ConnectorState, Job, JsonObject, Outcome, Target, is_id
from runner.base.units import shown
from runner.engine.session import Context
from runner.jobfile import recorded
from runner.planning.preview import Preview, preview
from runner.store import TargetRecord

SCHEMA = "c1-runner/plan/1"

_TO_DO = (Outcome.CHANGED, Outcome.UNCHANGED, Outcome.UNKNOWN)
_SHOWN = 20  # differences that are named


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """A job over exactly the planned targets, what was asked for, and the state each target was in."""

    tenant: str
    job: Job
    asked: Job  # with the selection and the pairs that the targets come from
    states: dict[str, ConnectorState | None]  # by target

    async def check(self, job: Job, context: Context) -> None:
        """Raise `UsageError` with the differences if tenant or job file have moved away from the plan.

        `job` is the plan's, as the command line leaves it: what is protected now counts, too.
        """
        if context.settings.tenant != self.tenant:
            raise UsageError(f"the plan is for {self.tenant}, but the credentials lead to {context.settings.tenant}")
        self._check_job_file()
        asked = replace(job, targets=self.asked.targets, select=self.asked.select, exclude=self.asked.exclude)
        now = await preview(
            asked,
            context.settings,
            include_anomalies=context.include_anomalies,
            include_protected=context.include_protected,
            wall=context.wall,
        )
        if differences := list(self._differences(now)):
            more = f"\n  and {len(differences) - _SHOWN} more" if len(differences) > _SHOWN else ""
            listed = "\n  ".join(differences[:_SHOWN])
            raise UsageError(
                f"the tenant has changed since the plan was made:\n  {listed}{more}\nplan again; nothing was sent"
            )

    def _check_job_file(self) -> None:
        """An edited job asks for something else than what was planned; without its file the plan stands for itself."""
        if self.job.path is None or self.job.sha256 is None:
            return
        try:
            content = Path(self.job.path).read_bytes()
        except OSError:
            return
        if hashlib.sha256(content).hexdigest() != self.job.sha256:
            raise UsageError(f"{self.job.path} has changed since the plan was made: plan again; nothing was sent")

    def _differences(self, now: Preview) -> Iterator[str]:
        rows = {str(row.target): row for row in now.targets}
        for target, before in self.states.items():
            if words := _difference(before, rows.get(target)):
                yield f"{_who(target, rows.get(target))}: {words}"
        for target, row in rows.items():
            if row.outcome in _TO_DO and target not in self.states:
                yield f"{_who(target, row)}: is not in the plan, and the job would take it now"


def _difference(before: ConnectorState | None, row: TargetRecord | None) -> str | None:
    """In words, how a planned target is no longer what it was when the plan was made."""
    if row is None:
        return "is gone, or the job does not select it any more"
    if row.outcome is Outcome.SKIPPED:
        return f"would be skipped now: {row.detail}"
    if before is None or row.before is None:
        return None if before is row.before else "could not be read"
    if _mark(before) == _mark(row.before):
        return None
    return f"was {_word(before)}, is {_word(row.before)}"


def _mark(state: ConnectorState) -> tuple[bool, str | None, bool]:
    return state.paused, state.paused_at, state.deleted


def _who(target: str, row: TargetRecord | None) -> str:
    return f"{shown(row.connector_name)} {target}" if row is not None and row.connector_name else target


def save(path: Path, job: Job, planned: Preview) -> None:
    """Write a plan as JSON; raises `StorageError`."""
    head = {"schema": SCHEMA, "tenant": planned.run.tenant, "job": asdict(replace(job, reports=tuple(job.reports)))}
    seal = _Seal(head)
    try:
        with path.open("w", encoding="utf-8") as file:  # a row at a time: a tenant can be large
            file.write(json.dumps(head, indent=1, ensure_ascii=False).removesuffix("\n}") + ',\n "targets": [')
            for number, target in enumerate(planned.targets):
                row = _row(target)
                seal.add(row)
                file.write(("," if number else "") + "\n  " + json.dumps(row, ensure_ascii=False))
            file.write(f'\n ],\n "sha256": "{seal}"\n}}\n')
    except OSError as error:
        raise StorageError(f"{path}: the plan could not be written ({error.strerror})") from error


class _Seal:
    """What shows that a plan is as it was saved: a hash of all that it says, however it is laid out."""

    def __init__(self, head: JsonObject) -> None:
        self._hash = hashlib.sha256()
        self.add(head)

    def add(self, part: object) -> None:
        """Take in one more part."""
        self._hash.update(json.dumps(part, sort_keys=True).encode() + b"\n")

    def __str__(self) -> str:
        return self._hash.hexdigest()


def seal_of(document: JsonObject) -> str:
    """The seal that a plan should have."""
    seal = _Seal({key: value for key, value in document.items() if key not in ("sha256", "targets")})
    for row in document["targets"]:
        seal.add(row)
    return str(seal)


def load(path: Path) -> SavedPlan:
    """Read a plan; raises `UsageError` when it cannot be read or is none."""
    try:
        return _saved(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(f"{path}: not a plan that `c1-runner plan -o FILE` has saved ({_first_line(error)})") from None


def _saved(document: Any) -> SavedPlan:
    """A plan from its JSON; raises ValueError, LookupError or TypeError if it is none."""
    if document["schema"] != SCHEMA:
        raise ValueError(f"schema is {document['schema']!r}, not {SCHEMA!r}")
    if document["sha256"] != seal_of(document):
        raise ValueError("it was edited since: plan again")
    rows = [row for row in document["targets"] if Outcome(row["outcome"]) in _TO_DO]
    targets = tuple(Target(row["app_id"], row["connector_id"], row["connector_name"]) for row in rows)
    states = {str(target): recorded.state_of(row["before"]) for target, row in zip(targets, rows, strict=True)}
    asked = recorded.job_of(document["job"])
    wrong = [
        target for target in (*targets, *asked.targets) if not is_id(target.app_id) or not is_id(target.connector_id)
    ]
    if wrong or len(states) != len(targets) or not isinstance(document["tenant"], str):
        raise ValueError("its targets are not pairs of ids, each once, of one tenant")
    job = replace(asked, targets=targets, select=None, exclude=())
    if job.limits.concurrency not in policy.CONCURRENCY or job.retry.attempts not in policy.ATTEMPTS:
        raise ValueError("its limits are out of range")
    return SavedPlan(document["tenant"], job, asked, states)


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
