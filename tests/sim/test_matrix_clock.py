"""What clocks can do to a run, as a table of faults.

row  fault                               test
73   wall clock set during the run       test_row_73_*

The machine asleep is row 12 in `test_matrix_network`, dates in replies row 25 in `test_matrix_throttling`,
a clock that is wrong all along row 42 in `test_matrix_auth`.
"""

import asyncio

import pytest

from runner.base.errors import ExitCode
from runner.base.policy import LimitPolicy
from tests.sim.conftest import OpenBench, counts, job, pairs
from tests.virtual_clock import wall

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("by", [-3600.0, 3600.0, -86_400.0, 40 * 86_400.0])
async def test_row_73_a_wall_clock_that_is_set_during_the_run_changes_neither_pace_nor_outcome(
    bench: OpenBench, by: float
) -> None:
    targets = pairs(60)
    moved = 0.0

    def set_clock() -> None:
        nonlocal moved
        moved = by

    async with bench(targets, "latency=1s,error=10%,seed=6") as opened:
        b = opened.with_access_token()
        asyncio.get_running_loop().call_later(3.5, set_clock)
        result = await b.run(job(targets, limits=LimitPolicy(deadline=600)), wall=lambda: wall() + moved)

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 60})
        assert asyncio.get_running_loop().time() < 120


@pytest.mark.parametrize("by", [-3600.0, 3600.0])
async def test_row_73_a_deadline_is_kept_by_the_monotonic_clock(bench: OpenBench, by: float) -> None:
    targets = pairs(200)
    moved = 0.0

    def set_clock() -> None:
        nonlocal moved
        moved = by

    async with bench(targets, "latency=1s") as opened:
        b = opened.with_access_token()
        loop = asyncio.get_running_loop()
        loop.call_later(3.5, set_clock)
        result = await b.run(job(targets, limits=LimitPolicy(deadline=10)), wall=lambda: wall() + moved)

        assert result.exit_code == ExitCode.STOPPED
        assert counts(result).keys() == {"changed", "not_attempted"}
        assert 10 <= loop.time() <= 12


async def test_row_73_a_clock_set_back_does_not_keep_a_token_beyond_its_end(bench: OpenBench) -> None:
    targets = pairs(200)
    moved = 0.0

    def set_clock() -> None:
        nonlocal moved
        moved = -3600.0

    async with bench(targets, "latency=1s,token_life=10s") as b:
        asyncio.get_running_loop().call_later(0.5, set_clock)  # the first token is there, by the right clock
        b.server.desk.leeway = 7200.0  # the assertions of a clock that is wrong are not the matter here
        result = await b.run(job(targets, preflight=False, verify=False), wall=lambda: wall() + moved)

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 200})
        assert b.server.oracle.per_status[401] == 0
