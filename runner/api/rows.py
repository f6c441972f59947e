"""From the API's JSON to our values. Any nested object may be null; unknown fields and values are allowed."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from runner.model import Connector, ConnectorState


class App(NamedTuple):
    """An app as the tenant lists it."""

    app_id: str
    name: str | None
    deleted: bool


class Connectors(NamedTuple):
    """One page of an app's connectors."""

    connectors: list[Connector]
    more: bool  # whether another page follows


def app(row: Mapping[str, Any]) -> App:
    """One row of a listing of apps."""
    return App(str(row.get("id") or ""), row.get("displayName") or None, bool(row.get("deletedAt")))


def connector(view: Mapping[str, Any], app_id: str) -> Connector | None:
    """One `ConnectorView`; None if there is no connector in it."""
    row = view.get("connector")
    if not isinstance(row, dict) or not row.get("id"):
        return None
    return Connector(
        app_id=str(row.get("appId") or app_id),
        connector_id=str(row["id"]),
        name=row.get("displayName") or None,
        state=_state(row),
        catalog_id=row.get("catalogId") or None,
        owners=tuple(str(user) for user in row.get("userIds") or ()),
    )


def _state(row: Mapping[str, Any]) -> ConnectorState:
    status = row.get("status")
    status = status if isinstance(status, dict) else {}
    return ConnectorState(
        paused_at=row.get("syncDisabledAt") or None,
        status=status.get("status") or None,
        category=row.get("syncDisabledCategory") or None,
        reason=row.get("syncDisabledReason") or None,
        can_resume=row.get("canResumeSync"),
        sync_started_at=status.get("startedAt") or None,
        sync_completed_at=status.get("completedAt") or None,
        last_error=status.get("lastError") or None,
        deleted=bool(row.get("deletedAt")),
    )
