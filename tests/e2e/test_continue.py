"""Going on with a run: the command that its end prints does it, exactly as printed."""

import shlex
from datetime import UTC, datetime
from signal import SIGTERM

import pytest

from tests.e2e.contract_messages import Request, Response, problem
from tests.e2e.contract_server import ContractServer
from tests.e2e.shell import COMMAND, Finished, Shell, outcomes
from tests.e2e.windows import let_time_pass, newest_run, next_command, until_told, window

PAIRS = [("app1", "con1"), ("app1", "con2"), ("app2", "con3")]


def printed_command(done: Finished) -> list[str]:
    """The command under `Next:`, as a shell would take it apart."""
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("  c1-runner continue")]
    program, *words = shlex.split(line)
    assert program == "c1-runner"
    return [str(COMMAND), *words]


def test_a_partly_failed_run_prints_the_command_that_repeats_what_failed_and_nothing_else(
    shell: Shell, server: ContractServer
) -> None:
    def hook(request: Request) -> Response | None:
        if request.path.endswith("con2/pause"):
            return problem(400, 3, "not now")
        return problem(502, 14, "bad gateway") if "/con3" in request.path else None

    server.hook = hook
    job = shell.job(PAIRS, extra="preflight: false\nreason: CHG-7\nreport: [out.json]\nretry: {attempts: 1}")
    options = ("--state-dir", "my state", "--concurrency", "1")
    failed = shell.run("run", job, *options, env=server.environment() | {"C1_RUNNER_STATE_DIR": ""})
    assert failed.code == 4
    assert outcomes(shell.report()) == {"app1/con1": "changed", "app1/con2": "failed", "app2/con3": "unknown"}
    server.hook = None
    before = len(server.posts())
    shell.write("job.yaml", "it is not read again\n")

    done = shell.pipe(printed_command(failed), env=server.environment() | {"C1_RUNNER_STATE_DIR": ""})

    assert (done.code, done.stderr) == (0, "")
    assert sorted(server.posts()[before:]) == ["app1/con2/pause", "app2/con3/pause"]
    assert set(outcomes(shell.report()).values()) == {"changed"}  # the same report, made anew
    assert (shell.report()["reason"], shell.report()["exit_code"]) == ("CHG-7", 0)
    assert "c1-runner continue" not in done.stdout  # only the way back is left


def test_an_interrupted_run_prints_the_command_that_finishes_it(shell: Shell, server: ContractServer) -> None:
    server.hold()
    running = shell.running("run", shell.job(PAIRS), "--concurrency", "1", env=server.environment())
    server.wait_for(lambda: len(server.posts()) == 1)
    running.signal(SIGTERM)
    running.see("SIGTERM")
    server.release()
    stopped = running.finish()
    assert stopped.code == 143
    assert "--only" not in " ".join(printed_command(stopped))

    done = shell.pipe([*printed_command(stopped), "--format", "json"], env=server.environment())

    assert done.code == 0
    assert set(outcomes(done.document).values()) == {"changed"}
    assert len(server.posts()) == 3


def test_a_run_of_another_tenant_is_refused_before_anything_is_sent(shell: Shell, server: ContractServer) -> None:
    shell.run("run", shell.job([*PAIRS, ("app1", "gone")]), env=server.environment())
    with ContractServer(PAIRS).serving() as other:
        done = shell.run("continue", "--only", "failed", env=other.environment())

        assert done.code == 2
        assert "but the credentials lead to" in done.stderr
        assert other.requests == []
    assert shell.run("continue", "2020", env=server.environment()).code == 2


# Nothing left to do


@pytest.mark.parametrize(("pairs", "code"), [(PAIRS, 0), ([*PAIRS, ("app1", "gone")], 4)])
def test_with_nothing_left_the_reports_are_made_again_and_the_code_is_the_runs_own(
    shell: Shell, server: ContractServer, pairs: list[tuple[str, str]], code: int
) -> None:
    job = shell.job(pairs, extra="report: [out.json]")
    first = shell.run("run", job, env=server.environment())
    shell.path("out.json").rename(shell.path("first.json"))
    before = len(server.requests)

    again = shell.run("continue", "--report", "out.json", "--report", "out.csv")  # without credentials

    assert (first.code, again.code) == (code, code)
    run = shell.report()["run_id"]
    assert again.stderr == (
        f"c1-runner: run {run} has no target that is unknown or not_attempted: nothing to go on with, "
        "this is its account again\n"
    )
    assert len(server.requests) == before
    assert again.stdout.splitlines()[0] == first.stdout.splitlines()[0]
    assert shell.report() == shell.report("first.json")
    assert shell.path("out.csv").exists()


def test_a_loop_that_goes_on_until_all_is_done_comes_to_its_end(shell: Shell, server: ContractServer) -> None:
    calls = iter([True, True])
    server.hook = lambda request: (
        problem(502, 14, "bad gateway") if "/con2" in request.path and next(calls, False) else None
    )
    env = server.environment()
    first = shell.run("run", shell.job(PAIRS, extra="retry: {attempts: 1}\npreflight: false"), env=env)

    done = shell.pipe(["sh", "-c", f"until {COMMAND} continue --quiet; do :; done"], env=env)
    once_more = shell.run("continue", "--quiet", env=env)

    assert first.code == 4
    assert done.code == 0
    assert (once_more.code, once_more.stdout, once_more.stderr) == (0, "", "")


def test_what_was_not_asked_for_with_only_is_nothing_to_go_on_with(shell: Shell, server: ContractServer) -> None:
    shell.run("run", shell.job([*PAIRS, ("app1", "gone")]), env=server.environment())
    done = shell.run("continue", "--only", "skipped", "--format", "json")

    assert (done.code, done.document["exit_code"]) == (4, 4)
    assert "has no target that is skipped" in done.stderr


# A window that was cut off


def cut_off(shell: Shell, server: ContractServer, *ending: str) -> str:
    """A window that is killed when its first pause has been sent; returns the run's id."""
    server.hold()
    running = window(shell, server, *ending, "--", "touch", "ran")
    server.wait_for(lambda: len(server.posts()) == 1)
    running.kill()
    server.release()
    return newest_run(shell)


@pytest.mark.parametrize("ending", [(), ("--for", "2h")])
def test_a_window_that_was_cut_off_does_not_go_on_pausing_without_an_end(
    shell: Shell, server: ContractServer, ending: tuple[str, ...]
) -> None:
    run = cut_off(shell, server, *ending)
    before = len(server.requests)

    done = shell.run("continue", run, env=server.environment())

    assert (done.code, done.stdout, len(server.requests)) == (2, "", before)
    assert f"run {run} would pause 3 connectors that nothing resumes, for its command does not run again" in done.stderr
    assert f"`c1-runner continue {run} --for DURATION` gives it an end" in done.stderr
    assert f"`c1-runner undo {run}` takes it back; nothing was sent" in done.stderr
    assert ("it was to end" in done.stderr) == bool(ending)


def test_a_window_that_was_cut_off_goes_on_with_a_new_end_and_ends_then(shell: Shell, server: ContractServer) -> None:
    run = cut_off(shell, server)
    env = server.environment()
    told = shell.run("status", env=env)

    done = shell.run("continue", run, "--for", "2h", "--format", "json", env=env)
    rows = shell.run("status", "--format", "json", env=env)
    let_time_pass(shell, 7200)
    status = shell.run("status", env=env)

    assert next_command(told.stderr, "continue")[1:] == [run, "--for", "DURATION"]
    assert (done.code, set(outcomes(done.document).values())) == (0, {"changed"})
    assert not shell.path("ran").exists()
    ends = [(datetime.fromisoformat(row["until"]) - datetime.now(UTC)).total_seconds() for row in rows.document]
    assert [7000 < seconds <= 7200 for seconds in ends] == [True] * 3
    assert rows.stderr == ""  # it is no window any more that ended without resuming
    assert status.code == 4
    assert "OVERDUE" in status.stdout


def test_a_window_that_is_open_is_not_gone_on_with(shell: Shell, server: ContractServer) -> None:
    server.hook = lambda request: problem(400, 3, "not now") if request.path.endswith("con2/pause") else None
    extra = "limits: {concurrency: 1, resume_rate: 100/s, max_failures: 1}"
    running = window(shell, server, "--quiet", "--", *until_told(), extra=extra)
    running.see("at work", "stdout")
    run = newest_run(shell)
    before = len(server.posts())

    done = shell.run("continue", run, "--only", "failed", "--for", "1h", env=server.environment())

    assert done.code == 75
    assert "its window is open" in done.stderr
    assert len(server.posts()) == before
    shell.write("go", "")
    running.finish()


def test_a_pause_whose_end_is_over_needs_a_new_one_and_one_whose_end_lies_ahead_does_not(
    shell: Shell, server: ContractServer
) -> None:
    env = server.environment()
    server.hook = lambda request: problem(400, 3, "not now") if request.path.endswith("con2/pause") else None
    first = shell.run("run", shell.job(PAIRS), "--for", "1h", env=env)
    ahead = shell.run("continue", "--only", "failed", env=env)
    let_time_pass(shell, 3600)
    before = len(server.requests)
    over = shell.run("continue", "--only", "failed", env=env)
    sent = len(server.requests) - before
    too_late = shell.run("continue", "--only", "failed", "--until", "2020-01-01T00:00:00Z", env=env)
    server.hook = None
    given = shell.run("continue", "--only", "failed", "--for", "1h", env=env)

    assert (first.code, ahead.code) == (4, 4)
    assert (over.code, sent) == (2, 0)
    assert "would pause 1 connector that nothing resumes, for its end is over (it was to end 20" in over.stderr
    assert too_late.code == 2
    assert "the window's end, 2020-01-01T00:00:00Z, is over already; nothing was sent" in too_late.stderr
    assert given.code == 0
    assert shell.run("status", env=env).code == 0  # nothing is overdue


def test_only_a_pause_can_be_given_an_end(shell: Shell, server: ContractServer) -> None:
    server.hook = lambda request: problem(400, 3, "not now") if request.path.endswith("/force_sync") else None
    shell.run("run", shell.job(PAIRS, "force_sync"), env=server.environment())
    before = len(server.requests)
    done = shell.run("continue", "--only", "failed", "--for", "1h", env=server.environment())

    assert (done.code, len(server.requests)) == (2, before)
    assert "only a pause ends by itself" in done.stderr
