"""kill -9 at any moment: what the tenant took is in the account, and every target is in it once."""

import json
import os
import random
from collections import defaultdict
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any

import pytest

from tests.e2e.shell import Running, Shell, outcomes

KILLS = int(os.environ.get("C1_RUNNER_TEST_KILLS", "9"))
"""How many runs are killed in all; a thorough check takes hundreds."""

WORKERS = (1, 10, 50)
TICK = 0.001
"""Seconds between two looks at the tenant's log."""


class Oracle:
    """The tenant's log, read as it grows: it holds what was applied before anybody was told."""

    def __init__(self, path: Path) -> None:
        self.applied: defaultdict[str, set[str]] = defaultdict(set)  # connectors that were paused, by app
        self._path = path
        self._offset = 0

    def read(self) -> None:
        """Take in the lines that are complete."""
        with self._path.open("rb") as file:
            file.seek(self._offset)
            text = file.read()
        complete = text[: text.rfind(b"\n") + 1]
        self._offset += len(complete)
        for record in map(json.loads, complete.splitlines()):
            if record["record"] == "event" and record["kind"] == "pause":
                self.applied[record["app_id"]].add(record["connector_id"])

    def wait_for(self, app_id: str, count: int, running: Running) -> None:
        """Return when so many of an app's connectors are paused, or the run has ended."""
        while True:
            self.read()
            if len(self.applied[app_id]) >= count or passes(running, TICK):
                return


def passes(running: Running, seconds: float) -> bool:
    """Whether the process ends by itself within so many seconds."""
    try:
        running.process.wait(seconds)
    except TimeoutExpired:
        return False
    return True


def job(shell: Shell, app_id: str, targets: int) -> str:
    """A job of its own app and name."""
    lines = "".join(f"  - {app_id}/con{number}\n" for number in range(targets))
    return shell.write(
        f"{app_id}.yaml", f"version: 1\nname: {app_id}\noperation: pause\nreason: r\nconnectors:\n{lines}"
    )


def kill_one(shell: Shell, oracle: Oracle, env: dict[str, str], dice: random.Random, app_id: str, workers: int) -> Any:
    """Kill a run at a moment of the dice's choice; returns the report, or None if there is no such run yet."""
    targets = 20 + workers * 2
    running = shell.running("run", job(shell, app_id, targets), "--concurrency", str(workers), env=env)
    oracle.wait_for(app_id, dice.randrange(targets + 1), running)
    passes(running, dice.choice([0.0, 0.0, dice.uniform(0.0, 0.02)]))
    running.kill()
    done = shell.run("report", "--format", "json")
    if done.code == 2 or done.document["job"]["name"] != app_id:
        return None
    assert (done.code, done.stderr) == (0, "")
    assert [row["connector_id"] for row in done.document["results"]] == [f"con{number}" for number in range(targets)]
    assert sum(done.document["counts"].values()) == targets
    return done.document


@pytest.mark.parametrize("workers", WORKERS)
def test_whatever_the_tenant_applied_before_a_kill_is_changed_or_unknown(shell: Shell, workers: int) -> None:
    dice = random.Random(f"{workers} workers")
    log = shell.path("oracle.ndjson")
    oracle, reports = Oracle(log), {}
    with shell.sandbox("--any-id", "--log", str(log), "--faults", "latency=3ms,jitter=0.5") as env:
        for number in range(KILLS // len(WORKERS)):
            app_id = f"kill{number}"
            reports[app_id] = kill_one(shell, oracle, env, dice, app_id, workers)
    oracle.read()  # the tenant has ended: what was under way when its client died is in there, too

    for app_id, report in reports.items():
        told = {} if report is None else outcomes(report)
        applied = {f"{app_id}/{connector_id}" for connector_id in oracle.applied[app_id]}
        assert {target for target in applied if told.get(target) not in ("changed", "unknown")} == set()
        assert {target for target, outcome in told.items() if outcome == "changed"} <= applied
    cut_short = [report for report in reports.values() if report is not None and report["finished_at"] is None]
    assert len(cut_short) > len(reports) / 2  # the kills hit runs, not their remains


def test_the_same_job_run_again_after_a_kill_leaves_nothing_undone(shell: Shell) -> None:
    log = shell.path("oracle.ndjson")
    oracle = Oracle(log)
    with shell.sandbox("--any-id", "--log", str(log), "--faults", "latency=3ms") as env:
        running = shell.running("run", job(shell, "app", 40), "--concurrency", "4", env=env)
        oracle.wait_for("app", 13, running)
        running.kill()

        done = shell.run("run", "app.yaml", "--report", "out.json", env=env)
        listed = shell.run("runs")
    oracle.read()

    assert done.code == 0
    assert "of job app ended abruptly" in done.stderr
    assert set(outcomes(shell.report()).values()) <= {"changed", "unchanged"}
    assert len(oracle.applied["app"]) == 40
    _, newest, killed = listed.stdout.splitlines()
    assert newest.endswith(" 0")
    assert killed.endswith(" -")


def test_a_run_that_was_killed_is_not_told_as_if_it_had_ended(shell: Shell) -> None:
    log = shell.path("oracle.ndjson")
    oracle = Oracle(log)
    with shell.sandbox("--any-id", "--log", str(log), "--faults", "latency=3ms") as env:
        running = shell.running("run", job(shell, "app", 40), "--concurrency", "4", env=env)
        oracle.wait_for("app", 13, running)
        running.kill()

    done = shell.run("report")
    report = shell.run("report", "--format", "json").document

    assert done.code == 0
    assert "No end of this run is recorded: it is still under way, or it was cut off." in done.stdout
    assert (report["finished_at"], report["exit_code"]) == (None, None)
