"""The rehearsal: a tenant on a bad day, whose own log says whether the report is true."""

import json
from collections import Counter
from typing import Any

import pytest

from tests.e2e.shell import REPOSITORY, Shell, outcomes

DEMO = str(REPOSITORY / "jobs/demo.yaml")


def paused(shell: Shell, *actors: str) -> set[str]:
    """The connectors that these have really paused, as the tenant logged it."""
    records = [json.loads(line) for line in shell.path("log.ndjson").read_text(encoding="utf-8").splitlines()]
    events = [record for record in records if record["record"] == "event" and record["kind"] == "pause"]
    return {f"{event['app_id']}/{event['connector_id']}" for event in events if event["actor"] in actors}


@pytest.mark.parametrize("seed", range(4))
def test_the_report_of_a_bad_day_is_true(shell: Shell, seed: int) -> None:
    with shell.sandbox("--log", "log.ndjson", "--faults", f"bad-day,seed={seed}") as env:
        done = shell.run("run", DEMO, "--report", "out.json", env=env)

    told = outcomes(shell.report())
    assert len(told) == 8
    assert done.code == (0 if set(told.values()) <= {"changed", "unchanged"} else 4)
    assert {target for target, outcome in told.items() if outcome == "changed"} <= paused(shell, "api", "other")
    assert paused(shell, "api").isdisjoint(target for target, outcome in told.items() if outcome == "failed")


def test_the_rehearsal_needs_no_second_terminal(shell: Shell) -> None:
    done = shell.run("run", DEMO, "--sandbox", "--faults", "bad-day,seed=7", "--format", "json")

    counts: Any = Counter(outcomes(done.document).values())
    assert done.code in (0, 4)
    assert counts.total() == 8
    assert done.document["requests"]["retries"] > 0


def test_a_word_beside_the_preset_that_is_none_is_named(shell: Shell) -> None:
    done = shell.run("run", DEMO, "--sandbox", "--faults", "bad-day,clokc=1s")

    assert (done.code, done.stdout) == (2, "")
    assert "did you mean clock?" in done.stderr
