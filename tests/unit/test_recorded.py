"""A job that was recorded is read back as it was, and nothing else is taken for one."""

import json
from dataclasses import asdict, replace
from typing import Any

import pytest

from runner.base.model import (
    ConnectorKind,
    ConnectorState,
    Exclusion,
    Job,
    OperationName,
    Selection,
    Target,
    Window,
)
from runner.base.policy import LimitPolicy, Share
from runner.jobfile.recorded import job_of, state_of

FULL = Job(
    OperationName.PAUSE,
    "freeze",
    targets=(Target("app1", "con1"), Target("app2", "con2", "HR")),
    select=Selection(apps=("HR", "/x/"), kind=ConnectorKind.MCP),
    exclude=(Exclusion(app="Pay*"), Exclusion(target=Target("app3", "con3"))),
    waves=(Share(1), Share(10, percent=True)),
    window=Window(seconds=3600),
    limits=LimitPolicy(concurrency=3, max_failures=Share(5, percent=True)),
    reports=("a.json",),
    reason="CHG-1",
)


@pytest.mark.parametrize("job", [FULL, Job(OperationName.RESUME, "x"), replace(FULL, window=Window(until="06:00"))])
def test_a_job_is_read_back_as_it_was_recorded(job: Job) -> None:
    assert job_of(json.loads(json.dumps(asdict(job)))) == job


def test_a_state_is_read_back_as_it_was_recorded() -> None:
    state = ConnectorState(paused_at="2026", status="SYNC_STATUS_DONE", can_resume=True)
    assert state_of(json.loads(json.dumps(asdict(state)))) == state
    assert state_of(None) is None


def test_a_record_of_another_version_has_the_defaults_for_what_it_does_not_know() -> None:
    assert job_of({"operation": "pause", "name": "x", "from_the_future": 1}) == Job(OperationName.PAUSE, "x")


@pytest.mark.parametrize(
    "change",
    [
        {"operation": "explode"},
        {"name": 1},
        {"name": None},
        {"targets": "app1/con1"},
        {"targets": [["app1"], 2]},
        {"targets": [["app1", 2, None]]},
        {"limits": {"concurrency": "3"}},
        {"limits": {"concurrency": 3.5}},
        {"limits": {"concurrency": True}},
        {"limits": []},
        {"preflight": 1},
        {"window": {"seconds": "1h"}},
        {"select": {"kind": "mpc"}},
        {"select": {"apps": [1]}},
    ],
    ids=str,
)
def test_what_is_no_job_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError)):
        job_of(json.loads(json.dumps(asdict(FULL))) | change)
