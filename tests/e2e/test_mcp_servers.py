"""MCP servers are connectors, too: how many there are, and what goes by that, where the tenant tells."""

import csv
import io
import json
from typing import Any

import pytest
import yaml

from tests.e2e.contract_server import ContractServer, Pair, Request, Response, problem
from tests.e2e.shell import COMMAND, Shell
from tests.e2e.terminal import Terminal

PLAIN, SERVER, OTHER, HIDDEN = ("app1", "con1"), ("app1", "mcp1"), ("app2", "con2"), ("app2", "mcp2")
HEAD = "version: 1\noperation: pause\nreason: a test\n"
ALL = HEAD + "select: {all: true}\n"
ALL_BUT_MCP = ALL + "exclude: [{kind: mcp}]\n"
ONLY_MCP = HEAD + "select: {kind: mcp}\n"

UNTOLD = {
    "not allowed": problem(403, 7, "Permission denied, missing permission/c1.api.ai_governance.v1.MCPServerService"),
    "a gateway's page": Response(404, b"default backend - 404", {"Content-Type": "text/plain"}),
    "a row without an id": Response(200, b'{"list":[{"displayName":"Server mcp1"}]}'),
}
"""A refusal of C1's, one of somebody else, and what cannot be read; `tests/unit/test_mcp_servers.py` has them all."""

NOT_ALLOWED, GATEWAY, _ = UNTOLD.values()


@pytest.fixture
def server() -> Any:
    """Two apps, each with a connector and an MCP server, all of which the connector listing shows."""
    with ContractServer([PLAIN, SERVER, OTHER, HIDDEN]).serving() as serving:
        serving.mcp_servers = {SERVER, HIDDEN}
        yield serving


def answering(server: ContractServer, response: Response, apps: tuple[str, ...] = ("app1", "app2")) -> None:
    """Have the listing of MCP servers of these apps answered so."""
    paths = {f"/api/v1/apps/{app_id}/mcp_servers" for app_id in apps}

    def hook(request: Request) -> Response | None:
        return response if request.path in paths else None

    server.hook = hook


def asked(server: ContractServer) -> list[str]:
    return [path for path in server.reads() if path.endswith("/mcp_servers")]


def ids(*pairs: Pair) -> set[str]:
    return {"/".join(pair) for pair in pairs}


def kinds(rows: list[dict[str, Any]]) -> dict[str, str | None]:
    return {f"{row['app_id']}/{row['connector_id']}": row["kind"] for row in rows}


def job(shell: Shell, text: str) -> str:
    (shell.directory / "job.yaml").write_text(text, encoding="utf-8")
    return "job.yaml"


def test_a_run_that_does_not_go_by_kind_asks_nobody_for_mcp_servers(shell: Shell, server: ContractServer) -> None:
    done = shell.run("run", job(shell, ALL), env=server.environment())

    assert (done.code, server.paused()) == (0, ids(PLAIN, SERVER, OTHER, HIDDEN))
    shell.run("pause", "app1/con1", "--yes", env=server.environment())
    shell.run("status", env=server.environment())
    assert asked(server) == []


def test_plan_says_how_many_mcp_servers_there_are_and_which(shell: Shell, server: ContractServer) -> None:
    done = shell.run("plan", job(shell, ALL), env=server.environment())

    assert (done.code, done.stderr, server.posts()) == (0, "", [])
    assert "4 of 4 connectors would be paused." in done.stdout
    assert "MCP servers: 2 of the connectors listed\n" in done.stdout
    assert "(app1/mcp1, MCP server)" in done.stdout
    assert "(app1/con1)" in done.stdout


def test_plan_names_an_mcp_server_that_the_connector_listing_does_not_show(
    shell: Shell, server: ContractServer
) -> None:
    server.hidden = {HIDDEN}
    done = shell.run("plan", job(shell, ALL), env=server.environment())
    for_machines = shell.run("plan", job(shell, ALL), "--format", "json", env=server.environment())

    named = "1 MCP server that the connector listing does not show; only a selection by kind takes it: "
    named += "App app2 / Server mcp2 (app2/mcp2)"
    assert (done.code, for_machines.code) == (0, 0)
    assert "3 of 3 connectors would be paused." in done.stdout
    assert named in done.stdout
    assert named in for_machines.stderr
    assert len(for_machines.document["results"]) == 3


@pytest.mark.parametrize("answer", UNTOLD.values(), ids=UNTOLD)
def test_what_the_tenant_does_not_tell_is_neither_an_error_nor_zero(
    shell: Shell, server: ContractServer, answer: Response
) -> None:
    answering(server, answer)
    planned = shell.run("plan", job(shell, ALL), env=server.environment())
    listed = shell.run("connectors", "--format", "json", env=server.environment())
    table = shell.run("connectors", env=server.environment())

    assert (planned.code, planned.stderr) == (0, "")
    assert (listed.code, listed.stderr) == (table.code, table.stderr) == (0, "")
    for text in (planned.stdout, table.stdout):
        assert "MCP servers: the tenant does not tell (" in text
    assert set(kinds(listed.document).values()) == {None}
    assert "not told" in table.stdout


def test_what_some_apps_do_not_tell_is_said_beside_what_the_others_tell(shell: Shell, server: ContractServer) -> None:
    answering(server, NOT_ALLOWED, ("app2",))
    planned = shell.run("plan", job(shell, ALL), env=server.environment())
    listed = shell.run("connectors", "--format", "json", env=server.environment())

    assert "MCP servers: 1 of the connectors listed; 1 of 2 apps do not tell (HTTP 403: " in planned.stdout
    assert kinds(listed.document) == {
        "app1/con1": "connector",
        "app1/mcp1": "mcp",
        "app2/con2": None,
        "app2/mcp2": None,
    }


@pytest.mark.parametrize("output_format", ["text", "json", "csv", "yaml"])
def test_connectors_shows_the_kind_of_each_in_every_format(
    shell: Shell, server: ContractServer, output_format: str
) -> None:
    done = shell.run("connectors", "--format", output_format, env=server.environment())
    wanted = {"app1/con1": "connector", "app1/mcp1": "mcp", "app2/con2": "connector", "app2/mcp2": "mcp"}

    assert (done.code, done.stderr) == (0, "")
    match output_format:
        case "json":
            assert kinds(done.document) == wanted
        case "yaml":
            assert kinds(yaml.safe_load(done.stdout)) == wanted
        case "csv":
            assert kinds(list(csv.DictReader(io.StringIO(done.stdout)))) == wanted
        case "text":
            table, _, count = done.stdout.partition("\n\n")
            assert [tuple(line.split()[-2:]) for line in table.splitlines()[1:]] == list(wanted.items())
            assert count == "MCP servers: 2 of the connectors listed\n"


def test_connectors_of_a_kind_include_those_that_only_their_own_listing_shows(
    shell: Shell, server: ContractServer
) -> None:
    server.hidden = {HIDDEN}
    server.rows[HIDDEN].paused_at = "2026-01-02T03:04:05Z"
    everything = shell.run("connectors", "--format", "json", env=server.environment())
    servers = shell.run("connectors", "--kind", "mcp", "--format", "json", env=server.environment())
    others = shell.run("connectors", "--kind", "connector", "--format", "json", env=server.environment())

    assert kinds(everything.document).keys() == ids(PLAIN, SERVER, OTHER)
    assert "1 MCP server that the connector listing does not show" in everything.stderr
    assert kinds(servers.document) == {"app1/mcp1": "mcp", "app2/mcp2": "mcp"}
    assert [row["state"] for row in servers.document] == ["active", "paused by others"]
    assert kinds(others.document) == {"app1/con1": "connector", "app2/con2": "connector"}


def test_a_list_of_connectors_with_their_kinds_can_be_fed_back(shell: Shell, server: ContractServer) -> None:
    listed = shell.run("connectors", "--kind", "mcp", "--format", "csv", env=server.environment())
    done = shell.run("pause", "--targets", "-", "--yes", env=server.environment(), stdin=listed.stdout)

    assert (done.code, server.paused()) == (0, ids(SERVER, HIDDEN))


def test_exclude_by_kind_leaves_mcp_servers_alone(shell: Shell, server: ContractServer) -> None:
    planned = shell.run("plan", job(shell, ALL_BUT_MCP), env=server.environment())
    done = shell.run("run", "job.yaml", env=server.environment())

    assert "left alone, excluded: kind mcp" in planned.stdout
    assert (done.code, server.paused()) == (0, ids(PLAIN, OTHER))


@pytest.mark.parametrize(
    ("rule", "left"),
    [
        ("{kind: mcp, app: app1}", ids(SERVER)),
        ("{kind: mcp, connector: '*2'}", ids(HIDDEN)),
        ("{kind: connector}", ids(PLAIN, OTHER)),
    ],
)
def test_every_part_of_a_rule_has_to_fit(shell: Shell, server: ContractServer, rule: str, left: set[str]) -> None:
    done = shell.run("run", job(shell, f"{ALL}exclude: [{rule}]\n"), env=server.environment())

    assert (done.code, server.paused()) == (0, ids(PLAIN, SERVER, OTHER, HIDDEN) - left)


def test_the_command_line_excludes_by_an_option_of_its_own(shell: Shell, server: ContractServer) -> None:
    done = shell.run("pause", "--all", "--reason", "x", "--exclude-kind", "mcp", "--yes", env=server.environment())

    assert (done.code, server.paused()) == (0, ids(PLAIN, OTHER))
    refused = shell.run("pause", "--all", "--reason", "x", "--exclude-kind", "mpc", "--yes", env=server.environment())
    assert (refused.code, len(server.posts())) == (2, 2)


def test_a_kind_in_exclude_is_a_name_like_any_other(shell: Shell, server: ContractServer) -> None:
    done = shell.run("pause", "--all", "--reason", "x", "--exclude", "kind:mcp", "--yes", env=server.environment())

    assert (done.code, len(server.paused())) == (0, 4)
    assert "'kind:mcp' fits no app" in done.stderr


def test_a_selection_of_mcp_servers_pauses_verifies_and_undoes_also_hidden_ones(
    shell: Shell, server: ContractServer
) -> None:
    server.hidden = {HIDDEN}
    done = shell.run("run", job(shell, ONLY_MCP), "--format", "json", env=server.environment())

    assert (done.code, server.paused()) == (0, ids(SERVER, HIDDEN)), done.stdout + done.stderr
    undone = shell.run("undo", done.document["run_id"], env=server.environment())
    assert (undone.code, server.paused()) == (0, set()), undone.stdout + undone.stderr


@pytest.mark.parametrize(
    ("text", "answer"),
    list(zip([ALL_BUT_MCP, ONLY_MCP, HEAD + "select: {kind: connector}\n"], UNTOLD.values(), strict=True)),
    ids=UNTOLD,
)
def test_a_kind_that_is_not_told_refuses_a_job_that_goes_by_it(
    shell: Shell, server: ContractServer, text: str, answer: Response
) -> None:
    answering(server, answer, ("app2",))
    done = shell.run("run", job(shell, text), env=server.environment())

    assert (done.code, server.posts()) == (5, [])
    assert "App app2 (app2): it does not tell which connectors are MCP servers (" in done.stderr


def test_with_partial_what_is_of_no_known_kind_is_left_alone(shell: Shell, server: ContractServer) -> None:
    answering(server, GATEWAY, ("app2",))
    planned = shell.run("plan", job(shell, ALL_BUT_MCP), "--partial", env=server.environment())
    done = shell.run("run", "job.yaml", "--partial", env=server.environment())

    assert "the tenant does not tell whether it is an MCP server, and a rule may leave it alone" in planned.stdout
    assert (done.code, server.paused()) == (0, ids(PLAIN))
    assert "app2" in done.stdout + done.stderr


def test_an_app_whose_connectors_no_rule_by_kind_can_mean_need_not_tell(shell: Shell, server: ContractServer) -> None:
    answering(server, GATEWAY, ("app2",))
    done = shell.run("run", job(shell, f"{ALL}exclude: [{{kind: mcp, app: app1}}]\n"), env=server.environment())

    assert (done.code, server.paused()) == (0, ids(PLAIN, OTHER, HIDDEN))


PAIRS = HEAD + "connectors: [app1/con1, app1/mcp1, app2/mcp2]\n"


def test_rules_by_kind_hold_for_pairs_too(shell: Shell, server: ContractServer) -> None:
    done = shell.run("run", job(shell, f"{PAIRS}protected: [{{kind: mcp}}]\n"), env=server.environment())

    assert (done.code, server.paused()) == (4, ids(PLAIN))
    lifted = shell.run("run", "job.yaml", "--include-protected", env=server.environment())
    assert (lifted.code, server.paused()) == (0, ids(PLAIN, SERVER, HIDDEN))


@pytest.mark.parametrize("more", ["", "preflight: false\n"])
def test_pairs_whose_kind_is_not_told_refuse_a_rule_by_kind(shell: Shell, server: ContractServer, more: str) -> None:
    answering(server, NOT_ALLOWED, ("app2",))
    text = f"{PAIRS}{more}exclude: [{{kind: mcp}}]\n"
    done = shell.run("run", job(shell, text), env=server.environment())

    assert (done.code, server.posts()) == (5, [])
    assert "app app2: the tenant does not tell which connectors are MCP servers" in done.stderr
    part = shell.run("run", "job.yaml", "--partial", env=server.environment())

    assert (part.code, server.paused()) == (4, ids(PLAIN))  # as for every pair that is left alone


def test_a_hidden_mcp_server_that_cannot_be_read_is_no_reason_to_pause_the_rest(
    shell: Shell, server: ContractServer
) -> None:
    server.mcp_servers = {SERVER, ("app2", "mcp9")}
    done = shell.run("run", job(shell, ONLY_MCP), env=server.environment())

    assert (done.code, server.posts()) == (5, [])
    assert "MCP server 'mcp9': HTTP 404" in done.stderr


def test_a_saved_plan_of_mcp_servers_is_carried_out(shell: Shell, server: ContractServer) -> None:
    server.hidden = {HIDDEN}
    planned = shell.run("plan", job(shell, ONLY_MCP), "-o", "plan.json", env=server.environment())
    done = shell.run("run", "--plan", "plan.json", env=server.environment())

    assert planned.code == 0
    assert (done.code, server.paused()) == (0, ids(SERVER, HIDDEN)), done.stdout + done.stderr


def test_a_listing_of_many_pages_is_read_to_its_end(shell: Shell) -> None:
    pairs = [("app1", f"mcp{number:03}") for number in range(230)]
    with ContractServer([("app1", "con1"), *pairs]).serving() as server:
        server.mcp_servers = set(pairs)
        done = shell.run("plan", job(shell, ALL_BUT_MCP), env=server.environment())

        assert "1 of 231 connectors would be paused." in done.stdout
        assert "MCP servers: 230 of the connectors listed" in done.stdout
        assert len(asked(server)) == 3


def test_what_a_listing_that_broke_off_did_not_show_is_not_called_hidden(shell: Shell, server: ContractServer) -> None:
    refused = problem(400, 3, "no")
    server.hook = lambda request: refused if request.path == "/api/v1/apps/app2/connectors" else None
    planned = shell.run("plan", job(shell, ALL), "--partial", env=server.environment())

    assert "MCP servers: 1 of the connectors listed" in planned.stdout
    assert "does not show" not in planned.stdout


def test_a_deleted_mcp_server_is_not_counted(shell: Shell, server: ContractServer) -> None:
    def hook(request: Request) -> Response | None:
        if request.path != "/api/v1/apps/app2/connectors":
            return None
        rows = [server.rows[pair].view(*pair) for pair in (OTHER, HIDDEN)]
        rows[1]["connector"]["deletedAt"] = "2026-01-02T03:04:05Z"
        return Response(body=json.dumps({"list": rows, "nextPageToken": ""}).encode())

    server.hook = hook
    planned = shell.run("plan", job(shell, ALL), env=server.environment())

    assert "MCP servers: 1 of the connectors listed" in planned.stdout
    assert "does not show" not in planned.stdout


def test_the_question_before_everything_is_paused_says_how_many_mcp_servers_there_are(
    shell: Shell, server: ContractServer
) -> None:
    server.hidden = {HIDDEN}
    command = (str(COMMAND), "pause", "--all", "--reason", "x")
    with Terminal(shell, *command, env=server.environment()) as terminal:
        terminal.see("Type the tenant's name")
        terminal.type("no\n")
        code = terminal.finish()

    assert (code, server.posts()) == (2, [])
    assert "MCP servers: 1 of the connectors listed" in terminal.shown
    assert "1 MCP server that the connector listing does not show" in terminal.shown
    assert "(app2/mcp2)" in terminal.shown
