"""Runs to report on, written through the real store."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.base.model import ConnectorState, Outcome, Planned, Result, Target
from runner.store import RunRecord, Store, TargetRecord
from runner.store.journal import RunStart

START = 1_795_451_171.042
"""2026-11-23T16:26:11.042Z"""

ACTIVE = ConnectorState(None, "SYNC_STATUS_DONE", sync_started_at="2026-11-23T15:00:00Z")
PAUSED = ConnectorState("2026-11-23T16:26:12.5Z", "SYNC_STATUS_DONE", category="API", reason="by a client")

HOSTILE = (
    '=HYPERLINK("http://example.invalid";"Open")',
    "<script>alert(1)</script><!-- ]]> & \"quoted\" 'single'",
    "\x1b[31mred\x1b[0m\x07\x00",
    "line one\nline two\r\n| cell | `code` **bold** [link](javascript:alert(1))",
    "موصل \u202exslx.exe\u2069",
    "Connector 🚀 déjà-vu 名前 \u200d",
    "\ufeff\u2028\U000e0041-1+2",
)


@dataclass(frozen=True)
class Sample:
    """A run in a store."""

    store: Store
    run: RunRecord

    @property
    def targets(self) -> Iterator[TargetRecord]:
        """A fresh reading of its targets."""
        return self.store.targets(self.run)


def start(**changes: Any) -> RunStart:
    """The start of a run of an ordinary job."""
    values: dict[str, Any] = {
        "run_id": "20261123-162611-ab12cd",
        "job": {},
        "job_name": "hr-freeze",
        "job_path": "jobs/hr-freeze.yaml",
        "job_sha256": "0" * 64,
        "operation": "pause",
        "tenant": "acme.conductor.one",
        "reason": "CHG-1234 HR migration",
        "version": "0.1.0",
        "host": "ops-1",
        "user": "cron",
        "pid": 4242,
        "started_at": START,
    }
    return RunStart(**(values | changes))


def entry(
    seq: int, result: Result, *, app: str = "Okta", name: str | None = "Okta production"
) -> tuple[Planned, Result]:
    """A target of the plan with its result: two connectors to an app."""
    target = Target(f"app{seq // 2}", f"con{seq}")
    return Planned(seq, target, app, name, before=ACTIVE), result


def of_every_outcome() -> list[tuple[Planned, Result]]:
    """One target per outcome, each with what such a target has."""
    results = (
        Result(Outcome.CHANGED, None, 200, None, "req-1", 1, 0, START + 0.5, START + 1.25, PAUSED),
        Result(Outcome.UNCHANGED, "already paused", after=PAUSED),
        Result(
            Outcome.FAILED, None, 500, "HTTP 500: internal", "req-3", 5, 2, START + 1, START + 9.5
        ),
        Result(
            Outcome.UNKNOWN, "a request was sent; what came of it is not known", None,
            "no complete reply in time", None, 5, 0, START + 2, START + 40.0,
        ),
        Result(Outcome.SKIPPED, "C1 paused it itself (anomaly)"),
        Result(Outcome.NOT_ATTEMPTED, "more than 10% failed"),
    )  # fmt: skip
    return [entry(seq, result) for seq, result in enumerate(results)]


@contextmanager
def recorded(
    directory: Path,
    entries: Iterable[tuple[Planned, Result]],
    *,
    start: RunStart | None = None,
    finish: tuple[float, int, str | None, tuple[int, int, int]] | None = (START + 41.5, 4, None, (12, 8, 2)),
) -> Iterator[Sample]:
    """A run with these entries in a store of its own; `finish=None`: cut off."""
    begin = start or globals()["start"]()
    entries = list(entries)
    with Store(directory) as store:
        journal = store.journal(begin)
        journal.plan(planned for planned, _ in entries)
        for planned, result in entries:
            journal.outcome(planned, result)
        journal.commit()
        if finish is not None:
            journal.finish(*finish)
        yield Sample(store, store.run(begin.run_id))


def hostile(name: str) -> tuple[RunRecord, TargetRecord]:
    """A run and its one failed target, with `name` wherever text from outside can stand; no store involved."""
    begin = start(job_name=name, job_path=name, reason=name, user=name, host=name)._asdict()
    counts = dict.fromkeys(Outcome, 0) | {Outcome.FAILED: 1}
    run = RunRecord(
        run=1, counts=counts, finished_at=START + 2, exit_code=4, stopped=name, requests=1, retries=0, throttled=0,
        **begin,
    )  # fmt: skip
    target = TargetRecord(
        seq=0, target=Target("app0", "con0"), app_name=name, connector_name=name, outcome=Outcome.FAILED, detail=name,
        http_status=500, error=name, request_id=name, attempts=1, throttled=0, started_at=START,
        finished_at=START + 1, before=ConnectorState(name, name, name, name), after=None,
    )  # fmt: skip
    return run, target


def parsed(text: str) -> dict[str, Any]:
    """A JSON object from text."""
    document: dict[str, Any] = json.loads(text)
    return document
