"""From the API's JSON to our values. Any nested object may be null; unknown fields and values are allowed."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from runner.base.model import Connector, ConnectorState

_NOTHING_SAID = object()


class App(NamedTuple):
    """An app as the tenant lists it."""

    app_id: str
    name: str | None
    deleted: bool


class Connectors(NamedTuple):
    """One page of an app's connectors."""

    connectors: list[Connector]
    more: bool  # whether another page follows
    unreadable: int = 0  # rows that name no connector


class McpServer(NamedTuple):
    """An MCP server as its own listing shows it; its id is the connector's."""

    connector_id: str
    name: str | None


def app(row: Mapping[str, Any]) -> App:
    """One row of a listing of apps."""
    return App(_text(row, "id") or "", _text(row, "displayName"), bool(row.get("deletedAt")))


def connector(view: object, app_id: str) -> Connector | None:
    """One `ConnectorView`; None if there is no connector in it."""
    row = _object(view, "connector")
    connector_id = _text(row, "id")
    if connector_id is None:
        return None
    owners = row.get("userIds")
    return Connector(
        app_id=app_id,  # the one it is listed under: that is where requests for it go
        connector_id=connector_id,
        name=_text(row, "displayName"),
        state=_state(row),
        catalog_id=_text(row, "catalogId"),
        owners=tuple(filter(None, map(_clean, owners))) if isinstance(owners, list) else (),
    )


def mcp_servers(document: Mapping[str, Any], app_id: str) -> list[McpServer] | None:
    """One page of an app's MCP servers; None if it is no such page: a row names no connector, or another app.

    The contract has a flat `MCPServerView` in each row, whose `connectorId` is the connector's; one in an envelope,
    as connectors come, is understood, too. A page without a list says nothing, so it does not say that there are
    none, and nor does one about another app.
    """
    listed = document.get("list", _NOTHING_SAID)
    if listed is not None and not isinstance(listed, list):
        return None
    found = []
    for row in listed or ():
        view = _object(row, "mcpServer") or (row if isinstance(row, dict) else {})
        connector_id = _text(view, "connectorId") or _text(view, "id")
        if connector_id is None or _text(view, "appId") not in (None, app_id):
            return None
        found.append(McpServer(connector_id, _text(view, "displayName")))
    return found


def _state(row: Mapping[str, Any]) -> ConnectorState:
    status, can_resume = _object(row, "status"), row.get("canResumeSync")
    return ConnectorState(
        paused_at=_text(row, "syncDisabledAt"),
        status=_text(status, "status"),
        category=_text(row, "syncDisabledCategory"),
        reason=_text(row, "syncDisabledReason"),
        can_resume=can_resume if isinstance(can_resume, bool) else None,
        sync_started_at=_text(status, "startedAt"),
        sync_completed_at=_text(status, "completedAt"),
        last_error=_text(status, "lastError"),
        deleted=bool(row.get("deletedAt")),
    )


def _object(parent: object, name: str) -> Mapping[str, Any]:
    value = parent.get(name) if isinstance(parent, dict) else None
    return value if isinstance(value, dict) else {}


def _text(row: Mapping[str, Any], name: str) -> str | None:
    return _clean(row.get(name))


def _clean(value: object) -> str | None:
    """A non-empty string that can be stored: JSON can hold half of a surrogate pair, UTF-8 cannot."""
    if not isinstance(value, str) or not value:
        return None
    return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")
