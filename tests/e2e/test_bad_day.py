"""The rehearsal: a tenant on a bad day, whose own log says whether the report is true."""

import json
from collections import Counter
from typing import Any

import pytest

from tests.e2e.shell import REPOSITORY, Shell, outcomes

DEMO = str(REPOSITORY / "jobs/demo.yaml")


def paused_by_us(shell: Shell) -> set[str]:
    """The connectors that requests have really paused, as the tenant logged it."""
    records = [json.loads(line) for line in shell.path("log.ndjson").read_text(encoding="utf-8").splitlines()]
    return {
        f"{record['app_id']}/{record['connector_id']}"
        for record in records
        if record["record"] == "event"
        and (record["kind"], record["actor"], record["changed"]) == ("pause", "api", True)
    }


@pytest.mark.parametrize("seed", range(4))
def test_the_report_of_a_bad_day_is_true(shell: Shell, seed: int) -> None:
    with shell.sandbox("--log", "log.ndjson", "--faults", f"bad-day,seed={seed}") as env:
        done = shell.run("run", DEMO, "--report", "out.json", env=env)

    told = outcomes(shell.report())
    assert len(told) == 8
    assert done.code == (0 if set(told.values()) <= {"changed", "unchanged"} else 4)
    applied = paused_by_us(shell)
    assert {target for target, outcome in told.items() if outcome == "changed"} <= applied
    assert applied.isdisjoint(target for target, outcome in told.items() if outcome in ("failed", "unchanged"))


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
