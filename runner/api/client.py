"""C1's API for one run: what it is asked, and what its answers hold. How a request gets there is `sender`."""

from collections.abc import AsyncGenerator, Callable

from yarl import URL

from runner.api import pages, rows
from runner.api.classify import json_object
from runner.api.sender import Request, Sender
from runner.api.turn import Tally
from runner.base.errors import ApiError
from runner.base.model import AttemptClass, Connector, JsonObject, Target, Verdict, is_id
from runner.base.operations import Operation
from runner.base.policy import PAGE_SIZE

_BARREN_PAGES = 3
"""So many pages of MCP servers in a row without a new one, and more announced: such a listing has no end."""


class Client(Sender):
    """A tenant's API for one run. Use it as an async context manager."""

    async def act(
        self, operation: Operation, target: Target, tally: Tally, sending: Callable[[], None] | None = None
    ) -> Verdict:
        """Do `operation` to `target`, once; the verdict says what became of that attempt.

        `tally` counts what was sent for this target. `sending` is called right before each request leaves; what it
        raises keeps that from happening, and is passed on. Raises `StoppingError` when the run ends before this
        one was sent, as it does when the credentials are refused for good.
        """
        url = self._connector_url(target, f"/{operation.segment}")
        try:
            reply, verdict = await self.send(Request("POST", url, b"{}", sending=sending), tally)
        except ApiError as error:
            return error.verdict
        if verdict.attempt is AttemptClass.APPLIED and pages.answers_a_read(json_object(reply.body)):
            self.distrust()
            return pages.strange("the answer is one to another request").verdict
        return verdict

    async def connector(self, target: Target) -> Connector:
        """Read one connector, with retries; raises `ApiError` (with status 404 if there is none)."""
        url = self._connector_url(target)
        document = await self.read(url, lambda document: pages.check_connector(document, target))
        found = rows.connector(document.get("connectorView"), target.app_id)
        if found is None:
            raise pages.strange("the answer holds no connector")
        self.sees_marks = self.sees_marks or found.state.marked
        return found

    async def connectors(self, app_id: str) -> AsyncGenerator[rows.Connectors, None]:
        """An app's connectors, page by page; raises `ApiError`."""
        async for page, more in self._pages(self._url(f"/apps/{_checked(app_id)}/connectors"), app_id):
            found = (rows.connector(row, app_id) for row in page)
            connectors = [connector for connector in found if connector is not None]
            self.sees_marks = self.sees_marks or any(connector.state.marked for connector in connectors)
            yield rows.Connectors(connectors, more, len(page) - len(connectors))

    async def apps(self) -> AsyncGenerator[list[rows.App], None]:
        """The tenant's apps, page by page; raises `ApiError`."""
        async for page, _ in self._pages(self._url("/apps")):
            yield [rows.app(row) for row in page]

    async def _pages(self, url: URL, app_id: str | None = None) -> AsyncGenerator[tuple[list[JsonObject], bool], None]:
        token, progress = "", pages.Progress()
        while True:
            query = {"page_size": str(PAGE_SIZE)} | ({"page_token": token} if token else {})
            document = await self._page(url.with_query(query), app_id)
            page = [row for row in document.get("list") or () if isinstance(row, dict)]
            token = document.get("nextPageToken") or ""
            yield page, bool(token)
            if not token:
                return
            progress.turn(page, token)

    async def _page(self, url: URL, app_id: str | None) -> JsonObject:
        """One page. An empty object may be one, or an answer to an action that has strayed: it is asked for twice."""

        def check(document: JsonObject) -> None:
            pages.check_page(document, app_id)

        document = await self.read(url, check)
        if not document:
            self.distrust()
            document = await self.read(url, check)
        return document

    def _connector_url(self, target: Target, tail: str = "") -> URL:
        app_id, connector_id = _checked(target.app_id), _checked(target.connector_id)
        return self._url(f"/apps/{app_id}/connectors/{connector_id}{tail}")

    def _url(self, path: str) -> URL:
        return self._root.with_path(self._root.raw_path + path, encoded=True)

    async def mcp_servers(self, app_id: str) -> list[rows.McpServer]:
        """All of an app's MCP servers; raises `ApiError` where the tenant does not tell them whole.

        Not every tenant has this listing (404, 501), not every role may see it (403), and what is none of C1's
        answers is no answer: none of that says that there are no MCP servers. Source: MCPServerService.List.
        """
        url, token, barren = self._url(f"/apps/{_checked(app_id)}/mcp_servers"), "", 0
        found: dict[str, rows.McpServer] = {}
        while barren < _BARREN_PAGES:
            query = {"page_size": str(PAGE_SIZE)} | ({"page_token": token} if token else {})
            document = await self.read(url.with_query(query), lambda _: None, optional=True)
            page = rows.mcp_servers(document, app_id)
            if page is None:
                raise ApiError(Verdict(AttemptClass.AMBIGUOUS, "the answer is no listing of MCP servers", 200))
            before = len(found)
            found |= {server.connector_id: server for server in page}
            barren = 0 if len(found) > before else barren + 1
            token = str(document.get("nextPageToken") or "")
            if not token:
                return list(found.values())
        raise ApiError(Verdict(AttemptClass.AMBIGUOUS, "the listing goes round in circles", 200))


def _checked(segment: str) -> str:
    if not is_id(segment):
        raise ValueError(f"not an id: {segment!r}")
    return segment
