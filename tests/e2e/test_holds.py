"""What is said of what a run keeps paused: at its end, later, and after its process was killed."""

import re
from signal import SIGKILL

import pytest

from tests.e2e.contract_messages import Request, Response, problem
from tests.e2e.contract_server import ContractServer
from tests.e2e.shell import Finished, Running, Shell
from tests.e2e.windows import NAMES, QUICK, let_go, let_time_pass, newest_run, next_command, until_told, window

MOMENT = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"


def kill(running: Running, shell: Shell) -> str:
    """End a window without a word, and its command after it; returns the run's id."""
    running.signal(SIGKILL)
    let_go(shell)
    running.finish()
    return newest_run(shell)


def commands(done: Finished) -> list[str]:
    """The commands under `Next:`."""
    _, _, rest = done.stdout.partition("Next:\n")
    return [line.strip() for line in rest.splitlines() if line.startswith("  ")]


class Unclear:
    """A hook: from the first pause of a connector on, nothing about it gets an answer that is one."""

    def __init__(self, connector: str) -> None:
        self._part = f"/{connector}"
        self._began = False

    def __call__(self, request: Request) -> Response | None:
        self._began = self._began or request.path.endswith(f"{self._part}/pause")
        return problem(502, 14, "bad gateway") if self._began and self._part in request.path else None


# At the end of a pause


@pytest.mark.parametrize(
    ("first", "stays"),
    [((), True), (("--for", "3h"), True), (("--for", "1h"), False)],
    ids=["held without an end", "held longer", "held shorter"],
)
def test_a_pause_that_joins_an_earlier_one_says_when_its_own_hold_ends_and_how_to_end_it(
    shell: Shell, server: ContractServer, first: tuple[str, ...], stays: bool
) -> None:
    env = server.environment()
    shell.run("pause", NAMES[0], "--yes", *first, env=env)
    done = shell.run("pause", NAMES[0], "--for", "2h", "--yes", env=env)
    run = newest_run(shell)
    undone = shell.run(*next_command(done.stdout, "undo"), env=env)

    assert (done.code, done.stderr) == (0, "")
    assert "already paused  1" in done.stdout
    assert f"c1-runner undo {run}" in commands(done)
    [end] = [line for line in done.stdout.splitlines() if line.startswith("These pauses end ")]
    assert re.match(rf"These pauses end {MOMENT}: `c1-runner expire` resumes them then\.", end)
    assert end.endswith(" What another run here wants paused, too, stays so until that one has ended.") == stays
    assert "stays paused for run" in undone.stdout
    assert server.posts() == [f"{NAMES[0]}/pause"]


def test_a_pause_of_what_somebody_else_has_paused_promises_no_end_of_it(shell: Shell, server: ContractServer) -> None:
    server.rows["app1", "con1"].paused_at = "2026-01-01T00:00:00Z"
    done = shell.run("pause", NAMES[0], "--for", "2h", "--yes", env=server.environment())

    assert done.code == 0
    assert [command.split()[1] for command in commands(done)] == ["report"]
    assert "These pauses" not in done.stdout


def test_a_pause_of_which_nothing_certain_is_known_says_how_to_end_it(shell: Shell, server: ContractServer) -> None:
    server.hook = Unclear("con2")
    job = shell.job([("app1", "con2")], extra="retry: {attempts: 1}")
    done = shell.run("run", job, "--for", "2h", env=server.environment())
    run = newest_run(shell)

    assert done.code == 4
    assert commands(done)[:2] == [f"c1-runner continue {run}", f"c1-runner undo {run}"]
    assert re.search(rf"These pauses end {MOMENT}: ", done.stdout)


# After the process of a window was killed


@pytest.mark.parametrize(
    ("ending", "passed", "words"),
    [
        ((), 0, r"it keeps 3 connectors paused, without an end"),
        (("--for", "1h"), 0, rf"it keeps 3 connectors paused until {MOMENT}"),
        (("--for", "1h"), 3600, rf"it keeps 3 connectors paused, although the end was {MOMENT}"),
    ],
    ids=["without an end", "before its end", "after its end"],
)
def test_a_killed_window_is_told_with_how_many_it_keeps_paused_until_when_and_what_to_type(
    shell: Shell, server: ContractServer, ending: tuple[str, ...], passed: float, words: str
) -> None:
    running = window(shell, server, "--quiet", *ending, "--", *until_told())
    running.see("at work", "stdout")
    run = kill(running, shell)
    let_time_pass(shell, passed)
    told = shell.run("status", env=server.environment()).stderr.splitlines()[0]

    assert re.fullmatch(
        rf"c1-runner: run {run} of job job is a window whose process is gone, and by the record here {words}; "
        rf"`c1-runner undo {run}` resumes what is still paused of that, "
        rf"`c1-runner continue {run} --for DURATION` gives it another end",
        told,
    )


def test_a_killed_window_is_told_no_more_when_all_of_it_was_resumed_by_name(
    shell: Shell, server: ContractServer
) -> None:
    env = server.environment()
    running = window(shell, server, "--quiet", "--for", "1h", "--", *until_told())
    running.see("at work", "stdout")
    kill(running, shell)
    some = shell.run("resume", *NAMES[:2], "--yes", env=env)
    told = shell.run("status", env=env)
    rest = shell.run("resume", NAMES[2], "--yes", env=env)

    assert (some.code, rest.code) == (0, 0)
    assert "it keeps 1 connector paused until " in told.stderr
    assert shell.run("status", env=env).stderr == ""


def test_a_window_killed_while_pausing_is_told_to_be_taken_back_only_while_it_keeps_something_paused(
    shell: Shell, server: ContractServer
) -> None:
    env = server.environment()
    server.hold()
    running = window(shell, server, "--for", "1h", "--", "true")
    server.wait_for(lambda: len(server.posts()) == 1)
    running.kill()
    server.release()
    run = newest_run(shell)
    told = shell.run("status", env=env)
    let_time_pass(shell, 600)
    shell.run("resume", NAMES[0], "--yes", env=env)
    resumed = shell.run("status", env=env)

    assert re.search(
        rf"run {run} of job job ended abruptly: 1 uncertain, 2 not attempted; "
        rf"`c1-runner continue {run} --for DURATION` finishes it, `c1-runner undo {run}` takes it back: "
        rf"by the record here it keeps 1 connector paused \(uncertain\) until {MOMENT}\n",
        told.stderr,
    )
    assert resumed.stderr == (
        f"c1-runner: run {run} of job job ended abruptly: 0 uncertain, 2 not attempted; "
        f"`c1-runner continue {run} --for DURATION` finishes it\n"
    )


def test_what_is_uncertain_of_a_killed_window_is_counted_and_the_undo_that_has_left_it_is_named(
    shell: Shell, server: ContractServer
) -> None:
    env = server.environment()
    server.hook = Unclear("con2")
    extra = "limits: {concurrency: 1, resume_rate: 100/s, max_failures: 1}\nretry: {attempts: 1}"
    running = window(shell, server, "--quiet", "--", *until_told(), extra=extra)
    running.see("at work", "stdout")
    run = kill(running, shell)
    let_time_pass(shell, 600)
    told = shell.run("status", env=env)
    undone = shell.run("undo", run, "--attempts", "1", "--format", "json", env=env)
    server.hook = None
    left = shell.run("status", env=env)

    assert "it keeps 3 connectors paused (1 of them uncertain), without an end; " in told.stderr
    assert undone.code == 4
    assert (
        "it keeps 1 connector paused (uncertain), without an end, which an undo has left so "
        f"(`c1-runner report {undone.document['run_id']}` says why); "
    ) in left.stderr


def test_every_way_of_progress_tells_what_a_killed_window_keeps_paused(shell: Shell, server: ContractServer) -> None:
    running = window(shell, server, "--quiet", "--", *until_told())
    running.see("at work", "stdout")
    run = kill(running, shell)
    job = shell.job([("app1", "con1")])
    lines = shell.run("run", job, env=server.environment())
    objects = shell.run("run", job, "--progress", "json", env=server.environment())

    assert f"run {run} of job job is a window whose process is gone" in lines.stderr
    assert '"event": "abrupt"' in objects.stderr
    assert f'"earlier": "{run}", "held": 3, ' in objects.stderr


# Going on with a window, and its report


def test_a_window_that_is_open_is_not_gone_on_with_though_nothing_is_left_to_pause(
    shell: Shell, server: ContractServer
) -> None:
    running = window(shell, server, "--quiet", "--", *until_told())
    running.see("at work", "stdout")
    run, before = newest_run(shell), len(server.requests)
    done = shell.run("continue", run, env=server.environment())
    given = shell.run("continue", run, "--for", "1h", env=server.environment())
    let_go(shell)
    running.finish()

    assert (done.code, done.stdout, len(server.requests) > before) == (75, "", True)
    assert re.fullmatch(
        rf"c1-runner: run {run} is being worked on by another run: its window is open \(process "
        rf"{running.process.pid} of \S+ on \S+, since {MOMENT}\); it resumes what it has paused when its command "
        r"ends; nothing was sent\n",
        done.stderr,
    )
    assert (given.code, given.stdout, given.stderr) == (done.code, "", done.stderr)
    assert server.paused() == set()


def test_the_report_of_a_window_that_is_open_names_no_undo_and_says_who_holds_it(
    shell: Shell, server: ContractServer
) -> None:
    env = server.environment()
    running = window(shell, server, "--quiet", "--for", "1h", "--", *until_told())
    running.see("at work", "stdout")
    run = newest_run(shell)
    done = shell.run("report", run, env=env)
    page = shell.run("report", run, "--format", "markdown", env=env)
    let_go(shell)
    running.finish()
    over = shell.run("report", run, env=env)

    assert (done.code, done.stderr) == (0, "")
    assert commands(done) == [f"c1-runner report {run} --report report.json"]
    assert re.fullmatch(
        rf"Its window is open \(process {running.process.pid} of \S+ on \S+, since {MOMENT}\): "
        "it resumes what it has paused when its command ends.",
        done.stdout.splitlines()[-1],
    )
    assert "c1-runner undo" not in page.stdout
    assert "window is open" not in page.stdout
    assert commands(over) == [f"c1-runner report {run} --report report.json"]  # it has resumed everything
    assert "window is open" not in over.stdout


@pytest.mark.parametrize("command", ["continue", "report"])
def test_of_a_killed_window_both_ways_out_are_named(shell: Shell, server: ContractServer, command: str) -> None:
    env = server.environment()
    running = window(shell, server, "--quiet", "--for", "1h", "--", *until_told())
    running.see("at work", "stdout")
    run = kill(running, shell)
    before = len(server.requests)
    done = shell.run(command, run, env=env)

    assert (done.code, len(server.requests)) == (0, before)
    assert commands(done)[:2] == [f"c1-runner continue {run} --for DURATION", f"c1-runner undo {run}"]
    assert re.search(rf"^These pauses end {MOMENT}: `c1-runner expire` resumes them then\.$", done.stdout, re.MULTILINE)
    assert (f"run {run} of job job is a window whose process is gone" in done.stderr) == (command == "continue")


def test_a_killed_window_that_has_paused_everything_is_given_another_end_and_ends_then(
    shell: Shell, server: ContractServer
) -> None:
    env = server.environment()
    running = window(shell, server, "--quiet", "--", *until_told())
    running.see("at work", "stdout")
    run = kill(running, shell)
    before = len(server.requests)
    given = shell.run("continue", run, "--for", "2h", env=env)
    sent = len(server.requests) - before
    status = shell.run("status", env=env)
    let_time_pass(shell, 7200)
    expired = shell.run("expire", env=env)

    assert (given.code, sent) == (0, 0)
    assert re.search(rf"^These pauses end {MOMENT}: ", given.stdout, re.MULTILINE)
    assert commands(given)[0] == f"c1-runner undo {run}"
    assert status.stderr == ""
    assert (expired.code, server.paused()) == (0, set())


# What is said to be resumed


def test_a_window_that_has_paused_nothing_does_not_say_that_it_resumes_something(
    shell: Shell, server: ContractServer
) -> None:
    server.hook = lambda request: problem(400, 3, "not now") if request.path.endswith("/pause") else None
    done = window(shell, server, "--", "touch", "ran", extra=QUICK).finish()

    assert done.code == 4
    assert done.stderr == (
        "c1-runner: 3 could not be paused, and max_failures allows 0: the command is not run, and nothing was paused\n"
    )
    assert not shell.path("ran").exists()


def test_a_window_that_has_paused_nothing_itself_does_not_say_that_it_keeps_something_paused(
    shell: Shell, server: ContractServer
) -> None:
    for row in server.rows.values():
        row.paused_at = "2026-01-01T00:00:00Z"
    done = window(shell, server, "--keep-paused-on-failure", "--", "sh", "-c", "exit 3").finish()

    assert done.code == 3
    assert done.stderr == "c1-runner: the command failed with code 3, and nothing was paused for it\n"
