"""Windows that end by themselves, kill -9 or not: `--for`, `--until`, `status`, `extend` and `expire`."""

import contextlib
import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from signal import SIGKILL
from typing import Any

import pytest

from tests.e2e.contract_server import ContractServer
from tests.e2e.shell import Finished, Shell
from tests.e2e.windows import NAMES, PAIRS, PAUSES, QUICK, let_go, let_time_pass, next_command, until_told, window

FOREIGN = "2026-01-01T00:00:00Z"


@pytest.fixture
def server() -> Iterator[ContractServer]:
    """A tenant with three connectors, the first of which somebody has paused."""
    with ContractServer(PAIRS).serving() as serving:
        serving.rows[PAIRS[0]].paused_at = FOREIGN
        yield serving


def said(done: Finished) -> tuple[int, str, str]:
    return done.code, done.stdout, done.stderr


def test_what_a_killed_window_has_paused_is_resumed_when_its_time_is_over_and_not_before(
    shell: Shell, server: ContractServer
) -> None:
    env = server.environment()
    running = window(shell, server, "--quiet", "--for", "1h", "--", *until_told())
    running.see("at work", "stdout")
    running.signal(SIGKILL)
    let_go(shell)
    running.finish()
    before = len(server.requests)
    early, requests = shell.run("expire", env=env), len(server.requests)
    status = shell.run("status", env=env)
    let_time_pass(shell, 3600)
    overdue = shell.run("status", env=env)
    rows = shell.run("status", "--format", "json", env=env)
    done = shell.run("expire", "--report", "expired.json", env=env)
    again = shell.run("expire", env=env)

    assert (said(early), requests) == ((0, "", ""), before)
    run = next(row["run_id"] for row in rows.document if row["run_id"])
    assert (status.code, overdue.code, rows.code) == (0, 4, 4)
    assert status.stderr.startswith(f"c1-runner: run {run} of job job is a window whose process is gone")
    assert "OVERDUE" not in status.stdout
    assert "OVERDUE" in overdue.stdout
    assert overdue.stderr.endswith("c1-runner: 2 overdue: `c1-runner expire` resumes what is due\n")
    assert [(row["state"], row["overdue"]) for row in rows.document] == [
        ("paused by others", False), ("paused by us", True), ("paused by us", True),
    ]  # fmt: skip
    assert (done.code, done.stderr) == (0, "")
    assert "All 2 connectors are active." in done.stdout
    assert shell.report("expired.json")["counts"]["changed"] == 2
    assert server.paused() == {NAMES[0]}
    assert said(again) == (0, "", "")


def test_a_killed_window_is_told_though_its_process_id_belongs_to_another_process_by_now(
    shell: Shell, server: ContractServer
) -> None:
    """As in a container, where the next one is process 1 again."""
    running = window(shell, server, "--quiet", "--", *until_told())
    running.see("at work", "stdout")
    while_it_lives = shell.run("status", env=server.environment())
    running.signal(SIGKILL)
    let_go(shell)
    running.finish()
    with contextlib.closing(sqlite3.connect(shell.path("state/state.db"))) as state, state:
        state.execute("UPDATE runs SET pid = ?", (os.getpid(),))
    afterwards = shell.run("status", env=server.environment())

    assert while_it_lives.stderr == ""
    assert "its command ends" in while_it_lives.stdout
    assert "is a window whose process is gone" in afterwards.stderr
    assert "its command ends" not in afterwards.stdout


def test_what_a_window_killed_while_pausing_has_left_open_is_told_and_taken_back(
    shell: Shell, server: ContractServer
) -> None:
    """The newest request had no answer; some minutes later it cannot arrive any more, and is read first."""
    env = server.environment()
    server.hold()
    running = window(shell, server, "--", "true")
    server.wait_for(lambda: len(server.posts()) == 1)
    running.kill()
    server.release()
    let_time_pass(shell, 600)
    server.rows[PAIRS[1]].paused_at = f"{datetime.now(UTC) - timedelta(seconds=600):%Y-%m-%dT%H:%M:%SZ}"

    told = shell.run("status", env=env)
    already = len(server.api())
    done = shell.run(*next_command(told.stderr, "undo"), "--format", "json", env=env)
    sent = [request.path for request in server.api()[already:]]

    run = done.document["run_id"]
    [line] = told.stderr.splitlines()
    assert "of job job ended abruptly: 1 uncertain, 1 not attempted; `c1-runner continue " in line
    assert next_command(told.stderr, "undo")[1] != run
    assert "its command ends" not in told.stdout
    assert "it is undone" in told.stdout
    assert (done.code, done.stderr) == (0, "")
    assert sent[:2] == ["/api/v1/apps/app1/connectors/con2", "/api/v1/apps/app1/connectors/con2/resume"]
    assert sent.count(sent[0]) == 1  # nor is there anything to look for afterwards
    assert server.posts() == [PAUSES[1], f"{NAMES[1]}/resume"]
    assert server.paused() == {NAMES[0]}
    assert shell.run("status", env=env).stderr == ""


def test_an_end_can_be_given_in_the_job_file_or_on_the_command_line_and_moved(
    shell: Shell, server: ContractServer
) -> None:
    env = server.environment()
    job = shell.job(PAIRS[1:2], extra="window: {until: '02:00', time_zone: Europe/Zurich}")
    by_file = shell.run("run", job, "--format", "json", env=env)
    by_flag = shell.run("pause", NAMES[2], "--for", "2h", "--reason", "CHG-8", "--yes", "--format", "json", env=env)
    rows = _by_id(shell.run("status", "--format", "json", env=env))
    moved = shell.run("extend", by_flag.document["run_id"], "--for", "1h", env=env)
    table = shell.run("status", env=env)

    assert (by_file.code, by_flag.code, moved.code, table.code) == (0, 0, 0, 0)
    at_two = _moment(rows["con2"]["until"])
    assert at_two.minute == at_two.second == 0
    assert at_two.hour in (0, 1)  # summer and winter
    assert timedelta(0) < at_two - datetime.now(UTC) <= timedelta(hours=25)
    began = _moment(by_flag.document["started_at"])
    assert _moment(rows["con3"]["until"]) - began.replace(microsecond=0) == timedelta(hours=2)
    assert (rows["con3"]["reason"], rows["con3"]["by"] != "") == ("CHG-8", True)
    later = f"{_moment(rows['con3']['until']) + timedelta(hours=1):%Y-%m-%d %H:%M:%S} UTC"
    assert moved.stdout == f"run {by_flag.document['run_id']} ends {later}\n"
    [line] = [line for line in table.stdout.splitlines() if line.startswith(by_flag.document["run_id"])]
    assert "CHG-8" in line
    assert later in line


def test_a_window_that_is_extended_while_its_command_runs_goes_on(shell: Shell, server: ContractServer) -> None:
    work = ["sh", "-c", 'echo "$C1_RUNNER_RUN_ID"; exec "$0" "$@"', *until_told()]
    running = window(shell, server, "--quiet", "--for", "8s", "--", *work)
    run = running.see("at work", "stdout").split()[0]
    moved = shell.run("extend", run, "--for", "1h")
    report = shell.run("report", run, "--format", "json").document
    end = _moment(report["started_at"]) + timedelta(seconds=8.5)
    time.sleep(max(0.0, (end - datetime.now(UTC)).total_seconds()))  # there is nothing to see when nothing happens
    let_go(shell)
    done = running.finish()

    assert moved.code == 0
    assert said(done) == (0, f"{run}\nat work\n", "")
    assert server.paused() == {NAMES[0]}


def test_expire_leaves_a_locked_job_for_the_next_time(shell: Shell, server: ContractServer) -> None:
    env = server.environment()
    shell.run("run", shell.job(PAIRS, extra=f"{QUICK}\nwindow: {{for: 1h}}"), env=env)
    let_time_pass(shell, 3600)
    [lock] = shell.path("state/locks").glob("*.lock")
    with lock.open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        busy = shell.run("expire", "--quiet", env=env)
        still = server.paused()
    done = shell.run("expire", "--quiet", env=env)

    assert (busy.code, busy.stdout, still) == (75, "", set(NAMES))
    assert "job job on " in busy.stderr
    assert said(done) == (0, "", "")
    assert server.paused() == {NAMES[0]}


def test_expire_leaves_a_window_alone_that_is_over_and_lives_and_sends_nothing(
    shell: Shell, server: ContractServer
) -> None:
    """As after the clock was set; or when its command was told to end, and takes its time."""
    env = server.environment()
    command = ["sh", "-c", "trap '' TERM; echo at work; until [ -e go ]; do sleep 0.05; done"]
    running = window(shell, server, "--quiet", "--for", "1h", "--grace", "1h", "--", *command)
    running.see("at work", "stdout")
    let_time_pass(shell, 3600)
    before, paused = len(server.requests), server.paused()
    busy = shell.run("expire", "--quiet", env=env)
    meanwhile = (len(server.requests), server.paused())
    let_go(shell)
    done = running.finish()
    afterwards = shell.run("expire", env=env)

    run = next_command(busy.stderr, "undo")
    assert (busy.code, busy.stdout, meanwhile) == (75, "", (before, paused))
    assert paused == set(NAMES)
    assert busy.stderr.count("\n") == 1
    assert f"run {run[1]} is a window whose command is under way (process {running.process.pid} of " in busy.stderr
    assert run[2:] == ["--force"]
    assert done.code == 0
    assert server.paused() == {NAMES[0]}  # the window has ended itself
    assert said(afterwards) == (0, "", "")


def _by_id(done: Finished) -> dict[str, Any]:
    return {row["connector_id"]: row for row in done.document}


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
