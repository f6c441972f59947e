"""The listing of an app's MCP servers, which not every tenant has."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from runner.api.client import Client
from runner.base.errors import ApiError
from runner.base.policy import RetryPolicy
from runner.base.settings import AccessToken, Settings
from runner.base.stop import Stop
from runner.planning.kinds import McpServers
from tests.unit.wire import Wire, reply, wire
from tests.virtual_clock import wall

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def talking_to(tenant: Wire, stop: Stop | None = None) -> AsyncIterator[Client]:
    settings = Settings(tenant.url, AccessToken("t1"))
    async with Client(settings, stop=stop or Stop(), retry=RetryPolicy(attempts=3), wall=wall) as client:
        yield client


def servers(*ids: str, token: str = "") -> bytes:
    rows = [{"connectorId": connector_id, "appId": "app1"} for connector_id in ids]
    return reply(200, json.dumps({"list": rows or None, "nextPageToken": token}).encode())


async def test_the_listing_of_mcp_servers_is_read_to_its_end() -> None:
    answers = servers("a", "b", token="2"), servers("b", token="3"), servers("c")
    async with wire(*answers) as tenant, talking_to(tenant) as client:
        found = await client.mcp_servers("app1")
    assert [server.connector_id for server in found] == ["a", "b", "c"]
    assert [line.partition("?")[0] for line in tenant.lines()] == ["GET /api/v1/apps/app1/mcp_servers"] * 3


async def test_a_listing_of_mcp_servers_that_brings_nothing_new_ends() -> None:
    async with wire(servers("a", token="2")) as tenant, talking_to(tenant) as client:
        with pytest.raises(ApiError, match="circles"):
            await client.mcp_servers("app1")
    assert len(tenant.requests) == 4


UNTOLD = {
    "no such listing": reply(404, b'{"code":5,"message":"Not Found"}'),
    "not allowed": reply(403, b'{"code":7,"message":"missing permission/c1.api.ai_governance.v1.MCPServerService"}'),
    "not implemented": reply(501, b'{"code":12,"message":"Method Not Allowed"}'),
    "an internal error": reply(500, b'{"code":13,"message":"internal"}'),
    "a gateway's page": reply(404, b"default backend - 404", kind="text/plain"),
    "a web page": reply(200, b"<!doctype html><p>C1", kind="text/html"),
    "a redirect": reply(302, b"", "Location: /login"),
    "JSON of somebody else": reply(200, b'{"status":"ok"}'),
    "a list that is none": reply(200, b'{"list":{}}'),
    "a row without an id": reply(200, b'{"list":[{"displayName":"Server mcp1"}]}'),
    "a listing of another app": reply(200, b'{"list":[{"connectorId":"mcp1","appId":"app9"}]}'),
}
WITHOUT_END = reply(200, b'{"list":[],"nextPageToken":"again"}')


@pytest.mark.parametrize("answer", [*UNTOLD.values(), WITHOUT_END], ids=[*UNTOLD, "a listing without an end"])
async def test_what_the_tenant_does_not_tell_is_neither_an_error_nor_zero(answer: bytes) -> None:
    async with wire(answer) as tenant, talking_to(tenant) as client:
        found = McpServers()
        assert await found.of(client, "app1") is None
        assert (found.apps, found.shown, found.hidden) == (0, 0, [])
        assert found.silent.keys() == {"app1"}
        assert found.silent["app1"]


@pytest.mark.parametrize("answer", UNTOLD.values(), ids=UNTOLD)
async def test_a_tenant_without_mcp_servers_is_asked_once_and_not_taken_to_be_down(answer: bytes) -> None:
    stop = Stop()
    async with wire(reply(200, b'{"list":[]}'), answer) as tenant, talking_to(tenant, stop=stop) as client:
        assert [apps async for apps in client.apps()] == [[]]
        for _ in range(RetryPolicy().outage_failures + RetryPolicy().alien_streak):
            with pytest.raises(ApiError):
                await client.mcp_servers("app1")
        assert not client.turns.outage
    assert len(tenant.requests) == 1 + RetryPolicy().outage_failures + RetryPolicy().alien_streak
    assert not stop.requested


async def test_a_passing_refusal_of_the_listing_of_mcp_servers_is_waited_out() -> None:
    answers = reply(503), reply(429, b"{}", "Retry-After: 1"), servers("a")
    async with wire(*answers) as tenant, talking_to(tenant) as client:
        assert len(await client.mcp_servers("app1")) == 1
