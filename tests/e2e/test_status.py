"""`status`: who has paused it, and what is said where no pause is shown, or the tenant cannot be listed."""

import csv
import io
import json
from typing import Any

import pytest
import yaml

from tests.e2e.contract_messages import Request, Response, problem
from tests.e2e.contract_server import ContractServer
from tests.e2e.shell import Finished, Shell
from tests.e2e.windows import NAMES, PAIRS, let_time_pass, newest_run

BLIND = "This credential was never shown a pause on this tenant, and may not see any"
UNCHECKED = "What runs known here keep paused, as it is recorded and not checked: the tenant could not be listed."
FOREIGN = "2026-01-01T00:00:00Z"


def cells(done: Finished, column: str) -> dict[str, str]:
    """One column of the first table on standard output, by APP/CONNECTOR."""
    header, *lines = done.stdout.partition("\n\n")[0].splitlines()
    names = [name for name in header.split("  ") if name]
    starts = [header.index(name.strip()) for name in names]
    place = [name.strip() for name in names].index(column)
    end = starts[place + 1] if place + 1 < len(starts) else None
    return {line.split()[-1]: line[starts[place] : end].strip() for line in lines}


# By whom


def test_the_column_by_names_who_has_paused_it_and_nobody_for_what_is_not_ours(
    shell: Shell, server: ContractServer
) -> None:
    """The second is ours; the third was ours, until somebody renewed it; the first never was."""
    env = server.environment()
    server.rows[PAIRS[0]].paused_at = FOREIGN
    runs = [shell.run("pause", name, "--yes", "--format", "json", env=env).document["run_id"] for name in NAMES[1:]]
    server.rows[PAIRS[2]].paused_at = "2030-01-01T00:00:00Z"
    table = shell.run("status", env=env)
    rows = {row["connector_id"]: row for row in shell.run("status", "--format", "json", env=env).document}

    who = shell.run("report", runs[0], "--format", "json").document["by"]
    us = f"{who['user']}@{who['host']}"
    assert cells(table, "BY") == {
        NAMES[0]: "",
        NAMES[1]: f"{us}, run {runs[0]}",
        NAMES[2]: f"not run {runs[1]}, which wanted it",
    }
    assert cells(table, "STATE") == {
        NAMES[0]: "paused by others",
        NAMES[1]: "paused by us",
        NAMES[2]: "paused by others",
    }
    assert [(rows[name]["by"], rows[name]["run_id"]) for name in ("con1", "con2", "con3")] == [
        (None, None), (us, runs[0]), (None, runs[1]),
    ]  # fmt: skip


# A credential that is shown no pause


def hiding(server: ContractServer, *, but: str = "", disabled: str = "") -> None:
    """Show no mark of a pause `but` that of one connector; `disabled` is one whose status alone says so."""

    def hook(request: Request) -> Response | None:
        parts = request.path.split("/")
        if request.method != "GET" or len(parts) != 6 or parts[5] != "connectors":
            return None
        rows: list[Any] = [row.view(*pair) for pair, row in server.rows.items() if pair[0] == parts[4]]
        for row in (row["connector"] for row in rows if row["connector"]["id"] != but):
            row["syncDisabledAt"] = None
            if row["id"] == disabled:
                row["status"] = {"status": "SYNC_STATUS_DISABLED", "startedAt": None}
        return Response(body=json.dumps({"list": rows, "nextPageToken": ""}).encode())

    server.hook = hook


def as_another(server: ContractServer) -> dict[str, str]:
    """The environment of another credential."""
    return {"CONDUCTORONE_SERVER_URL": server.url, "CONDUCTORONE_ACCESS_TOKEN": server.access_token}


def test_a_credential_that_is_shown_no_pause_is_told_that_it_may_not_see_any(
    shell: Shell, server: ContractServer
) -> None:
    shell.run("pause", *NAMES[:2], "--yes", env=server.environment())
    hiding(server)
    done = shell.run("status", env=as_another(server))

    assert (done.code, done.stderr) == (0, "")
    assert cells(done, "STATE") == dict.fromkeys(NAMES[:2], "not shown as paused")
    assert BLIND in done.stdout


@pytest.mark.parametrize("shown", ["a mark", "a status", "a pause of an earlier run", "nothing of ours"])
def test_nobody_is_told_to_be_shown_no_pause_where_one_was_shown_or_none_is_missing(
    shell: Shell, server: ContractServer, shown: str
) -> None:
    if shown != "nothing of ours":
        shell.run("pause", *NAMES[:2], "--yes", env=server.environment())
    server.rows[PAIRS[2]].paused_at = FOREIGN if shown == "a mark" else None
    hiding(server, but="" if shown == "a status" else "con3", disabled="con3" if shown == "a status" else "")
    earlier = shown == "a pause of an earlier run"
    done = shell.run("status", env=server.environment() if earlier else as_another(server))

    assert done.code == 0
    assert ("not shown as paused" in done.stdout) == (shown != "nothing of ours")
    assert ("paused by others" in done.stdout) == (shown in ("a mark", "a status"))
    assert "never shown" not in done.stdout


# A tenant that cannot be listed


def broken(server: ContractServer, path: str, answer: Response) -> None:
    """Answer one listing with a refusal."""
    server.hook = lambda request: answer if request.path == path else None


@pytest.mark.parametrize(
    ("path", "answer", "code"),
    [
        ("/api/v1/apps/app2/connectors", problem(400, 3, "no"), 5),
        ("/api/v1/apps", problem(400, 3, "no"), 5),
        ("/api/v1/apps", problem(403, 7, "permission denied"), 3),
        ("/auth/v1/token", Response(401, b'{"error":"invalid_client"}'), 3),
    ],
    ids=["one app", "all apps", "all apps are forbidden", "no token"],
)
def test_what_is_recorded_is_shown_and_labelled_when_the_tenant_cannot_be_listed(
    shell: Shell, server: ContractServer, path: str, answer: Response, code: int
) -> None:
    env = server.environment()
    shell.run("pause", *NAMES[1:], "--for", "1h", "--reason", "CHG-7", "--yes", env=env)
    run = newest_run(shell)
    broken(server, path, answer)
    done = shell.run("status", env=env)
    failure = shell.run("connectors", env=env)
    let_time_pass(shell, 3600)
    late = shell.run("status", env=env)

    first, _, table = done.stdout.partition("\n\n")
    assert (done.code, done.stderr) == (code, failure.stderr)
    assert first == UNCHECKED
    assert cells(Finished(0, table, ""), "STATE") == dict.fromkeys(NAMES[1:], "recorded, not checked")
    assert cells(Finished(0, table, ""), "CONNECTOR") == {name: f"Connector {name[5:]}" for name in NAMES[1:]}
    assert f"run {run}" in table
    assert "CHG-7" in table
    assert "OVERDUE" not in table
    assert late.code == code
    assert "OVERDUE" in late.stdout
    assert late.stderr == f"c1-runner: 2 overdue: `c1-runner expire` resumes what is due\n{failure.stderr}"


@pytest.mark.parametrize("output_format", ["json", "yaml", "csv"])
def test_what_is_recorded_is_labelled_for_machines_too(
    shell: Shell, server: ContractServer, output_format: str
) -> None:
    env = server.environment()
    shell.run("pause", NAMES[1], "--yes", env=env)
    broken(server, "/api/v1/apps", problem(400, 3, "no"))
    done = shell.run("status", "--format", output_format, env=env)
    match output_format:
        case "json":
            rows = done.document
        case "yaml":
            rows = yaml.safe_load(done.stdout)
        case _:
            rows = list(csv.DictReader(io.StringIO(done.stdout)))

    assert done.code == 5
    assert [(row["connector_id"], row["state"]) for row in rows] == [("con2", "recorded, not checked")]


@pytest.mark.parametrize("output_format", ["text", "json"])
def test_nothing_is_shown_that_could_read_as_if_nothing_were_paused_when_nothing_is_known(
    shell: Shell, server: ContractServer, output_format: str
) -> None:
    broken(server, "/api/v1/apps", problem(400, 3, "no"))
    done = shell.run("status", "--format", output_format, env=server.environment())

    assert (done.code, done.stdout) == (5, "")
    assert "the tenant's apps could not be listed" in done.stderr


def test_status_does_without_what_cannot_be_listed_if_that_will_do(shell: Shell, server: ContractServer) -> None:
    env = server.environment()
    shell.run("pause", *NAMES[1:], "--yes", env=env)
    broken(server, "/api/v1/apps/app2/connectors", problem(400, 3, "no"))
    without = shell.run("status", env=env)
    done = shell.run("status", "--partial", env=env)

    assert (without.code, done.code) == (5, 0)
    assert "with --partial the rest is shown without it" in without.stderr
    assert "partial: not everything could be listed: App app2 (app2): " in done.stderr
    assert cells(done, "STATE") == {NAMES[1]: "paused by us", NAMES[2]: "recorded, not checked"}


def test_a_part_without_a_pause_is_not_said_to_be_all(shell: Shell, server: ContractServer) -> None:
    broken(server, "/api/v1/apps/app2/connectors", problem(400, 3, "no"))
    part = shell.run("status", "--partial", env=server.environment())
    server.hook = None
    whole = shell.run("status", "--partial", env=server.environment())

    assert (part.code, part.stdout) == (0, "nothing that could be listed is paused\n")
    assert (whole.code, whole.stdout, whole.stderr) == (0, "nothing is paused\n", "")
