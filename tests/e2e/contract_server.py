"""A second, independent server of C1's published contract: plain threads, sharing nothing with the sandbox.

It says only what the contract says. A test can hold its replies back, replace them, or look at every request
that arrived. Facts: C1's OpenAPI document (ConnectorService) and its page on client credentials.
"""

import json
import secrets
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import socket
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.e2e.contract_client import Client
from tests.e2e.contract_messages import Hook, Request, Response, problem

__all__ = ["ContractServer", "Hook", "Pair", "Request", "Response", "Row", "problem"]

Pair = tuple[str, str]

PATIENCE = 60.0
"""Seconds after which a test that waits for the impossible gives up."""

LULL = 0.1
"""Seconds for which the tenant listens for a request that should not come."""

_PAST = "/api/v1/apps/"


@dataclass(slots=True)
class Row:
    """A connector of the tenant."""

    paused_at: str | None = None
    syncing: bool = False
    named: bool = True  # a role may see names blank

    def view(self, app_id: str, connector_id: str) -> dict[str, Any]:
        """The row as the API shows it, with a field from the future and an object that is null."""
        status = {"status": "SYNC_STATUS_RUNNING", "startedAt": now()} if self.syncing else None
        return {
            "connector": {
                "id": connector_id,
                "appId": app_id,
                "displayName": f"Connector {connector_id}" if self.named else "",
                "status": status,
                "syncDisabledAt": self.paused_at,
                "deletedAt": None,
                "fromTheFuture": {"nobody": ["knows", "this"]},
            },
            "appPath": None,
        }


def now() -> str:
    """The time as the API writes it."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


class ContractServer:
    """The tenant of the contract; `with ContractServer(pairs).serving() as server:` runs it.

    `hook` may answer in the contract's place. `hold` keeps the replies to mutating requests back, after they
    took effect, until `release`. `gather` keeps them back until so many are in flight at once.
    """

    def __init__(self, pairs: Iterable[Pair] = (), *, rows_per_page: int | None = None) -> None:
        self.rows = {pair: Row() for pair in pairs}
        self.client = Client()
        self.access_token = f"token-{secrets.token_hex(24)}"
        self.hook: Hook | None = None
        self.requests: list[Request] = []
        self.replied: list[Request] = []
        self.in_flight = self.max_in_flight = 0
        self.url = ""
        self.mcp_servers: set[Pair] | None = None  # None: a tenant without that listing
        self.hidden: set[Pair] = set()  # what the listing of connectors does not show
        self._rows_per_page = rows_per_page  # instead of what the client asks for
        self._news = threading.Condition()
        self._gate: threading.Event | None = None
        self._gathering: threading.Barrier | None = None
        self._lulls = 0

    @contextmanager
    def serving(self, tls: ssl.SSLContext | None = None) -> Iterator["ContractServer"]:
        """Serve on a loopback port of the system's choice while the block lasts."""
        listener = _Listener(("127.0.0.1", 0), _handler(self), tls)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{listener.server_port}"
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.release()
            listener.shutdown()
            thread.join()
            listener.server_close()

    def environment(self, *, plain: bool = True) -> dict[str, str]:
        """The variables that lead a client here, with a plain secret, or a signing key, which takes longer to load."""
        return {
            "CONDUCTORONE_SERVER_URL": self.url,
            "CONDUCTORONE_CLIENT_ID": self.client.client_id,
            "CONDUCTORONE_CLIENT_SECRET": self.client.plain_secret if plain else self.client.secret,
        }

    def posts(self) -> list[str]:
        """The mutating requests so far, as APP/CONNECTOR/OPERATION."""
        return ["/".join(segments) for request in self.api() if (segments := _mutation(request))]

    def reads(self) -> list[str]:
        """The paths of the reads so far."""
        return [request.path for request in self.api() if request.method == "GET"]

    def api(self) -> list[Request]:
        """The requests so far that are not about tokens."""
        return [request for request in self.requests if not request.is_token]

    def token_requests(self) -> list[Request]:
        """The requests for a token so far."""
        return [request for request in self.requests if request.is_token]

    def paused(self) -> set[str]:
        """APP/CONNECTOR of all that is paused."""
        return {"/".join(pair) for pair, row in self.rows.items() if row.paused_at}

    def hold(self) -> None:
        """Keep the replies to mutating requests back from now on."""
        self._gate = threading.Event()

    def release(self) -> None:
        """Let go of what is held back, and hold nothing any more."""
        gate, self._gate = self._gate, None
        if gate is not None:
            gate.set()

    def gather(self, parties: int) -> None:
        """Answer mutating requests only when `parties` of them are in flight, and none follows for a moment."""
        self._gathering = threading.Barrier(parties, lambda: self._listen(parties))

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Return when the condition holds; it is looked at whenever a request arrives or is replied to."""
        with self._news:
            assert self._news.wait_for(condition, PATIENCE), f"it never came to that; {len(self.requests)} requests"

    def _listen(self, expected: int) -> None:
        """Give a client that sends more than it may the time to be caught; a few times are enough."""
        self._lulls += 1
        if self._lulls <= 3:
            with self._news:
                self._news.wait_for(lambda: self.in_flight > expected, LULL)

    def arrived(self, request: Request) -> None:
        """Take note of a request, and say so to who waits."""
        with self._news:
            self.requests.append(request)
            if not request.is_token:
                self.in_flight += 1
                self.max_in_flight = max(self.max_in_flight, self.in_flight)
            self._news.notify_all()

    def answered(self, request: Request) -> None:
        """A request counts as in flight until its reply begins, so a quick client is never blamed."""
        with self._news:
            if not request.is_token:
                self.in_flight -= 1

    def sent(self, request: Request) -> None:
        """Take note that a reply has left, and say so to who waits."""
        with self._news:
            self.replied.append(request)
            self._news.notify_all()

    def answer(self, request: Request) -> Response:
        """The reply to a request, held back if it is to be."""
        response = self.hook(request) if self.hook is not None else None
        if response is None:
            response = self._token(request) if request.is_token else self._api(request)
        if _mutation(request):
            if self._gathering is not None:
                self._gathering.wait(PATIENCE)
            if (gate := self._gate) is not None:
                gate.wait(PATIENCE)
        return response

    def _token(self, request: Request) -> Response:
        if request.headers.get("content-type") != "application/x-www-form-urlencoded":
            return Response(415, b'{"error":"invalid_request"}')
        if not self.client.proves_itself(request.form):
            return Response(401, b'{"error":"invalid_client","error_description":"client authentication failed"}')
        document = {"access_token": self.access_token, "token_type": "Bearer", "expires_in": 3600}
        return Response(200, json.dumps(document).encode())

    def _api(self, request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {self.access_token}":
            return problem(401, 16, "invalid bearer token")
        if segments := _mutation(request):
            return self._mutate(segments[0], segments[1], segments[2])
        if (request.method, request.path) == ("GET", "/api/v1/apps"):
            apps = [
                {"id": app_id, "displayName": f"App {app_id}"} for app_id in dict.fromkeys(app for app, _ in self.rows)
            ]
            return Response(body=json.dumps({"list": apps, "nextPageToken": ""}).encode())
        match request.method, request.path.removeprefix(_PAST).split("/"):
            case "GET", [app_id, "connectors"]:
                return self._listing(app_id, parse_qs(request.query))
            case "GET", [app_id, "mcp_servers"] if self.mcp_servers is not None:
                return self._mcp_listing(app_id, self.mcp_servers, parse_qs(request.query))
            case "GET", [app_id, "connectors", connector_id] if row := self.rows.get((app_id, connector_id)):
                view = row.view(app_id, connector_id)
                return Response(body=json.dumps({"connectorView": view, "expanded": []}).encode())
        return problem(404, 5, "not found")

    def _mutate(self, app_id: str, connector_id: str, operation: str) -> Response:
        row = self.rows.get((app_id, connector_id))
        if row is None:
            return problem(404, 5, "connector not found")
        if operation == "pause":
            row.paused_at = row.paused_at or now()
        elif operation == "resume":
            row.paused_at, row.syncing = None, True
        else:
            row.syncing = True
        return Response()

    def _listing(self, app_id: str, query: dict[str, list[str]]) -> Response:
        shown = [(pair, row) for pair, row in self.rows.items() if pair[0] == app_id and pair not in self.hidden]
        return self._page([row.view(*pair) for pair, row in shown], query)

    def _mcp_listing(self, app_id: str, servers: set[Pair], query: dict[str, list[str]]) -> Response:
        """`MCPServerView`, which is flat and names its connector by `connectorId`; it says nothing of a pause."""
        own = sorted(pair for pair in servers if pair[0] == app_id)
        rows = [
            {"connectorId": connector_id, "appId": app_id, "displayName": f"Server {connector_id}"}
            | {"serverType": "MCP_SERVER_TYPE_HOSTED", "authMethod": "MCP_SERVER_AUTH_METHOD_NONE"}
            for app_id, connector_id in own
        ]
        return self._page(rows, query)

    def _page(self, rows: list[dict[str, Any]], query: dict[str, list[str]]) -> Response:
        asked = int(query.get("page_size", ["25"])[0])
        size = self._rows_per_page or min(max(asked, 10), 100)
        start = int(query.get("page_token", ["0"])[0])
        following = str(start + size) if start + size <= len(rows) else ""  # so the last page can be empty: null
        document = {"list": rows[start : start + size] or None, "nextPageToken": following, "notificationToken": ""}
        return Response(body=json.dumps(document).encode())


def _mutation(request: Request) -> list[str]:
    """App, connector and operation of a mutating request; nothing for any other."""
    parts = request.path.removeprefix(_PAST).split("/")
    wanted = request.method == "POST" and len(parts) == 4 and parts[1] == "connectors"
    return [parts[0], parts[2], parts[3]] if wanted and parts[3] in ("pause", "resume", "force_sync") else []


class _Listener(ThreadingHTTPServer):
    """A thread for each connection; a TLS handshake happens in that thread, not in the accepting one."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(
        self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler], tls: ssl.SSLContext | None
    ) -> None:
        self._tls = tls
        super().__init__(address, handler)

    def finish_request(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:
        """Serve one connection."""
        if self._tls is not None:
            assert isinstance(request, socket)
            with self._tls.wrap_socket(request, server_side=True) as secured:
                super().finish_request(secured, client_address)
        else:
            super().finish_request(request, client_address)

    def handle_error(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:
        """A client that goes away or refuses our certificate is no news."""


def _handler(server: ContractServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1  # headers and body leave together

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", "0")))
            request = Request(self.command, parts.path, parts.query, headers, body)
            server.arrived(request)
            try:
                response = server.answer(request)
            finally:
                server.answered(request)
            self.send_response(response.status)
            for name, value in response.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(response.body)))
            self.end_headers()
            self.wfile.write(response.body)
            self.wfile.flush()
            server.sent(request)

        do_GET = do_POST = do_PUT = do_DELETE = _serve

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: what matters is recorded."""

    return Handler
