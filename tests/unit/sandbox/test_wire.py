"""Broken replies, seen from a plain aiohttp client on virtual time: hours pass, nothing waits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from email.utils import parsedate_to_datetime

import aiohttp
import jwt
import pytest

from runner.sandbox import Action, Kind
from runner.sandbox.faultwords import RANDOM
from tests.unit.sandbox.support import EPOCH, PAUSE, Client, on_virtual_time, serving

READ = PAUSE.removesuffix("/pause")


def with_client(work: Callable[[Client], Awaitable[None]], faults: str = "") -> None:
    async def run() -> None:
        async with serving(faults) as client:
            await work(client)

    on_virtual_time(run())


@pytest.mark.parametrize(("action", "events"), [("drop", 0), ("drop_after", 1), ("reset", 0), ("reset_after", 1)])
def test_a_dropped_connection_gives_no_reply_and_applies_only_when_it_says_so(action: str, events: int) -> None:
    async def work(client: Client) -> None:
        client.server.script("pause", [action])
        with pytest.raises((aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)):
            await client.send("POST", PAUSE)
        assert len(client.server.oracle.events) == events
        assert client.server.oracle.requests[-1].status == 0

    with_client(work)


def test_a_truncated_reply_ends_before_its_length() -> None:
    async def work(client: Client) -> None:
        client.server.script("pause", ["truncate"])
        with pytest.raises(aiohttp.ClientPayloadError):
            await client.send("POST", PAUSE)
        assert len(client.server.oracle.events) == 1
        assert (await client.send("POST", PAUSE))[0] == 200

    with_client(work)


@pytest.mark.parametrize(
    ("action", "status", "body", "events"),
    [
        ("html", 200, "<!doctype html>", 0),
        ("accepted", 202, "{}", 1),
        ("empty", 204, "", 1),
        ("error_object", 200, '{"error":', 0),
        ("gateway", 404, "default backend - 404", 0),
        ("forbidden", 403, "<html>", 0),
        ("gateway_after", 404, "default backend - 404", 1),
        ("status=409", 409, '{"code":10', 0),
        ("status=503,applied=yes", 503, '{"code":14', 1),
    ],
)
def test_a_scripted_reply_is_told_whatever_was_applied(action: str, status: int, body: str, events: int) -> None:
    async def work(client: Client) -> None:
        client.server.script("pause", [action])
        told, _, text = await client.send("POST", PAUSE)
        assert told == status
        assert text.startswith(body)
        assert len(client.server.oracle.events) == events
        assert (await client.send("POST", PAUSE))[0] == 200  # the connection is still good

    with_client(work)


@pytest.mark.parametrize(("action", "kind"), [("gateway", "text/plain"), ("forbidden", "text/html")])
def test_what_never_came_to_c1_has_no_request_id_of_c1s(action: str, kind: str) -> None:
    async def work(client: Client) -> None:
        client.server.script("pause", [action])
        _, response, _ = await client.send("POST", PAUSE)
        assert response.content_type == kind
        assert "X-Request-Id" not in response.headers

    with_client(work)


def test_a_duplicated_reply_is_the_same_bytes_twice() -> None:
    async def work(client: Client) -> None:
        client.server.script("connector", ["duplicate"])
        reader, writer = await asyncio.open_connection("127.0.0.1", int(client.server.url.rpartition(":")[2]))
        writer.write(f"GET {READ} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {client.token}\r\n\r\n".encode())
        await asyncio.sleep(1)
        received = await reader.read(100_000)
        half = len(received) // 2
        assert received.startswith(b"HTTP/1.1 200 OK")
        assert received[:half] == received[half:]
        writer.close()

    with_client(work)


@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        ("error", 503),
        ("error_after", 503),
        ("drop", aiohttp.ClientError),
        ("drop_after", aiohttp.ClientError),
        ("truncate", aiohttp.ClientPayloadError),
        ("duplicate", 200),
        ("html", 200),
        ("gateway", 404),
        ("forbidden", 403),
        ("accepted", 202),
        ("empty", 204),
        ("redirect", 302),
        ("tarpit", TimeoutError),
        ("bomb", 200),
        ("big_header", aiohttp.ClientResponseError),
        ("big_body", 200),
        ("expire", 401),
    ],
)
def test_every_random_fault_meets_reads_and_posts_as_asked(fault: str, seen: int | type[Exception]) -> None:
    async def work(client: Client) -> None:
        patient = aiohttp.ClientTimeout(total=30)
        for method, path in (("GET", READ), ("GET", "/api/v1/apps"), ("POST", PAUSE)):
            client.token = client.server.desk.mint(client.server.desk.signer)
            if isinstance(seen, int):
                assert (await client.send(method, path, timeout=patient))[0] == seen
                continue
            with pytest.raises(seen):
                await client.send(method, path, timeout=patient)

    assert fault in RANDOM
    with_client(work, f"{fault}=100%,error_status=503,on=post+read")


def test_another_row_than_the_one_asked_for_meets_only_reads_of_one_connector() -> None:
    async def work(client: Client) -> None:
        row = json.loads((await client.send("GET", READ))[2])["connectorView"]["connector"]
        assert (row["appId"], row["id"]) == ("app-1", "connector-2")
        assert (await client.send("POST", PAUSE))[0] == 200
        assert client.server.tenant.state("app-1", "connector-1").pause is not None
        assert len(json.loads((await client.send("GET", "/api/v1/apps/app-1/connectors"))[2])["list"]) == 2

    with_client(work, "another=100%")


@pytest.mark.parametrize(("faults", "ahead"), [("clock=+130s", 130), ("clock=-1d", -86_400), ("clock=0s", 0)])
def test_the_date_the_marks_and_the_tokens_are_in_the_tenants_own_time(faults: str, ahead: int) -> None:
    async def work(client: Client) -> None:
        _, response, _ = await client.send("POST", PAUSE)
        assert parsedate_to_datetime(response.headers["Date"]).timestamp() == EPOCH + ahead
        mark = client.server.oracle.events[0].mark
        assert mark is not None
        assert datetime.fromisoformat(mark.replace("001Z", "+00:00")).timestamp() == EPOCH + ahead
        claims = jwt.decode(client.token, options={"verify_signature": False})
        assert claims["exp"] == EPOCH + ahead + 3600

    with_client(work, faults)


def test_a_server_may_send_no_date() -> None:
    async def work(client: Client) -> None:
        assert "Date" not in (await client.send("POST", PAUSE))[1].headers

    with_client(work, "date=none")


def test_a_script_can_put_any_body_and_headers_into_a_reply() -> None:
    async def work(client: Client) -> None:
        client.server.script("pause", [Action(Kind.STATUS, 502, body=b"<h1>", headers=(("X-Odd", "1"),))])
        told, response, text = await client.send("POST", PAUSE)
        assert (told, response.headers["X-Odd"], text) == (502, "1", "<h1>")

    with_client(work)


@pytest.mark.parametrize(("faults", "status"), [("redirect=100%,redirect_status=307", 307), ("html=100%", 200)])
def test_a_random_fault_is_told_like_a_scripted_one(faults: str, status: int) -> None:
    async def work(client: Client) -> None:
        assert (await client.send("POST", PAUSE))[0] == status
        assert client.server.oracle.events == []

    with_client(work, faults)


@pytest.mark.parametrize("status", [301, 302, 307])
def test_a_redirect_points_elsewhere_and_applies_nothing(status: int) -> None:
    async def work(client: Client) -> None:
        client.server.script("pause", [f"redirect={status},location=http://else.example/"])
        told, response, _ = await client.send("POST", PAUSE)
        assert (told, response.headers["Location"]) == (status, "http://else.example/")
        assert client.server.oracle.events == []

    with_client(work)


@pytest.mark.parametrize("action", ["tarpit", "silence"])
def test_a_client_that_is_kept_waiting_runs_into_its_timeout(action: str) -> None:
    async def work(client: Client) -> None:
        client.server.script("pause", [action])
        with pytest.raises(TimeoutError):
            await client.send("POST", PAUSE, timeout=aiohttp.ClientTimeout(total=30))
        await asyncio.sleep(2)  # the server notices that the client has gone
        assert client.server.oracle.in_flight == 0

    with_client(work)


def test_a_bomb_is_small_on_the_wire_and_huge_unpacked() -> None:
    async def work(client: Client) -> None:
        client.server.script("pause", ["bomb"])
        _, response, text = await client.send("POST", PAUSE)
        assert int(response.headers["Content-Length"]) < 100_000
        assert len(text) > 50_000_000

    with_client(work)


def test_oversized_heads_and_bodies_are_sent_whole() -> None:
    async def work(client: Client) -> None:
        client.server.script("pause", ["big_body", "big_header"])
        assert len((await client.send("POST", PAUSE))[2]) > 8_000_000
        with pytest.raises(aiohttp.ClientResponseError):
            await client.send("POST", PAUSE)

    with_client(work)


def test_an_expired_token_is_dead_for_everyone_who_shares_it() -> None:
    async def work(client: Client) -> None:
        client.server.script("pause", ["expire"])
        assert (await client.send("POST", PAUSE))[0] == 401
        assert (await client.send("POST", PAUSE))[0] == 401
        client.token = client.server.desk.mint(client.server.desk.signer)
        assert (await client.send("POST", PAUSE))[0] == 200

    with_client(work)


def test_a_delayed_request_is_applied_even_when_its_client_has_left() -> None:
    async def work(client: Client) -> None:
        client.server.script("pause", ["delay=40"])
        with pytest.raises(TimeoutError):
            await client.send("POST", PAUSE, timeout=aiohttp.ClientTimeout(total=30))
        assert client.server.oracle.events == []
        await asyncio.sleep(11)
        assert [event.at - EPOCH for event in client.server.oracle.events] == [pytest.approx(40)]

    with_client(work)


def test_a_held_reply_is_applied_at_once() -> None:
    async def work(client: Client) -> None:
        client.server.script("pause", ["hold=40"])
        assert (await client.send("POST", PAUSE))[0] == 200
        assert [event.at - EPOCH for event in client.server.oracle.events] == [pytest.approx(0)]
        assert asyncio.get_running_loop().time() == pytest.approx(40)

    with_client(work)


def test_a_date_in_retry_after_belongs_to_the_replys_own_date() -> None:
    async def work(client: Client) -> None:
        await client.send("POST", PAUSE)
        told, response, _ = await client.send("POST", PAUSE)
        assert told == 429
        sent = parsedate_to_datetime(response.headers["Date"])
        back = parsedate_to_datetime(response.headers["Retry-After"])
        assert (back - sent).total_seconds() == 5
        await client.send("POST", PAUSE)
        assert [early.status for early in client.server.oracle.sent_too_early()] == [429]

    with_client(work, "limit=1/s,burst=1,retry_after=date:5s")


def test_latency_is_virtual_time_and_the_run_is_the_same_each_time() -> None:
    async def measured() -> tuple[float, list[int]]:
        async with serving("latency=1s,jitter=0.4,error=30%,seed=5") as client:
            statuses = [(await client.send("POST", PAUSE))[0] for _ in range(40)]
            return asyncio.get_running_loop().time(), statuses

    first = on_virtual_time(measured())
    assert first == on_virtual_time(measured())
    assert first[0] > 30


def test_closing_does_not_wait_for_idle_or_stuck_connections() -> None:
    async def closing_time() -> float:
        loop = asyncio.get_running_loop()
        async with serving() as client:
            client.server.script("pause", ["tarpit", "silence", "delay=1h"])
            stuck = [asyncio.create_task(client.send("POST", PAUSE)) for _ in range(3)]
            await asyncio.sleep(3)
            await client.send("GET", "/api/v1/apps")  # leaves an idle connection
            begun = loop.time()
            await client.server.__aexit__(None, None, None)
            taken = loop.time() - begun
            results = await asyncio.gather(*stuck, return_exceptions=True)
            assert all(isinstance(result, aiohttp.ClientError) for result in results)
        return taken

    assert on_virtual_time(closing_time()) < 1
