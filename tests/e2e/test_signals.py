"""Signals in the middle of a run: the first one drains, the second one leaves, and the account stays true.

The tenant holds its replies back until told, so that nothing depends on timing.
"""

import shutil
from collections.abc import Iterator
from signal import SIGHUP, SIGINT, SIGTERM, Signals

import pytest

from runner.base.policy import DRAIN_GRACE
from tests.e2e.contract_messages import Request, Response, problem
from tests.e2e.contract_server import ContractServer
from tests.e2e.shell import COMMAND, Running, Shell, outcomes

PAIRS = [("app", f"con{number}") for number in range(12)]
WORKERS = 3

AT_ONCE = DRAIN_GRACE - 2
"""Seconds, fewer than requests in flight would be waited for after one signal."""


@pytest.fixture
def server() -> Iterator[ContractServer]:
    """A tenant that holds back the reply to each mutating request, after it took effect."""
    with ContractServer(PAIRS).serving() as serving:
        serving.hold()
        yield serving


def in_the_middle(shell: Shell, server: ContractServer, *options: str, prefix: tuple[str, ...] = ()) -> Running:
    """A run with as many requests in flight as it has workers."""
    job = shell.job(PAIRS, extra=f"limits: {{concurrency: {WORKERS}}}")
    command = [*prefix, str(COMMAND), "run", job, "--report", "out.json", *options]
    running = Running(shell.launch(command, server.environment()))
    server.wait_for(lambda: len(server.posts()) == WORKERS)
    return running


def assert_rest_not_attempted(shell: Shell, server: ContractServer, outcome: str) -> None:
    """What was in flight has the outcome, everything else was not attempted; no other request was sent."""
    sent = {post.removesuffix("/pause") for post in server.posts()}
    assert len(sent) == WORKERS
    assert server.paused() == sent
    report = shell.run("report", "--format", "json").document
    assert outcomes(report) == {
        target: outcome if target in sent else "not_attempted" for target in map("/".join, PAIRS)
    }


@pytest.mark.parametrize("number", [SIGINT, SIGTERM, SIGHUP], ids=lambda number: number.name)
def test_after_a_signal_nothing_new_starts_and_what_is_in_flight_comes_to_its_end(
    shell: Shell, server: ContractServer, number: Signals
) -> None:
    running = in_the_middle(shell, server)

    running.signal(number)
    running.see(number.name)  # only then do the replies leave
    server.release()
    done = running.finish()

    assert done.code == 128 + number
    assert f"stopped: {number.name} received" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout.startswith(f"3 of 12 connectors are paused.\nStopped early: {number.name} received.\n")
    assert_rest_not_attempted(shell, server, "changed")
    report = shell.report()
    assert report == shell.run("report", "--format", "json").document
    assert (report["exit_code"], report["stopped"]) == (128 + number, f"{number.name} received")
    assert report["finished_at"] is not None


@pytest.mark.parametrize(("first", "second"), [(SIGINT, SIGINT), (SIGTERM, SIGHUP)], ids=["twice", "two kinds"])
def test_a_second_signal_leaves_at_once_and_what_was_in_flight_is_unknown(
    shell: Shell, server: ContractServer, first: Signals, second: Signals
) -> None:
    running = in_the_middle(shell, server)

    running.signal(first)
    running.see(first.name)
    running.signal(second)
    done = running.finish(AT_ONCE)  # the tenant still holds its replies

    assert done.code == 128 + first
    assert "Traceback" not in done.stderr
    assert not shell.path("out.json").exists()
    assert "no report was written; `c1-runner report " in done.stderr
    assert_rest_not_attempted(shell, server, "unknown")


def test_the_report_of_a_run_that_was_left_can_be_made_as_it_says(shell: Shell, server: ContractServer) -> None:
    running = in_the_middle(shell, server)
    running.signal(SIGINT)
    running.see("SIGINT")
    running.signal(SIGINT)
    said = running.finish(AT_ONCE).stderr
    command = said.partition("`c1-runner ")[2].partition("`")[0].split()

    done = shell.run(*command, "--report", "out.json")

    assert (done.code, done.stderr) == (0, "")
    assert sorted(outcomes(shell.report()).values()) == ["not_attempted"] * 9 + ["unknown"] * 3


def test_a_hangup_that_the_parent_has_us_ignore_stays_ignored(shell: Shell, server: ContractServer) -> None:
    running = in_the_middle(shell, server, prefix=("nohup",))

    running.signal(SIGHUP)
    server.release()
    done = running.finish()

    assert done.code == 0
    assert set(outcomes(shell.report()).values()) == {"changed"}
    assert len(server.paused()) == len(PAIRS)


def test_a_background_job_that_ignores_interrupts_still_minds_termination(shell: Shell, server: ContractServer) -> None:
    running = in_the_middle(shell, server, prefix=("sh", "-c", 'trap "" INT; exec "$@"', "sh"))

    running.signal(SIGINT)
    running.signal(SIGTERM)
    running.see("SIGTERM")
    server.release()
    done = running.finish()

    assert done.code == 128 + SIGTERM
    assert "SIGINT" not in done.stderr
    assert_rest_not_attempted(shell, server, "changed")


def test_a_signal_while_waiting_to_send_again_ends_the_wait(shell: Shell, server: ContractServer) -> None:
    shell.job(PAIRS, extra="limits: {concurrency: 1}\npreflight: false")
    server.release()
    server.hook = _slow_down
    running = Running(shell.launch([str(COMMAND), "run", "job.yaml", "--report", "out.json"], server.environment()))
    server.wait_for(lambda: len(server.replied) >= 2)  # the token, and a refusal that asks for a long wait

    running.signal(SIGTERM)
    done = running.finish(AT_ONCE)

    assert done.code == 128 + SIGTERM
    assert set(outcomes(shell.report()).values()) == {"not_attempted"}
    assert server.paused() == set()


def _slow_down(request: Request) -> Response | None:
    refusal = problem(429, 8, "slow down")
    headers = refusal.headers | {"Retry-After": "120"}
    return Response(429, refusal.body, headers) if request.path.endswith("/pause") else None


def test_a_report_that_cannot_be_written_wins_over_the_signal(shell: Shell, server: ContractServer) -> None:
    shell.path("reports").mkdir()
    running = in_the_middle(shell, server, "--report", "reports/out.json")

    running.signal(SIGINT)
    running.see("SIGINT")
    shutil.rmtree(shell.path("reports"))
    shell.write("reports", "")
    server.release()
    done = running.finish()

    assert done.code == 7
    assert "reports/out.json: the report could not be written" in done.stderr
    assert_rest_not_attempted(shell, server, "changed")


def test_a_signal_that_comes_when_all_is_done_changes_nothing_that_is_true(
    shell: Shell, server: ContractServer
) -> None:
    """The last replies are held; after the signal all targets turn out to be changed all the same."""
    job = shell.job(PAIRS[:WORKERS], extra=f"limits: {{concurrency: {WORKERS}}}")
    running = Running(shell.launch([str(COMMAND), "run", job, "--report", "out.json"], server.environment()))
    server.wait_for(lambda: len(server.posts()) == WORKERS)

    running.signal(SIGTERM)
    running.see("SIGTERM")
    server.release()
    done = running.finish()

    assert done.code == 128 + SIGTERM
    assert set(outcomes(shell.report()).values()) == {"changed"}
