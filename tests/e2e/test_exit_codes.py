"""The exit code says what became of the run: each one, and which wins when several would fit."""

import shutil
from collections.abc import Callable
from pathlib import Path
from socket import socket

import pytest

from tests.e2e.contract_messages import Request, Response, problem
from tests.e2e.contract_server import ContractServer
from tests.e2e.shell import Shell, outcomes

THREE = [("app1", "con1"), ("app1", "con2"), ("app2", "con3")]
GONE = ("app1", "gone")


def test_3_when_the_credentials_are_refused(shell: Shell, server: ContractServer) -> None:
    env = server.environment(plain=True) | {"CONDUCTORONE_CLIENT_SECRET": "wrong"}

    done = shell.run("run", shell.job(THREE), "--report", "out.json", env=env)

    assert done.code == 3
    assert "refuses the client credentials (client authentication failed)" in done.stderr
    assert len(server.requests) == 1
    assert set(outcomes(shell.report()).values()) == {"not_attempted"}
    assert shell.report()["exit_code"] == 3
    assert "refuses" in shell.report()["stopped"]


def test_3_when_a_ready_token_is_refused(shell: Shell, server: ContractServer) -> None:
    env = {"CONDUCTORONE_SERVER_URL": server.url, "CONDUCTORONE_ACCESS_TOKEN": "stale-token"}

    done = shell.run("run", shell.job(THREE), env=env)

    assert done.code == 3
    assert "the tenant refuses CONDUCTORONE_ACCESS_TOKEN" in done.stderr
    assert "stale-token" not in done.stderr + done.stdout
    assert server.posts() == []


def test_3_when_the_credential_may_pause_nothing(shell: Shell, server: ContractServer) -> None:
    server.hook = lambda request: problem(403, 7, "permission denied") if request.path.endswith("/pause") else None

    done = shell.run("run", shell.job(THREE), "--report", "out.json", env=server.environment())

    assert done.code == 3
    assert "may not pause connectors" in done.stderr
    assert "Connector Administrator" in done.stderr
    assert shell.report()["counts"]["changed"] == 0


def test_4_when_a_target_failed(shell: Shell, server: ContractServer) -> None:
    done = shell.run("run", shell.job([*THREE, GONE]), "--report", "out.json", env=server.environment())

    assert (done.code, done.stderr) == (4, "")
    assert done.stdout.startswith("3 of 4 connectors are paused.\n")
    assert "connector not found" in done.stdout
    [failed] = [row for row in shell.report()["results"] if row["outcome"] == "failed"]
    assert (failed["connector_id"], failed["http_status"], failed["attempts"]) == ("gone", 404, 1)
    assert failed["request_id"].startswith("contract-")


def test_4_when_it_is_unknown_what_became_of_a_target(shell: Shell, server: ContractServer) -> None:
    def unclear(request: Request) -> Response | None:
        return problem(502, 14, "bad gateway") if "/con2" in request.path else None

    server.hook = unclear

    done = shell.run("run", shell.job(THREE), "--attempts", "1", "--report", "out.json", env=server.environment())

    assert done.code == 4
    assert outcomes(shell.report()) == {"app1/con1": "changed", "app1/con2": "unknown", "app2/con3": "changed"}


def test_5_when_more_failed_than_is_allowed(shell: Shell, server: ContractServer) -> None:
    job = shell.job([GONE, *THREE], extra="limits: {concurrency: 1, max_failures: 0}\npreflight: false")

    done = shell.run("run", job, "--report", "out.json", env=server.environment())

    assert done.code == 5
    assert "more than max_failures (0) allows" in done.stderr
    assert server.posts() == ["app1/gone/pause"]
    assert list(outcomes(shell.report()).values()) == ["failed", *["not_attempted"] * 3]


def test_5_and_no_number_beside_the_counts_that_could_differ_from_them(shell: Shell, server: ContractServer) -> None:
    """What is in flight when the threshold is passed fails, too."""
    gone = [("app1", f"gone{number}") for number in range(6)]
    server.gather(6)
    job = shell.job(gone, extra="limits: {concurrency: 6, max_failures: 3}\npreflight: false")

    done = shell.run("run", job, "--report", "out.json", env=server.environment())

    assert done.code == 5
    assert shell.report()["counts"]["failed"] == 6
    assert shell.report()["stopped"] == "the failed and unknown targets are more than max_failures (3) allows"
    assert "6 connectors failed." in done.stdout
    assert "4 " not in done.stdout.partition("job")[0] + done.stderr


def test_5_when_the_deadline_passes(shell: Shell, server: ContractServer) -> None:
    def one_then_never_again(request: Request) -> Response | None:
        return problem(429, 8, "slow down") if request.path.endswith("/pause") and server.paused() else None

    server.hook = one_then_never_again
    job = shell.job(THREE)

    done = shell.run(
        "run", job, "--concurrency", "1", "--deadline", "1s", "--report", "out.json", env=server.environment()
    )

    assert done.code == 5
    assert "the deadline of 1 s" in done.stderr
    assert sorted(outcomes(shell.report()).values()) == ["changed", "not_attempted", "not_attempted"]


@pytest.mark.parametrize("command", ["run", "plan"])
def test_5_when_nobody_is_there(shell: Shell, command: str) -> None:
    with socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"  # bound, not listening: refused at once
        env = ContractServer().environment() | {"CONDUCTORONE_SERVER_URL": url}

        done = shell.run(command, shell.job(THREE), "--attempts", "2", env=env)

    assert done.code == 5
    assert "cannot connect" in done.stderr
    assert f"no token from {url.removeprefix('http://')}" in done.stderr
    assert "Traceback" not in done.stderr


def test_6_when_nothing_is_selected(shell: Shell, server: ContractServer) -> None:
    shell.write("job.yaml", "version: 1\noperation: pause\nselect: {connectors: [nobody-is-called-so-*]}\n")

    done = shell.run("run", "job.yaml", env=server.environment())

    assert done.code == 6
    assert server.posts() == []
    assert done.stdout.startswith("Nothing was selected.\n")


def spoil(directory: Path) -> None:
    """A directory that a report should go to becomes a file."""
    shutil.rmtree(directory)
    directory.write_text("")


def not_found(request: Request) -> Response | None:
    """One target fails."""
    return problem(404, 5, "not found") if request.path.endswith("con2/pause") else None


def refuse_token(request: Request) -> Response | None:
    """The credential is refused."""
    return Response(401, b'{"error":"invalid_client"}') if request.is_token else None


@pytest.mark.parametrize(
    ("faults", "limits"),
    [
        pytest.param(lambda _: None, "{}", id="over 0"),
        pytest.param(refuse_token, "{}", id="over 3"),
        pytest.param(not_found, "{}", id="over 4"),
        pytest.param(not_found, "{max_failures: 0, concurrency: 1}", id="over 5"),
    ],
)
def test_7_wins_when_the_report_cannot_be_written_in_the_end(
    shell: Shell, server: ContractServer, faults: Callable[[Request], Response | None], limits: str
) -> None:
    shell.path("reports").mkdir()

    def hook(request: Request) -> Response | None:
        if request.is_token:
            spoil(shell.path("reports"))
        return faults(request)

    server.hook = hook

    done = shell.run(
        "run", shell.job(THREE, extra=f"limits: {limits}"), "--report", "reports/out.json", env=server.environment()
    )

    assert done.code == 7
    assert "reports/out.json: the report could not be written" in done.stderr
    assert "c1-runner report" in done.stderr  # how to get it after all
    again = shell.run("report", "--format", "json")
    assert again.code == 0
    assert sum(again.document["counts"].values()) == 3


def test_3_wins_over_4(shell: Shell, server: ContractServer) -> None:
    def fail_one_then_revoke(request: Request) -> Response | None:
        if request.path.endswith("gone/pause"):
            server.access_token = "revoked"
            return problem(404, 5, "not found")
        return refuse_token(request) if request.is_token and server.posts() else None

    server.hook = fail_one_then_revoke
    job = shell.job([GONE, *THREE], extra="preflight: false")

    done = shell.run("run", job, "--concurrency", "1", "--report", "out.json", env=server.environment())

    assert done.code == 3
    assert list(outcomes(shell.report()).values()) == ["failed", *["not_attempted"] * 3]


def test_3_wins_over_5_even_when_it_comes_second(shell: Shell, server: ContractServer) -> None:
    def fail_one_then_refuse_what_is_in_flight(request: Request) -> Response | None:
        if not request.path.endswith("/pause"):
            return None
        if request.path.endswith("gone/pause"):
            server.wait_for(lambda: len(server.posts()) == 2)
            return problem(404, 5, "not found")
        server.wait_for(lambda: any(reply.path.endswith("gone/pause") for reply in server.replied))
        return problem(401, 16, "the token was revoked")

    server.hook = fail_one_then_refuse_what_is_in_flight
    job = shell.job([GONE, *THREE], extra="preflight: false\nlimits: {max_failures: 0, concurrency: 2}")
    env = {"CONDUCTORONE_SERVER_URL": server.url, "CONDUCTORONE_ACCESS_TOKEN": server.access_token}

    done = shell.run("run", job, env=env)

    assert done.code == 3
    assert len(server.posts()) == 2


def test_the_code_in_the_report_is_the_code_of_the_process(shell: Shell, server: ContractServer) -> None:
    done = shell.run("run", shell.job([*THREE, GONE]), "--format", "json", env=server.environment())
    again = shell.run("report", "--format", "json")

    assert done.document["exit_code"] == done.code == 4
    assert again.code == 0  # the report itself succeeded
    assert again.document["exit_code"] == 4
