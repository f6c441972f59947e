"""Disks and locks that fail: exit code 7, words that name the place and the reason, and nothing that is half told."""

import errno
import os
import shutil
import stat
from pathlib import Path

import pytest

from tests.e2e import broken
from tests.e2e.contract_server import ContractServer
from tests.e2e.shell import Shell
from tests.e2e.windows import PAIRS, QUICK, next_command

STATE = "state.db: the state cannot be read or written"
LOCK = ".lock: the lock could not be taken"
NO_REPORT = "fail(os, 'fsync', errno.EIO, part='.tmp')"


@pytest.mark.parametrize(
    ("command", "name", "fault", "where"),
    [
        ("run", "EIO", "fail(os, 'mkdir', errno.{})", STATE),
        ("window", "EACCES", "fail(os, 'open', errno.{}, part='open.lock')", STATE),
        ("run", "ENOLCK", "fail(fcntl, 'flock', errno.{}, part='open.lock')", STATE),
        ("window", "ENOSPC", "fail(os, 'mkdir', errno.{}, part='/locks')", LOCK),
        ("run", "EACCES", "fail(os, 'open', errno.{}, part='/locks/')", LOCK),
        ("window", "ENOLCK", "fail(fcntl, 'flock', errno.{}, part='/locks/')", LOCK),
    ],
    ids=["state", "open", "flock", "locks", "lock", "flock of the job"],
)
def test_a_state_that_cannot_be_had_is_told_before_anything_is_sent(
    shell: Shell, server: ContractServer, command: str, name: str, fault: str, where: str
) -> None:
    job = shell.job(PAIRS)
    then = ["--", "true"] if command == "window" else []
    done = broken.run(shell, fault.format(name), command, job, *then, env=server.environment())

    assert done.code == 7
    assert f"{where} (" in done.stderr
    assert os.strerror(getattr(errno, name)) in done.stderr
    assert str(shell.path("state")) in done.stderr
    assert done.stderr.count("\n") == 1
    assert server.posts() == []


@pytest.mark.parametrize(
    "fault",
    ["fail(os, 'mkdir', errno.EACCES, part='/facts')", "fail(os, 'open', errno.ENOSPC, part='/facts')"],
    ids=["no folder", "no file"],
)
def test_a_window_whose_command_would_find_no_report_is_refused(
    shell: Shell, server: ContractServer, fault: str
) -> None:
    done = broken.run(shell, fault, "window", shell.job(PAIRS), "--", "touch", "ran", env=server.environment())

    assert done.code == 7
    assert "/facts/report.json: the report could not be written (" in done.stderr
    assert server.posts() == []
    assert not shell.path("ran").exists()


@pytest.mark.parametrize("fault", ["fail(os, 'close', errno.EIO, part='/locks/')", "fail(os, 'unlink', errno.EIO)"])
def test_what_a_disk_says_when_all_is_done_spoils_nothing(shell: Shell, server: ContractServer, fault: str) -> None:
    job = shell.job(PAIRS, extra=QUICK)
    done = broken.run(shell, fault, "window", job, "--", "touch", "ran", env=server.environment())

    assert (done.code, done.stderr) == (0, "")
    assert shell.path("ran").exists()
    assert server.paused() == set()


def test_a_report_that_the_disk_refuses_is_told_and_costs_no_other_and_no_recap(
    shell: Shell, server: ContractServer
) -> None:
    fault = "fail(os, 'fsync', errno.EIO, part='/bad/')"
    reports = ["--report", "bad/a.json", "--report", "good.json"]
    done = broken.run(shell, fault, "run", shell.job(PAIRS), *reports, env=server.environment())

    assert done.code == 7
    assert "bad/a.json: the report could not be written (Input/output error)" in done.stderr
    assert list(shell.path("bad").iterdir()) == []
    assert "All 3 connectors are paused." in done.stdout
    assert "report: good.json" in done.stdout
    assert len(shell.report("good.json")["results"]) == 3


def test_a_window_whose_reports_are_lost_ends_with_7_and_its_command_finds_another(
    shell: Shell, server: ContractServer
) -> None:
    job = shell.job(PAIRS, extra=QUICK)
    shell.write("out.json", "of an earlier run")
    fault = "fail(os, 'fsync', errno.EIO, part=os.getcwd() + '/.')"
    note = ["--report", "out.json", "--", "sh", "-c", 'cp "$C1_RUNNER_REPORT" seen.json']
    done = broken.run(shell, fault, "window", job, *note, env=server.environment())

    assert done.code == 7
    for name in ("out.json", "out-resume.json"):
        assert f"{name}: the report could not be written (Input/output error)" in done.stderr
    assert len(shell.report("seen.json")["results"]) == 3
    assert server.paused() == set()


def test_a_window_without_any_report_for_its_command_does_not_run_it(shell: Shell, server: ContractServer) -> None:
    job = shell.job(PAIRS, extra=QUICK)
    done = broken.run(shell, NO_REPORT, "window", job, "--", "touch", "ran", env=server.environment())

    assert done.code == 7
    assert "the report could not be written (Input/output error)" in done.stderr
    assert not shell.path("ran").exists()
    assert server.paused() == set()


_VANISHES = """
import sqlite3
looks, stat, connect = [0], os.stat, sqlite3.connect

def look():
    looks[0] += 1
    if looks[0] == {look}:
        os.system("rm -rf " + os.environ["C1_RUNNER_STATE_DIR"])

def watched_stat(path, *arguments, **options):
    try:
        return stat(path, *arguments, **options)
    finally:
        if str(path).endswith("state.db"):
            look()

def watched_connect(*arguments, **options):
    try:
        return connect(*arguments, **options)
    finally:
        look()

os.stat, sqlite3.connect = watched_stat, watched_connect
"""
"""Takes the state directory away at the n-th look at the state file."""


STRIDE = 1 if "C1_RUNNER_TEST_EXAMPLES" in os.environ else 2
"""Whether the state directory vanishes at every look at it, or at every second one."""


def test_a_state_directory_may_vanish_at_any_moment_of_a_run(shell: Shell) -> None:
    shell.unmeasured()
    for look in range(1, 60, STRIDE):
        with ContractServer(PAIRS).serving() as server:
            env = server.environment() | {"TMPDIR": str(shell.directory)}
            done = broken.run(shell, _VANISHES.format(look=look), "run", shell.job(PAIRS, extra=QUICK), env=env)
            if done.code == 0:  # it had come to its end before
                assert shell.path("state/state.db").exists()
                assert look > 12
                return
            assert done.code == 7
            assert "Traceback" not in done.stderr
            told = {line.split()[0] for line in done.stderr.splitlines() if line.endswith(" changed")}
            assert told == server.paused()
            if told:
                receipt = next_command(done.stderr, "undo")[-1]
                assert Path(receipt).stat().st_size
    raise AssertionError("no run came to its end")


@pytest.mark.parametrize("reported", [True, False], ids=["with a report", "without"])
def test_after_a_window_has_lost_its_state_its_advice_resumes_everything(
    shell: Shell, server: ContractServer, reported: bool
) -> None:
    job = shell.job(PAIRS, extra=QUICK)
    options = ["--report", "out.json"] if reported else []
    lose = 'rm -rf "$C1_RUNNER_STATE_DIR"'
    env = server.environment() | {"TMPDIR": str(shell.directory)}
    done = shell.run("window", job, *options, "--", "sh", "-c", lose, env=env)

    assert done.code == 4
    assert server.paused() == {"/".join(pair) for pair in PAIRS}
    command = next_command(done.stderr, "undo")
    assert command[:2] == ["undo", "--receipt"]
    assert (command[2] == "out.json") is reported

    undo = shell.run(*command, "--resume-rate", "100/s", env=server.environment())
    assert undo.code == 0
    assert server.paused() == set()


def test_a_report_keeps_the_mode_of_the_file_it_replaces_and_follows_a_link(
    shell: Shell, server: ContractServer
) -> None:
    shell.path("kept").mkdir()
    for name in ("plain.json", "kept/target.csv"):
        shell.write(name, "old")
        shell.path(name).chmod(0o640)
    shell.path("link.csv").symlink_to("kept/target.csv")
    shell.path("dangling.md").symlink_to("kept/new.md")
    reports = [word for name in ("plain.json", "link.csv", "dangling.md") for word in ("--report", name)]
    done = shell.run("run", shell.job(PAIRS), *reports, env=server.environment())

    assert (done.code, done.stderr) == (0, "")
    for name in ("plain.json", "kept/target.csv"):
        assert stat.S_IMODE(shell.path(name).stat().st_mode) == 0o640
        assert shell.path(name).read_text(encoding="utf-8") != "old"
    assert shell.path("link.csv").is_symlink()
    assert shell.path("dangling.md").is_symlink()
    assert shell.path("kept/new.md").is_file()
    assert len(list(shell.path("kept").iterdir())) == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_report_keeps_the_owner_of_the_file_it_replaces(shell: Shell, server: ContractServer) -> None:
    shell.write("out.json", "old")
    os.chown(shell.path("out.json"), 1234, 5678)
    assert shell.run("run", shell.job(PAIRS), "--report", "out.json", env=server.environment()).code == 0
    status = shell.path("out.json").stat()
    assert (status.st_uid, status.st_gid) == (1234, 5678)
    assert len(shell.report()["results"]) == 3


def test_a_link_to_what_is_no_file_is_written_to_and_never_replaced(shell: Shell, server: ContractServer) -> None:
    shell.path("null.json").symlink_to("/dev/null")
    os.mkfifo(shell.path("pipe.csv"))  # that nobody reads
    shell.job(PAIRS)
    done = shell.run("run", "job.yaml", "--report", "null.json", env=server.environment())
    assert (done.code, done.stderr) == (0, "")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)

    done = shell.run("report", "--report", "pipe.csv")
    assert done.code == 7
    assert "pipe.csv: the report could not be written (" in done.stderr
    assert stat.S_ISFIFO(shell.path("pipe.csv").stat().st_mode)


def test_an_undo_that_loses_its_state_leaves_a_receipt_of_the_pause(shell: Shell, server: ContractServer) -> None:
    shell.run("run", shell.job(PAIRS, extra=QUICK), "--quiet", env=server.environment())
    env = server.environment() | {"TMPDIR": str(shell.directory)}
    server.hold()
    running = shell.running("undo", "--resume-rate", "100/s", "--concurrency", "1", env=env)
    server.wait_for(lambda: server.in_flight == 1 and len(server.posts()) == 4)
    shutil.rmtree(shell.path("state"))
    server.release()
    done = running.finish()

    assert done.code == 7
    assert len(server.paused()) == 2
    undo = shell.run(*next_command(done.stderr, "undo"), "--resume-rate", "100/s", env=server.environment())
    assert undo.code == 0
    assert server.paused() == set()
