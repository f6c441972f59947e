"""Paths to endpoints, on the raw path, so that what a client really sent is what is looked at."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from enum import Enum
from urllib.parse import unquote


class Endpoint(Enum):
    """Everything that can be asked for; the values name endpoints in the oracle and in scripts."""

    TOKEN = "token"
    INTROSPECT = "introspect"
    APPS = "apps"
    APP = "app"
    SEARCH_APPS = "search_apps"
    CONNECTORS = "connectors"
    CONNECTOR = "connector"
    MCP_SERVERS = "mcp_servers"
    PAUSE = "pause"
    RESUME = "resume"
    FORCE_SYNC = "force_sync"
    MOVED = "moved"  # an empty segment or a trailing slash: redirected to the collection
    UNKNOWN = "unknown"  # inside the API, but nothing there
    PAGE = "page"  # outside the API: the web application's page


MUTATIONS = {"pause": Endpoint.PAUSE, "resume": Endpoint.RESUME, "force_sync": Endpoint.FORCE_SYNC}
_GET = {
    Endpoint.INTROSPECT,
    Endpoint.APPS,
    Endpoint.APP,
    Endpoint.CONNECTORS,
    Endpoint.CONNECTOR,
    Endpoint.MCP_SERVERS,
}


@dataclass(frozen=True, slots=True)
class Route:
    endpoint: Endpoint
    app_id: str = ""
    connector_id: str = ""
    location: str = ""  # for MOVED

    @property
    def method(self) -> str:
        return "GET" if self.endpoint in _GET else "POST"

    @property
    def target(self) -> str | None:
        """`app/connector` where the path names a connector."""
        return f"{self.app_id}/{self.connector_id}" if self.connector_id else None

    @property
    def mutates(self) -> bool:
        return self.endpoint in _MUTATING


_MUTATING = frozenset(MUTATIONS.values())
_FIXED = {
    "/auth/v1/token": Route(Endpoint.TOKEN),
    "/api/v1/auth/introspect": Route(Endpoint.INTROSPECT),
    "/api/v1/apps": Route(Endpoint.APPS),
    "/api/v1/search/apps": Route(Endpoint.SEARCH_APPS),
}
_API = "/api/v1/"


def find(path: str) -> Route:
    """Return what a raw path (no query) leads to, whatever the method."""
    fixed = _FIXED.get(path)
    if fixed is not None:
        return fixed
    if not path.startswith(_API):
        return Route(Endpoint.PAGE)
    segments = path[len(_API) :].split("/")
    if "" in segments:
        return Route(Endpoint.MOVED, location=_collection(segments))
    if "." in segments or ".." in segments:
        return Route(Endpoint.MOVED, location=posixpath.normpath(path))
    return _resource([unquote(segment) for segment in segments] if "%" in path else segments)


def _resource(segments: list[str]) -> Route:
    match segments:
        case ["apps", app_id]:
            return Route(Endpoint.APP, app_id)
        case ["apps", app_id, "connectors"]:
            return Route(Endpoint.CONNECTORS, app_id)
        case ["apps", app_id, "mcp_servers"]:
            return Route(Endpoint.MCP_SERVERS, app_id)
        case ["apps", app_id, "connectors", connector_id]:
            return Route(Endpoint.CONNECTOR, app_id, connector_id)
        case ["apps", app_id, "connectors", connector_id, verb] if verb in MUTATIONS:
            return Route(MUTATIONS[verb], app_id, connector_id)
    return Route(Endpoint.UNKNOWN)


def _collection(segments: list[str]) -> str:
    """Return the path up to the first empty segment: the collection an empty id would be in."""
    return (_API + "/".join(segments[: segments.index("")])).rstrip("/")
