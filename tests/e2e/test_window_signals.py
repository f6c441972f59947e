"""Signals to a window, and a terminal that goes away: whatever phase they meet, what was paused is resumed."""

import threading
from collections.abc import Iterator
from signal import SIGHUP, SIGINT, SIGTERM, Signals

import pytest

from tests.e2e.contract_messages import Hook, Request
from tests.e2e.contract_server import ContractServer
from tests.e2e.shell import COMMAND, PATIENCE, Shell, outcomes
from tests.e2e.terminal import INTERRUPT, SUSPEND, Terminal
from tests.e2e.windows import NAMES, PAIRS, PAUSES, QUICK, let_go, next_command, until_told, window

RESUMES = [f"{name}/resume" for name in reversed(NAMES)]


@pytest.fixture
def server() -> Iterator[ContractServer]:
    """A tenant with three active connectors."""
    with ContractServer(PAIRS).serving() as serving:
        yield serving


@pytest.mark.parametrize("number", [SIGINT, SIGTERM, SIGHUP], ids=lambda number: number.name)
def test_a_signal_during_the_command_is_passed_on_and_all_is_resumed(
    shell: Shell, server: ContractServer, number: Signals
) -> None:
    running = window(shell, server, "--quiet", "--", *until_told())
    running.see("at work", "stdout")
    running.signal(number)
    done = running.finish()

    assert done.code == 128 + number  # the command's own: the signal has ended it
    assert done.stdout == "at work\n"
    assert done.stderr == f"c1-runner: {number.name} received, and passed on to the command; it has 10 s to end\n"
    assert server.posts() == PAUSES + RESUMES


def test_a_command_may_take_its_time_to_end_and_its_code_counts(shell: Shell, server: ContractServer) -> None:
    script = "trap 'echo rolled back; exit 9' TERM; echo at work; while :; do sleep 0.05; done"
    running = window(shell, server, "--quiet", "--grace", "1h", "--", "sh", "-c", script)
    running.see("at work", "stdout")
    running.signal(SIGTERM)
    done = running.finish()

    assert (done.code, done.stdout) == (9, "at work\nrolled back\n")
    assert server.paused() == set()


def test_who_insists_has_the_command_killed_and_all_is_resumed(shell: Shell, server: ContractServer) -> None:
    script = "trap '' INT; echo at work; while :; do sleep 0.05; done"
    running = window(shell, server, "--quiet", "--grace", "1h", "--", "sh", "-c", script)
    running.see("at work", "stdout")
    running.signal(SIGINT)
    running.see("passed on to the command")
    running.signal(SIGINT)
    done = running.finish()

    assert done.code == 137
    assert done.stderr.endswith("c1-runner: the command is killed\n")
    assert server.paused() == set()


def test_what_the_command_has_started_gets_the_grace_too_when_the_command_ends_at_once(
    shell: Shell, server: ContractServer
) -> None:
    worker = "trap 'sleep 0.5; echo tidied up; exit' TERM; echo at work; while :; do sleep 0.05; done"
    script = f'sh -c "{worker}" & wait'
    running = window(shell, server, "--quiet", "--grace", "1h", "--", "sh", "-c", script)
    running.see("at work", "stdout")
    running.signal(SIGTERM)
    running.see("tidied up", "stdout")
    during = server.paused()
    running.finish()

    assert during == set(NAMES)
    assert server.paused() == set()


def test_a_signal_while_pausing_ends_the_window_and_what_was_paused_is_resumed(
    shell: Shell, server: ContractServer
) -> None:
    server.hold()
    running = window(shell, server, "--quiet", "--", "touch", "ran")
    server.wait_for(lambda: len(server.posts()) == 1)
    running.signal(SIGTERM)
    running.see("SIGTERM received: nothing new is started")
    server.release()
    done = running.finish()

    assert done.code == 128 + SIGTERM
    assert not shell.path("ran").exists()
    assert "SIGTERM received: the command is not run, and what was paused is resumed" in done.stderr
    assert server.posts() == [PAUSES[0], RESUMES[2]]
    assert server.paused() == set()


def test_who_leaves_in_a_hurry_while_pausing_is_told_what_to_type_for_what_is_uncertain(
    shell: Shell, server: ContractServer
) -> None:
    """The pause that had no answer may not be resumed yet: it could still arrive, and would then stay."""
    server.hook = _holding(server, PAUSES[1])
    running = window(shell, server, "--", "touch", "ran")
    server.wait_for(lambda: len(server.posts()) == 2)
    running.signal(SIGINT)
    running.see("again to leave now")
    running.signal(SIGINT)
    server.wait_for(lambda: RESUMES[2] in server.posts())
    server.release()
    running.signal(SIGINT)
    running.see("SIGINT received: what was paused is still being resumed; again to leave it as it is")
    running.signal(SIGINT)
    done = running.finish()

    assert done.code == 4
    assert server.paused() == {NAMES[1]}
    assert server.posts() == [*PAUSES[:2], RESUMES[2]]
    assert not shell.path("ran").exists()
    resumed = shell.run("report", "--format", "json").document
    assert outcomes(resumed) == {NAMES[0]: "changed", NAMES[1]: "not_attempted"}
    assert next_command(done.stdout, "continue")[1] == resumed["run_id"]


def test_a_signal_while_waiting_for_syncs_ends_the_window(shell: Shell, server: ContractServer) -> None:
    server.rows[PAIRS[1]].syncing = True
    running = window(shell, server, "--drain", "1h", "--", "touch", "ran")
    running.see("waiting for the syncs")
    running.signal(SIGHUP)
    done = running.finish()

    assert done.code == 128 + SIGHUP
    assert "SIGHUP received: the command is not run, and what was paused is resumed" in done.stderr
    assert not shell.path("ran").exists()
    assert server.posts() == PAUSES + RESUMES


def test_signals_that_came_before_the_resume_do_not_count_against_it(shell: Shell, server: ContractServer) -> None:
    server.rows[PAIRS[1]].syncing = True
    running = window(shell, server, "--drain", "1h", "--", "touch", "ran")
    running.see("waiting for the syncs of Connector con2")
    for number in (SIGINT, SIGTERM, SIGHUP):
        running.signal(number)
    done = running.finish()

    assert done.code in {128 + number for number in (SIGINT, SIGTERM, SIGHUP)}
    assert not shell.path("ran").exists()
    assert server.paused() == set()


def test_one_signal_during_the_resume_does_not_stop_it(shell: Shell, server: ContractServer) -> None:
    server.hook = _holding(server, RESUMES[0])
    running = window(shell, server, "--quiet", "--", "true")
    server.wait_for(lambda: RESUMES[0] in server.posts())
    running.signal(SIGTERM)
    running.see("SIGTERM received: what was paused is still being resumed; again to leave it as it is")
    server.release()
    done = running.finish()

    assert done.code == 0
    assert server.posts() == PAUSES + RESUMES


@pytest.mark.parametrize("insisting", [2, 3])
def test_who_insists_during_the_resume_leaves_the_rest_paused_and_is_told_how_to_go_on(
    shell: Shell, server: ContractServer, insisting: int
) -> None:
    server.hook = _holding(server, RESUMES[0])
    running = window(shell, server, "--", "true")
    server.wait_for(lambda: RESUMES[0] in server.posts())
    running.signal(SIGINT)
    running.see("what was paused is still being resumed")
    running.signal(SIGINT)
    running.see("nothing new is started, waiting for 1 request in flight; again to leave now")
    if insisting == 3:
        running.signal(SIGINT)
    else:
        server.release()
    done = running.finish()
    server.release()
    left = server.paused()
    again = shell.run(*next_command(done.stdout, "continue"), env=server.environment())

    assert (done.code, left) == (4, set(NAMES[:2]))
    assert (again.code, server.paused()) == (0, set())
    assert sorted(server.posts()) == sorted(PAUSES + RESUMES)  # each once


@pytest.mark.parametrize("insisting", [False, True])
def test_a_signal_while_the_resume_waits_for_another_run_of_the_job_is_noted_and_a_second_one_ends_it(
    shell: Shell, server: ContractServer, insisting: bool
) -> None:
    reading, gate = threading.Event(), threading.Event()

    def hook(request: Request) -> None:
        if request.method == "GET":
            reading.set()
            gate.wait(PATIENCE)

    running = window(shell, server, "-v", "--", *until_told())
    running.see("at work", "stdout")
    server.hook = hook
    other = shell.write("other.yaml", f"version: 1\nname: job\noperation: force_sync\nconnectors: [{NAMES[0]}]\n")
    holder = shell.running("run", other, env=server.environment())
    assert reading.wait(PATIENCE)
    let_go(shell)
    running.see("waiting for the lock")
    running.signal(SIGTERM)
    running.see("SIGTERM received: what was paused is still being resumed; again to leave it as it is")
    if insisting:
        running.signal(SIGTERM)
        running.see("could not be resumed")
    gate.set()
    done = running.finish()
    holder.finish()

    assert done.code == (4 if insisting else 0)
    assert server.paused() == (set(NAMES) if insisting else set())
    if insisting:
        assert shell.run(*next_command(done.stderr, "undo"), env=server.environment()).code == 0
        assert server.paused() == set()


def test_a_terminal_that_is_closed_ends_the_command_and_all_is_resumed(shell: Shell, server: ContractServer) -> None:
    job = shell.job(PAIRS, extra=QUICK)
    command = (str(COMMAND), "window", job, "--report", "out.json", "--progress", "bar", "--", *until_told())
    with Terminal(shell, *command, env=server.environment()) as terminal:
        terminal.see("at work")
        terminal.close()
        code = terminal.finish()

    assert code == 128 + SIGHUP
    assert server.posts() == PAUSES + RESUMES
    assert set(outcomes(shell.report("out-resume.json")).values()) == {"changed"}


def test_ctrl_c_is_for_the_command_that_has_the_terminal(shell: Shell, server: ContractServer) -> None:
    has_it = "set -- $(cat /proc/$$/stat); [ $8 = $$ ]"  # its process group is the terminal's
    work = "echo at work; read answer; read answer; echo got $answer; exit 3"
    script = f"trap 'echo caught' INT; until {has_it}; do sleep 0.05; done; {work}"
    job = shell.job(PAIRS, extra=QUICK)
    command = (str(COMMAND), "window", job, "--", "bash", "--norc", "-c", script)
    with Terminal(shell, *command, env=server.environment()) as terminal:
        terminal.see("at work")
        terminal.type(SUSPEND)
        terminal.see("the command was stopped, and goes on")
        terminal.type(INTERRUPT)
        terminal.see("caught")
        terminal.type("one\ntwo\n")
        terminal.see("got two")
        code = terminal.finish()

    assert code == 3
    assert "passed on" not in terminal.shown
    assert "All 3 connectors are active." in terminal.shown
    assert server.paused() == set()


def test_a_command_may_read_from_the_terminal_though_its_input_comes_from_elsewhere(
    shell: Shell, server: ContractServer
) -> None:
    job = shell.job(PAIRS, extra=QUICK)
    line = f"echo piped | {COMMAND} window {job} --quiet -- sh -c 'cat; echo at work; read x < /dev/tty; echo got $x'"
    with Terminal(shell, "sh", "-c", line, env=server.environment()) as terminal:
        terminal.see("at work")
        terminal.type("typed\n")
        terminal.see("got typed")
        assert terminal.finish() == 0


def _holding(server: ContractServer, post: str) -> Hook:
    """Keep the reply to one mutating request back, after it took effect."""

    def hook(_: Request) -> None:
        if server.posts()[-1:] == [post]:
            server.hook = None
            server.hold()

    return hook
