"""Every request of a run: in turn, authorized, judged, and without a secret in what is said of it."""

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import formatdate
from typing import Any

import anyio
import pytest

from runner.api.client import Client
from runner.api.turn import Tally
from runner.base.errors import ApiError, ExitCode, StoppingError
from runner.base.model import AttemptClass, OperationName, Target, Verdict
from runner.base.operations import OPERATIONS
from runner.base.policy import BARREN_PAGES, QUOTA_WAIT, LimitPolicy, RetryPolicy
from runner.base.settings import AccessToken, ClientCredentials, Settings
from runner.base.stop import Stop
from tests.unit.wire import Answer, Wire, hang_up, refusal, reply, wire
from tests.virtual_clock import EPOCH, wall

pytestmark = pytest.mark.anyio

TOKEN = "canary-4f9a.eyJzdWIiOiJ4In0.c2ln-bmF0_dXJl"
TARGET = Target("app1", "con1")
PAUSE = OPERATIONS[OperationName.PAUSE]


@asynccontextmanager
async def talking_to(
    tenant: Wire, *, stop: Stop | None = None, secret: str | None = None, **limits: Any
) -> AsyncIterator[Client]:
    """A client with a ready token, or with credentials to get one."""
    credential = AccessToken(TOKEN) if secret is None else ClientCredentials("x@acme.conductor.one/pcc", secret)
    settings = Settings(tenant.url, credential)
    retry = RetryPolicy(attempts=3)
    async with Client(settings, stop=stop or Stop(), limits=LimitPolicy(**limits), retry=retry, wall=wall) as client:
        yield client


async def act(client: Client, target: Target = TARGET) -> tuple[Verdict, Tally]:
    tally = Tally()
    return await client.act(PAUSE, target, tally), tally


def page(*ids: str, token: str = "") -> bytes:
    rows = [{"connector": {"id": connector_id, "appId": "app1"}} for connector_id in ids]
    return reply(200, json.dumps({"list": rows or None, "nextPageToken": token}).encode())


def token_reply(value: str) -> bytes:
    return reply(200, json.dumps({"access_token": value, "expires_in": 600}).encode())


# One action


@pytest.mark.parametrize("name", OperationName)
async def test_an_operation_is_one_post_to_its_endpoint(name: OperationName) -> None:
    async with wire(reply()) as tenant, talking_to(tenant) as client:
        verdict = await client.act(OPERATIONS[name], TARGET, Tally())
    assert verdict.attempt is AttemptClass.APPLIED
    assert tenant.lines() == [f"POST /api/v1/apps/app1/connectors/con1/{name}"]
    assert tenant.requests[0].endswith(b"\r\n\r\n{}")
    assert b"content-type: application/json" in tenant.requests[0].lower()


@pytest.mark.parametrize("bad", ["", "..", "a/b", "a%2Fb", "a?b", "a#b", "a b", "a\r\nX: 1", "ä", "a" * 65])
async def test_an_id_that_could_bend_the_path_never_leaves(bad: str) -> None:
    async with wire(reply()) as tenant, talking_to(tenant) as client:
        for target in (Target(bad, "con1"), Target("app1", bad)):
            with pytest.raises(ValueError, match="not an id"):
                await act(client, target)
            with pytest.raises(ValueError, match="not an id"):
                await client.connector(target)
    assert tenant.requests == []


async def test_a_lost_reply_is_a_verdict_and_is_not_sent_again_by_itself() -> None:
    async with wire(hang_up, reply()) as tenant, talking_to(tenant) as client:
        verdict, tally = await act(client)
    assert verdict.attempt is AttemptClass.AMBIGUOUS
    assert (len(tenant.requests), tally.requests, tally.retries) == (1, 1, 0)


async def test_what_is_sent_is_counted_for_the_target_and_for_the_run() -> None:
    async with wire(reply(500), reply(429, b"{}", "Retry-After: 2"), reply()) as tenant, talking_to(tenant) as client:
        tally = Tally()
        for _ in range(2):
            await client.act(PAUSE, TARGET, tally)
    assert (tally.requests, tally.retries, tally.throttled) == (3, 1, 1)
    assert (client.total.requests, client.total.retries, client.total.throttled) == (3, 1, 1)


async def test_nothing_is_sent_when_the_run_has_ended() -> None:
    stop = Stop()
    stop.request("enough", ExitCode.STOPPED)
    async with wire(reply()) as tenant, talking_to(tenant, stop=stop) as client:
        with pytest.raises(StoppingError):
            await act(client)
    assert tenant.requests == []


async def test_never_more_requests_are_in_flight_than_allowed() -> None:
    in_flight = most = 0

    async def answer(reader: object, writer: Any) -> None:
        nonlocal in_flight, most
        in_flight += 1
        most = max(most, in_flight)
        await anyio.sleep(1)
        in_flight -= 1
        writer.write(reply())

    async with wire(answer) as tenant, talking_to(tenant, concurrency=4) as client, anyio.create_task_group() as group:
        for number in range(25):
            group.start_soon(act, client, Target("app1", f"con{number}"))
    assert most == 4
    assert len(tenant.requests) == 25


# Throttling


@pytest.mark.parametrize("wait", [1, 7, 60])
async def test_a_429_is_waited_out_and_sent_again_within_the_same_attempt(wait: int) -> None:
    async with wire(reply(429, b"{}", f"Retry-After: {wait}"), reply()) as tenant, talking_to(tenant) as client:
        verdict, tally = await act(client)
        assert anyio.current_time() >= wait
    assert verdict.attempt is AttemptClass.APPLIED
    assert (tally.requests, tally.throttled, tally.retries) == (2, 1, 0)


async def test_ten_429s_in_a_row_use_up_no_attempt() -> None:
    answers = [reply(429, b"{}", "Retry-After: 1")] * 10
    async with wire(*answers, reply()) as tenant, talking_to(tenant) as client:
        verdict, tally = await act(client)
    assert verdict.attempt is AttemptClass.APPLIED
    assert (tally.requests, tally.throttled) == (11, 10)


async def test_a_wait_that_the_run_cannot_afford_ends_it_at_once() -> None:
    stop = Stop()
    async with wire(reply(429, b"{}", "Retry-After: 3600")) as tenant, talking_to(tenant, stop=stop) as client:
        with pytest.raises(StoppingError):
            await act(client)
        assert anyio.current_time() < 60
    assert stop.exit_code == ExitCode.STOPPED
    assert "3600 s" in (stop.reason or "")


async def test_a_wait_past_the_deadline_ends_the_run_at_once() -> None:
    stop = Stop()
    answer = reply(429, b"{}", "Retry-After: 120")
    async with wire(answer) as tenant, talking_to(tenant, stop=stop, deadline=60) as client:
        with pytest.raises(StoppingError):
            await act(client)
        assert anyio.current_time() < 60
    assert "deadline" in (stop.reason or "")


async def test_the_end_of_the_run_ends_the_wait_after_a_429() -> None:
    stop = Stop()

    async def end_the_run() -> None:
        await anyio.sleep(5)
        stop.request("enough", ExitCode.STOPPED)

    async with wire(reply(429, b"{}", "Retry-After: 200")) as tenant, talking_to(tenant, stop=stop) as client:
        async with anyio.create_task_group() as group:
            group.start_soon(end_the_run)
            with pytest.raises(StoppingError):
                await act(client)
        assert anyio.current_time() == pytest.approx(5)
        assert len(tenant.requests) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_wait_that_comes_with_a_servers_fault_is_bounded_as_that_of_a_429(status: int) -> None:
    stop = Stop()
    async with wire(reply(status, b"{}", "Retry-After: 99999")) as tenant, talking_to(tenant, stop=stop) as client:
        with pytest.raises((ApiError, StoppingError)):
            await client.connector(TARGET)
        assert anyio.current_time() < 60
    assert "asks to wait 86400 s" in (stop.reason or "")


async def test_a_wait_that_the_token_endpoint_asks_for_is_bounded_too() -> None:
    stop = Stop()
    answer = reply(502, b"{}", "Retry-After: 99999")
    async with wire(answer) as tenant, talking_to(tenant, stop=stop, secret="plain") as client:
        with pytest.raises((ApiError, StoppingError)):
            await client.sign_in()
        assert anyio.current_time() < 60
    assert "asks to wait 86400 s" in (stop.reason or "")


LATER = int(EPOCH) + 3600
RESETS = [
    "3600",
    f"{LATER}",
    f"{LATER}000",
    f"{LATER}000000",
    formatdate(LATER, usegmt=True),
    "9" * 18,
    "9" * 300,
    "1e400",
]


@pytest.mark.parametrize("reset", RESETS)
async def test_a_limit_that_is_said_to_be_exhausted_and_is_not_stalls_nobody(reset: str) -> None:
    headers = ("X-RateLimit-Limit: 100", "X-RateLimit-Remaining: 0", f"X-RateLimit-Reset: {reset}")
    async with wire(reply(200, b"{}", *headers)) as tenant, talking_to(tenant) as client:
        for _ in range(100):
            verdict, _ = await act(client)
            assert verdict.attempt is AttemptClass.APPLIED
        assert anyio.current_time() < 2 * QUOTA_WAIT


# Tokens


async def test_one_token_serves_many_requests() -> None:
    async with (
        wire(token_reply("t1"), reply()) as tenant,
        talking_to(tenant, secret="plain") as client,
        anyio.create_task_group() as group,
    ):
        for number in range(50):
            group.start_soon(act, client, Target("app1", f"con{number}"))
    assert sum(line == "POST /auth/v1/token" for line in tenant.lines()) == 1
    assert len(tenant.requests) == 51


async def test_a_rejected_token_is_replaced_and_the_request_sent_again_within_the_same_attempt() -> None:
    answers = (token_reply("t1"), reply(401), token_reply("t2"), reply())
    async with wire(*answers) as tenant, talking_to(tenant, secret="plain") as client:
        verdict, tally = await act(client)
    assert verdict.attempt is AttemptClass.APPLIED
    assert (tally.requests, tally.retries) == (2, 0)
    assert b"Bearer t1" in tenant.requests[1]
    assert b"Bearer t2" in tenant.requests[3]


async def test_a_dead_credential_costs_three_tokens() -> None:
    answers = [token_reply("t1"), refusal(401), token_reply("t2"), refusal(401), token_reply("t3"), refusal(401)]
    async with wire(*answers) as tenant, talking_to(tenant, secret="plain") as client:
        with pytest.raises(StoppingError, match="refuses even fresh tokens"):
            await act(client)
        assert client._stop.exit_code == ExitCode.ACCESS  # the run ends, not this request alone
    assert len(tenant.requests) == 6


BLOCKED = reply(401, b"<html>sign in to the proxy</html>", kind="text/html")


async def test_a_gateway_that_refuses_every_token_is_named_as_what_it_is() -> None:
    answers = [token_reply("t1"), BLOCKED, token_reply("t2"), BLOCKED, token_reply("t3"), BLOCKED]
    async with wire(*answers) as tenant, talking_to(tenant, secret="plain") as client:
        with pytest.raises(
            StoppingError, match=r"not C1's API: HTTP 401 \(text/html\): something before C1"
        ) as refused:
            await act(client)
    assert "revoked" not in str(refused.value)


async def test_a_gateway_that_refuses_a_ready_token_is_named_as_what_it_is() -> None:
    async with wire(BLOCKED) as tenant, talking_to(tenant) as client:
        with pytest.raises(StoppingError, match=r"not C1's API: HTTP 401 \(text/html\)"):
            await act(client)


async def test_a_gateways_404_is_tried_again_and_c1s_is_not() -> None:
    away = reply(404, b"default backend - 404", kind="text/plain")
    async with wire(away, page("con1")) as tenant, talking_to(tenant) as client:
        assert len([found async for found in client.connectors("app1")]) == 1
    async with wire(refusal(404)) as tenant, talking_to(tenant) as client:
        with pytest.raises(ApiError) as raised:
            await client.connector(TARGET)
    assert raised.value.verdict.missing
    assert len(tenant.requests) == 1


async def test_a_ready_token_that_is_refused_is_not_tried_again() -> None:
    async with wire(refusal(401)) as tenant, talking_to(tenant) as client:
        with pytest.raises(StoppingError, match="refuses CONDUCTORONE_ACCESS_TOKEN"):
            await act(client)
    assert len(tenant.requests) == 1


# Secrets


@pytest.mark.parametrize("status", [200, 302, 400, 404, 500])
@pytest.mark.parametrize("before", [0, 250, 290, 299])
@pytest.mark.parametrize("kind", ["text/html", "application/json"])
async def test_a_tenant_that_echoes_the_token_gets_it_into_no_message(
    status: int, before: int, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    echo = "x" * before + f" Authorization: Bearer {TOKEN}"
    body = json.dumps({"code": 3, "message": echo}) if kind == "application/json" else f"<html>{echo}</html>"
    headers = (f"Location: https://sso.example/?was={TOKEN}", f"X-Request-Id: {TOKEN}")
    async with wire(reply(status, body.encode(), *headers, kind=kind)) as tenant, talking_to(tenant) as client:
        verdict, _ = await act(client)
    for shown in (verdict.message, verdict.request_id or "", repr(verdict), caplog.text):
        assert "canary" not in shown


async def test_an_empty_object_with_the_token_in_its_headers_gets_it_into_no_message() -> None:
    headers = (f"Location: https://sso.example/?was={TOKEN}", f"X-Request-Id: {TOKEN}")
    async with wire(reply(302, b"{}", *headers)) as tenant, talking_to(tenant) as client:
        verdict, _ = await act(client)
    assert "canary" not in repr(verdict)


# Reads


async def test_a_connector_is_read() -> None:
    body = {"connectorView": {"connector": {"id": "con1", "appId": "app1", "displayName": "Okta"}}}
    async with wire(reply(200, json.dumps(body).encode())) as tenant, talking_to(tenant) as client:
        found = await client.connector(TARGET)
    assert (found.connector_id, found.name) == ("con1", "Okta")
    assert tenant.lines() == ["GET /api/v1/apps/app1/connectors/con1"]


@pytest.mark.parametrize(
    "body", [{}, {"connectorView": None}, {"connectorView": []}, {"connectorView": {"connector": 5}}]
)
async def test_an_answer_without_a_connector_is_an_error(body: dict[str, object]) -> None:
    async with wire(reply(200, json.dumps(body).encode())) as tenant, talking_to(tenant) as client:
        with pytest.raises(ApiError, match="holds no connector"):
            await client.connector(TARGET)


async def test_a_missing_connector_is_an_error_with_its_status() -> None:
    async with wire(refusal(404)) as tenant, talking_to(tenant) as client:
        with pytest.raises(ApiError) as raised:
            await client.connector(TARGET)
    assert raised.value.verdict.status == 404
    assert len(tenant.requests) == 1


@pytest.mark.parametrize(
    "trouble", [reply(500), reply(200, b"<html>", kind="text/html"), hang_up], ids=["500", "HTML", "hung up"]
)
async def test_a_read_is_tried_again(trouble: Any) -> None:
    async with wire(trouble, trouble, page("con1")) as tenant, talking_to(tenant) as client:
        pages = [found async for found in client.connectors("app1")]
    assert [connector.connector_id for connector in pages[0].connectors] == ["con1"]
    assert len(tenant.requests) == 3


async def test_pages_are_read_to_the_last_even_when_one_is_empty() -> None:
    answers = (page("con1", "con2", token="p2"), page(token="p3"), page("con3"))
    async with wire(*answers) as tenant, talking_to(tenant) as client:
        pages = [found async for found in client.connectors("app1")]
    assert [[connector.connector_id for connector in found.connectors] for found in pages] == [
        ["con1", "con2"],
        [],
        ["con3"],
    ]
    assert [found.more for found in pages] == [True, True, False]
    assert tenant.lines() == [
        "GET /api/v1/apps/app1/connectors?page_size=100",
        "GET /api/v1/apps/app1/connectors?page_size=100&page_token=p2",
        "GET /api/v1/apps/app1/connectors?page_size=100&page_token=p3",
    ]


async def test_a_page_token_is_quoted() -> None:
    async with wire(page(token="a&b=c d/+"), page()) as tenant, talking_to(tenant) as client:
        async for _ in client.connectors("app1"):
            pass
    assert tenant.lines()[1].endswith("?page_size=100&page_token=a%26b%3Dc+d/%2B")


async def test_a_listing_that_goes_round_in_circles_ends() -> None:
    async with wire(page("con1", token="again")) as tenant, talking_to(tenant) as client:
        with pytest.raises(ApiError, match="circles"):
            async for _ in client.connectors("app1"):
                pass
    assert len(tenant.requests) == 2


@pytest.mark.parametrize("body", [{"list": None}, {"list": []}, {"list": [], "nextPageToken": ""}, {}], ids=json.dumps)
async def test_an_empty_listing_holds_nothing(body: dict[str, object]) -> None:
    async with wire(reply(200, json.dumps(body).encode())) as tenant, talking_to(tenant) as client:
        assert [found.connectors async for found in client.connectors("app1")] == [[]]
        assert [apps async for apps in client.apps()] == [[]]


@pytest.mark.parametrize(
    "body",
    [
        {"list": {}},
        {"list": "text"},
        {"list": 5},
        {"list": False},
        {"list": [None]},
        {"list": [None, 5, "x", []]},
        {"list": [], "nextPageToken": 5},
        {"list": [], "nextPageToken": ["p2"]},
    ],
    ids=json.dumps,
)
async def test_what_is_no_listing_is_not_taken_for_an_empty_one(body: dict[str, object]) -> None:
    async with wire(reply(200, json.dumps(body).encode())) as tenant, talking_to(tenant) as client:
        with pytest.raises(ApiError, match=r"list|nextPageToken"):
            await listed(client)
        with pytest.raises(ApiError, match=r"list|nextPageToken"):
            async for _ in client.apps():
                pass


async def test_an_empty_object_in_the_place_of_a_page_is_asked_for_once_more() -> None:
    async with wire(reply(), page("con1")) as tenant, talking_to(tenant) as client:
        assert await listed(client) == ["con1"]
    assert tenant.connections == 2  # what came on the first may have been meant for another request


async def test_a_listing_that_never_ends_is_an_error_after_some_pages_without_news() -> None:
    number = 0

    async def another(reader: object, writer: Any) -> None:
        nonlocal number
        number += 1
        writer.write(page("con1", token=f"p{number}"))

    async with wire(another) as tenant, talking_to(tenant) as client:
        with pytest.raises(ApiError, match="does not end"):
            await listed(client)
    assert len(tenant.requests) == 1 + BARREN_PAGES


# Replies about something else


def view(connector_id: str = "con1", **fields: object) -> bytes:
    return reply(200, json.dumps({"connectorView": {"connector": {"id": connector_id} | fields}}).encode())


async def listed(client: Client, app_id: str = "app1") -> list[str]:
    return [row.connector_id async for found in client.connectors(app_id) for row in found.connectors]


OTHERS = {"another connector": view("con2", appId="app1"), "another app": view("con1", appId="app2")}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
async def test_an_answer_about_another_connector_is_not_believed(other: Answer) -> None:
    async with wire(other) as tenant, talking_to(tenant) as client:
        with pytest.raises(ApiError, match="the answer is about another connector") as raised:
            await client.connector(TARGET)
    assert raised.value.verdict.attempt is AttemptClass.AMBIGUOUS
    assert len(tenant.requests) == tenant.connections == 3


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
async def test_a_read_goes_on_over_another_connection_after_an_answer_about_another_connector(other: Answer) -> None:
    async with wire(other, view("con1", appId="app1", displayName="Okta")) as tenant, talking_to(tenant) as client:
        assert (await client.connector(TARGET)).name == "Okta"
    assert tenant.connections == 2


@pytest.mark.parametrize("fields", [{}, {"appId": None}, {"appId": ""}, {"appId": "app1"}], ids=json.dumps)
async def test_an_answer_that_does_not_name_its_app_is_believed(fields: dict[str, object]) -> None:
    async with wire(view("con1", **fields)) as tenant, talking_to(tenant) as client:
        assert (await client.connector(TARGET)).connector_id == "con1"


async def test_a_page_about_another_app_is_not_believed() -> None:
    async with wire(page("con1")) as tenant, talking_to(tenant) as client:
        with pytest.raises(ApiError, match="the answer is about another app"):
            await listed(client, "app2")
        assert await listed(client, "app1") == ["con1"]


@pytest.mark.parametrize("answer", [view(), page("con1"), page()], ids=["a connector", "a page", "an empty page"])
async def test_the_answer_to_a_read_is_no_success_of_an_action(answer: Answer) -> None:
    async with wire(answer) as tenant, talking_to(tenant) as client:
        verdict, _ = await act(client)
    assert (verdict.attempt, verdict.retryable) == (AttemptClass.AMBIGUOUS, True)


# Connections that end


async def test_after_a_dropped_connection_a_target_gets_connections_of_its_own() -> None:
    async with wire(hang_up, reply()) as tenant, talking_to(tenant) as client:
        tally = Tally()
        assert (await client.act(PAUSE, TARGET, tally)).disconnected
        await act(client, Target("app1", "con2"))  # the pool has one again, as from this target's own read
        assert tenant.connections == 2
        assert (await client.act(PAUSE, TARGET, tally)).attempt is AttemptClass.APPLIED
        assert tenant.connections == 3
    assert b"connection: close" in tenant.requests[-1].lower()


# The tenant's time


async def test_every_reply_tells_the_tenants_time_the_token_endpoints_too() -> None:
    class Learned:
        def __init__(self) -> None:
            self.replies: list[tuple[float, float, str]] = []

        def learn(self, sent_at: float, received_at: float, headers: Any) -> None:
            self.replies.append((sent_at, received_at, headers["date"]))

    async def after_a_second(reader: object, writer: Any) -> None:
        await anyio.sleep(1)
        writer.write(reply(404, b"{}", "Date: there"))

    token = reply(200, b'{"access_token": "t1", "expires_in": 600}', "Date: here")
    async with wire(token, after_a_second) as tenant, talking_to(tenant, secret="plain") as client:
        learned = Learned()
        client.tenant_time = learned  # type: ignore[assignment]
        await act(client)
    assert [(round(received - sent), date) for sent, received, date in learned.replies] == [(0, "here"), (1, "there")]
