"""When the tenant is down a run holds still, and goes on when it is back; retries never make trouble worse."""

import asyncio
from itertools import pairwise

import pytest

from runner.base.errors import ExitCode
from runner.base.model import Outcome
from runner.base.policy import LimitPolicy, RetryPolicy
from tests.sim.conftest import OpenBench, counts, job, pairs
from tests.virtual_clock import EPOCH

pytestmark = pytest.mark.anyio

DOWN, UP = 4, 604  # seconds from the start


@pytest.mark.parametrize(("workers", "kind"), [(1, "drop"), (10, "503"), (10, "drop"), (10, "silence"), (25, "503")])
async def test_ten_minutes_of_outage_cost_a_fifth_more_requests_and_a_probe_each_half_minute(
    bench: OpenBench, workers: int, kind: str
) -> None:
    targets = pairs(max(200, 16 * workers), per_app=10)
    healthy = 1 + len(targets) + 2 * len(targets) // 10  # token, requests, and each app listed before and after
    async with bench(targets, f"latency=1s,outage={DOWN}s-{UP}s,outage_as={kind}") as b:
        result = await b.run(job(targets, limits=LimitPolicy(concurrency=workers)))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": len(targets)})
        assert len(b.server.oracle.requests) <= 1.2 * healthy + (UP - DOWN) / 30
        assert min(request.at for request in b.server.oracle.requests if request.at >= EPOCH + UP) <= EPOCH + UP + 60
        assert asyncio.get_running_loop().time() > UP


@pytest.mark.parametrize("begin", [0.5, 9, 15, 17.5, 19.5], ids=["reading", "early", "sending", "last", "verifying"])
@pytest.mark.parametrize(("operation", "kind"), [("pause", "503"), ("resume", "drop"), ("resume", "503")])
async def test_whatever_an_outage_of_ten_minutes_falls_into_it_costs_no_target(
    bench: OpenBench, operation: str, kind: str, begin: float
) -> None:
    workers, down = 3, begin
    targets = pairs(60, per_app=3) if begin < 1 else pairs(10 * workers, per_app=10)
    async with bench(targets, f"latency=1s,outage={down}s-{down + 600}s,outage_as={kind}") as b:
        for target in targets:
            if operation == "resume":
                b.tenant.pause_by_other(*target)
        limits = LimitPolicy(concurrency=10 if begin < 1 else workers)
        result = await b.run(job(targets, operation, limits=limits))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": len(targets)})


@pytest.mark.parametrize("kind", ["503", "drop", "silence"])
@pytest.mark.parametrize("life", ["3600s", "60s"])
async def test_while_the_tenant_is_down_only_probes_are_sent_be_it_for_a_token(
    bench: OpenBench, kind: str, life: str
) -> None:
    targets = pairs(150, per_app=10)
    async with bench(targets, f"latency=1s,token_life={life},outage={DOWN}s-{UP}s,outage_as={kind}") as b:
        result = await b.run(job(targets))
        assert counts(result) == {"changed": 150}

        begin = b.server.oracle.requests[0].at
        probes = [at for request in b.server.oracle.requests if 150 < (at := request.at - begin) < UP]
        assert all(later - earlier >= 29.9 for earlier, later in pairwise(probes))


@pytest.mark.parametrize("kind", ["503", "drop", "silence"])
async def test_an_outage_without_end_ends_the_run_with_every_target_accounted_for(bench: OpenBench, kind: str) -> None:
    targets = pairs(150, per_app=10)
    async with bench(targets, f"latency=1s,outage={DOWN}s-99999s,outage_as={kind}") as b:
        result = await b.run(job(targets))

        assert result.exit_code == ExitCode.STOPPED
        assert result.stopped == "the tenant has been down for 600 s"
        assert counts(result).keys() == {"changed", "unknown", "not_attempted"}
        assert sum(counts(result).values()) == 150
        assert asyncio.get_running_loop().time() < 800
        changed = {str(row.target) for row in b.rows(result) if row.outcome is Outcome.CHANGED}
        assert b.applied() == changed
        # An uncertain target is one that was sent to; nobody else is.
        assert counts(result)["unknown"] <= 30


async def test_an_outage_from_the_start_ends_the_run_without_a_target_touched(bench: OpenBench) -> None:
    targets = pairs(50)
    async with bench(targets, "outage=0s-99999s,outage_as=503") as b:
        result = await b.run(job(targets))

        assert (result.exit_code, counts(result)) == (ExitCode.STOPPED, {"not_attempted": 50})
        assert "503" in (result.stopped or "")
        assert b.posts() == []


async def test_the_deadline_is_kept_while_the_tenant_is_down(bench: OpenBench) -> None:
    targets = pairs(150, per_app=10)
    async with bench(targets, f"latency=1s,outage={DOWN}s-99999s") as b:
        result = await b.run(job(targets, limits=LimitPolicy(deadline=120)))

        assert result.exit_code == ExitCode.STOPPED
        assert "deadline of 120 s" in (result.stopped or "")
        assert counts(result).keys() == {"changed", "unknown", "not_attempted"}
        assert asyncio.get_running_loop().time() <= 122


@pytest.mark.parametrize("wait", [30, 100])
async def test_the_deadline_is_kept_while_the_tenant_asks_to_wait(bench: OpenBench, wait: int) -> None:
    targets = pairs(50)
    async with bench(targets) as b:
        b.server.script("pause", [f"status=429,retry_after={wait}"] * 5000)
        result = await b.run(job(targets, limits=LimitPolicy(deadline=110)))

        assert (result.exit_code, counts(result)) == (ExitCode.STOPPED, {"not_attempted": 50})
        assert asyncio.get_running_loop().time() <= 111


async def test_a_spent_retry_budget_puts_targets_off_and_fails_none(bench: OpenBench) -> None:
    targets = pairs(200)
    async with bench(targets, "latency=10ms") as b:
        for app, connector in targets[::2]:
            b.server.script(f"{app}/{connector}", ["status=500"])
        result = await b.run(job(targets, preflight=False, verify=False))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 200})
        arrivals = b.arrivals("pause")
        assert len(arrivals) == 300
        pause = max(range(1, 300), key=lambda i: arrivals[i].at - arrivals[i - 1].at)
        assert arrivals[pause].at - arrivals[pause - 1].at >= 9  # before the last pass
        before = [arrival.target for arrival in arrivals[:pause]]
        assert len(before) - len(set(before)) <= 10 + 0.2 * len(b.server.oracle.requests)
        assert len(arrivals[pause:]) > 20


@pytest.mark.parametrize("attempts", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("fault", ["status=500", "status=409", "html", "status=425"])
async def test_no_target_is_sent_more_often_than_the_policy_allows(bench: OpenBench, attempts: int, fault: str) -> None:
    targets = pairs(40)
    async with bench(targets) as b:
        for app, connector in targets[5:40:10]:
            b.server.script(f"{app}/{connector}", [fault] * 99)
        result = await b.run(job(targets, retry=RetryPolicy(attempts=attempts), limits=LimitPolicy(concurrency=5)))

        assert counts(result) == {"changed": 36, "failed": 4}
        assert {len(tries) for tries in b.server.oracle.attempts().values()} == {1, attempts}
        assert {row.attempts for row in b.rows(result)} == {1, attempts}


async def test_the_last_pass_gives_a_target_its_last_try_when_the_trouble_may_be_over(bench: OpenBench) -> None:
    targets = pairs(20)
    async with bench(targets) as b:
        b.server.script("app3/con3", ["status=500"] * 4)
        result = await b.run(job(targets))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 20})
        arrivals = [arrival.at for arrival in b.arrivals("pause") if arrival.target == "app3/con3"]
        assert len(arrivals) == 5
        assert arrivals[4] - arrivals[3] >= 10


async def test_a_target_that_was_put_off_when_the_run_ends_is_told_as_it_stands(bench: OpenBench) -> None:
    targets = pairs(2)
    async with bench(targets) as b:
        b.server.script("app0/con0", ["status=425"] * 4)
        b.server.script("app1/con1", ["status=500"] * 4)
        result = await b.run(job(targets, retry=RetryPolicy(last_pass_delay=500), limits=LimitPolicy(deadline=100)))

        assert (result.exit_code, counts(result)) == (ExitCode.STOPPED, {"not_attempted": 1, "unknown": 1})
        assert "deadline" in (b.rows(result)[0].detail or "")
        assert asyncio.get_running_loop().time() <= 101


async def test_a_target_has_its_own_deadline_within_which_tries_begin(bench: OpenBench) -> None:
    async with bench(pairs(1)) as b:
        b.server.script("app0/con0", ["status=500"] * 99)
        policy = RetryPolicy(attempts=20, target_deadline=12, last_pass_delay=1000)
        result = await b.run(job(pairs(1), retry=policy))

        assert counts(result) == {"failed": 1}
        arrivals = [arrival.at for arrival in b.arrivals("pause")]
        first_pass = [at for at in arrivals if at - arrivals[0] < 900]
        assert first_pass[-1] - first_pass[0] <= 12
        assert len(arrivals) < 20


async def test_waiting_as_the_tenant_asks_is_not_counted_against_a_targets_deadline(bench: OpenBench) -> None:
    async with bench(pairs(1)) as b:
        b.server.script("app0/con0", ["status=429,retry_after=60"] * 8 + ["status=500"])
        result = await b.run(job(pairs(1), retry=RetryPolicy(target_deadline=30)))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 1})
        assert asyncio.get_running_loop().time() < 8 * 60 + 60
