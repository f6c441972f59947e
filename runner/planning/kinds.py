"""Which connectors are MCP servers, as far as the tenant tells.

C1 keeps an MCP server as a connector of its app, and lists the MCP servers of an app apart. Whether the listing
of connectors shows them, too, is not published, and not every tenant has the listing: what it does not tell is
not known, and neither "no MCP server" nor none at all.
"""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from runner.api.client import Client
from runner.api.rows import App, McpServer
from runner.base.errors import ApiError
from runner.base.model import Connector, ConnectorKind, Target


class Hidden(NamedTuple):
    """An MCP server that the listing of connectors does not show."""

    app_name: str | None
    target: Target  # with the server's name


class McpServers:
    """What was found of a tenant's MCP servers; `of` asks for those of one app."""

    def __init__(self) -> None:
        self.shown = 0  # so many that the listing of connectors shows, too
        self.hidden: list[Hidden] = []
        self._pairs: set[tuple[str, str]] = set()  # all of them, by app and connector id
        self.apps = 0  # that tell which are theirs
        self.silent: dict[str, str] = {}  # the apps that do not, by id, with the reason

    def has(self, target: Target) -> bool:
        """Whether a target is known to be an MCP server."""
        return target[:2] in self._pairs

    async def of(self, client: Client, app_id: str) -> Mapping[str, McpServer] | None:
        """The app's MCP servers by connector id, None where the tenant does not tell.

        Raises `StoppingError`.
        """
        try:
            servers = await client.mcp_servers(app_id)
        except ApiError as error:
            self.silent[app_id] = str(error)
            return None
        self.apps += 1
        return {server.connector_id: server for server in servers}

    def note(self, app: App, servers: Mapping[str, McpServer], listed: Collection[Connector]) -> list[Hidden]:
        """Take note of an app whose connectors were listed to the end; returns its MCP servers that are not shown."""
        known = {connector.connector_id for connector in listed}
        hidden = [
            Hidden(app.name, Target(app.app_id, server.connector_id, server.name))
            for server in servers.values()
            if server.connector_id not in known
        ]
        self.hidden += hidden
        self.shown += sum(each.connector_id in servers and not each.state.deleted for each in listed)
        self._pairs |= {(app.app_id, each) for each in servers}
        return hidden


def kind_of(servers: Mapping[str, McpServer] | None, connector_id: str) -> ConnectorKind | None:
    """What a connector is, if its app's MCP servers are known."""
    if servers is None:
        return None
    return ConnectorKind.MCP if connector_id in servers else ConnectorKind.CONNECTOR
