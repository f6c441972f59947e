"""The tenant behind a socket: aiohttp reads requests, the schedule and the API decide, the wire replies."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from aiohttp import web

from runner.sandbox import replies
from runner.sandbox.actions import Action, Kind
from runner.sandbox.api import Api
from runner.sandbox.disguise import disguise
from runner.sandbox.faults import Faults
from runner.sandbox.keys import Credential
from runner.sandbox.limits import waiting_time
from runner.sandbox.ndjson import NdjsonFile
from runner.sandbox.oracle import Arrival, Oracle
from runner.sandbox.others import Others, neighbour
from runner.sandbox.replies import Call, Reply
from runner.sandbox.routes import Endpoint, Route, find
from runner.sandbox.schedule import Schedule
from runner.sandbox.tenant import Tenant
from runner.sandbox.tokens import TokenDesk
from runner.sandbox.wire import UNANSWERED, WireReply

_GRACE = 0.05  # seconds a reply under way gets when the server closes


class SandboxServer:
    """`async with SandboxServer(tenant) as server:` serves the tenant at `server.url` until the block ends.

    Time is the tenant's clock and the loop's timers, so a virtual-time loop works. `log` is a file the
    oracle's records are appended and fsynced to before the reply they belong to; `keep_alive` is the
    number of seconds after which an idle connection is closed.
    """

    def __init__(
        self,
        tenant: Tenant,
        faults: Faults | None = None,
        *,
        desk: TokenDesk | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        log: Path | None = None,
        tls: ssl.SSLContext | None = None,
        keep_alive: float = 75.0,
    ) -> None:
        self.tenant = tenant
        self.desk = desk or TokenDesk(clock=tenant.clock)
        self.faults = Faults()
        self._schedule = Schedule(self.faults, tenant.clock)
        self._others = Others(tenant, self.faults)
        self._api = Api(tenant, self.desk)
        self._host, self._port = host, port
        self._log, self._tls, self._keep_alive = log, tls, keep_alive
        self._serial = 0
        self._stack = ExitStack()
        self.change_faults(faults or self.faults)

    @property
    def oracle(self) -> Oracle:
        return self.tenant.oracle

    @property
    def url(self) -> str:
        """The tenant's base URL, without a path."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._tls else 'http'}://{host}:{self._port}"

    def change_faults(self, faults: Faults) -> None:
        """Replace the faults from the next request on; scripts stay, limits and outages start anew."""
        self.tenant.behaviour = replace(self.tenant.behaviour, **faults.of_tenant())
        if faults.token_life is not None:
            self.desk.life = faults.token_life
        schedule = Schedule(faults, self.tenant.clock)
        schedule.adopt_scripts(self._schedule)
        self.faults, self._schedule, self._others = faults, schedule, Others(self.tenant, faults)

    def script(self, key: str, actions: Iterable[Action | str]) -> None:
        """Set the fates of the next requests that match `key`; see `Schedule.script`."""
        self._schedule.script(key, actions)

    async def __aenter__(self) -> SandboxServer:
        if self._log is not None:
            self.oracle.sink = self._stack.enter_context(NdjsonFile(self._log)).write
        self._web = web.Server(self._handle, access_log=None, keepalive_timeout=self._keep_alive)
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(self._web, self._host, self._port, ssl=self._tls, backlog=1024)
        self._port = self._listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()
        transports = [connection.transport for connection in self._web.connections]
        self._web.pre_shutdown()
        await self._web.shutdown(_GRACE)
        for transport in transports:
            if isinstance(transport, asyncio.Transport):
                transport.abort()
        await asyncio.sleep(0)  # lets the transports say goodbye to the loop
        self.oracle.flush()
        self.oracle.sink = None
        self._stack.close()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        path, _, query = request.raw_path.partition("?")
        route = find(path)
        arrival = self.oracle.arrived(self._arrival(request, path, route))
        try:
            action = self._schedule.decide(request.method, path, route)
            body = await request.read() if request.body_exists else b""
            self._serial += 1
            request_id = f"sandbox-{self._serial:08x}"
            call = Call(request.method, path, query, request.headers, body, request_id)
            if action.delay > 0:
                await asyncio.sleep(action.delay)
            reply = self._reply(call, route, action)
            self._others.after(request.method, path, route)
            self._record(arrival, reply, action)
            if action.hold > 0:
                await asyncio.sleep(action.hold)
            now = self.tenant.clock() if self.faults.date else None
            return WireReply(reply, action.kind, now=now, request_id=request_id)
        finally:
            self.oracle.left()

    def _arrival(self, request: web.BaseRequest, path: str, route: Route) -> Arrival:
        client = request.headers.get("X-Sandbox-Client", request.headers.get("User-Agent", ""))
        target = route.target if route.mutates else None
        now = self.tenant.clock()
        return Arrival(now, request.method, path, route.endpoint.value, target, client, in_flight=0)

    def _reply(self, call: Call, route: Route, action: Action) -> Reply:
        if action.kind is Kind.EXPIRE:
            self.desk.revoke(call.headers.get("Authorization", "").partition(" ")[2])
        if action.kind is Kind.ANOTHER and route.endpoint is Endpoint.CONNECTOR:
            route = neighbour(self.tenant, route)
        reply = self._api.answer(call, route) if action.reaches_api else replies.EMPTY
        return disguise(reply, action, call.request_id)

    def _record(self, arrival: Arrival, reply: Reply, action: Action) -> None:
        wait = None if action.retry_after is None else waiting_time(action.retry_after, self.tenant.clock())
        self.oracle.decided(arrival, 0 if action.kind in UNANSWERED else reply.status, wait)


def environment(server: SandboxServer, client: Credential | None = None) -> dict[str, str]:
    """Return the variables that make a client of C1's API use this server, as the signer or another client."""
    credential = client or server.desk.signer
    variables = {"CONDUCTORONE_SERVER_URL": server.url, "CONDUCTORONE_CLIENT_ID": credential.client_id}
    if credential.secret is None:
        return variables | {"CONDUCTORONE_OIDC_TOKEN": server.desk.subject_token()}
    return variables | {"CONDUCTORONE_CLIENT_SECRET": credential.secret}


async def serve(
    tenant: Tenant,
    faults: Faults | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    log: Path | None = None,
    ready: Callable[[SandboxServer], None] | None = None,
) -> None:
    """Serve until cancelled; `ready` is called once, when requests are accepted."""
    async with SandboxServer(tenant, faults, host=host, port=port, log=log) as server:
        if ready is not None:
            ready(server)
        await asyncio.Event().wait()
