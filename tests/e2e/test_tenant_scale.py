"""A very large tenant through the installed command: memory stays flat, and the account is complete however it ends."""

import json
import os
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from signal import SIGINT

import pytest

from runner.sandbox import Generated
from tests.e2e.contract_server import ContractServer, Request, Response
from tests.e2e.shell import COMMAND, REPOSITORY, Running, Shell, outcomes

CONNECTORS = int(os.environ.get("C1_RUNNER_TEST_EXAMPLES", "8000"))
APPS = CONNECTORS // 4
PEAK = 60 * 1024 + 4.5 * CONNECTORS
"""KiB of resident memory: what a run of nothing takes, and no more for each connector than a line of the account."""

PAUSED = 0.99
"""Share of connectors that are paused already: all of them are listed and recorded, the few others take time."""

REASON = ("--reason", "INC-77: directory outage")

# Serves a large tenant, its changes and requests in a file.
TENANT = f"""
import sys
from pathlib import Path
import anyio
from runner.sandbox import Faults, Generated, Oracle, Tenant, environment, serve

def ready(server):
    print(*(f"{{name}}={{value}}" for name, value in environment(server).items()), "ready", sep="\\n", flush=True)

tenant = Tenant(Generated({APPS}, {CONNECTORS}, paused=float(sys.argv[1])), oracle=Oracle(keep_requests=False))
anyio.run(lambda: serve(tenant, Faults(latency=0.02), log=Path(sys.argv[2]), ready=ready))
"""

# Runs a command, and writes how much memory it took at most into a file.
MEASURE = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[2:])
with open(sys.argv[1], "w") as file:
    file.write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(code)
"""


@contextmanager
def large_tenant(shell: Shell, paused: float = PAUSED) -> Iterator[dict[str, str]]:
    """A tenant in a process of its own; yields the variables that lead to it."""
    command = [sys.executable, "-c", textwrap.dedent(TENANT), str(paused), "tenant.ndjson"]
    running = Running(shell.launch(command, {"PYTHONPATH": str(REPOSITORY)}))
    try:
        lines = running.see("ready", "stdout").splitlines()
        yield dict(line.split("=", 1) for line in lines if "=" in line)
    finally:
        running.kill()


def applied(path: Path) -> set[str]:
    """What the tenant has paused on request."""
    records = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    events = (record for record in records if record["record"] == "event" and record["actor"] == "api")
    return {f"{event['app_id']}/{event['connector_id']}" for event in events}


def test_a_large_tenant_takes_little_memory(shell: Shell) -> None:
    command = [str(COMMAND), "pause", "--all", *REASON, "--yes", "--report", "out.json", "--concurrency", "50"]
    with large_tenant(shell) as env:
        done = shell.pipe([sys.executable, "-c", MEASURE, "peak", *command], env=env)

    report = shell.report()
    assert done.code == 0, done.stderr
    assert f"All {CONNECTORS:,} connectors are paused" in done.stdout
    assert len(report["results"]) == len(outcomes(report)) == CONNECTORS
    assert report["counts"]["changed"] + report["counts"]["unchanged"] == CONNECTORS
    assert {target for target, word in outcomes(report).items() if word == "changed"} == applied(
        shell.path("tenant.ndjson")
    )
    assert int(shell.path("peak").read_text()) < PEAK


@pytest.mark.parametrize("moment", [0, 400])
def test_an_interrupt_while_the_tenant_is_being_listed_leaves_a_complete_account(shell: Shell, moment: int) -> None:
    with large_tenant(shell, paused=0) as env:
        running = shell.running("pause", "--all", *REASON, "--yes", "-v", "--report", "out.json", env=env)
        running.see("{}/{} changed".format(*next(islice(Generated(APPS, CONNECTORS).pairs(), moment, None))))
        running.signal(SIGINT)
        done = running.finish()

    report = shell.report()
    assert done.code == 130
    assert len(outcomes(report)) == len(report["results"]) == sum(report["counts"].values()) < CONNECTORS
    assert {target for target, word in outcomes(report).items() if word == "changed"} == applied(
        shell.path("tenant.ndjson")
    )
    assert set(outcomes(report).values()) <= {"changed", "not_attempted"}
    assert (report["exit_code"], report["stopped"]) == (130, "SIGINT received")
    assert not done.stdout.startswith("All ")  # what was not listed yet is not paused


def test_an_interrupt_before_the_plan_is_known_sends_nothing_and_says_so(shell: Shell) -> None:
    text = "version: 1\noperation: pause\nreason: x\nselect: {all: true}\nlimits: {max_targets: 100}\n"
    job, held = shell.write("job.yaml", text), threading.Event()

    def hook(request: Request) -> Response | None:
        if request.path.endswith("/connectors"):
            held.wait(60)
        return None

    with ContractServer([("app1", "con1"), ("app2", "con2")]).serving() as server:
        server.hook = hook
        running = shell.running("run", job, env=server.environment())
        server.wait_for(lambda: len(server.reads()) >= 2)
        running.signal(SIGINT)
        try:
            done = running.finish()
        finally:
            held.set()

        assert done.code == 130
        assert server.posts() == []
    assert "Traceback" not in done.stderr
    assert "SIGINT" in done.stderr
    assert "no runs yet" in shell.run("runs").stderr
