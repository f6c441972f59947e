"""A tenant's MCP servers in words, for people."""

from collections.abc import Iterator

from runner.planning.kinds import Hidden, McpServers
from runner.report.text import plain, shortened

_NAMED = 20
"""So many MCP servers that the listing of connectors does not show are named."""


def mcp_lines(mcp: McpServers) -> Iterator[str]:
    """How many MCP servers there are, as far as the tenant tells, and those that only their own listing shows."""
    if mcp.apps or mcp.silent:
        yield f"MCP servers: {_count(mcp)}"
    if mcp.hidden:
        named = [*map(_name, mcp.hidden[:_NAMED])]
        if len(mcp.hidden) > _NAMED:
            named.append(f"and {len(mcp.hidden) - _NAMED} more")
        servers, they = ("MCP server", "it") if len(mcp.hidden) == 1 else ("MCP servers", "them")
        yield (
            f"{len(mcp.hidden)} {servers} that the connector listing does not show; only a selection by kind "
            f"takes {they}: {', '.join(named)}"
        )


def _count(mcp: McpServers) -> str:
    if not mcp.apps:
        return f"the tenant does not tell ({_why(mcp)})"
    shown = f"{mcp.shown} of the connectors listed"
    if not mcp.silent:
        return shown
    return f"{shown}; {len(mcp.silent)} of {mcp.apps + len(mcp.silent)} apps do not tell ({_why(mcp)})"


def _why(mcp: McpServers) -> str:
    return plain(next(iter(mcp.silent.values())))


def _name(hidden: Hidden) -> str:
    names = [shortened(name, 60) for name in (hidden.app_name, hidden.target.name) if name]
    pair = shortened(str(hidden.target), 140)
    return f"{' / '.join(names)} ({pair})" if names else pair
