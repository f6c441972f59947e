"""A maintenance window as its user sees it: what the command gets, what is said, and how both end."""

import base64
import json
import time
from collections.abc import Iterator

import pytest

from tests.e2e.contract_messages import Hook, Request, Response, problem
from tests.e2e.contract_server import ContractServer
from tests.e2e.shell import Shell, outcomes
from tests.e2e.windows import NAMES, PAIRS, PAUSES, QUICK, documents, let_go, next_command, until_told, window

RESUMES = [f"{name}/resume" for name in reversed(NAMES)]


@pytest.fixture
def server() -> Iterator[ContractServer]:
    """A tenant with three active connectors."""
    with ContractServer(PAIRS).serving() as serving:
        yield serving


def test_the_command_runs_between_pause_and_resume_and_its_code_is_passed_on(
    shell: Shell, server: ContractServer
) -> None:
    running = window(shell, server, "--", *until_told('echo "$C1_RUNNER_RUN_ID"; cat "$C1_RUNNER_REPORT"; exit 7'))
    running.see("at work", "stdout")
    during = server.paused()
    let_go(shell)
    done = running.finish()

    assert done.code == 7
    assert during == set(NAMES)
    assert server.posts() == PAUSES + RESUMES
    assert done.stderr == ""
    [report] = documents(done.stdout)
    assert report["run_id"] in done.stdout.partition("at work\n")[2].splitlines()[0]
    assert set(outcomes(report).values()) == {"changed"}
    assert report == shell.run("report", report["run_id"], "--format", "json").document
    order = ["All 3 connectors are paused.", "at work", '"results"', "All 3 connectors are active."]
    assert sorted(order, key=done.stdout.index) == order
    assert list(shell.path("state/facts").iterdir()) == []  # it was made for the command alone


def test_quiet_leaves_the_streams_to_the_command_and_reports_are_of_pause_and_resume(
    shell: Shell, server: ContractServer
) -> None:
    server.rows[PAIRS[0]].paused_at = "2026-01-01T00:00:00Z"
    job = shell.job(PAIRS, extra=QUICK)
    script = 'cat; echo "$C1_RUNNER_REPORT" >&2; [ -e out.json ]'
    reports = ("--report", "out.json", "--report", "{name}-{started}.md")
    done = shell.run("window", job, "--quiet", *reports, "--", "sh", "-c", script,
                     env=server.environment(), stdin="typed\n")  # fmt: skip

    assert (done.code, done.stdout, done.stderr) == (0, "typed\n", f"{shell.path('out.json')}\n")
    assert server.paused() == {NAMES[0]}  # as it was
    assert outcomes(shell.report()) == dict(zip(NAMES, ["unchanged", "changed", "changed"], strict=True))
    assert outcomes(shell.report("out-resume.json")) == dict.fromkeys(reversed(NAMES[1:]), "changed")
    assert len(list(shell.directory.glob("job-*-resume.md"))) == 1  # both may have begun within one second
    assert len(list(shell.directory.glob("job-*.md"))) == 2


def test_json_on_stdout_is_a_document_before_the_command_and_one_after_it(shell: Shell, server: ContractServer) -> None:
    job = shell.job(PAIRS, extra=QUICK)
    done = shell.run("window", job, "--format", "json", "--", "echo", "work", env=server.environment())

    before, _, after = done.stdout.partition("work\n")
    assert [json.loads(before)["operation"], json.loads(after)["operation"]] == ["pause", "resume"]


@pytest.mark.parametrize(("command", "called"), [("no-such", "no-such"), ("./plain", "./plain (not executable)")])
def test_nothing_is_sent_for_a_command_that_is_not_there(
    shell: Shell, server: ContractServer, command: str, called: str
) -> None:
    shell.write("plain", "")
    done = shell.run("window", shell.job(PAIRS), "--", command, env=server.environment())

    assert (done.code, done.stdout, done.stderr) == (2, "", f"c1-runner: {called}: no such command; nothing was sent\n")
    assert server.requests == []


def test_a_command_that_cannot_be_started_is_no_reason_to_stay_paused(shell: Shell, server: ContractServer) -> None:
    shell.write("garbage", "\x00\x01")
    shell.path("garbage").chmod(0o755)
    done = shell.run("window", shell.job(PAIRS, extra=QUICK), "--quiet", "--", "./garbage", env=server.environment())

    assert (done.code, done.stdout, done.stderr) == (126, "", "c1-runner: ./garbage: Exec format error\n")
    assert server.posts() == PAUSES + RESUMES


def test_a_command_that_a_signal_has_ended_is_told_as_a_shell_does(shell: Shell, server: ContractServer) -> None:
    job = shell.job(PAIRS, extra=QUICK)
    done = shell.run("window", job, "--quiet", "--", "sh", "-c", "kill -9 $$", env=server.environment())

    assert (done.code, done.stdout, done.stderr) == (137, "", "")
    assert server.paused() == set()


@pytest.mark.parametrize(
    ("trap", "grace", "code"), [("trap '' TERM", "1s", 137), ("trap 'exit 5' TERM", "1h", 5)], ids=["stubborn", "heeds"]
)
def test_a_command_that_outlives_the_window_is_told_to_end_and_what_it_has_started_with_it(
    shell: Shell, server: ContractServer, trap: str, grace: str, code: int
) -> None:
    script = f"{trap}; (while echo alive >> beats; do sleep 0.05; done) & wait; wait"
    job = shell.job(PAIRS, extra=f"{QUICK}\nwindow: {{for: 5s}}")
    done = shell.run("window", job, "--quiet", "--grace", grace, "--", "sh", "-c", script, env=server.environment())

    assert done.code == code
    assert "the window is over: the command is told to end" in done.stderr
    assert ("the command is killed" in done.stderr) == (code == 137)
    assert server.posts() == PAUSES + RESUMES
    beats = shell.path("beats").read_text()
    shell.pipe(["sleep", "0.3"])
    assert shell.path("beats").read_text() == beats


def test_what_could_not_be_paused_keeps_the_command_from_running(shell: Shell, server: ContractServer) -> None:
    server.hook = _refuse("app1/connectors/con2/pause")
    options = ("--quiet", "--keep-paused-on-failure")  # of the command, which there is none
    done = shell.run("window", shell.job(PAIRS, extra=QUICK), *options, "--", "touch", "ran", env=server.environment())

    assert done.code == 4
    assert not shell.path("ran").exists()
    why = "1 could not be paused, and max_failures allows 0: the command is not run, and what was paused is resumed"
    assert done.stderr == f"c1-runner: {why}\n"
    assert server.posts() == [*PAUSES, RESUMES[0], RESUMES[2]]
    assert server.paused() == set()


def test_as_many_failures_as_max_failures_allows_do_not_keep_it(shell: Shell, server: ContractServer) -> None:
    server.hook = _refuse("app1/connectors/con2/pause")
    job = shell.job(PAIRS, extra="limits: {resume_rate: 100/s, max_failures: 1}")
    done = shell.run("window", job, "--quiet", "--", "touch", "ran", env=server.environment())

    assert done.code == 0
    assert shell.path("ran").exists()
    assert server.paused() == set()


def test_drain_waits_for_the_syncs_that_still_run(shell: Shell, server: ContractServer) -> None:
    server.rows[PAIRS[1]].syncing = True
    running = window(shell, server, "--drain", "1h", "--", "echo", "ran")
    running.see("waiting for the syncs of Connector con2")
    server.rows[PAIRS[1]].syncing = False
    done = running.finish()

    assert done.code == 0
    assert "ran\n" in done.stdout
    assert server.paused() == set()


@pytest.mark.parametrize("still", ["give-up", "go-on"])
def test_a_sync_that_does_not_end_is_named_and_the_window_goes_on_or_gives_up(
    shell: Shell, server: ContractServer, still: str
) -> None:
    server.rows[PAIRS[1]].syncing = True
    done = window(shell, server, "--drain", "1s", "--still-syncing", still, "--", "touch", "ran").finish()

    assert done.code == (5 if still == "give-up" else 0)
    assert shell.path("ran").exists() == (still == "go-on")
    end = "the command is not run, and what was paused is resumed" if still == "give-up" else "going on, as asked"
    assert done.stderr.splitlines() == [
        "c1-runner: waiting for the syncs of Connector con2",
        f"c1-runner: Connector con2 still syncing after 1s: {end}",
    ]
    assert server.paused() == set()


def test_a_window_whose_resumes_still_sync_when_it_gives_up_waiting_has_resumed_all_the_same(
    shell: Shell, server: ContractServer
) -> None:
    """The syncs of this tenant never end."""
    done = window(shell, server, "--wait", "sync", "--wait-timeout", "1s", "--", "true").finish()
    later = shell.run("status", env=server.environment())
    undone = shell.run("undo", env=server.environment())

    assert done.code == 4
    assert "its sync had not ended when 1s have passed" in done.stdout
    assert server.paused() == set()
    assert (later.code, later.stdout, later.stderr) == (0, "nothing is paused\n", "")
    assert "is left to undo" in undone.stdout


def test_a_failure_can_leave_it_paused_and_the_command_that_is_printed_ends_that(
    shell: Shell, server: ContractServer
) -> None:
    job = shell.job(PAIRS, extra=QUICK)
    ok = shell.run("window", job, "--quiet", "--keep-paused-on-failure", "--", "true", env=server.environment())
    resumed = server.paused()
    done = shell.run("window", job, "--quiet", "--keep-paused-on-failure", "--", "false", env=server.environment())
    kept = server.paused()
    again = shell.run(*next_command(done.stderr, "undo"), env=server.environment())

    assert (ok.code, ok.stderr, resumed) == (0, "", set())
    assert (done.code, kept) == (1, set(NAMES))
    assert "the command failed with code 1, and everything stays paused, as asked" in done.stderr
    assert (again.code, server.paused()) == (0, set())


def test_a_tenant_that_is_down_when_all_is_to_be_resumed_is_no_success_and_can_be_gone_on_with(
    shell: Shell, server: ContractServer
) -> None:
    running = window(shell, server, "--attempts", "1", "--", *until_told())
    running.see("at work", "stdout")
    server.hook = lambda _: problem(503, 14, "down")
    let_go(shell)
    done = running.finish()
    still = server.paused()
    server.hook = None
    again = shell.run(*next_command(done.stdout, "continue"), env=server.environment())

    assert (done.code, still) == (4, set(NAMES))
    assert (again.code, server.paused()) == (0, set())
    assert "All 3 connectors are active." in again.stdout
    assert shell.run("undo", env=server.environment()).stdout.startswith("nothing that runs known here have paused")


def test_a_pause_that_somebody_has_made_meanwhile_stays_and_is_no_success(shell: Shell, server: ContractServer) -> None:
    running = window(shell, server, "--", *until_told())
    running.see("at work", "stdout")
    server.rows[PAIRS[1]].paused_at = "2030-01-01T00:00:00Z"
    let_go(shell)
    done = running.finish()

    assert done.code == 4
    assert server.paused() == {NAMES[1]}
    assert "Connector con2" in done.stdout.partition("at work")[2]


def test_of_two_windows_the_last_one_resumes(shell: Shell, server: ContractServer) -> None:
    first = window(shell, server, "--", *until_told(), name="first")
    first.see("at work", "stdout")
    second = window(shell, server, "--", *until_told(word="last"), name="second")
    second.see("at work", "stdout")
    let_go(shell)
    one = first.finish()
    between = server.paused()
    let_go(shell, "last")
    two = second.finish()

    assert (one.code, two.code, between, server.paused()) == (0, 0, set(NAMES), set())
    assert "(job second), which still wants it so" in one.stdout
    assert server.posts() == PAUSES + RESUMES


def test_of_twenty_windows_at_once_the_last_one_resumes(shell: Shell, server: ContractServer) -> None:
    def opened(name: str) -> list[str]:
        return until_told(word="last" if name == "w0" else "go", look_every=0.5)

    windows = [window(shell, server, "--", *opened(f"w{n}"), name=f"w{n}") for n in range(20)]
    for running in windows:
        running.see("at work", "stdout")
    let_go(shell)
    codes = [running.finish().code for running in windows[1:]]
    before_the_last = server.paused()
    let_go(shell, "last")

    assert codes == [0] * 19
    assert before_the_last == set(NAMES)
    assert windows[0].finish().code == 0
    assert server.paused() == set()


def _refuse(path: str) -> Hook:
    def hook(request: Request) -> Response | None:
        return problem(404, 5, "no such connector") if request.path.endswith(path) else None

    return hook


def _jwt(seconds: float) -> str:
    """A token of a C1 tenant that ends so many seconds from now."""
    claims = json.dumps({"exp": int(time.time() + seconds), "sub": "somebody"}).encode()
    return "eyJhbGciOiJFZERTQSJ9." + base64.urlsafe_b64encode(claims).decode().rstrip("=") + ".c2lnbmF0dXJl"


def _with_token(server: ContractServer, seconds: float) -> dict[str, str]:
    return {"CONDUCTORONE_SERVER_URL": server.url, "CONDUCTORONE_ACCESS_TOKEN": _jwt(seconds)}


def test_a_window_that_outlives_its_token_is_refused_with_both_moments(shell: Shell, server: ContractServer) -> None:
    job = shell.write("job.yaml", "version: 1\noperation: pause\nconnectors: [app1/con1]\n")
    done = shell.run("window", job, "--for", "2h", "--", "true", env=_with_token(server, 600))

    assert done.code == 2
    assert done.stderr.count(" UTC") == 2
    assert "nothing was sent" in done.stderr
    assert server.requests == []


def test_pauses_that_another_command_may_end_only_warn_of_the_tokens_end(shell: Shell, server: ContractServer) -> None:
    job = shell.write("job.yaml", "version: 1\noperation: pause\nconnectors: [app1/con1]\n")
    done = shell.run("run", job, "--for", "2h", env=_with_token(server, 600))

    assert "resume them with another one" in done.stderr
    assert done.code != 2
