"""What listings show, and how they can mislead."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runner.sandbox import Connector, demo_population
from tests.unit.sandbox.support import EPOCH, PAIR, PAUSE, Client, serving

pytestmark = pytest.mark.anyio

CONNECTORS = "/api/v1/apps/app-1/connectors"
CONNECTOR = PAUSE.removesuffix("/pause")


async def page(client: Client, path: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((await client.send("GET", path))[2])
    return found


async def ids(client: Client, path: str = CONNECTORS) -> list[str]:
    return [row["connector"]["id"] for row in (await page(client, path))["list"] or ()]


@pytest.mark.parametrize(
    ("faults", "listed", "status"),
    [
        ("", ["connector-2"], 200),
        ("deleted=left-out", ["connector-2"], 200),
        ("deleted=listed", ["connector-1", "connector-2"], 200),
        ("deleted=gone", ["connector-2"], 404),
    ],
)
async def test_a_deleted_connector_is_left_out_of_listings_while_a_read_of_it_says_since_when(
    faults: str, listed: list[str], status: int
) -> None:
    async with serving(faults) as client:
        client.server.tenant.delete(*PAIR)
        assert await ids(client) == listed
        given, _, text = await client.send("GET", CONNECTOR)
        assert given == status
        assert status != 200 or json.loads(text)["connectorView"]["connector"]["deletedAt"]
        assert (await client.send("POST", PAUSE))[0] == 404


async def test_a_page_can_hold_nothing_and_still_have_a_next_one() -> None:
    async with serving() as client:
        tenant = client.server.tenant
        tenant.population = population = demo_population(EPOCH)
        population.add(Connector("2aAwsOrg", "2bLast", "The last"))
        for number in range(10, -1, -1):
            population.add(Connector("2aAwsOrg", f"2bMore{number}", "One more"))
        for connector in list(population.connectors("2aAwsOrg"))[:10]:
            tenant.delete("2aAwsOrg", connector.id)
        body = await page(client, "/api/v1/apps/2aAwsOrg/connectors?page_size=10")
        assert (body["list"], bool(body["nextPageToken"])) == (None, True)


@pytest.mark.parametrize(("endless", "rows"), [("empty", 0), ("again", 2)])
async def test_an_endless_listing_always_has_a_next_page(endless: str, rows: int) -> None:
    async with serving(f"endless={endless}") as client:
        body = await page(client, CONNECTORS)
        for _ in range(20):
            body = await page(client, f"{CONNECTORS}?page_token={body['nextPageToken']}")
            assert body["nextPageToken"]
            assert len(body["list"] or ()) == rows
        assert (await page(client, "/api/v1/apps"))["nextPageToken"]


async def test_the_rows_beyond_a_pages_size_can_be_chosen() -> None:
    async with serving("overshoot=4") as client:
        client.server.tenant.population = demo_population(EPOCH)
        apps = await page(client, "/api/v1/apps?page_size=10")
        assert len(apps["list"]) == 9
        assert client.server.tenant.behaviour.overshoot == 4


async def test_an_apps_mcp_servers_go_by_the_ids_of_connectors() -> None:
    async with serving() as client:
        client.server.tenant.population = demo_population(EPOCH)
        rows = (await page(client, "/api/v1/apps/2aAwsOrg/mcp_servers"))["list"]
        assert [row["mcpServer"]["connectorId"] for row in rows] == [row["mcpServer"]["id"] for row in rows]
        (server,) = (row["mcpServer"] for row in rows)
        assert server["appId"] == "2aAwsOrg"
        assert server["id"] in await ids(client, "/api/v1/apps/2aAwsOrg/connectors")
        assert (await client.send("POST", f"/api/v1/apps/2aAwsOrg/connectors/{server['id']}/pause"))[0] == 200
        assert await page(client, "/api/v1/apps/2aPayroll/mcp_servers") == {"list": None, "nextPageToken": ""}


async def test_mcp_servers_can_stand_apart_from_the_connectors() -> None:
    async with serving("mcp=apart") as client:
        client.server.tenant.population = demo_population(EPOCH)
        (server,) = (await page(client, "/api/v1/apps/2aAwsOrg/mcp_servers"))["list"]
        assert server["mcpServer"]["id"] not in await ids(client, "/api/v1/apps/2aAwsOrg/connectors")
        client.server.tenant.delete("2aAwsOrg", server["mcpServer"]["id"])
        assert (await page(client, "/api/v1/apps/2aAwsOrg/mcp_servers"))["list"] is None


async def test_connectors_have_owners_where_that_is_asked_for() -> None:
    async with serving() as client:
        assert (await page(client, CONNECTOR))["connectorView"]["connector"]["userIds"] is None
    async with serving("owners=2") as client:
        owners = (await page(client, CONNECTOR))["connectorView"]["connector"]["userIds"]
        assert len(set(owners)) == 2
