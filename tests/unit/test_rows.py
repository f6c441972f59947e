"""From the API's JSON to our values, whatever the JSON is."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runner.api import rows
from runner.base.model import Connector, ConnectorState
from runner.store.journal import state_json
from runner.store.records import state_of

FULL = {
    "connector": {
        "id": "con1",
        "appId": "app1",
        "displayName": "Okta",
        "catalogId": "cat1",
        "userIds": ["u1", "u2"],
        "syncDisabledAt": "2026-11-23T16:00:00Z",
        "syncDisabledCategory": "SYNC_DISABLED_CATEGORY_USER",
        "syncDisabledReason": "CHG-1",
        "canResumeSync": True,
        "deletedAt": None,
        "status": {
            "status": "SYNC_STATUS_DONE",
            "startedAt": "2026-11-23T15:00:00Z",
            "completedAt": "2026-11-23T15:10:00Z",
            "lastError": "none",
        },
        "somethingNew": {"a": [1]},
    },
    "expanded": [],
}


def test_a_full_row_is_read_whole() -> None:
    assert rows.connector(FULL, "app1") == Connector(
        app_id="app1",
        connector_id="con1",
        name="Okta",
        catalog_id="cat1",
        owners=("u1", "u2"),
        state=ConnectorState(
            paused_at="2026-11-23T16:00:00Z",
            status="SYNC_STATUS_DONE",
            category="SYNC_DISABLED_CATEGORY_USER",
            reason="CHG-1",
            can_resume=True,
            sync_started_at="2026-11-23T15:00:00Z",
            sync_completed_at="2026-11-23T15:10:00Z",
            last_error="none",
        ),
    )


@pytest.mark.parametrize("empty", [None, ""])
def test_empty_and_missing_fields_mean_nothing_known(empty: str | None) -> None:
    row = dict.fromkeys(FULL["connector"], empty) | {"id": "con1", "status": None}
    bare = Connector("app1", "con1", None, ConnectorState(None, None, can_resume=None))

    assert rows.connector({"connector": {"id": "con1"}}, "app1") == bare
    found = rows.connector({"connector": row | {"canResumeSync": None}}, "app1")
    assert found == bare


def test_a_connector_without_an_app_belongs_to_the_app_that_was_asked() -> None:
    found = rows.connector({"connector": {"id": "con1"}}, "asked")

    assert found is not None
    assert found.app_id == "asked"


def test_a_deleted_connector_is_marked() -> None:
    found = rows.connector({"connector": {"id": "con1", "deletedAt": "2026-11-01T00:00:00Z"}}, "app1")

    assert found is not None
    assert found.state.deleted


@pytest.mark.parametrize(
    "view", [{}, {"connector": None}, {"connector": []}, {"connector": {}}, {"connector": {"id": ""}}]
)
def test_a_row_without_a_connector_is_none(view: dict[str, Any]) -> None:
    assert rows.connector(view, "app1") is None


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
FIELDS = st.sampled_from(sorted(FULL["connector"]))
STATUS = st.dictionaries(st.sampled_from(["status", "startedAt", "completedAt", "lastError"]), ANYTHING)
ROWS = st.builds(
    lambda fields, status: fields | {"id": "con1", "status": status},
    st.dictionaries(FIELDS, ANYTHING),
    STATUS | ANYTHING,
)


@given(ROWS)
@example({"id": "con1", "userIds": ["\ud800"], "status": "text"})
@example({"id": "con1", "userIds": 5, "displayName": "\ud800", "syncDisabledAt": 5, "status": {"status": ["x"]}})
def test_no_row_breaks_the_reading_and_all_that_is_read_can_be_stored(row: dict[str, Any]) -> None:
    found = rows.connector({"connector": row}, "app1")

    assert found is not None
    texts = [
        found.app_id, found.connector_id, found.name, found.catalog_id, *found.owners, found.state.paused_at,
        found.state.status, found.state.category, found.state.reason, found.state.sync_started_at,
        found.state.sync_completed_at, found.state.last_error,
    ]  # fmt: skip
    for text in texts:
        assert text is None or isinstance(text, str)
        (text or "").encode("utf-8")  # raises where SQLite would
    assert found.state.can_resume in (None, True, False)
    assert state_of(state_json(found.state)) == found.state


@given(st.dictionaries(st.sampled_from(["id", "displayName", "deletedAt"]), ANYTHING))
def test_no_app_row_breaks_the_reading(row: dict[str, Any]) -> None:
    found = rows.app(row)

    found.app_id.encode("utf-8")
    assert found.name is None or isinstance(found.name, str)
    (found.name or "").encode("utf-8")


def test_an_app_is_read() -> None:
    assert rows.app({"id": "app1", "displayName": "Okta", "deletedAt": None}) == rows.App("app1", "Okta", False)
    assert rows.app({"id": None, "displayName": "", "deletedAt": "2026-11-01T00:00:00Z"}) == rows.App("", None, True)


# What the store keeps of a state

TEXTS = st.none() | st.text(st.characters(codec="utf-8"))
STATES = st.builds(
    ConnectorState,
    paused_at=TEXTS,
    status=TEXTS,
    category=TEXTS,
    reason=TEXTS,
    can_resume=st.none() | st.booleans(),
    sync_started_at=TEXTS,
    sync_completed_at=TEXTS,
    last_error=TEXTS,
    deleted=st.booleans(),
)


@given(STATES)
def test_a_state_comes_back_from_the_store_as_it_went_in(state: ConnectorState) -> None:
    assert state_of(state_json(state)) == state


def test_no_state_stays_nostate_of() -> None:
    assert state_json(None) is None
    assert state_of(None) is None


OF_ANOTHER_APP = {"list": [{"connectorId": "con2", "appId": "app2"}]}


def test_a_page_of_mcp_servers_is_flat_and_names_connectors() -> None:
    view = {"connectorId": "con1", "appId": "app1", "displayName": "GitHub tools", "serverType": "X", "new": None}
    page = {"list": [view, {"id": "con3"}]}
    first, third = rows.McpServer("con1", "GitHub tools"), rows.McpServer("con3", None)

    assert rows.mcp_servers(page, "app1") == [first, third]
    assert rows.mcp_servers({"list": [{"mcpServer": view}]}, "app1") == [first]
    assert rows.mcp_servers({"list": None, "nextPageToken": ""}, "app1") == []
    assert rows.mcp_servers({"list": []}, "app1") == []


@pytest.mark.parametrize(
    "page",
    [
        {},
        {"servers": []},
        {"list": {}},
        {"list": ""},
        {"list": [{}]},
        {"list": [None]},
        {"list": [{"id": 7}]},
        OF_ANOTHER_APP,
    ],
)
def test_what_names_no_connector_is_no_page_of_mcp_servers(page: dict[str, Any]) -> None:
    """Read as an empty page it would say that there are none."""
    assert rows.mcp_servers(page, "app1") is None
