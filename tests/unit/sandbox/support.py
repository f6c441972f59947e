"""What the sandbox's tests share: a clock that is set by hand, a loop on virtual time, a plain client."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import aiohttp

from runner.sandbox import Behaviour, Faults, SandboxServer, Tenant, TokenDesk, of_pairs

EPOCH = 1_790_000_000.0
PAIR = ("app-1", "connector-1")
PAUSE = "/api/v1/apps/app-1/connectors/connector-1/pause"

Result = TypeVar("Result")


class FakeClock:
    def __init__(self, now: float = EPOCH) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def small_tenant(clock: FakeClock, **behaviour: Any) -> Tenant:
    return Tenant(of_pairs([PAIR, ("app-1", "connector-2")]), clock=clock, behaviour=Behaviour(**behaviour))


class _VirtualSelector(selectors.DefaultSelector):
    """Lets time pass at once when nothing is ready, instead of waiting for it."""

    passed = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            return super().select(None)
        if not ready and timeout:
            self.passed += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._virtual = _VirtualSelector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.passed


def on_virtual_time(work: Coroutine[Any, Any, Result]) -> Result:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)


class Client:
    """The plainest client: no retries, no redirects, the bearer of the ready-made client."""

    def __init__(self, session: aiohttp.ClientSession, server: SandboxServer) -> None:
        self.session = session
        self.server = server
        self.token = server.desk.mint(server.desk.signer)

    async def send(self, method: str, path: str, **options: Any) -> tuple[int, aiohttp.ClientResponse, str]:
        headers = {"Authorization": f"Bearer {self.token}"}
        url = f"{self.server.url}{path}"
        async with self.session.request(method, url, headers=headers, allow_redirects=False, **options) as response:
            return response.status, response, await response.text()


@asynccontextmanager
async def serving(faults: str = "", **behaviour: Any) -> AsyncIterator[Client]:
    """Serve the small tenant on the loop's own time, with a client connected to it."""
    loop = asyncio.get_running_loop()

    def clock() -> float:
        return EPOCH + loop.time()

    tenant = Tenant(of_pairs([PAIR, ("app-1", "connector-2")]), clock=clock, behaviour=Behaviour(**behaviour))
    desk = TokenDesk(clock=tenant.clock)
    async with (
        SandboxServer(tenant, Faults.parse(faults), desk=desk) as server,
        aiohttp.ClientSession() as session,
    ):
        yield Client(session, server)
