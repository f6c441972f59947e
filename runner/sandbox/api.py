"""C1's API over a tenant: a call in, a reply out, no I/O."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from runner.sandbox import pages, replies, search
from runner.sandbox.grants import grant
from runner.sandbox.keys import Credential
from runner.sandbox.records import Connector
from runner.sandbox.replies import Call, GatewayError, Reply
from runner.sandbox.routes import Endpoint, Route
from runner.sandbox.rows import Look, Row, app_row, connector_view, mcp_server
from runner.sandbox.tenant import NotFound, Tenant
from runner.sandbox.tokens import TokenDesk

Item = TypeVar("Item")

_PERMISSIONS = {
    Endpoint.PAUSE: "permission/c1.api.app.v1.ConnectorService.PauseSync",
    Endpoint.RESUME: "permission/c1.api.app.v1.ConnectorService.ResumeSync",
    Endpoint.FORCE_SYNC: "permission/c1.api.app.v1.ConnectorService.ForceSync",
}


@dataclass(frozen=True, slots=True)
class AskedPage:
    """A page as asked for: `listing` names what is listed, size and token are still unchecked."""

    listing: str
    size: int | str
    token: str


class Api:
    """Decides and applies; every mutation is in the oracle before `answer` returns."""

    def __init__(self, tenant: Tenant, desk: TokenDesk) -> None:
        self._tenant = tenant
        self._desk = desk
        self._mutations: dict[Endpoint, Callable[[str, str], object]] = {
            Endpoint.PAUSE: tenant.pause,
            Endpoint.RESUME: tenant.resume,
            Endpoint.FORCE_SYNC: tenant.force_sync,
        }

    def answer(self, call: Call, route: Route) -> Reply:
        """Answer a call whose path led to `route`."""
        match route.endpoint:
            case Endpoint.PAGE:
                return Reply(200, replies.PAGE, replies.HTML)
            case Endpoint.MOVED:
                return replies.redirect(301, route.location)
            case Endpoint.TOKEN:
                return grant(self._desk, call) if call.method == "POST" else Reply(405, b"", replies.HTML)
        try:
            return self._answer(call, route)
        except NotFound as error:
            return replies.gateway_error(GatewayError(replies.NOT_FOUND, str(error)), call.request_id)
        except GatewayError as error:
            return replies.gateway_error(error, call.request_id)

    def _answer(self, call: Call, route: Route) -> Reply:
        if route.endpoint is Endpoint.UNKNOWN:
            raise GatewayError(replies.NOT_FOUND, "Not Found")
        if call.method != route.method:
            raise GatewayError(replies.UNIMPLEMENTED, "Method Not Allowed")
        credential = self._authenticate(call)
        if not route.mutates:
            return replies.json_reply(self._read(call, route, credential))
        if credential.read_only:
            raise GatewayError(replies.PERMISSION_DENIED, f"Permission denied, missing {_PERMISSIONS[route.endpoint]}")
        _json_body(call)
        self._mutations[route.endpoint](route.app_id, route.connector_id)
        return replies.EMPTY

    def _authenticate(self, call: Call) -> Credential:
        scheme, _, token = call.headers.get("Authorization", "").partition(" ")
        credential = self._desk.check(token.strip()) if scheme.lower() == "bearer" else None
        if credential is None:
            raise GatewayError(replies.UNAUTHENTICATED, "unauthenticated: the bearer token is not valid")
        return credential

    def _read(self, call: Call, route: Route, credential: Credential) -> Row:
        match route.endpoint:
            case Endpoint.INTROSPECT:
                return _introspection(credential)
            case Endpoint.APPS:
                return self._page(_in_query(call, "apps"), self._tenant.apps(), app_row)
            case Endpoint.APP:
                return {"app": app_row(self._tenant.app(route.app_id))}
            case Endpoint.SEARCH_APPS:
                return self._search(call)
            case Endpoint.CONNECTORS:
                return self._connectors(call, route.app_id, credential)
            case Endpoint.MCP_SERVERS:
                return self._mcp_servers(call, route.app_id)
        connector, state = self._tenant.look(route.app_id, route.connector_id)
        return {"connectorView": connector_view(connector, state, self._look(credential)), "expanded": None}

    def _search(self, call: Call) -> Row:
        asked = search.read(_json_body(call))
        page = AskedPage(asked.listing, asked.size, asked.token)
        return self._page(page, asked.find(self._tenant.apps()), app_row)

    def _connectors(self, call: Call, app_id: str, credential: Credential) -> Row:
        tenant, look = self._tenant, self._look(credential)

        def row(connector: Connector) -> Row | None:
            state = tenant.seen(connector)
            return connector_view(connector, state, look) if tenant.is_listed(connector, state) else None

        page = _in_query(call, f"connectors of {app_id}")
        return self._page(page, tenant.connectors(app_id), row) | {"expanded": None}

    def _mcp_servers(self, call: Call, app_id: str) -> Row:
        tenant = self._tenant

        def row(connector: Connector) -> Row | None:
            return mcp_server(connector) if tenant.seen(connector).deleted_at is None else None

        servers = [connector for connector in tenant.connectors(app_id) if connector.mcp]
        return self._page(_in_query(call, f"mcp_servers of {app_id}"), servers, row)

    def _look(self, credential: Credential) -> Look:
        """Return how this reader sees connectors now: reads may lag."""
        behaviour = self._tenant.behaviour
        moment = self._tenant.clock() - behaviour.lag
        return Look(moment, behaviour.vocabulary, credential.blind, behaviour.owners)

    def _page(self, asked: AskedPage, items: Sequence[Item], row: Callable[[Item], Row | None]) -> Row:
        """Return one page; an item without a row is left out, so that a page may hold fewer than asked."""
        behaviour = self._tenant.behaviour
        try:
            start, end = pages.bounds(asked.listing, int(asked.size or 0), asked.token, behaviour.overshoot)
        except ValueError as error:
            raise GatewayError(replies.INVALID_ARGUMENT, f"page size or token: {error}") from None
        more = end < len(items) or behaviour.endless != "no"
        if behaviour.endless == "again" and start >= len(items):
            start, end = 0, end - start
        rows = [each for item in items[start:end] if (each := row(item)) is not None]
        return {
            "list": rows or (None if behaviour.null_lists else []),
            "nextPageToken": pages.token(asked.listing, end) if more else "",
        }


def _in_query(call: Call, listing: str) -> AskedPage:
    query = dict(parse_qsl(call.query))
    return AskedPage(listing, query.get("page_size", ""), query.get("page_token", ""))


def _json_body(call: Call) -> dict[str, Any]:
    """Return the JSON object of the body; no body at all counts as an empty one."""
    try:
        body = json.loads(call.body) if call.body.strip() else {}
    except RecursionError:
        raise GatewayError(replies.INVALID_ARGUMENT, "the body is nested too deeply") from None
    except ValueError as error:
        raise GatewayError(replies.INVALID_ARGUMENT, f"the body is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise GatewayError(replies.INVALID_ARGUMENT, "the body is not a JSON object")
    return body


def _introspection(credential: Credential) -> Row:
    """Return who the token is. C1 publishes no list of roles and permissions: these are the sandbox's own."""
    permissions = ["permission/c1.api.auth.v1.Auth.Introspect"]
    return {
        "principleId": credential.client_id,
        "userId": "2uSandboxRobot",
        "tenantId": "2tSandboxTenant",
        "roles": [f"role/c1.api.app.v1.Connectors:{'viewer' if credential.read_only else 'admin'}"],
        "permissions": permissions if credential.read_only else [*permissions, *_PERMISSIONS.values()],
        "features": None,
        "disabledModules": None,
        "deviceClientId": "",
    }
