"""From a job to planned targets: each app is listed once, and nothing is left hanging."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from runner.api.client import Client
from runner.api.turn import Tally
from runner.base.errors import ExitCode
from runner.base.model import OperationName, Planned, Target
from runner.base.operations import OPERATIONS
from runner.base.settings import AccessToken, Settings, from_environment
from runner.base.stop import Stop
from runner.engine.pool import as_listed, work_through
from runner.planning.states import with_state
from runner.sandbox import SandboxServer, Tenant, environment, of_pairs
from tests.unit.wire import hang_up, reply, wire
from tests.virtual_clock import wall

pytestmark = pytest.mark.anyio


def plan(*pairs: tuple[str, str]) -> list[Planned]:
    return [Planned(seq, Target(*pair), connector_name="label") for seq, pair in enumerate(pairs)]


@asynccontextmanager
async def client_of(settings: Settings, stop: Stop) -> AsyncIterator[Client]:
    async with Client(settings, stop=stop, wall=wall) as client:
        yield client


@asynccontextmanager
async def tenant_of(*pairs: tuple[str, str], stop: Stop | None = None) -> AsyncIterator[tuple[SandboxServer, Client]]:
    async with (
        SandboxServer(Tenant(of_pairs(list(pairs)), clock=wall)) as server,
        client_of(from_environment(environment(server)), stop or Stop()) as client,
    ):
        yield server, client


async def handed_over(feed: Any, *, workers: int = 4, stop: Stop | None = None) -> list[Planned]:
    got: list[Planned] = []

    async def take(planned: Planned) -> None:
        got.append(planned)
        await anyio.sleep(1)

    await work_through(feed, take, workers=workers, stop=stop or Stop())
    return sorted(got)


def listings(server: SandboxServer) -> list[str]:
    return [request.path for request in server.oracle.requests if request.method == "GET"]


async def test_as_listed_nothing_is_asked_and_nothing_is_known() -> None:
    targets = plan(("app1", "con1"), ("app2", "con1"))

    assert await handed_over(as_listed(targets)) == targets


async def test_each_app_is_listed_once_and_every_state_is_known() -> None:
    pairs = [(f"app{number // 5}", f"con{number}") for number in range(30)]
    async with tenant_of(*pairs) as (server, client):
        got = await handed_over(with_state(plan(*pairs), client, concurrency=4, stop=Stop()))

    assert [planned.target for planned in got] == [Target(*pair) for pair in pairs]
    assert all(planned.before is not None and not planned.before.paused for planned in got)
    assert len(listings(server)) == 6


async def test_the_same_connector_id_in_two_apps_is_two_targets() -> None:
    pairs = [("app1", "con1"), ("app2", "con1")]
    async with tenant_of(*pairs) as (_, client):
        await client.act(OPERATIONS[OperationName.PAUSE], Target("app2", "con1"), Tally())
        got = await handed_over(with_state(plan(*pairs), client, concurrency=4, stop=Stop()))

    assert [(planned.target.app_id, planned.before and planned.before.paused) for planned in got] == [
        ("app1", False),
        ("app2", True),
    ]


async def test_what_the_tenant_does_not_list_is_handed_over_all_the_same() -> None:
    async with tenant_of(("app1", "con1")) as (_, client):
        got = await handed_over(
            with_state(plan(("app1", "con1"), ("app1", "gone"), ("app9", "con9")), client, concurrency=4, stop=Stop())
        )
    known, gone, elsewhere = got

    assert known.before is not None
    assert (gone.before, gone.unread) == (None, None)
    assert elsewhere.before is None


async def test_an_app_that_cannot_be_read_holds_up_nobody() -> None:
    stop = Stop()
    async with wire(reply(500)) as tenant, client_of(Settings(tenant.url, AccessToken("t1")), stop) as client:
        got = await handed_over(with_state(plan(("app1", "con1"), ("app1", "con2")), client, concurrency=4, stop=stop))

    assert [planned.before for planned in got] == [None, None]
    assert all("HTTP 500" in (planned.unread or "") for planned in got)
    assert not stop.requested


async def test_a_target_with_an_open_intent_goes_first_and_unread() -> None:
    uncertain = Planned(1, Target("app1", "con2"), since=1_790_000_000.0)
    async with tenant_of(("app1", "con1"), ("app1", "con2")) as (_, client):
        got = await handed_over(
            with_state([*plan(("app1", "con1")), uncertain], client, concurrency=4, stop=Stop()), workers=1
        )
    assert uncertain in got


@pytest.mark.parametrize(
    "answer",
    [reply(404), reply(200, json.dumps({"list": []}).encode()), hang_up],
    ids=["404", "none listed", "hung up"],
)
@pytest.mark.parametrize("ends_after", [0.5, 1.5, 2.5])
async def test_the_end_of_the_run_leaves_no_task_and_raises_nothing(answer: Any, ends_after: float) -> None:
    """Targets that no listing shows are handed over after it: that, too, ends with the run."""
    stop, got = Stop(), []

    async def take(planned: Planned) -> None:
        got.append(planned)
        await anyio.sleep(1)

    async def end_the_run() -> None:
        await anyio.sleep(ends_after)
        stop.request("enough", ExitCode.STOPPED)

    targets = plan(*((f"app{number % 7}", f"con{number}") for number in range(200)))
    async with wire(answer) as tenant, client_of(Settings(tenant.url, AccessToken("t1")), stop) as client:
        with anyio.fail_after(600):
            async with anyio.create_task_group() as group:
                group.start_soon(end_the_run)
                await work_through(with_state(targets, client, concurrency=3, stop=stop), take, workers=3, stop=stop)
    assert len(got) <= 12


async def test_a_refused_credential_ends_the_run_with_its_code() -> None:
    stop = Stop()
    async with wire(reply(401)) as tenant, client_of(Settings(tenant.url, AccessToken("t1")), stop) as client:
        got = await handed_over(with_state(plan(("app1", "con1")), client, concurrency=4, stop=stop), stop=stop)

    assert got == []
    assert stop.exit_code == ExitCode.ACCESS


async def test_what_a_whole_listing_does_not_show_is_read_by_itself() -> None:
    """Whether a listing of connectors shows MCP servers is not published: absence there is no evidence."""
    one = json.dumps({"connectorView": {"connector": {"id": "hidden", "appId": "app1"}}}).encode()
    async with (
        wire(reply(200, b'{"list":null}'), reply(200, one)) as tenant,
        client_of(Settings(tenant.url, AccessToken("t1")), Stop()) as client,
    ):
        [got] = await handed_over(with_state(plan(("app1", "hidden")), client, concurrency=4, stop=Stop()))

    assert got.before is not None
    assert tenant.lines()[-1] == "GET /api/v1/apps/app1/connectors/hidden"


async def test_a_list_of_wrong_ids_is_not_looked_for_one_by_one() -> None:
    async with tenant_of(("app1", "con1")) as (server, client):
        pairs = [("app1", f"gone{number}") for number in range(500)]
        got = await handed_over(with_state(plan(*pairs), client, concurrency=4, stop=Stop()))

    assert len(got) == 500
    assert len(listings(server)) == 11


@pytest.mark.parametrize("body", [b"default backend - 404", b"{}"], ids=["text", "JSON of somebody else"])
async def test_a_gateways_404_is_no_evidence_that_an_app_or_a_connector_is_missing(body: bytes) -> None:
    targets, settings = plan(("app1", "con1")), AccessToken("t1")
    for answers in ([reply(404, body)], [reply(200, b'{"list":null}'), reply(404, body)]):
        async with wire(*answers) as tenant, client_of(Settings(tenant.url, settings), Stop()) as client:
            [got] = await handed_over(with_state(targets, client, concurrency=4, stop=Stop()))

        assert got.before is None
        assert "HTTP 404" in (got.unread or "")


async def test_c1s_own_404_says_that_an_app_or_a_connector_is_missing() -> None:
    own = reply(404, b'{"code":5,"message":"not found","details":[]}')
    targets, settings = plan(("app1", "con1")), AccessToken("t1")
    for answers in ([own], [reply(200, b'{"list":null}'), own]):
        async with wire(*answers) as tenant, client_of(Settings(tenant.url, settings), Stop()) as client:
            [got] = await handed_over(with_state(targets, client, concurrency=4, stop=Stop()))

        assert (got.before, got.unread) == (None, None)
