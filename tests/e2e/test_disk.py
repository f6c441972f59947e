"""A disk that fails under a run, for real: a limit on file sizes, a state directory that is taken away."""

import json
import shutil

import pytest

from tests.e2e.contract_server import ContractServer
from tests.e2e.shell import COMMAND, Running, Shell, outcomes
from tests.e2e.windows import next_command

PAIRS = [("app", f"con{number}") for number in range(300)]


def test_a_write_that_the_system_refuses_stops_the_run_and_what_is_known_is_said(shell: Shell) -> None:
    job = shell.job(PAIRS, extra="limits: {concurrency: 4}")
    log = shell.path("oracle.ndjson")
    with shell.sandbox("--any-id", "--log", str(log)) as env:
        # 512-byte blocks: room for the empty store and some dozens of commits
        done = shell.pipe(["sh", "-c", 'ulimit -f 800; exec "$@"', "sh", str(COMMAND), "run", job], env=env)
        again = shell.run("continue", "--format", "json", env=env)

    assert done.code == 7
    assert "state.db: the journal could not be written (disk I/O error)" in done.stderr
    assert "Traceback" not in done.stderr
    records = list(map(json.loads, log.read_text(encoding="utf-8").splitlines()))
    paused = [f"{record['app_id']}/{record['connector_id']}" for record in records if record["record"] == "event"]
    assert len(paused) == len(set(paused)) == len(PAIRS)  # nothing was sent twice, in the end nothing is missing
    told = {line.split()[0] for line in done.stderr.splitlines() if line.startswith("  app/")}
    assert 0 < len(told) <= 2 * 4  # an outcome, and the intent that follows it, of each worker
    assert (again.code, len(again.document["results"])) == (0, len(PAIRS))
    assert set(outcomes(again.document).values()) <= {"changed", "unchanged"}


def test_a_state_directory_that_vanishes_stops_the_run_and_all_that_was_done_is_said(shell: Shell) -> None:
    with ContractServer(PAIRS).serving() as server:
        job = shell.job(PAIRS, extra="limits: {concurrency: 4}\npreflight: false")
        command = [str(COMMAND), "run", job, "--report", "out.json"]
        server.release()
        running = Running(shell.launch(command, server.environment()))
        server.wait_for(lambda: len(server.posts()) >= 12)
        server.hold()
        server.wait_for(lambda: server.in_flight == 4)
        shutil.rmtree(shell.path("state"))
        sent = len(server.posts())
        server.release()
        done = running.finish()

        assert done.code == 7
        assert "the state file is gone" in done.stderr
        assert len(server.posts()) == sent < len(PAIRS)
        told = {line.split()[0] for line in done.stderr.splitlines() if line.endswith(" changed")}
        assert told == server.paused()
        assert not shell.path("state/state.db").exists()
        assert "continue" not in done.stderr
        assert "c1-runner report" not in done.stderr
        assert next_command(done.stderr, "undo") == ["undo", "--receipt", "out.json"]
        receipts = outcomes(shell.report())
        assert {name for name, outcome in receipts.items() if outcome in ("changed", "unknown")} == server.paused()


@pytest.mark.parametrize("blocks", [0, 8, 40])
def test_a_disk_that_is_full_from_the_start_is_told_before_anything_is_sent(shell: Shell, blocks: int) -> None:
    shell.unmeasured()
    with ContractServer(PAIRS[:3]).serving() as server:
        limited = ["sh", "-c", f'ulimit -f {blocks}; exec "$@"', "sh", str(COMMAND), "run", shell.job(PAIRS[:3])]
        done = shell.pipe(limited, env=server.environment())
        assert done.code == 7
        assert "state.db: the state cannot be read or written (" in done.stderr
        assert "rollback" not in done.stderr
        assert done.stderr.count("\n") == 1
        assert server.posts() == []
