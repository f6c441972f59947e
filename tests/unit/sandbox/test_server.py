from __future__ import annotations

import asyncio
import json
import ssl
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme

from runner.sandbox import (
    Faults,
    Generated,
    Oracle,
    SandboxServer,
    Tenant,
    demo_population,
    environment,
    of_pairs,
    serve,
)
from tests.unit.sandbox.support import EPOCH, PAIR, PAUSE, Client, serving

pytestmark = pytest.mark.anyio

CONNECTOR = PAUSE.removesuffix("/pause")
# The published contract's field names, copied from the OpenAPI document on purpose.
CONNECTOR_FIELDS = {
    "appId",
    "canResumeSync",
    "catalogId",
    "config",
    "configUpdatedAt",
    "connectorApiVersion",
    "connectorSyncCronSchedule",
    "createdAt",
    "deletedAt",
    "description",
    "disableCheckBadSync",
    "displayName",
    "downloadUrl",
    "id",
    "oauthAuthorizedAs",
    "parallelSyncWorkerCount",
    "profileAllowList",
    "profileIgnoreList",
    "status",
    "syncConfig",
    "syncDisabledAt",
    "syncDisabledCategory",
    "syncDisabledReason",
    "updatedAt",
    "userIds",
}


async def test_a_client_with_only_the_environment_can_log_in_and_pause() -> None:
    async with serving() as client:
        values = environment(client.server)
        form = {
            "grant_type": "client_credentials",
            "client_id": values["CONDUCTORONE_CLIENT_ID"],
            "client_secret": values["CONDUCTORONE_CLIENT_SECRET"],
        }
        async with client.session.post(f"{values['CONDUCTORONE_SERVER_URL']}/auth/v1/token", data=form) as reply:
            client.token = (await reply.json())["access_token"]
        assert (await client.send("POST", PAUSE, json={}))[::2] == (200, "{}")
        assert client.server.tenant.state(*PAIR).pause is not None


async def test_the_body_of_a_mutation_is_optional_but_must_be_an_object() -> None:
    async with serving() as client:
        assert (await client.send("POST", PAUSE))[0] == 200
        assert (await client.send("POST", PAUSE, data=b"[1]"))[0] == 400
        assert (await client.send("POST", PAUSE, data=b"{"))[0] == 400
        assert len(client.server.oracle.events) == 1


async def test_a_connector_has_every_published_field_and_shows_the_pause() -> None:
    async with serving() as client:
        before = json.loads((await client.send("GET", CONNECTOR))[2])["connectorView"]
        assert set(before) == {"connector", "appPath", "capabilitiesPath", "usersPath"}
        assert set(before["connector"]) == CONNECTOR_FIELDS
        assert before["connector"]["syncDisabledAt"] is None
        await client.send("POST", PAUSE)
        after = json.loads((await client.send("GET", CONNECTOR))[2])["connectorView"]["connector"]
        assert after["syncDisabledAt"] == client.server.oracle.events[0].mark
        assert after["status"]["status"] == "SYNC_STATUS_UNSPECIFIED"  # never synced, and still paused


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/v1/apps/nope", 404, 5),
        ("GET", "/api/v1/apps/nope/connectors", 404, 5),
        ("POST", "/api/v1/apps/app-1/connectors/nope/pause", 404, 5),
        ("GET", "/api/v1/nothing", 404, 5),
        ("GET", PAUSE, 501, 12),
        ("DELETE", "/api/v1/apps", 501, 12),
        ("GET", "/api/v1/apps?page_token=bad", 400, 3),
        ("GET", "/api/v1/apps?page_size=many", 400, 3),
        ("GET", "/api/v1/apps?page_size=101", 400, 3),
        ("GET", "/api/v1/apps/nope/mcp_servers", 404, 5),
    ],
)
async def test_errors_have_the_gateways_shape_and_carry_the_request_id(
    method: str, path: str, status: int, code: int
) -> None:
    async with serving() as client:
        given, response, text = await client.send(method, path)
        body = json.loads(text)
        assert (given, body["code"], body["details"]) == (status, code, [])
        assert response.headers["X-Request-Id"] in body["message"]


async def test_without_a_living_token_nothing_is_said_or_done() -> None:
    async with serving() as client:
        client.server.desk.revoke_all()
        status, _, text = await client.send("POST", PAUSE)
        assert (status, json.loads(text)["code"]) == (401, 16)
        assert client.server.oracle.events == []


async def test_a_read_only_client_may_look_but_not_pause() -> None:
    async with serving() as client:
        client.token = client.server.desk.mint(client.server.desk.reader)
        assert (await client.send("GET", CONNECTOR))[0] == 200
        status, _, text = await client.send("POST", PAUSE)
        assert (status, json.loads(text)["code"]) == (403, 7)
        missing = "permission/c1.api.app.v1.ConnectorService.PauseSync"
        assert f"missing {missing} (request-id: " in json.loads(text)["message"]
        assert missing not in (await client.send("GET", "/api/v1/auth/introspect"))[2]
        client.token = client.server.desk.mint(client.server.desk.plain)
        assert missing in (await client.send("GET", "/api/v1/auth/introspect"))[2]


async def test_an_empty_segment_is_redirected_to_the_collection_and_applies_nothing() -> None:
    async with serving() as client:
        status, response, _ = await client.send("POST", "/api/v1/apps/app-1/connectors//pause")
        assert (status, response.headers["Location"]) == (301, "/api/v1/apps/app-1/connectors")
        assert client.server.oracle.events == []


async def test_a_path_outside_the_api_shows_a_web_page() -> None:
    async with serving() as client:
        status, response, text = await client.send("POST", "/v1/apps/a/connectors/c/pause")
        assert (status, response.content_type) == (200, "text/html")
        assert text.startswith("<!doctype html>")


async def _walk(client: Client, path: str, size: int) -> list[list[Any]]:
    pages: list[list[Any]] = []
    token = ""
    while True:
        text = (await client.send("GET", f"{path}?page_size={size}&page_token={token}"))[2]
        body = json.loads(text)
        pages.append(body["list"])
        token = body["nextPageToken"]
        if not token:
            return pages


async def test_listings_are_paged_and_pages_may_overshoot() -> None:
    async with serving(overshoot=2) as client:
        client.server.tenant.population = Generated(60, 400)
        pages = await _walk(client, "/api/v1/apps", 1)
        assert [len(page) for page in pages] == [12] * 5
        last = client.server.tenant.apps()[-1]
        rows = await _walk(client, f"/api/v1/apps/{last.id}/connectors", 100)
        assert sum(map(len, rows)) == len(client.server.tenant.connectors(last.id))


@pytest.mark.parametrize(("null_lists", "empty"), [(True, None), (False, [])])
async def test_an_empty_list_is_null_unless_asked_otherwise(null_lists: bool, empty: list[Any] | None) -> None:
    async with serving(null_lists=null_lists) as client:
        client.server.tenant.population = demo_population(EPOCH)
        body = json.loads((await client.send("GET", "/api/v1/apps/2aArchive/connectors"))[2])
        assert body == {"list": empty, "nextPageToken": "", "expanded": None}


async def test_apps_can_be_searched_by_name_and_id() -> None:
    async with serving() as client:
        client.server.tenant.population = demo_population(EPOCH)

        async def found(**body: Any) -> list[str]:
            text = (await client.send("POST", "/api/v1/search/apps", json=body))[2]
            return [app["id"] for app in json.loads(text)["list"] or ()]

        assert await found(displayName="SLACK") == ["2aSlackUS", "2aSlackEU"]
        assert await found(query="slack", excludeAppIds=["2aSlackUS"]) == ["2aSlackEU"]
        assert await found(appIds=["2aPayroll"]) == ["2aPayroll"]
        assert await found(onlyDirectories=True) == []
        assert len(await found()) == 9


async def test_the_oracle_counts_requests_and_how_many_were_in_flight() -> None:
    async with serving() as client:
        client.server.script("*", ["delay=50ms", "delay=50ms"])
        other = PAUSE.replace("connector-1", "connector-2")
        await asyncio.gather(client.send("POST", PAUSE), client.send("POST", other))
        await client.send("GET", CONNECTOR)
        oracle = client.server.oracle
        assert oracle.max_in_flight == 2
        assert oracle.in_flight == 0
        assert oracle.per_endpoint == {"pause": 2, "connector": 1}
        assert sorted(oracle.attempts()) == ["app-1/connector-1", "app-1/connector-2"]
        assert oracle.requests[0].client.startswith("Python/")


async def test_the_log_file_has_the_event_before_the_reply_is_out(tmp_path: Path) -> None:
    log = tmp_path / "oracle.ndjson"
    async with SandboxServer(Tenant(of_pairs([PAIR])), log=log) as server, aiohttp.ClientSession() as session:
        await Client(session, server).send("POST", PAUSE)
        records = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(record["record"], record.get("kind")) for record in records] == [
        ("event", "pause"),
        ("request", None),
    ]
    assert records[1]["status"] == 200


async def test_requests_need_not_be_kept() -> None:
    oracle = Oracle(keep_requests=False)
    tenant = Tenant(of_pairs([PAIR]), oracle=oracle)
    async with SandboxServer(tenant) as server, aiohttp.ClientSession() as session:
        await Client(session, server).send("POST", PAUSE)
    assert oracle.requests == []
    assert oracle.per_endpoint["pause"] == 1


async def test_faults_can_be_changed_while_serving_and_scripts_stay() -> None:
    async with serving("error=100%,error_status=500") as client:
        client.server.script("connector", ["status=418"])
        assert (await client.send("POST", PAUSE))[0] == 500
        client.server.change_faults(Faults(token_life=5.0, lag=2.0))
        assert (await client.send("POST", PAUSE))[0] == 200
        assert (await client.send("GET", CONNECTOR))[0] == 418
        assert client.server.desk.life == 5.0
        assert client.server.tenant.behaviour.lag == 2.0


async def test_the_tenant_can_be_served_over_tls() -> None:
    authority = trustme.CA()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with (
        SandboxServer(Tenant(of_pairs([PAIR])), tls=tls) as server,
        aiohttp.ClientSession() as session,
    ):
        assert server.url.startswith("https://127.0.0.1:")
        assert (await Client(session, server).send("POST", PAUSE, ssl=trusting))[0] == 200


async def test_serving_ends_when_it_is_cancelled() -> None:
    ready = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(Tenant(of_pairs([PAIR])), ready=ready.set_result))
    server = await ready
    assert server.url.startswith("http://127.0.0.1:")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(server.url)
