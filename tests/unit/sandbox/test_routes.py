from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.sandbox import pages
from runner.sandbox.routes import Endpoint, Route, find


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/auth/v1/token", Route(Endpoint.TOKEN)),
        ("/api/v1/auth/introspect", Route(Endpoint.INTROSPECT)),
        ("/api/v1/apps", Route(Endpoint.APPS)),
        ("/api/v1/apps/a", Route(Endpoint.APP, "a")),
        ("/api/v1/search/apps", Route(Endpoint.SEARCH_APPS)),
        ("/api/v1/apps/a/connectors", Route(Endpoint.CONNECTORS, "a")),
        ("/api/v1/apps/a/mcp_servers", Route(Endpoint.MCP_SERVERS, "a")),
        ("/api/v1/apps/a/connectors/c", Route(Endpoint.CONNECTOR, "a", "c")),
        ("/api/v1/apps/a/connectors/c/force_sync", Route(Endpoint.FORCE_SYNC, "a", "c")),
        ("/api/v1/apps/a%2Fb/connectors/c/pause", Route(Endpoint.PAUSE, "a/b", "c")),
        ("/api/v1/apps/a/connectors/c/destroy", Route(Endpoint.UNKNOWN)),
        ("/", Route(Endpoint.PAGE)),
        ("/apps/a/connectors/c/pause", Route(Endpoint.PAGE)),
        ("/api/v1/apps/", Route(Endpoint.MOVED, location="/api/v1/apps")),
        ("/api/v1/apps/a/connectors//pause", Route(Endpoint.MOVED, location="/api/v1/apps/a/connectors")),
        ("/api/v1/apps//connectors/c/pause", Route(Endpoint.MOVED, location="/api/v1/apps")),
        ("/api/v1/apps/a/../b", Route(Endpoint.MOVED, location="/api/v1/apps/b")),
    ],
)
def test_a_path_leads_to_its_endpoint(path: str, route: Route) -> None:
    assert find(path) == route


@pytest.mark.parametrize(("asked", "given_size"), [(0, 25), (1, 10), (10, 10), (99, 99), (100, 100), (-3, 10)])
def test_small_page_sizes_are_raised(asked: int, given_size: int) -> None:
    assert pages.page_size(asked) == given_size


def test_a_page_size_above_the_largest_is_refused() -> None:
    with pytest.raises(ValueError, match="more than 100"):
        pages.page_size(101)


@given(st.integers(0, 500), st.integers(0, 100), st.integers(0, 9))
def test_following_the_tokens_sees_every_row_once(rows: int, size: int, overshoot: int) -> None:
    seen: list[int] = []
    token = ""
    while True:
        start, end = pages.bounds("listing", size, token, overshoot)
        seen += range(rows)[start:end]
        if end >= rows:
            break
        token = pages.token("listing", end)
    assert seen == list(range(rows))


@pytest.mark.parametrize("token", ["x", "AAAA", "not base64!", "ümlaut", pages.token("another listing", 25)])
def test_a_foreign_or_damaged_token_is_refused(token: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        pages.bounds("listing", 10, token, 0)
