"""Apps and connectors in the full shape the published contract gives them."""

from __future__ import annotations

from typing import Any, NamedTuple
from zlib import crc32

from runner.sandbox.records import App, Connector, Ending, Pause, State, Sync, timestamp
from runner.sandbox.vocabulary import Vocabulary

Row = dict[str, Any]

_CREATED = "2025-03-14T09:26:53.589793Z"
_UPDATED = "2026-02-07T18:28:18.284590Z"
_USERS = 20  # few enough that each owns something


class Look(NamedTuple):
    """How a reader sees connectors: at which moment (it decides whether a sync runs), and in whose words."""

    moment: float  # epoch seconds
    vocabulary: Vocabulary
    blind: bool = False  # a role that may not see pauses: their fields come back blank
    owners: int = 0  # of a connector that has none of its own


def app_row(app: App) -> Row:
    return {
        "id": app.id,
        "displayName": app.name,
        "description": "",
        "createdAt": _CREATED,
        "updatedAt": _UPDATED,
        "deletedAt": None,
        "accessModel": "APP_ACCESS_MODEL_CLASSIC",
        "annotations": {},
        "appAccountId": "",
        "appAccountName": "",
        "appOwners": None,
        "appUserMapper": None,
        "certifyPolicyId": "",
        "connectorVersion": 1,
        "defaultRequestCatalogId": "",
        "enableConnectorSourcedOwnership": False,
        "fieldMask": None,
        "grantPolicyId": "",
        "iconUrl": "",
        "identityMatching": "APP_USER_IDENTITY_MATCHING_UNSPECIFIED",
        "instructions": "",
        "isDirectory": False,
        "isManuallyManaged": False,
        "logoUri": "",
        "matchBatonRef": None,
        "monthlyCostUsd": 0,
        "parentAppId": "",
        "revokeGrantSources": False,
        "revokePolicyId": "",
        "strictAccessEntitlementProvisioning": False,
        "userCount": "128",
    }


def connector_view(connector: Connector, state: State, look: Look) -> Row:
    """Return the ConnectorView."""
    return {
        "connector": _connector(connector, state, look),
        "appPath": "",
        "capabilitiesPath": "",
        "usersPath": "",
    }


def mcp_server(connector: Connector) -> Row:
    """Return a row of the MCP servers of an app: they are connectors, and go by the connector's id."""
    return {
        "mcpServer": {
            "id": connector.id,
            "appId": connector.app_id,
            "connectorId": connector.id,
            "displayName": connector.name,
        },
    }


def _connector(connector: Connector, state: State, look: Look) -> Row:
    return {
        "id": connector.id,
        "appId": connector.app_id,
        "displayName": connector.name,
        "description": "",
        "catalogId": connector.catalog_id,
        "createdAt": _CREATED,
        "updatedAt": _UPDATED,
        "deletedAt": None if state.deleted_at is None else timestamp(state.deleted_at),
        "status": _status(state, look.moment),
        **_pause(None if look.blind else state.pause, look.vocabulary),
        "config": None,
        "configUpdatedAt": None,
        "connectorApiVersion": 1,
        "connectorSyncCronSchedule": None,
        "disableCheckBadSync": False,
        "downloadUrl": "",
        "oauthAuthorizedAs": None,
        "parallelSyncWorkerCount": None,
        "profileAllowList": None,
        "profileIgnoreList": None,
        "syncConfig": None,
        "userIds": _owners(connector, look.owners) or None,
    }


def _owners(connector: Connector, count: int) -> list[str]:
    first = crc32(f"{connector.app_id}/{connector.id}".encode("utf-8", "replace"))
    return list(connector.owners) or [f"2uSandboxUser{(first + each) % _USERS:02d}" for each in range(count)]


def _pause(pause: Pause | None, vocabulary: Vocabulary) -> Row:
    category, reason = vocabulary.words(pause.cause) if pause else ("", "")
    return {
        "syncDisabledAt": pause.mark if pause else None,
        "syncDisabledCategory": category,
        "syncDisabledReason": reason,
        "canResumeSync": pause.can_resume if pause else False,
    }


def _status(state: State, now: float) -> Row | None:
    if state.sync is None and state.pause is None:
        return None  # never synced: the contract allows null
    sync = state.sync or Sync(now, now)
    over = state.sync is not None and sync.ends <= now
    failed = over and sync.ending is Ending.ERROR
    return {
        "status": state.status_at(now),
        "startedAt": timestamp(sync.starts) if state.sync else None,
        "completedAt": timestamp(sync.ends) if over else None,
        "updatedAt": timestamp(sync.ends if over else sync.starts) if state.sync else None,
        "lastError": "baton: 401 from the upstream service" if failed else "",
    }
