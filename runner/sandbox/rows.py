"""Apps and connectors in the full shape the published contract gives them."""

from __future__ import annotations

from typing import Any

from runner.sandbox.records import App, Connector, Ending, State, Sync, timestamp

Row = dict[str, Any]

_CREATED = "2025-03-14T09:26:53.589793Z"
_UPDATED = "2026-02-07T18:28:18.284590Z"


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


def connector_view(connector: Connector, state: State, now: float) -> Row:
    """Return the ConnectorView; `now` decides whether a sync runs."""
    return {
        "connector": _connector(connector, state, now),
        "appPath": "",
        "capabilitiesPath": "",
        "usersPath": "",
    }


def _connector(connector: Connector, state: State, now: float) -> Row:
    pause = state.pause
    return {
        "id": connector.id,
        "appId": connector.app_id,
        "displayName": connector.name,
        "description": "",
        "catalogId": connector.catalog_id,
        "createdAt": _CREATED,
        "updatedAt": _UPDATED,
        "deletedAt": None if state.deleted_at is None else timestamp(state.deleted_at),
        "status": _status(state, now),
        "syncDisabledAt": pause.mark if pause else None,
        "syncDisabledCategory": pause.category if pause else "",
        "syncDisabledReason": pause.reason if pause else "",
        "canResumeSync": pause.can_resume if pause else False,
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
        "userIds": None,
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
