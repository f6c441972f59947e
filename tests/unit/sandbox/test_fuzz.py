"""Junk to every endpoint: refused in the API's own words, never a failure of the server."""

from __future__ import annotations

import asyncio
import json
from base64 import urlsafe_b64encode
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runner.sandbox import TokenDesk, demo_population
from runner.sandbox.api import Api
from runner.sandbox.grants import ASSERTION_TYPE, EXCHANGE, JWT_TYPE
from runner.sandbox.replies import Call, Reply
from runner.sandbox.routes import find
from runner.sandbox.tenant import Tenant
from tests.unit.sandbox.support import EPOCH, FakeClock, serving

FORM = "application/x-www-form-urlencoded"
SEARCH = "/api/v1/search/apps"
DEEP = 200_000

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(10**400) | st.just("2aSlackUS")
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)
fields = st.sampled_from(
    ["appIds", "excludeAppIds", "displayName", "query", "onlyDirectories", "pageSize", "pageToken", "policyRefs", "x"]
)
bodies = (
    st.binary()
    | st.builds(lambda body: json.dumps(body).encode(), st.dictionaries(fields, values) | values)
    | st.sampled_from(
        [b"[" * DEEP, b'{"appIds":' + b"[" * DEEP + b"]" * DEEP + b"}", b'{"pageSize":' + b"9" * 9999 + b"}"]
    )
)
ids = st.sampled_from(["2aSlackUS", "2bSlack", "2aHRcore"]) | st.text().map(quote) | st.text()
paths = (
    st.sampled_from(["/api/v1/auth/introspect", "/api/v1/apps", SEARCH, "/auth/v1/token"])
    | st.builds("/api/v1/apps/{}".format, ids)
    | st.builds("/api/v1/apps/{}/{}".format, ids, st.sampled_from(["connectors", "mcp_servers", "x"]))
    | st.builds("/api/v1/apps/{}/connectors/{}".format, ids, ids)
    | st.builds(
        "/api/v1/apps/{}/connectors/{}/{}".format, ids, ids, st.sampled_from(["pause", "resume", "force_sync", "x"])
    )
)
numbers = st.integers().map(str) | st.floats().map(str) | st.text() | st.sampled_from(["9" * 9999, "1e999", "٣", "-0"])
queries = st.text() | st.builds(
    lambda size, token: urlencode({"page_size": size, "page_token": token}), numbers, st.text()
)


class Desk:
    """The API over the demo tenant, and what a client of it sends."""

    def __init__(self) -> None:
        clock = FakeClock()
        self.desk = TokenDesk(clock=clock)
        self.api = Api(Tenant(demo_population(EPOCH), clock=clock), self.desk)
        self.headers = {"Authorization": f"Bearer {self.desk.mint(self.desk.signer)}"}

    def send(self, method: str, path: str, query: str = "", body: bytes = b"") -> Reply:
        return self.api.answer(Call(method, path, query, self.headers, body, "id"), find(path))

    def form(self, **form: str) -> Reply:
        headers = {"Content-Type": FORM, "Host": "127.0.0.1"}
        return self.api.answer(
            Call("POST", "/auth/v1/token", "", headers, urlencode(form).encode()), find("/auth/v1/token")
        )


def refused_properly(reply: Reply) -> None:
    """Whatever is not taken is refused with the gateway's JSON, or the token endpoint's."""
    assert reply.status in (200, 301, 400, 401, 403, 404, 405, 501)
    if reply.status >= 400 and reply.content_type == "application/json":
        assert {"code", "message", "details"} == set(json.loads(reply.body)) or "error" in json.loads(reply.body)


@given(st.sampled_from(["GET", "POST", "PUT", "DELETE"]), paths, queries, bodies)
def test_no_request_makes_the_server_fail(method: str, path: str, query: str, body: bytes) -> None:
    refused_properly(Desk().send(method, path, query, body))


@given(bodies)
@example(b'{"pageSize": 1e999}')
@example(b'{"pageSize": NaN}')
@example(b'{"pageToken": "AAAA"}')
def test_whatever_is_searched_for_is_found_or_refused_with_400(body: bytes) -> None:
    reply = Desk().send("POST", SEARCH, "", body)
    assert reply.status in (200, 400)
    refused_properly(reply)


@pytest.mark.parametrize(
    "body",
    [
        {"appIds": "2aSlackUS"},
        {"appIds": [1]},
        {"appIds": {"a": 1}},
        {"excludeAppIds": [["2aSlackUS"]]},
        {"displayName": 5},
        {"query": ["slack"]},
        {"onlyDirectories": "yes"},
        {"pageSize": "10"},
        {"pageSize": True},
        {"pageSize": 10.5},
        {"pageSize": 101},
        {"pageSize": 10**400},
        {"pageToken": 0},
        {"policyRefs": ["p"]},
        {"policyRefs": {}},
    ],
    ids=lambda body: str(body)[:40],
)
def test_a_search_field_of_a_wrong_type_is_refused_by_name(body: dict[str, Any]) -> None:
    reply = Desk().send("POST", SEARCH, "", json.dumps(body).encode())
    error = json.loads(reply.body)
    assert (reply.status, error["code"], error["details"]) == (400, 3, [])
    assert next(iter(body)).lower()[:4] in error["message"].lower()


@pytest.mark.parametrize("body", [{}, {"appIds": None, "pageSize": None}, {"pageSize": 10.0}, {"unknown": [[]]}])
def test_a_search_field_that_is_null_or_unknown_is_none_at_all(body: dict[str, Any]) -> None:
    assert len(json.loads(Desk().send("POST", SEARCH, "", json.dumps(body).encode()).body)["list"]) == 9


words = st.text() | st.builds(lambda raw: urlsafe_b64encode(raw).decode().rstrip("="), st.binary())
encoded = values.map(lambda value: urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("="))
headers = st.sampled_from(["eyJhbGciOiJFZERTQSJ9", "eyJhbGciOiJIUzI1NiJ9", "eyJhbGciOiJub25lIn0"])
jwts = words | st.builds("{}.{}.{}".format, headers | encoded, encoded | words, words)


@given(jwts)
@example("eyJhbGciOiJFZERTQSJ9." + urlsafe_b64encode(b"[" * DEEP).decode() + ".x")
def test_no_assertion_and_no_subject_token_makes_the_token_endpoint_fail(text: str) -> None:
    desk = Desk()
    text = text.encode("utf-8", "replace").decode()
    assertion = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE, "client_assertion": text}
    refused_properly(desk.form(client_id=desk.desk.signer.client_id, **assertion))
    exchange = {"grant_type": EXCHANGE, "subject_token": text, "subject_token_type": JWT_TYPE}
    refused_properly(desk.form(client_id=desk.desk.federated.client_id, **exchange))


@pytest.mark.parametrize(
    "line",
    [
        b"GET /api/v1/apps/\xff\xfe HTTP/1.1",
        b"GET /api/v1/apps?page_size=\xff HTTP/1.1",
        b"GET /api/v1/apps/%FF%00/connectors HTTP/1.1",
        b"GET /api/v1/apps?" + b"page_token=a&" * 400 + b" HTTP/1.1",
    ],
    ids=["path", "query", "escaped", "repeated"],
)
def test_bytes_that_are_no_text_are_answered_too(line: bytes) -> None:
    async def status() -> int:
        async with serving() as client:
            reader, writer = await asyncio.open_connection("127.0.0.1", int(client.server.url.rpartition(":")[2]))
            writer.write(line + f"\r\nHost: x\r\nAuthorization: Bearer {client.token}\r\n\r\n".encode())
            first = await reader.readline()
            writer.close()
            return int(first.split()[1])

    assert asyncio.run(status()) in (200, 400, 404)
