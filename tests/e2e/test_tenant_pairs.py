"""Pairs from elsewhere, and the lists of what nobody may touch, as the installed command takes them."""

import json
from collections.abc import Iterator

import pytest

from tests.e2e.contract_messages import Request, Response, problem
from tests.e2e.contract_server import ContractServer
from tests.e2e.shell import Shell, outcomes

PAIRS = [("hr", "wd"), ("hr", "sheet"), ("pay", "adp"), ("okta", "main")]
CONFIG = "C1_RUNNER_CONFIG"


@pytest.fixture
def server() -> Iterator[ContractServer]:
    """A tenant with four connectors in three apps."""
    with ContractServer(PAIRS).serving() as serving:
        yield serving


@pytest.mark.parametrize(
    "text",
    [
        "hr/wd\n# payroll stays\n\nokta/main\nhr/wd\n",
        'app_id,connector_id,name\nhr,wd,"Workday, US"\nokta,main,Okta\n',
        '{"app_id":"hr","connector_id":"wd"}\n{"connector":{"appId":"okta","id":"main","displayName":"x"}}\n',
    ],
    ids=["lines", "csv", "ndjson"],
)
def test_pairs_come_from_standard_input(shell: Shell, server: ContractServer, text: str) -> None:
    done = shell.run("pause", "--targets", "-", "--yes", stdin=text, env=server.environment())

    assert (done.code, done.stderr) == (0, "")
    assert server.paused() == {"hr/wd", "okta/main"}
    assert len(server.posts()) == 2


def test_pairs_from_a_file_and_from_the_command_line_are_one_list(shell: Shell, server: ContractServer) -> None:
    path = shell.write("pairs.txt", "hr/wd\nhr/sheet\n")
    done = shell.run("pause", "hr/wd", "--targets", path, "--yes", "--format", "json", env=server.environment())

    assert list(outcomes(done.document)) == ["hr/wd", "hr/sheet"]


def test_every_bad_line_is_named_and_nothing_is_sent(shell: Shell, server: ContractServer) -> None:
    done = shell.run("pause", "--targets", "-", "--yes", stdin="hr/wd\nhr\nx y/z\n", env=server.environment())

    assert done.code == 2
    assert "<stdin>:2:1" in done.stderr
    assert "<stdin>:3:1" in done.stderr
    assert server.requests == []


def test_an_empty_list_is_no_list_of_everything(shell: Shell, server: ContractServer) -> None:
    done = shell.run("pause", "--targets", "-", "--yes", stdin="\n# nothing\n", env=server.environment())

    assert done.code == 6
    assert "no such target in --targets -. Nothing was sent" in done.stderr
    assert server.requests == []


def test_escape_sequences_in_a_list_do_not_reach_the_terminal(shell: Shell) -> None:
    row = json.dumps({"app_id": "\x1b[2Jx", "connector_id": "\u202ey"})
    done = shell.run("pause", "--targets", "-", "--yes", stdin=f"{row}\n\x1b[2J\n")

    assert done.code == 2
    assert not {"\x1b", "\u202e"} & set(done.stderr)


def test_what_connectors_prints_can_be_fed_back(shell: Shell, server: ContractServer) -> None:
    listed = shell.run("connectors", "--format", "csv", env=server.environment())
    done = shell.run("pause", "--targets", "-", "--yes", stdin=listed.stdout, env=server.environment())

    assert done.code == 0
    assert len(server.paused()) == 4


def failing_once(server: ContractServer, connector: str) -> None:
    """Every pause of the connector is refused."""

    def hook(request: Request) -> Response | None:
        return problem(400, 3, "not now") if request.path.endswith(f"/{connector}/pause") else None

    server.hook = hook


def test_what_failed_in_an_earlier_run_is_done_again_and_nothing_else(shell: Shell, server: ContractServer) -> None:
    failing_once(server, "adp")
    first = shell.run("pause", "--all", "--reason", "x", "--yes", "--format", "json", env=server.environment())
    server.hook = None
    before = len(server.posts())
    done = shell.run(
        *("pause", "--from-run", first.document["run_id"], "--only", "failed,unknown", "--yes", "--format", "json"),
        env=server.environment(),
    )

    assert (first.code, done.code) == (4, 0)
    assert outcomes(done.document) == {"pay/adp": "changed"}
    assert server.posts()[before:] == ["pay/adp/pause"]


def test_resuming_what_a_run_changed_leaves_what_was_paused_before(shell: Shell, server: ContractServer) -> None:
    server.rows["hr", "wd"].paused_at = "2026-01-02T03:04:05Z"
    first = shell.run("pause", "hr/wd", "okta/main", "--yes", "--format", "json", env=server.environment())
    run_id = first.document["run_id"]
    done = shell.run("resume", "--from-run", run_id, "--only", "changed", "--yes", env=server.environment())

    assert done.code == 0
    assert server.paused() == {"hr/wd"}


def test_a_run_on_another_tenant_gives_no_targets_for_this_one(shell: Shell, server: ContractServer) -> None:
    first = shell.run("pause", "hr/wd", "--yes", "--format", "json", env=server.environment())
    with ContractServer(PAIRS).serving() as other:
        done = shell.run("pause", "--from-run", first.document["run_id"], "--yes", env=other.environment())

        assert done.code == 2
        assert other.posts() == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--from-run", "20200101-000000"), "20200101-000000"),
        (("--only", "failed"), "--from-run"),
        (("--targets", "missing.csv"), "missing.csv"),
    ],
    ids=["unknown run", "only alone", "no file"],
)
def test_what_cannot_be_read_is_named(
    shell: Shell, server: ContractServer, arguments: tuple[str, ...], words: str
) -> None:
    done = shell.run("pause", "--yes", *arguments, env=server.environment())

    assert done.code == 2
    assert words in done.stderr
    assert server.requests == []


@pytest.mark.parametrize("pattern", ["pay/adp", "/^App P/"], ids=["pair", "regex"])
def test_exclude_spares_what_it_names(shell: Shell, server: ContractServer, pattern: str) -> None:
    done = shell.run("pause", "--all", "--reason", "x", "--exclude", pattern, "--yes", env=server.environment())

    assert done.code == 0
    assert server.paused() == {"hr/wd", "hr/sheet", "okta/main"}


# The user's configuration


def protecting(shell: Shell, rule: str) -> dict[str, str]:
    return {CONFIG: shell.write("config.yaml", f"protected:\n  - {rule}\n")}


SELECTING = "version: 1\nname: all\noperation: pause\nreason: x\nselect: {all: true}\n"


@pytest.mark.parametrize("command", ["pause --all --reason x --yes", "pause pay/adp hr/wd --yes", "run all.yaml"])
def test_what_the_configuration_protects_is_not_touched(shell: Shell, server: ContractServer, command: str) -> None:
    shell.write("all.yaml", SELECTING)
    shell.run(*command.split(), env=server.environment() | protecting(shell, "{app: App pay}"))

    assert "hr/wd" in server.paused()
    assert "pay/adp" not in server.paused()
    assert "pay/adp/pause" not in server.posts()


def test_the_protection_of_the_configuration_is_lifted_by_name(shell: Shell, server: ContractServer) -> None:
    environment = server.environment() | protecting(shell, "{app: App pay}")
    done = shell.run("pause", "pay/adp", "--include-protected", "--yes", env=environment)

    assert done.code == 0
    assert server.paused() == {"pay/adp"}


def test_the_protection_of_the_job_adds_to_that_of_the_configuration(shell: Shell, server: ContractServer) -> None:
    job = shell.write("all.yaml", f"{SELECTING}protected: [hr/wd]\n")
    done = shell.run("run", job, env=server.environment() | protecting(shell, "{connector: '*adp'}"))

    assert done.code == 0
    assert server.paused() == {"hr/sheet", "okta/main"}


@pytest.mark.parametrize("text", ["protected: [pay]\n", "protectd: []\n"], ids=["no rule", "unknown key"])
def test_a_configuration_that_cannot_be_read_stops_everything(shell: Shell, server: ContractServer, text: str) -> None:
    environment = server.environment() | {CONFIG: shell.write("config.yaml", text)}
    done = shell.run("pause", "--all", "--reason", "x", "--yes", env=environment)

    assert done.code == 2
    assert "config.yaml:" in done.stderr
    assert server.requests == []


# What only C1 knows of a connector


def owned(server: ContractServer, owners: dict[str, list[str]]) -> None:
    """Give connectors owners, as C1 lists them."""

    def hook(request: Request) -> Response | None:
        parts = request.path.split("/")
        if request.method != "GET" or len(parts) != 6:
            return None
        views = [row.view(*pair) for pair, row in server.rows.items() if pair[0] == parts[4]]
        for view in views:
            view["connector"]["userIds"] = owners.get(view["connector"]["id"])
        return Response(body=json.dumps({"list": views, "nextPageToken": ""}).encode())

    server.hook = hook


def test_connectors_are_selected_by_their_owners(shell: Shell, server: ContractServer) -> None:
    owned(server, {"wd": ["2uAnn"], "sheet": ["2uBob", "2uEve"], "adp": ["2xCarol"], "main": ["2uEve"]})
    text = "version: 1\noperation: pause\nselect: {owners: [2uAnn, '2x*', /bob$/]}\n"
    done = shell.run("run", shell.write("job.yaml", text), env=server.environment())

    assert (done.code, done.stderr) == (0, "")
    assert server.paused() == {"hr/wd", "hr/sheet", "pay/adp"}


def test_a_pattern_that_fits_nothing_is_said_to(shell: Shell, server: ContractServer) -> None:
    text = 'version: 1\noperation: pause\nselect: {apps: ["App hr", "App gone*"]}\nexclude: [{app: "App paj*"}]\n'
    done = shell.run("run", shell.write("job.yaml", text), env=server.environment())

    assert done.code == 0
    assert "App gone*" in done.stderr
    assert "App paj*" in done.stderr


def test_a_regular_expression_that_does_not_compile_is_refused_with_its_place(
    shell: Shell, server: ContractServer
) -> None:
    text = 'version: 1\noperation: pause\nselect: {apps: ["/hr(/"]}\n'
    done = shell.run("run", shell.write("job.yaml", text), env=server.environment())

    assert done.code == 2
    assert "job.yaml:3:" in done.stderr
    assert server.requests == []


def test_a_name_that_two_apps_share_is_refused_with_both_ids_before_anything_is_changed(shell: Shell) -> None:
    text = "version: 1\noperation: pause\nselect: {apps: [slack]}\n"
    with shell.sandbox("--log", "tenant.ndjson") as env:
        done = shell.run("run", shell.write("job.yaml", text), env=env)

    assert done.code == 2
    assert "'slack' fits 2 apps, 2aSlackUS and 2aSlackEU" in done.stderr
    assert "nothing was sent" in done.stderr
    assert "/pause" not in shell.path("tenant.ndjson").read_text(encoding="utf-8")


def test_what_is_deleted_is_never_selected_and_what_fails_to_sync_can_be(shell: Shell) -> None:
    text = "version: 1\noperation: pause\nselect: {status: [error]}\n"
    with shell.sandbox() as env:
        broken = shell.run("run", shell.write("job.yaml", text), "--format", "json", env=env)
        rest = shell.run("pause", "--all", "--reason", "x", "--yes", "--format", "json", env=env)

    assert outcomes(broken.document) == {"2aGitHub/2bGitHubLabs": "changed"}
    assert len(outcomes(rest.document)) == 24  # one of 25 is deleted


@pytest.mark.parametrize("partial", [False, True])
def test_pages_that_go_round_in_circles_end_the_listing_and_are_told(
    shell: Shell, server: ContractServer, partial: bool
) -> None:
    page = Response(body=b'{"list": [], "nextPageToken": "again"}')
    server.hook = lambda request: page if request.path == "/api/v1/apps/pay/connectors" else None
    extra = ("--partial",) if partial else ()
    done = shell.run("pause", "--all", "--reason", "x", "--yes", *extra, env=server.environment())

    assert done.code == (0 if partial else 5)
    assert "App pay (pay): the listing goes round in circles" in done.stderr
    assert server.paused() == {"hr/wd", "hr/sheet", "okta/main"}
    assert sum(path.endswith("/pay/connectors") for path in server.reads()) < 5


@pytest.mark.parametrize(("allow", "code"), [("", 6), ("allow_empty: true\n", 0)])
def test_an_empty_selection_is_exit_6_unless_it_is_allowed(
    shell: Shell, server: ContractServer, allow: str, code: int
) -> None:
    text = f'version: 1\noperation: pause\nselect: {{connectors: ["gone*"]}}\n{allow}'
    done = shell.run("run", shell.write("job.yaml", text), env=server.environment())

    assert done.code == code
    assert server.posts() == []
