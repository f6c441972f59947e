"""What a large run costs, counted instead of timed."""

import asyncio
import os

import anyio
import pytest

from runner.base.errors import ExitCode
from runner.base.model import Planned, Result
from runner.base.policy import LimitPolicy
from runner.base.settings import from_environment
from runner.engine.supervisor import Observer
from runner.sandbox import Faults, SandboxServer, Tenant, environment, of_pairs
from runner.sandbox.oracle import Oracle
from runner.store import Journal, Store
from tests.sim.conftest import Bench, OpenBench, counts, job, pairs
from tests.virtual_clock import wall

pytestmark = pytest.mark.anyio

COUNT = int(os.environ.get("C1_RUNNER_TEST_EXAMPLES", "500"))
"""How many targets the run has; a thorough check takes 20,000."""

WORKERS = 50


class TaskCounter(Observer):
    """Remembers the most of our tasks that lived at once (the tenant's are in the same loop)."""

    def __init__(self) -> None:
        self.most = 0
        self.finishes = 0

    def finished(self, planned: Planned, result: Result) -> None:
        """Look around now and then."""
        self.finishes += 1
        if self.finishes % 100 == 0:
            ours = [task for task in asyncio.all_tasks() if task.get_name().startswith("runner.")]
            self.most = max(self.most, len(ours))


@pytest.fixture
def transactions(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of transactions of all journals, in a list of one."""
    count = [0]
    really = Journal._transaction

    def transaction(journal: Journal, *values: object) -> None:
        count[0] += 1
        really(journal, *values)  # type: ignore[arg-type]

    monkeypatch.setattr(Journal, "_transaction", transaction)
    return count


async def test_a_large_run_sends_each_request_once_with_few_tasks_and_few_commits(
    store: Store, transactions: list[int]
) -> None:
    targets = pairs(COUNT, per_app=100)
    tenant = Tenant(of_pairs(targets), clock=wall, oracle=Oracle(keep_requests=False))
    async with SandboxServer(tenant, Faults.parse("latency=10ms")) as server:
        b = Bench(server, from_environment(environment(server)), store)
        seen = TaskCounter()
        limits = LimitPolicy(concurrency=WORKERS)
        result = await b.run(job(targets, preflight=False, verify=False, limits=limits), observer=seen)

    assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": COUNT})
    assert tenant.oracle.per_endpoint == {"token": 1, "pause": COUNT}
    assert seen.finishes == COUNT
    assert WORKERS <= seen.most <= WORKERS + 5  # a task for each worker, and a few watchers
    assert transactions[0] <= 1.05 * COUNT  # an outcome and the next intent share a commit, at least
    assert tenant.oracle.max_in_flight <= WORKERS


async def test_while_all_wait_for_a_slot_intents_share_commits(bench: OpenBench, transactions: list[int]) -> None:
    targets = pairs(300)
    async with bench(targets, "limit=50/s,burst=10,limit_on=post") as b:
        limits = LimitPolicy(concurrency=WORKERS)
        result = await b.run(job(targets, preflight=False, verify=False, limits=limits))

    assert counts(result) == {"changed": 300}
    assert transactions[0] <= 0.5 * 300  # each reply comes alone, and would otherwise be a commit of its own


async def test_reading_before_and_after_costs_two_pages_for_each_hundred_targets(bench: OpenBench) -> None:
    targets = pairs(300, per_app=100)
    async with bench(targets) as b:
        result = await b.run(job(targets))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 300})
        assert b.server.oracle.per_endpoint == {"token": 1, "connectors": 6, "pause": 300}


async def test_a_run_leaves_no_task_and_no_connection_behind(bench: OpenBench) -> None:
    targets = pairs(100)
    async with bench(targets, "latency=10ms") as b:
        before = asyncio.all_tasks()
        await b.run(job(targets))
        await anyio.sleep(1)

        assert asyncio.all_tasks() == before
