"""The real client and engine against the sandbox, in one virtual-time loop."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from runner import settings
from runner.model import Job, OperationName, RunResult, Target
from runner.run import Context, run
from runner.sandbox import Behaviour, Faults, Population, SandboxServer, Tenant, environment, of_pairs
from runner.settings import Settings
from runner.store import Store, TargetRecord
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

    async def run(self, job: Job, **context: object) -> RunResult:
        """Carry out a job, without handling signals."""
        return await run(job, Context(self.settings, self.store, signals=False, wall=wall, **context))  # type: ignore[arg-type]

    def results(self, result: RunResult) -> dict[str, TargetRecord]:
        """The store's account of a run, by target."""
        return {str(row.target): row for row in self.store.targets(self.store.run(result.run_id))}

    def posts(self) -> list[str]:
        """The targets of the mutating requests that arrived, in order, as the tenant saw them."""
        requests = self.server.oracle.requests
        return [request.target for request in requests if request.method == "POST" and request.target is not None]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An open store in an empty directory."""
    with Store(tmp_path / "state") as opened:
        yield opened


OpenBench = Callable[..., "AsyncIterator[Bench]"]


@pytest.fixture
def bench(store: Store):  # type: ignore[no-untyped-def]
    """`async with bench(population, faults) as b:` opens a tenant to run jobs against."""

    @asynccontextmanager
    async def opened(
        population: Population | Pairs, faults: str = "", behaviour: Behaviour | None = None
    ) -> AsyncIterator[Bench]:
        known = of_pairs(population) if isinstance(population, list) else population
        tenant = Tenant(known, behaviour=behaviour, clock=wall)
        parsed = Faults.parse(faults) if faults else Faults()
        async with SandboxServer(tenant, parsed) as server:
            yield Bench(server, settings.from_environment(environment(server)), store)

    return opened


def pairs(count: int, per_app: int = 1) -> Pairs:
    """`count` pairs in apps of `per_app` connectors each."""
    return [(f"app{number // per_app}", f"con{number}") for number in range(count)]


def job(targets: Pairs, operation: str = "pause", **fields: object) -> Job:
    """A job over some pairs."""
    chosen = tuple(Target(app_id, connector_id) for app_id, connector_id in targets)
    return Job(OperationName(operation), "test", targets=chosen, **fields)  # type: ignore[arg-type]
