"""Throttling is waiting, not failure, as a table of faults.

row  fault                               test
24   429, Retry-After in seconds         test_row_24_*
25   429, Retry-After as a date          test_row_25_*
26   429 without a usable Retry-After    test_row_26_*
27   Retry-After beyond all patience     test_row_27_*
28   429 from the token endpoint         test_row_28_*
30   503 with Retry-After                test_row_30_*
"""

import asyncio
import itertools
from email.utils import formatdate

import pytest

from runner.base.errors import ExitCode
from runner.base.policy import LimitPolicy, RetryPolicy
from runner.sandbox import Action, Kind
from tests.sim.conftest import OpenBench, counts, job, pairs
from tests.virtual_clock import EPOCH, wall

pytestmark = pytest.mark.anyio

ONE = pairs(1)
ONE_TRY = RetryPolicy(attempts=1)


async def test_row_24_a_throttled_target_waits_as_told_and_uses_up_no_try(bench: OpenBench) -> None:
    async with bench(ONE) as b:
        b.server.script("app0/con0", ["status=429,retry_after=7"] * 8)
        result = await b.run(job(ONE, retry=ONE_TRY))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 1})
        arrivals = b.arrivals("pause")
        assert all(later.at - earlier.at >= 7 for earlier, later in itertools.pairwise(arrivals))
        row = b.rows(result)[0]
        assert (row.attempts, row.throttled) == (1, 8)


@pytest.mark.parametrize("workers", [1, 50])
async def test_row_24_a_limit_far_below_the_workers_fails_no_target(bench: OpenBench, workers: int) -> None:
    targets = pairs(60, per_app=20)
    async with bench(targets, "limit=2/s,burst=1,latency=20ms") as b:
        result = await b.run(job(targets, retry=ONE_TRY, limits=LimitPolicy(concurrency=workers)))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 60})
        assert list(b.server.oracle.sent_too_early()) == []
        assert len(b.applied()) == 60


async def test_how_the_limit_was_learned_is_in_the_store_afterwards(bench: OpenBench) -> None:
    targets = pairs(60, per_app=20)
    async with bench(targets, "limit=2/s,burst=1,latency=20ms") as b:
        result = await b.run(job(targets))
        run = b.store.run(result.run_id)
        samples = b.store.pace(run)

        assert sum(sample.refused for sample in samples) == run.throttled > 0
        assert 1.0 < (samples[-1].rate or 0.0) < 2.5
        assert run.started_at <= samples[0].at < samples[-1].at <= (run.finished_at or 0.0)


@pytest.mark.parametrize("ahead", [-3600.0, 0.0, 3600.0])
async def test_row_25_a_date_counts_from_the_replys_own_date_whatever_the_local_clock_says(
    bench: OpenBench, ahead: float
) -> None:
    refusal = Action(Kind.STATUS, status=429, retry_after=formatdate(EPOCH + 9, usegmt=True))
    async with bench(ONE) as opened:
        b = opened.with_access_token()
        b.server.script("app0/con0", [refusal])
        result = await b.run(job(ONE, verify=False), wall=lambda: wall() + ahead)

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 1})
        first, second = b.arrivals("pause")
        assert 9 <= second.at - first.at < 20


USELESS = ["", "soon", "-5", "NaN", "0", "inf", "1e9", "99999999999999999999", "Wed, 99 Foo 2026 99:99:99 GMT"]


@pytest.mark.parametrize("retry_after", [None, *USELESS])
async def test_row_26_a_refusal_that_does_not_say_how_long_is_waited_out_with_patience(
    bench: OpenBench, retry_after: str | None
) -> None:
    async with bench(ONE) as b:
        b.server.script("app0/con0", [Action(Kind.STATUS, status=429, retry_after=retry_after)] * 3)
        result = await b.run(job(ONE, retry=ONE_TRY))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 1})
        arrivals = b.arrivals("pause")
        waits = [later.at - earlier.at for earlier, later in itertools.pairwise(arrivals)]
        assert all(0.2 <= wait <= 40 for wait in waits)


async def test_row_27_a_wait_beyond_all_patience_ends_the_run_and_says_how_long_it_would_be(bench: OpenBench) -> None:
    targets = pairs(100)
    async with bench(targets) as b:
        b.server.script("app3/con3", ["status=429,retry_after=3600"])
        result = await b.run(job(targets, limits=LimitPolicy(concurrency=2)))

        assert result.exit_code == ExitCode.STOPPED
        assert "asks to wait 3600 s" in (result.stopped or "")
        assert counts(result).keys() == {"changed", "not_attempted"}
        assert sum(counts(result).values()) == 100
        assert asyncio.get_running_loop().time() < 60


async def test_row_27_a_long_wait_is_waited_when_the_deadline_allows_it(bench: OpenBench) -> None:
    async with bench(ONE) as b:
        b.server.script("app0/con0", ["status=429,retry_after=3600"])
        result = await b.run(job(ONE, limits=LimitPolicy(deadline=7200)))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 1})
        first, second = b.arrivals("pause")
        assert second.at - first.at >= 3600


async def test_row_27_a_wait_past_the_deadline_is_not_even_begun(bench: OpenBench) -> None:
    async with bench(ONE) as b:
        b.server.script("app0/con0", ["status=429,retry_after=120"])
        result = await b.run(job(ONE, limits=LimitPolicy(deadline=60)))

        assert (result.exit_code, counts(result)) == (ExitCode.STOPPED, {"not_attempted": 1})
        assert "past the deadline of 60 s" in (result.stopped or "")
        assert asyncio.get_running_loop().time() < 5


async def test_row_28_a_throttled_token_endpoint_is_waited_for(bench: OpenBench) -> None:
    targets = pairs(20)
    async with bench(targets) as b:
        b.server.script("token", ["status=429,retry_after=20"] * 4)
        result = await b.run(job(targets))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 20})
        tokens = b.arrivals("token")
        assert len(tokens) == 5
        assert all(later.at - earlier.at >= 20 for earlier, later in itertools.pairwise(tokens))
        assert len(b.posts()) == 20


async def test_row_28_a_token_endpoint_that_always_refuses_ends_the_run_after_five_tries(bench: OpenBench) -> None:
    targets = pairs(20)
    async with bench(targets) as b:
        b.server.script("token", ["status=429,retry_after=2"] * 50)
        result = await b.run(job(targets))

        assert (result.exit_code, counts(result)) == (ExitCode.STOPPED, {"not_attempted": 20})
        assert "no token from" in (result.stopped or "")
        assert "429" in (result.stopped or "")
        assert len(b.server.oracle.requests) == 5


async def test_row_28_a_throttled_token_in_the_middle_of_a_run_fails_no_target(bench: OpenBench) -> None:
    targets = pairs(60)
    async with bench(targets, "latency=1s,token_life=4s") as b:
        loop = asyncio.get_running_loop()
        loop.call_later(2, b.server.script, "token", ["status=429,retry_after=20"] * 2)
        result = await b.run(job(targets, preflight=False, verify=False))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 60})
        assert len(b.posts()) == 60 + b.server.oracle.per_status[401]


async def test_row_28_no_worker_asks_for_a_token_before_the_time_that_another_was_told(bench: OpenBench) -> None:
    targets = pairs(100)
    async with bench(targets, "latency=1s,token_life=4s") as b:
        loop = asyncio.get_running_loop()
        loop.call_later(2, b.server.script, "token", ["status=429,retry_after=20"] * 4 + ["status=503"] * 4)
        result = await b.run(job(targets, preflight=False, verify=False))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 100})
        tokens = b.arrivals("token")
        waits = [later.at - earlier.at for earlier, later in itertools.pairwise(tokens) if earlier.status == 429]
        assert len(waits) == 4
        assert min(waits) >= 20


async def test_row_28_a_token_endpoint_that_refuses_for_good_in_the_middle_ends_the_run_and_fails_no_target(
    bench: OpenBench,
) -> None:
    targets = pairs(100)
    async with bench(targets, "latency=1s,token_life=4s") as b:
        loop = asyncio.get_running_loop()
        loop.call_later(2, b.server.script, "token", ["status=429,retry_after=20"] * 500)
        result = await b.run(job(targets, preflight=False, verify=False))

        assert result.exit_code == ExitCode.STOPPED
        assert counts(result).keys() == {"changed", "not_attempted"}
        assert "no token from" in (result.stopped or "")
        assert "429" in (result.stopped or "")
        assert len(b.arrivals("token")) == 1 + 5


async def test_row_28_a_wait_for_a_token_beyond_all_patience_ends_the_run_at_once(bench: OpenBench) -> None:
    async with bench(ONE) as b:
        b.server.script("token", ["status=429,retry_after=3600"] * 9)
        result = await b.run(job(ONE))

        assert (result.exit_code, counts(result)) == (ExitCode.STOPPED, {"not_attempted": 1})
        assert "asks to wait 3600 s" in (result.stopped or "")
        assert asyncio.get_running_loop().time() < 5


@pytest.mark.parametrize("applied", ["yes", "no"])
async def test_row_30_an_overloaded_tenant_is_waited_for_and_its_reply_is_still_ambiguous(
    bench: OpenBench, applied: str
) -> None:
    async with bench(ONE) as b:
        b.server.script("app0/con0", [f"status=503,retry_after=15,applied={applied}"])
        result = await b.run(job(ONE, verify=False))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 1})
        assert len(b.posts()) == (1 if applied == "yes" else 2)
        assert list(b.server.oracle.sent_too_early()) == []
        (read,) = b.arrivals("connector")
        assert read.at - b.arrivals("pause")[0].at >= 15


@pytest.mark.parametrize("refusals", [1, 4, 5])
async def test_row_30_neither_the_last_pass_nor_the_last_read_comes_before_the_tenant_said(
    bench: OpenBench, refusals: int
) -> None:
    async with bench(ONE) as b:
        b.server.script("app0/con0", ["status=503,retry_after=60"] * refusals)
        result = await b.run(job(ONE))

        assert counts(result) == ({"failed": 1} if refusals == 5 else {"changed": 1})
        assert list(b.server.oracle.sent_too_early()) == []
        refused = [arrival.at for arrival in b.arrivals("pause") if arrival.status == 503]
        assert all(not at < read.at < at + 60 for at in refused for read in b.arrivals("connector"))


async def test_row_30_nobody_is_sent_again_before_the_tenant_said(bench: OpenBench) -> None:
    targets = pairs(40)
    async with bench(targets, "error=20%,error_status=503,error_retry_after=5s,latency=50ms,seed=4") as b:
        result = await b.run(job(targets))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 40})
        assert list(b.server.oracle.sent_too_early()) == []


# What all of them share


async def test_row_24_a_second_refusal_meanwhile_shuts_one_gate_for_all(bench: OpenBench) -> None:
    targets = pairs(60)
    async with bench(targets, "latency=100ms") as b:
        b.server.script("app20/con20", ["status=429,retry_after=10"])
        b.server.script("app26/con26", ["status=429,retry_after=10"])
        limits = LimitPolicy(concurrency=4)
        result = await b.run(job(targets, preflight=False, verify=False, limits=limits))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 60})
        assert list(b.server.oracle.sent_too_early()) == []
        first, second = (arrival.at for arrival in b.arrivals("pause") if arrival.status == 429)
        between = [arrival for arrival in b.arrivals("pause") if first < arrival.at < second]
        behind = [arrival for arrival in b.arrivals("pause") if second + 0.1 < arrival.at < second + 10]
        assert len(between) > 0  # one refusal alone holds up nobody but its target
        assert behind == []


@pytest.mark.parametrize("headers", ["x", "draft"])
async def test_row_24_an_announced_limit_is_kept_without_a_single_refusal(bench: OpenBench, headers: str) -> None:
    targets = pairs(60)
    async with bench(targets, f"limit=30/min,window=60s,limit_headers={headers},latency=100ms") as b:
        result = await b.run(job(targets, preflight=False, verify=False))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 60})
        assert b.server.oracle.per_status[429] == 0
        assert asyncio.get_running_loop().time() < 63


async def test_row_24_without_headers_the_same_limit_is_found_out_by_refusals(bench: OpenBench) -> None:
    targets = pairs(60)
    async with bench(targets, "limit=30/min,window=60s,latency=100ms") as b:
        result = await b.run(job(targets, preflight=False, verify=False))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 60})
        assert b.server.oracle.per_status[429] > 0
