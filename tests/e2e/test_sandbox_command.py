"""`c1-runner sandbox`: what it prints, how it is used, how it ends."""

import json
import signal

import pytest

from tests.e2e.contract_server import ContractServer
from tests.e2e.shell import COMMAND, REPOSITORY, Shell

DEMO = str(REPOSITORY / "jobs/demo.yaml")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_the_sandbox_says_how_to_use_it_and_ends_when_told(shell: Shell, number: signal.Signals) -> None:
    running = shell.running("sandbox")
    running.see("CONDUCTORONE_CLIENT_SECRET", "stdout")
    running.see("Ctrl-C ends it")

    running.signal(number)
    done = running.finish()

    assert done.code == 128 + number
    assert [line.split("=")[0] for line in done.stdout.splitlines()] == [
        "export CONDUCTORONE_SERVER_URL",
        "export CONDUCTORONE_CLIENT_ID",
        "export CONDUCTORONE_CLIENT_SECRET",
    ]
    assert done.stderr.count("\n") == 1


def test_the_sandboxs_variables_work_in_a_shell(shell: Shell) -> None:
    with shell.sandbox("--log", "log.ndjson") as env:
        exports = "".join(f"export {name}='{value}'\n" for name, value in env.items())
        shell.write("variables", exports)

        done = shell.pipe(["bash", "-c", f'. ./variables && "{COMMAND}" run "{DEMO}"'])

    assert (done.code, done.stderr) == (0, "")
    records = [json.loads(line) for line in shell.path("log.ndjson").read_text(encoding="utf-8").splitlines()]
    assert len([record for record in records if record["record"] == "event" and record["kind"] == "pause"]) == 7


def test_the_reader_may_look_but_not_pause(shell: Shell) -> None:
    with shell.sandbox("--client", "reader") as env:
        listed = shell.run("connectors", env=env)
        done = shell.run("run", DEMO, env=env)

    assert listed.code == 0
    assert "reader" in env["CONDUCTORONE_CLIENT_ID"]
    assert done.code not in (0, 1)


def test_the_federated_client_has_a_token_instead_of_a_secret(shell: Shell) -> None:
    running = shell.running("sandbox", "--client", "federated")
    printed = running.see("CONDUCTORONE_OIDC_TOKEN", "stdout")
    running.signal(signal.SIGTERM)
    running.finish()

    assert "/wfe" in printed
    assert "SECRET" not in printed


def test_a_client_that_does_not_exist_is_refused(shell: Shell) -> None:
    done = shell.run("sandbox", "--client", "owner")

    assert (done.code, done.stdout) == (2, "")
    assert "'signer', 'plain', 'reader', 'blind', 'federated'" in done.stderr


def test_a_port_that_is_taken_is_said_so(shell: Shell, server: ContractServer) -> None:
    port = server.url.rpartition(":")[2]

    done = shell.run("sandbox", "--port", port)

    assert (done.code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"c1-runner: cannot serve on port {port}: ")
