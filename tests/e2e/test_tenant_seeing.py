"""`connectors`, `status` and `init`: what a person gets to see of a tenant, hostile names included."""

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.e2e.contract_server import ContractServer, Request, Response
from tests.e2e.shell import Shell

HOSTILE = 'x"\x1b[2J\u202e\r\n- evil/evil\n# <script>, |[bold]\x9b31m\u2028y'
FORMULA = "=HYPERLINK(1)"


@pytest.fixture
def server() -> Iterator[ContractServer]:
    """A tenant with three connectors in two apps."""
    with ContractServer([("app1", "con1"), ("app1", "con2"), ("app2", "con3")]).serving() as serving:
        yield serving


def naming(server: ContractServer, app: str, connector: str) -> None:
    """Give all apps and all connectors one name."""

    def hook(request: Request) -> Response | None:
        parts = request.path.split("/")
        if request.path == "/api/v1/apps":
            rows: Any = [{"id": app_id, "displayName": app} for app_id in dict(server.rows.keys())]
        elif request.method == "GET" and len(parts) == 6:
            rows = [row.view(*pair) for pair, row in server.rows.items() if pair[0] == parts[4]]
            for row in rows:
                row["connector"]["displayName"] = connector
        else:
            return None
        return Response(body=json.dumps({"list": rows, "nextPageToken": ""}).encode())

    server.hook = hook


def states(rows: list[dict[str, Any]]) -> dict[str, str]:
    return {f"{row['app_id']}/{row['connector_id']}": row["state"] for row in rows}


def test_each_connector_is_listed_with_its_state_and_whose_doing_it_is(shell: Shell) -> None:
    with shell.sandbox() as env:
        shell.run("pause", "2aGitHub/2bGitHubMain", "--reason", "CHG-7", "--yes", env=env)
        listed = shell.run("connectors", "--format", "json", env=env)
        paused = shell.run("status", "--format", "json", env=env)
        table = shell.run("status", env=env)

    rows = listed.document
    assert (listed.code, listed.stderr, len(rows)) == (0, "", 24)  # one of 25 is deleted
    assert states(rows) | {
        "2aGitHub/2bGitHubMain": "paused by us",
        "2aGitHub/2bGitHubOSS": "active",
        "2aGitHub/2bGitHubLabs": "error",
        "2aHRcore/2bWorkdayAPAC": "running",
        "2aHRcore/2bHRsheet": "active",
        "2aOktaProd/2bOktaPreview": "paused by others",
        "2aOktaProd/2bOktaAcquired": "paused by C1",
    } == states(rows)
    [ours] = [row for row in rows if row["state"] == "paused by us"]
    assert (ours["reason"], bool(ours["run_id"]), bool(ours["by"]), bool(ours["paused_at"])) == ("CHG-7", *[True] * 3)
    assert [row | {"kind": None} for row in paused.document] == [  # `status` asks for no kinds
        row | {"kind": None} for row in rows if row["state"].startswith("paused")
    ]
    assert paused.code == table.code == 0
    assert "paused by us" in table.stdout
    assert "CHG-7" in table.stdout
    assert "\x1b" not in table.stdout


def test_an_error_is_the_status_of_the_last_sync_and_no_message_that_an_older_one_has_left(
    shell: Shell, server: ContractServer
) -> None:
    """Both have a `lastError`; only the last sync of con2 has failed."""

    def hook(request: Request) -> Response | None:
        if request.path != "/api/v1/apps/app1/connectors":
            return None
        rows = [row.view(*pair) for pair, row in server.rows.items() if pair[0] == "app1"]
        for row, status in zip(rows, ("SYNC_STATUS_DONE", "SYNC_STATUS_ERROR"), strict=True):
            row["connector"]["status"] = {"status": status, "lastError": "timeout", "startedAt": None}
        return Response(body=json.dumps({"list": rows, "nextPageToken": ""}).encode())

    server.hook = hook
    listed = shell.run("connectors", "--format", "json", env=server.environment())
    job = shell.write("job.yaml", "version: 1\noperation: pause\nselect: {status: [error]}\n")
    plan = shell.run("plan", job, "--format", "json", env=server.environment())

    assert states(listed.document) == {"app1/con1": "active", "app1/con2": "error", "app2/con3": "active"}
    assert [row["connector_id"] for row in plan.document["results"]] == ["con2"]


def test_a_pause_that_somebody_renewed_is_not_ours_any_more(shell: Shell, server: ContractServer) -> None:
    shell.run("pause", "app1/con1", "--yes", env=server.environment())
    server.rows["app1", "con1"].paused_at = "2030-01-01T00:00:00Z"
    done = shell.run("connectors", "--format", "json", env=server.environment())

    assert states(done.document)["app1/con1"] == "paused by others"


def test_status_says_so_when_nothing_is_paused(shell: Shell, server: ContractServer) -> None:
    assert shell.run("status", env=server.environment()).stdout == "nothing is paused\n"
    assert shell.run("status", "--format", "json", env=server.environment()).document == []


@pytest.mark.parametrize("output_format", ["text", "json", "csv", "yaml"])
def test_hostile_names_are_harmless_in_every_format(shell: Shell, server: ContractServer, output_format: str) -> None:
    naming(server, HOSTILE, HOSTILE)
    done = shell.run("connectors", "--format", output_format, env=server.environment())

    assert (done.code, done.stderr) == (0, "")
    assert not {"\x1b", "\x9b", "\u202e", "\u2028"} & set(done.stdout)
    match output_format:
        case "text":
            assert len(done.stdout.partition("\n\n")[0].splitlines()) == 4
        case "json":
            assert {row["connector_name"] for row in done.document} == {HOSTILE}
        case "yaml":
            assert {row["connector_name"] for row in yaml.safe_load(done.stdout)} == {HOSTILE}
        case "csv":
            assert len(list(csv.DictReader(io.StringIO(done.stdout)))) == 3


def test_no_spreadsheet_takes_a_name_for_a_formula(shell: Shell, server: ContractServer) -> None:
    naming(server, FORMULA, "\t@SUM(1)")
    done = shell.run("connectors", "--format", "csv", env=server.environment())
    rows = list(csv.DictReader(io.StringIO(done.stdout, newline="")))

    assert {row["app_name"] for row in rows} == {f"'{FORMULA}"}
    assert not any(row["connector_name"].startswith(("=", "+", "-", "@", "\t", "\r")) for row in rows)


def test_a_selection_of_connectors_goes_by_name_or_id(shell: Shell, server: ContractServer) -> None:
    done = shell.run(
        "connectors", "--select", "con3", "--select", "*CON1", "--format", "json", env=server.environment()
    )

    assert set(states(done.document)) == {"app1/con1", "app2/con3"}


@pytest.mark.parametrize("command", ["connectors", "init"])
def test_a_tenant_that_cannot_be_listed_whole_is_not_shown_in_part(
    shell: Shell, server: ContractServer, command: str
) -> None:
    refused = Response(400, b'{"code":3,"message":"no","details":[]}')
    server.hook = lambda request: refused if request.path == "/api/v1/apps/app2/connectors" else None
    done = shell.run(command, env=server.environment())

    assert (done.code, done.stdout) == (5, "")
    assert "app2" in done.stderr
    assert "--partial" in done.stderr
    part = shell.run(command, "--partial", env=server.environment())

    assert part.code == 0
    assert "app1/con2" in part.stdout
    assert "app2" in part.stderr
    assert "Every" not in part.stdout


@pytest.mark.parametrize("pattern", ["Conector con1", "gone*"])
def test_a_selection_that_fits_nothing_is_an_empty_list_and_says_so(
    shell: Shell, server: ContractServer, pattern: str
) -> None:
    done = shell.run("connectors", "--select", pattern, "--format", "json", env=server.environment())

    assert (done.code, done.document) == (6, [])
    assert f"no connector fits --select '{pattern}'" in done.stderr
    assert "did you mean 'Connector con1'?" in done.stderr or pattern == "gone*"


@pytest.mark.parametrize("pattern", ["/(/", " "])
def test_a_pattern_that_is_none_is_refused_by_its_option(shell: Shell, server: ContractServer, pattern: str) -> None:
    done = shell.run("connectors", "--select", pattern, env=server.environment())

    assert done.code == 2
    assert "--select" in done.stderr
    assert server.requests == []


# A job file to begin with


def test_init_writes_a_job_file_that_validates_and_does_what_it_lists(shell: Shell, server: ContractServer) -> None:
    written = shell.run("init", "freeze.yaml", env=server.environment())
    text = shell.path("freeze.yaml").read_text(encoding="utf-8")
    valid = shell.run("validate", "freeze.yaml")
    done = shell.run("run", "freeze.yaml", env=server.environment())

    suggestions = "".join(line.removeprefix("# ") + "\n" for line in text.splitlines() if line.startswith("# "))
    bold = shell.write("bold.yaml", text + "".join(suggestions.splitlines(keepends=True)[2:]))

    assert shell.run("validate", bold).code == 0
    assert (written.code, valid.code, done.code) == (0, 0, 0), (written, valid, done)
    assert "3 connectors" in valid.stdout
    assert "  # App app1\n  - app1/con1  # Connector con1, active\n" in text
    assert server.paused() == {"app1/con1", "app1/con2", "app2/con3"}


def test_init_pins_the_tenant_it_was_made_from(shell: Shell, server: ContractServer) -> None:
    shell.run("init", "freeze.yaml", env=server.environment())
    with ContractServer(server.rows).serving() as other:
        done = shell.run("run", "freeze.yaml", env=other.environment())

        assert done.code == 2
        assert other.requests == []


def test_hostile_names_stay_comments(shell: Shell, server: ContractServer) -> None:
    naming(server, HOSTILE, HOSTILE)
    text = shell.run("init", "--operation", "resume", env=server.environment()).stdout
    valid = shell.run("validate", "-", stdin=text)

    assert (valid.code, valid.stderr) == (0, "")
    assert yaml.safe_load(text)["connectors"] == ["app1/con1", "app1/con2", "app2/con3"]
    assert yaml.safe_load(text)["operation"] == "resume"
    assert not {"\x1b", "\x9b", "\u202e", "\u2028"} & set(text)


def test_init_writes_over_nothing_unless_told_to(shell: Shell, server: ContractServer) -> None:
    shell.write("freeze.yaml", "mine\n")
    refused = shell.run("init", "freeze.yaml", env=server.environment())
    kept = shell.path("freeze.yaml").read_text(encoding="utf-8")
    forced = shell.run("init", "freeze.yaml", "--force", env=server.environment())

    assert (refused.code, kept, forced.code) == (2, "mine\n", 0)
    assert shell.run("validate", "freeze.yaml").code == 0


def test_init_of_a_tenant_without_connectors_writes_nothing_that_is_no_job(shell: Shell) -> None:
    with ContractServer().serving() as empty:
        done = shell.run("init", "freeze.yaml", env=empty.environment())

    if done.code == 0:
        assert shell.run("validate", "freeze.yaml").code == 0
    else:
        assert done.code == 6
        assert not shell.path("freeze.yaml").exists()


def test_a_tenant_that_lists_no_apps_is_not_taken_for_an_empty_one_in_silence(
    shell: Shell, server: ContractServer
) -> None:
    nothing = Response(body=b'{"list":null,"nextPageToken":""}')
    server.hook = lambda request: nothing if request.path == "/api/v1/apps" else None
    done = shell.run("connectors", "--format", "json", env=server.environment())

    assert (done.code, done.document) == (0, [])
    assert "the tenant lists no apps: does this credential see any?" in done.stderr
