"""The real client and engine against the sandbox, in one virtual-time loop."""

import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import pytest

from runner.base import settings
from runner.base.model import Job, OperationName, Outcome, RunResult, Target
from runner.base.settings import AccessToken, Settings
from runner.engine.session import Context
from runner.runs import proceed, run
from runner.sandbox import (
    Arrival,
    Behaviour,
    Faults,
    Population,
    SandboxServer,
    Tenant,
    TokenDesk,
    environment,
    of_pairs,
)
from runner.store import Store, TargetRecord
from tests.memory import MEMORY
from tests.virtual_clock import wall

Pairs = list[tuple[str, str]]


@dataclass
class Bench:
    """A sandbox tenant, settings that lead to it, and a store."""

    server: SandboxServer
    settings: Settings
    store: Store

    @property
    def tenant(self) -> Tenant:
        """The tenant's state, for a test to look at and to meddle with."""
        return self.server.tenant

    def context(self, **context: Any) -> Context:
        """What a run needs from outside; signals are not handled unless a test says so."""
        given: dict[str, Any] = {"signals": False, "wall": wall} | context
        return Context(self.settings, self.store, **given)

    async def run(self, job: Job, **context: Any) -> RunResult:
        """Carry out a job, without handling signals."""
        return await run(job, self.context(**context))

    async def proceed(self, run_id: str, job: Job, *outcomes: Outcome, **context: Any) -> RunResult:
        """Go on with an earlier run of the job: with what is open, unless outcomes are named."""
        wanted = outcomes or (Outcome.UNKNOWN, Outcome.NOT_ATTEMPTED)
        return await proceed(self.store.run(run_id), job, wanted, self.context(**context))

    def results(self, result: RunResult) -> dict[str, TargetRecord]:
        """The store's account of a run, by target."""
        return {str(row.target): row for row in self.store.targets(self.store.run(result.run_id))}

    def rows(self, result: RunResult) -> list[TargetRecord]:
        """The store's account of a run, in plan order."""
        return list(self.results(result).values())

    def posts(self) -> list[str]:
        """The targets of the mutating requests that arrived, in order, as the tenant saw them."""
        requests = self.server.oracle.requests
        return [request.target for request in requests if request.method == "POST" and request.target is not None]

    def arrivals(self, endpoint: str) -> list[Arrival]:
        """The requests to one endpoint, in order, by the name the sandbox has for it."""
        return [request for request in self.server.oracle.requests if request.endpoint == endpoint]

    def applied(self) -> set[str]:
        """The targets to which the API has applied anything, whatever it told."""
        return {f"{event.app_id}/{event.connector_id}" for event in self.server.oracle.events if event.actor == "api"}

    def with_access_token(self) -> "Bench":
        """The same tenant, with a ready token instead of client credentials."""
        token = AccessToken(self.server.desk.mint(self.server.desk.signer))
        return replace(self, settings=replace(self.settings, credential=token))

    def through(self, port: int, scheme: str = "http") -> "Bench":
        """The same tenant, reached through another port."""
        return replace(self, settings=replace(self.settings, origin=f"{scheme}://127.0.0.1:{port}"))


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """An empty directory, in memory."""
    with TemporaryDirectory(dir=MEMORY) as directory:
        yield Path(directory)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An open store in an empty directory."""
    with Store(tmp_path / "state") as opened:
        yield opened


class OpenBench(Protocol):
    """`async with bench(population, faults) as b:` opens a tenant to run jobs against."""

    def __call__(
        self,
        population: Population | Pairs,
        faults: str = "",
        behaviour: Behaviour | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        keep_alive: float = 75.0,
        desk: TokenDesk | None = None,
        ahead: float = 0.0,
    ) -> AbstractAsyncContextManager[Bench]:
        """The same in types."""


@pytest.fixture
def bench(store: Store) -> OpenBench:
    """Opens tenants whose runs are kept in the test's store."""

    @asynccontextmanager
    async def opened(
        population: Population | Pairs, faults: str = "", behaviour: Behaviour | None = None, **server: Any
    ) -> AsyncIterator[Bench]:
        async with open_tenant(population, faults, behaviour, **server) as tenant:
            yield Bench(tenant, settings.from_environment(environment(tenant)), store)

    return opened


@asynccontextmanager
async def open_tenant(
    population: Population | Pairs,
    faults: str = "",
    behaviour: Behaviour | None = None,
    *,
    ahead: float = 0.0,
    **server: Any,
) -> AsyncIterator[SandboxServer]:
    """A sandbox server on the virtual clock, or with a clock that is so many seconds ahead of it."""
    known = of_pairs(population) if isinstance(population, list) else population
    tenant = Tenant(known, behaviour=behaviour, clock=lambda: wall() + ahead)
    parsed = Faults.parse(faults) if faults else Faults()
    async with SandboxServer(tenant, parsed, **server) as opened:
        yield opened


def pairs(count: int, per_app: int = 1) -> Pairs:
    """`count` pairs in apps of `per_app` connectors each."""
    return [(f"app{number // per_app}", f"con{number}") for number in range(count)]


def job(targets: Pairs, operation: str = "pause", **fields: Any) -> Job:
    """A job over some pairs."""
    chosen = tuple(Target(app_id, connector_id) for app_id, connector_id in targets)
    return Job(OperationName(operation), "test", targets=chosen, **fields)


def counts(result: RunResult) -> dict[str, int]:
    """How many targets have each outcome, without the outcomes that nobody has."""
    return {str(outcome): count for outcome, count in result.counts.items() if count}


def free_port() -> int:
    """A loopback port on which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        return port
