"""Whole runs: what the tenant saw, and what the account says."""

import pytest

from runner.base.errors import ExitCode
from runner.base.model import Outcome
from tests.sim.conftest import job, pairs

pytestmark = pytest.mark.anyio


async def test_a_healthy_tenant_gets_each_request_once(bench) -> None:  # type: ignore[no-untyped-def]
    targets = pairs(30, per_app=3)
    async with bench(targets) as b:
        result = await b.run(job(targets))
        assert result.exit_code == ExitCode.OK
        assert result.counts[Outcome.CHANGED] == 30
        assert sorted(b.posts()) == sorted(f"{app}/{connector}" for app, connector in targets)
        assert b.server.desk.mints == 1
        assert b.server.oracle.max_in_flight <= 10


async def test_throttling_and_faults_cost_time_but_no_target(bench) -> None:  # type: ignore[no-untyped-def]
    targets = pairs(1000, per_app=5)
    async with bench(targets, "error=5%,drop=2%,limit=50/s,burst=50,token_life=5s,latency=50ms,seed=3") as b:
        result = await b.run(job(targets))
        rows = b.results(result)
        assert result.counts[Outcome.CHANGED] == 1000, result
        assert result.exit_code == ExitCode.OK
        assert sum(row.throttled for row in rows.values()) > 0
