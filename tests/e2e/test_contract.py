"""A job against any server that speaks the published contract: what is sent, how often, and what is told."""

import json
from typing import Any

import jsonschema
import pytest

from tests.e2e.contract_messages import Request, Response
from tests.e2e.contract_server import ContractServer, Pair
from tests.e2e.shell import REPOSITORY, Shell, outcomes

THREE = [("app1", "con1"), ("app1", "con2"), ("app2", "con3")]
PAUSES = ["app1/con1/pause", "app1/con2/pause", "app2/con3/pause"]
TARGETS = ["app1/con1", "app1/con2", "app2/con3"]

SCHEMA = json.loads((REPOSITORY / "runner/report/report.schema.json").read_text())
OUTCOMES = {"changed", "unchanged", "failed", "unknown", "skipped", "not_attempted"}


def checked(report: Any, planned: list[str]) -> Any:
    """The report, once it has been seen to fit its schema and to account for each target once, in order."""
    jsonschema.validate(report, SCHEMA, format_checker=jsonschema.FormatChecker())
    assert [f"{row['app_id']}/{row['connector_id']}" for row in report["results"]] == planned
    assert set(report["counts"]) == OUTCOMES
    assert sum(report["counts"].values()) == len(planned)
    for outcome, count in report["counts"].items():
        assert [row["outcome"] for row in report["results"]].count(outcome) == count
    return report


def test_each_pair_is_posted_once_and_the_report_accounts_for_the_plan(shell: Shell, server: ContractServer) -> None:
    done = shell.run("run", shell.job(THREE), "--report", "out.json", env=server.environment())

    assert (done.code, done.stderr) == (0, "")
    assert done.stdout.startswith("All 3 connectors are paused.\n")
    assert "report: out.json" in done.stdout
    assert sorted(server.posts()) == PAUSES
    assert server.paused() == set(TARGETS)
    report = checked(shell.report(), TARGETS)
    assert report["counts"]["changed"] == 3
    assert report["exit_code"] == 0
    assert report["stopped"] is None
    assert report["tenant"] == server.url.removeprefix("http://")
    assert report["requests"] == {"total": len(server.api()), "retries": 0, "throttled": 0}
    for row in report["results"]:
        assert row["before"]["state"] == "active"
        assert row["after"]["paused_at"] == server.rows[row["app_id"], row["connector_id"]].paused_at


def test_one_token_is_asked_for_with_credentials_in_the_body_alone(shell: Shell, server: ContractServer) -> None:
    assert shell.run("run", shell.job(THREE), env=server.environment(plain=False)).code == 0

    [asked] = server.token_requests()
    assert asked.method == "POST"
    assert "authorization" not in asked.headers
    assert asked.form.keys() == {"grant_type", "client_id", "client_assertion_type", "client_assertion"}
    assert server.client.secret not in asked.body.decode()
    assert {request.headers["authorization"] for request in server.api()} == {f"Bearer {server.access_token}"}


def test_a_secret_that_is_no_key_is_sent_in_the_body_and_never_in_a_header(
    shell: Shell, server: ContractServer
) -> None:
    done = shell.run("run", shell.job(THREE), env=server.environment(plain=True))

    assert (done.code, done.stderr) == (0, "")
    [asked] = server.token_requests()
    assert asked.form["client_secret"] == server.client.plain_secret
    assert asked.form.keys() == {"grant_type", "client_id", "client_secret"}
    for request in server.requests:
        assert server.client.plain_secret not in f"{request.path}?{request.query} {request.headers}"


def test_a_ready_access_token_needs_no_token_request(shell: Shell, server: ContractServer) -> None:
    env = {"CONDUCTORONE_SERVER_URL": server.url, "CONDUCTORONE_ACCESS_TOKEN": server.access_token}

    done = shell.run("run", shell.job(THREE), env=env)

    assert (done.code, done.stderr) == (0, "")
    assert server.token_requests() == []
    assert sorted(server.posts()) == PAUSES


def test_secrets_can_come_from_files(shell: Shell, server: ContractServer) -> None:
    shell.write("id", f"{server.client.client_id}\n")
    shell.write("secret", f"{server.client.secret}\r\n")
    for name in ("id", "secret"):
        shell.path(name).chmod(0o600)
    env = {
        "CONDUCTORONE_SERVER_URL": server.url,
        "CONDUCTORONE_CLIENT_ID_FILE": "id",
        "CONDUCTORONE_CLIENT_SECRET_FILE": "secret",
    }

    done = shell.run("run", shell.job(THREE), env=env)

    assert (done.code, done.stderr) == (0, "")
    assert sorted(server.posts()) == PAUSES


@pytest.mark.parametrize("concurrency", [1, 4, 20])
def test_as_many_requests_are_in_flight_as_allowed_and_never_more(shell: Shell, concurrency: int) -> None:
    pairs = [(f"app{number % 3}", f"con{number}") for number in range(40)]
    with ContractServer(pairs).serving() as server:
        server.gather(concurrency)  # a client that sends fewer at a time gets no answer
        command = ["run", shell.job(pairs), "--concurrency", str(concurrency), "--report", "out.json"]

        done = shell.run(*command, env=server.environment())

        assert (done.code, done.stderr) == (0, "")
        assert server.max_in_flight == concurrency
        assert sorted(server.posts()) == sorted(f"{app}/{connector}/pause" for app, connector in pairs)
        assert len(server.token_requests()) == 1
        checked(shell.report(), [f"{app}/{connector}" for app, connector in pairs])


@pytest.mark.parametrize(
    "rows_per_page", [pytest.param(150, id="more rows than asked for"), pytest.param(30, id="a last page that is null")]
)
def test_listings_are_read_to_their_end_whatever_the_pages_look_like(shell: Shell, rows_per_page: int) -> None:
    pairs = [("app", f"con{number}") for number in range(300)]
    with ContractServer(pairs, rows_per_page=rows_per_page).serving() as server:
        server.rows["app", "con299"].paused_at = "2026-01-01T00:00:00Z"

        done = shell.run("run", shell.job(pairs[::5] + pairs[299:]), "--report", "out.json", env=server.environment())

        assert (done.code, done.stderr) == (0, "")
        assert sorted(server.posts()) == sorted(f"app/{connector}/pause" for _, connector in pairs[::5])
        assert shell.report()["counts"] == dict.fromkeys(OUTCOMES, 0) | {"changed": 60, "unchanged": 1}
        assert all(row["before"] is not None for row in shell.report()["results"])
        assert not [path for path in server.reads() if not path.endswith("/connectors")]


def test_the_last_few_of_a_large_app_are_read_one_by_one(shell: Shell) -> None:
    pairs = [("app", f"con{number}") for number in range(1000)]
    with ContractServer(pairs).serving() as server:
        done = shell.run("run", shell.job([pairs[0], pairs[998], pairs[999]]), "--no-verify", env=server.environment())

        assert (done.code, done.stderr) == (0, "")
        listing, *singles = server.reads()
        assert listing == "/api/v1/apps/app/connectors"
        assert sorted(singles) == [f"{listing}/con998", f"{listing}/con999"]


@pytest.mark.parametrize("headers", [{"Content-Type": "application/json"}, {}], ids=["json", "no content type"])
def test_an_empty_reply_to_a_pause_that_took_effect_is_no_reason_to_send_another(
    shell: Shell, server: ContractServer, headers: dict[str, str]
) -> None:
    def empty(request: Request) -> Response | None:
        if not request.path.endswith("/pause"):
            return None
        app_id, connector_id = request.path.split("/")[4:7:2]
        server.rows[app_id, connector_id].paused_at = "2099-01-01T00:00:00Z"
        return Response(200, b"", headers)

    server.hook = empty

    done = shell.run("run", shell.job(THREE), "--report", "out.json", env=server.environment())

    assert (done.code, done.stderr) == (0, "")
    assert sorted(server.posts()) == PAUSES
    assert checked(shell.report(), TARGETS)["counts"]["changed"] == 3


def test_what_is_paused_already_is_sent_nothing(shell: Shell, server: ContractServer) -> None:
    server.rows["app1", "con2"].paused_at = "2026-01-01T00:00:00Z"

    done = shell.run("run", shell.job(THREE), "--report", "out.json", env=server.environment())

    assert (done.code, done.stderr) == (0, "")
    assert "already paused  1" in done.stdout
    assert sorted(server.posts()) == ["app1/con1/pause", "app2/con3/pause"]
    assert outcomes(checked(shell.report(), TARGETS))["app1/con2"] == "unchanged"


def test_a_second_run_of_the_same_job_finds_nothing_to_do(shell: Shell, server: ContractServer) -> None:
    job = shell.job(THREE)
    shell.run("run", job, env=server.environment())

    done = shell.run("run", job, env=server.environment())

    assert (done.code, done.stderr) == (0, "")
    assert "already paused  3" in done.stdout
    assert sorted(server.posts()) == PAUSES


def test_resume_sends_each_paused_connector_one_resume(shell: Shell, server: ContractServer) -> None:
    for pair in THREE[:2]:
        server.rows[pair].paused_at = "2026-01-01T00:00:00Z"

    done = shell.run("run", shell.job(THREE, "resume"), "--report", "out.json", env=server.environment())

    assert (done.code, done.stderr) == (0, "")
    assert done.stdout.startswith("All 3 connectors are active.\n")
    assert sorted(server.posts()) == ["app1/con1/resume", "app1/con2/resume"]
    assert server.paused() == set()
    assert outcomes(checked(shell.report(), TARGETS)) == {
        "app1/con1": "changed",
        "app1/con2": "changed",
        "app2/con3": "unchanged",
    }


def test_force_sync_queues_one_sync_each_and_leaves_out_what_is_paused(shell: Shell, server: ContractServer) -> None:
    server.rows["app1", "con2"].paused_at = "2026-01-01T00:00:00Z"

    done = shell.run("run", shell.job(THREE, "force_sync"), "--report", "out.json", env=server.environment())

    assert (done.code, done.stderr) == (4, "")
    assert sorted(server.posts()) == ["app1/con1/force_sync", "app2/con3/force_sync"]
    assert outcomes(checked(shell.report(), TARGETS)) == {
        "app1/con1": "changed",
        "app1/con2": "skipped",
        "app2/con3": "changed",
    }


@pytest.mark.parametrize("how", ["flag", "job file"])
def test_without_preflight_nothing_is_read_before_the_requests(shell: Shell, server: ContractServer, how: str) -> None:
    flags, extra = (["--no-preflight"], "") if how == "flag" else ([], "preflight: false")
    job = shell.job(THREE, extra=extra)

    done = shell.run("run", job, *flags, "--report", "out.json", env=server.environment())

    assert (done.code, done.stderr) == (0, "")
    assert [request.method for request in server.api()][:3] == ["POST"] * 3
    report = checked(shell.report(), TARGETS)
    assert report["counts"]["changed"] == 3
    assert {row["before"] for row in report["results"]} == {None}


@pytest.mark.parametrize("how", ["flag", "job file"])
def test_without_verify_nothing_is_read_after_the_requests(shell: Shell, server: ContractServer, how: str) -> None:
    flags, extra = (["--no-verify"], "") if how == "flag" else ([], "verify: false")
    job = shell.job(THREE, extra=extra)

    done = shell.run("run", job, *flags, "--concurrency", "1", "--report", "out.json", env=server.environment())

    assert (done.code, done.stderr) == (0, "")
    assert server.api()[-1].method == "POST"
    report = checked(shell.report(), TARGETS)
    assert report["counts"]["changed"] == 3
    assert {row["after"] for row in report["results"]} == {None}


def test_a_rejected_token_is_replaced_once_however_many_requests_carried_it(shell: Shell) -> None:
    pairs: list[Pair] = [("app", f"con{number}") for number in range(20)]
    with ContractServer(pairs).serving() as server:

        def revoke_on_first_post(request: Request) -> Response | None:
            if request.path.endswith("/pause") and len(server.token_requests()) == 1:
                server.access_token = "another-token-than-before"
            return None

        server.hook = revoke_on_first_post
        job = shell.job(pairs)

        done = shell.run("run", job, "--concurrency", "10", "--report", "out.json", env=server.environment())

        assert (done.code, done.stderr) == (0, "")
        assert len(server.token_requests()) == 2
        assert len(server.paused()) == 20
        assert shell.report()["counts"]["changed"] == 20
