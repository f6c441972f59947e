"""One run of a job at a time, however many are started: who comes second is told, and may wait."""

import platform
import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed

import pytest

from tests.e2e.contract_server import ContractServer
from tests.e2e.shell import PATIENCE, Running, Shell, outcomes

PAIRS = [("app", f"con{number}") for number in range(5)]
STARTS = 20


@pytest.fixture
def server() -> Iterator[ContractServer]:
    """A tenant that holds back the reply to each mutating request, after it took effect."""
    with ContractServer(PAIRS).serving() as serving:
        serving.hold()
        yield serving


def test_of_twenty_starts_at_once_one_runs_and_the_others_leave_with_75_and_say_whose_run_it_is(
    shell: Shell, server: ContractServer
) -> None:
    job, environment = shell.job(PAIRS), server.environment()
    starts = [shell.running("run", job, "--report", "out.json", env=environment) for _ in range(STARTS)]
    with ThreadPoolExecutor(STARTS) as pool:
        waits = as_completed([pool.submit(start.process.wait) for start in starts], PATIENCE)
        for _ in range(STARTS - 1):
            next(waits)
        (winner,) = (start for start in starts if start.process.poll() is None)
        server.release()
    ends = {start: start.finish() for start in starts}

    assert Counter(done.code for done in ends.values()) == {0: 1, 75: STARTS - 1}
    who = rf"process {winner.process.pid} of \S+ on {re.escape(platform.node())}, since 20\d\d-[-T:\d]{{14}}\+00:00"
    for start, done in ends.items():
        if start is not winner:
            assert re.search(f"job job on .* is being worked on by another run: {who}", done.stderr)
            assert done.stdout == ""
    assert sorted(server.posts()) == [f"{app}/{connector}/pause" for app, connector in PAIRS]
    assert set(outcomes(shell.report()).values()) == {"changed"}
    assert len(shell.run("runs").stdout.splitlines()) == 2  # a heading and the one run


def test_who_waits_for_the_lock_runs_when_it_is_free(shell: Shell, server: ContractServer) -> None:
    job, environment = shell.job(PAIRS), server.environment()
    first = _holding(shell, server, job)
    second = shell.running("run", job, "--lock-wait", "10m", "--format", "json", env=environment)
    assert shell.run("run", job, "--lock-wait", "1s", env=environment).code == 75
    server.release()

    assert first.finish().code == 0
    done = second.finish()
    assert done.code == 0
    assert set(outcomes(done.document).values()) == {"unchanged"}
    assert len(server.posts()) == len(PAIRS)


def test_a_run_under_way_cannot_be_gone_on_with_until_its_holder_is_killed(
    shell: Shell, server: ContractServer
) -> None:
    first = _holding(shell, server, shell.job(PAIRS))
    assert shell.run("continue", env=server.environment()).code == 75
    first.kill()
    server.release()

    done = shell.run("continue", "--format", "json", env=server.environment())
    assert done.code == 0
    assert set(outcomes(done.document).values()) <= {"changed", "unchanged"}
    assert len(server.paused()) == len(PAIRS)


@pytest.mark.parametrize("number", [2, 15], ids=["SIGINT", "SIGTERM"])
def test_a_signal_ends_the_wait_for_the_lock(shell: Shell, server: ContractServer, number: int) -> None:
    job = shell.job(PAIRS)
    first = _holding(shell, server, job)
    second = shell.running("run", job, "--lock-wait", "10m", "-v", env=server.environment())
    second.see("waiting for the lock")
    second.process.send_signal(number)
    done = second.finish()
    server.release()

    assert done.code == 128 + number
    assert "received before anything was sent" in done.stderr
    assert first.finish().code == 0


def _holding(shell: Shell, server: ContractServer, job: str) -> Running:
    """A run that has its lock, with requests in flight."""
    running = shell.running("run", job, env=server.environment())
    server.wait_for(lambda: len(server.posts()) == len(PAIRS))
    return running
