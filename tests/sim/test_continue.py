"""Going on with a run: what is uncertain is read first, the plan stays, and only what was asked for is repeated."""

import asyncio
import itertools

import pytest

from runner.base.errors import ExitCode, UsageError
from runner.base.model import Outcome
from runner.base.policy import LimitPolicy, RetryPolicy
from tests.sim.conftest import Bench, OpenBench, counts, job, pairs

pytestmark = pytest.mark.anyio

TARGETS = pairs(12, per_app=3)
CHANGED, FAILED, UNKNOWN, NOT_ATTEMPTED = Outcome.CHANGED, Outcome.FAILED, Outcome.UNKNOWN, Outcome.NOT_ATTEMPTED
REPEATABLE = (FAILED, UNKNOWN, NOT_ATTEMPTED)


async def mixed(b: Bench) -> str:
    """A run with each kind of outcome; returns its id. The unknown ones did have effect."""
    b.server.script("app0/con1", ["status=400"])
    b.server.script("app1/con4", ["status=502,applied=yes"])
    b.server.script("/api/v1/apps/app1/connectors/con4", ["status=400"])
    limits = LimitPolicy(concurrency=1, deadline=8)
    result = await b.run(job(TARGETS, limits=limits, retry=RetryPolicy(attempts=1), preflight=False, verify=False))
    assert counts(result) == {"changed": 7, "failed": 1, "unknown": 1, "not_attempted": 3}
    return result.run_id


async def test_what_is_uncertain_is_read_before_anything_is_sent(bench: OpenBench) -> None:
    async with bench(TARGETS, "latency=1s") as b:
        run_id = await mixed(b)
        before = len(b.server.oracle.requests)
        result = await b.proceed(run_id, job(TARGETS, limits=LimitPolicy(concurrency=1)))

        first, *later = [request for request in b.server.oracle.requests[before:] if request.endpoint != "token"]
        assert (first.endpoint, first.path) == ("connector", "/api/v1/apps/app1/connectors/con4")
        assert "app1/con4" not in [request.target for request in later if request.method == "POST"]
        assert counts(result) == {"changed": 11, "failed": 1}
        assert result.exit_code == ExitCode.INCOMPLETE


@pytest.mark.parametrize("size", [1, 2, 3])
async def test_only_what_was_asked_for_is_repeated_and_the_rest_stays_as_it_is(bench: OpenBench, size: int) -> None:
    for only in itertools.combinations(REPEATABLE, size):
        async with bench(TARGETS, "latency=1s") as b:
            run_id = await mixed(b)
            told = {str(row.target): row for row in b.store.targets(b.store.run(run_id))}
            before = len(b.posts())
            result = await b.proceed(run_id, job(TARGETS, verify=False), *only)

            wanted = {target for target, row in told.items() if row.outcome in only}
            assert set(b.posts()[before:]) == wanted - {"app1/con4"}  # a read shows that one to be paused
            rows = b.results(result)
            assert {target for target, row in rows.items() if row != told[target]} == wanted
            assert all(rows[target].outcome is CHANGED for target in wanted)
            left = {outcome for outcome in REPEATABLE if outcome not in only}
            assert (result.exit_code == ExitCode.OK) == (not left)
            assert list(rows) == list(told)


async def test_going_on_lists_only_the_apps_of_what_is_open_and_no_others(bench: OpenBench) -> None:
    async with bench(pairs(60, per_app=3), "latency=1s") as b:
        run_id = await mixed(b)
        before = len(b.server.oracle.requests)
        await b.proceed(run_id, job(TARGETS, verify=False))

        listed = {request.path for request in b.server.oracle.requests[before:] if request.endpoint == "connectors"}
        assert listed <= {f"/api/v1/apps/app{number}/connectors" for number in (3,)}
        assert b.arrivals("apps") == []


async def test_what_fails_again_while_going_on_is_told_anew(bench: OpenBench) -> None:
    async with bench(TARGETS, "latency=1s") as b:
        run_id = await mixed(b)
        b.server.script("app0/con1", ["status=422"] * 9)
        result = await b.proceed(run_id, job(TARGETS), FAILED)

        row = b.results(result)["app0/con1"]
        assert (row.outcome, row.http_status) == (FAILED, 422)
        assert result.exit_code == ExitCode.INCOMPLETE


async def test_going_on_that_is_cut_short_can_be_gone_on_with_again(bench: OpenBench) -> None:
    async with bench(TARGETS, "latency=1s") as b:
        run_id = await mixed(b)
        cut = await b.proceed(run_id, job(TARGETS, limits=LimitPolicy(concurrency=1, deadline=4)), *REPEATABLE)
        assert cut.exit_code == ExitCode.STOPPED
        assert cut.counts[NOT_ATTEMPTED] > 0
        done = await b.proceed(run_id, job(TARGETS), *REPEATABLE)

        assert (done.exit_code, counts(done)) == (ExitCode.OK, {"changed": 12})
        assert b.applied() == set(b.results(done))
        (record,) = b.store.runs()
        assert record.requests == len([r for r in b.server.oracle.requests if r.endpoint != "token"])


async def test_a_run_of_another_tenant_is_not_gone_on_with(bench: OpenBench) -> None:
    async with bench(TARGETS, "latency=1s") as b:
        run_id = await mixed(b)
    async with bench(TARGETS) as other:
        with pytest.raises(UsageError, match=r"was on .* but the credentials lead to"):
            await other.proceed(run_id, job(TARGETS))
        assert other.server.oracle.requests == []


# A resume that could not read


@pytest.mark.parametrize("trouble", [5, 9])
async def test_a_state_that_could_not_be_read_is_read_once_more_in_the_last_pass(
    bench: OpenBench, trouble: int
) -> None:
    targets = pairs(4, per_app=2)
    async with bench(targets) as b:
        for target in targets[:-1]:
            b.tenant.pause_by_other(*target)
        b.tenant.anomaly(*targets[3])
        b.server.script("connectors", ["status=500"] * trouble)
        result = await b.run(job(targets, "resume", limits=LimitPolicy(concurrency=1)))

        assert counts(result) == {"changed": 3, "skipped": 1}
        assert "C1 paused it itself" in (b.rows(result)[3].detail or "")
        assert len(b.posts()) == 3


async def test_a_state_that_cannot_be_read_at_all_leaves_the_connector_as_it_is(bench: OpenBench) -> None:
    targets = pairs(4, per_app=2)
    async with bench(targets) as b:
        for target in targets:
            b.tenant.pause_by_other(*target)
        b.server.script("/api/v1/apps/app0/connectors", ["status=500"] * 99)
        b.server.script("/api/v1/apps/app0/connectors/con0", ["status=500"] * 99)
        b.server.script("/api/v1/apps/app0/connectors/con1", ["status=404"] * 99)
        result = await b.run(job(targets, "resume", verify=False))

        assert (result.exit_code, counts(result)) == (ExitCode.INCOMPLETE, {"changed": 3, "failed": 1})
        assert "its state could not be read (HTTP 500" in (b.rows(result)[0].detail or "")
        assert "app0/con0" not in b.posts()


async def test_what_waits_to_be_read_once_more_when_the_run_ends_was_not_attempted(bench: OpenBench) -> None:
    targets = pairs(4, per_app=2)
    async with bench(targets) as b:
        b.server.script("connectors", ["status=500"] * 99)
        retry = RetryPolicy(last_pass_delay=500)
        result = await b.run(job(targets, "resume", retry=retry, limits=LimitPolicy(deadline=100)))

        assert (result.exit_code, counts(result)) == (ExitCode.STOPPED, {"not_attempted": 4})
        assert asyncio.get_running_loop().time() <= 101
