"""A request was sent and no clear answer came: what is said of the target from then on.

Once an attempt was ambiguous its target is `failed` only when a later read showed it as it was; what was
applied by then is `changed`, and what nobody can tell is `unknown`. The table crosses every ambiguous first
attempt with everything that may come after it, with reads that work and reads that do not.
"""

import asyncio
from functools import partial

import pytest

from runner.errors import ExitCode
from runner.model import Outcome
from runner.policy import LimitPolicy, RetryPolicy
from runner.sandbox import Behaviour, SandboxServer
from tests.sim.conftest import Bench, OpenBench, counts, job, pairs

pytestmark = pytest.mark.anyio

ONE = pairs(1)
CHANGED, FAILED, UNKNOWN = Outcome.CHANGED, Outcome.FAILED, Outcome.UNKNOWN

AMBIGUOUS = ["drop", "reset", "silence", "status=500", "status=502", "status=504", "status=408", "html", "error_object"]

# What comes after it, again and again, and the outcome when neither has any effect.
THEN = {
    "ok": CHANGED,
    "empty": CHANGED,
    "accepted": CHANGED,
    "truncate": CHANGED,
    "status=429,retry_after=2": CHANGED,  # five times, then it is taken
    "expire": CHANGED,
    "drop": FAILED,
    "reset": FAILED,
    "silence": FAILED,
    "html": FAILED,
    "error_object": FAILED,
    "redirect=302": FAILED,
    "status=400": FAILED,
    "status=403": FAILED,
    "status=404": FAILED,
    "status=409": FAILED,
    "status=422": FAILED,
    "status=425": FAILED,
    "status=500": FAILED,
    "status=503,retry_after=3": FAILED,
    "accepted,applied=no": UNKNOWN,
}


def script(server: SandboxServer, first: str, then: str) -> None:
    """Set the fates of the one target's requests."""
    times = 5 if then.startswith("status=429") else 1 if then == "expire" else 50
    server.script("app0/con0", [first, *[then] * times])


def assert_nothing_is_claimed_that_nobody_saw(b: Bench, outcome: Outcome) -> None:
    """The rules that hold in every cell."""
    if b.applied():
        assert outcome in (CHANGED, UNKNOWN)
    else:
        assert outcome is not CHANGED
    if outcome is FAILED:
        last = b.arrivals("pause")[-1].at
        assert any(read.at >= last and read.status == 200 for read in b.arrivals("connector"))


@pytest.mark.parametrize("then", THEN)
@pytest.mark.parametrize("first", AMBIGUOUS)
async def test_ambiguous_without_effect_and_then_anything(bench: OpenBench, first: str, then: str) -> None:
    async with bench(ONE) as b:
        script(b.server, first, then)
        result = await b.run(job(ONE, verify=False))

        (row,) = b.rows(result)
        assert row.outcome is THEN[then]
        assert result.exit_code == (ExitCode.OK if row.outcome is CHANGED else ExitCode.INCOMPLETE)
        assert_nothing_is_claimed_that_nobody_saw(b, row.outcome)


@pytest.mark.parametrize("then", ["ok", "drop", "status=400", "status=403", "status=500", "redirect=302", "html"])
@pytest.mark.parametrize("first", AMBIGUOUS)
async def test_ambiguous_with_effect_is_found_out_by_a_read_and_not_repeated(
    bench: OpenBench, first: str, then: str
) -> None:
    async with bench(ONE) as b:
        script(b.server, f"{first},applied=yes", then)
        result = await b.run(job(ONE, verify=False))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 1})
        assert len(b.posts()) == 1


@pytest.mark.parametrize("applied", ["yes", "no"])
@pytest.mark.parametrize("read", ["status=500", "drop", "status=403", "status=400", "html", "silence", "big_header"])
@pytest.mark.parametrize("first", ["drop", "status=502", "html", "redirect=302"])
async def test_ambiguous_and_reads_that_tell_nothing_is_unknown(
    bench: OpenBench, first: str, read: str, applied: str
) -> None:
    async with bench(ONE) as b:
        script(b.server, f"{first},applied={applied}", "status=400")
        b.server.script("connector", [read] * 500)
        result = await b.run(job(ONE, verify=False))

        assert (result.exit_code, counts(result)) == (ExitCode.INCOMPLETE, {"unknown": 1})
        assert "not known" in (b.rows(result)[0].detail or "")
        assert len(b.posts()) == 1  # nothing is sent again that was not read before


@pytest.mark.parametrize("applied", ["yes", "no"])
async def test_ambiguous_and_gone_by_the_time_it_is_read(bench: OpenBench, applied: str) -> None:
    async with bench(ONE, "latency=1s") as b:
        script(b.server, f"status=502,delay=1s,applied={applied}", "ok")
        asyncio.get_running_loop().call_later(3.5, partial(b.tenant.delete, *ONE[0]))
        result = await b.run(job(ONE, verify=False))

        (row,) = b.rows(result)
        assert row.outcome in (UNKNOWN, FAILED)
        assert row.outcome is UNKNOWN or not b.applied()


@pytest.mark.parametrize("applied", ["yes", "no"])
async def test_ambiguous_and_then_the_end_of_the_run_is_unknown(bench: OpenBench, applied: str) -> None:
    async with bench(ONE) as b:
        b.server.script("app0/con0", [f"silence,applied={applied}"])
        result = await b.run(job(ONE, limits=LimitPolicy(deadline=10)))

        assert (result.exit_code, counts(result)) == (ExitCode.STOPPED, {"unknown": 1})


@pytest.mark.parametrize("then", ["ok", "status=400"])
@pytest.mark.parametrize("lag", [2.0, 8.0])
async def test_a_read_that_lags_behind_does_not_make_a_failure_of_what_was_applied(
    bench: OpenBench, lag: float, then: str
) -> None:
    async with bench(ONE, behaviour=Behaviour(lag=lag)) as b:
        b.server.script("app0/con0", ["drop_after", *[then] * 9])
        result = await b.run(job(ONE))

        (row,) = b.rows(result)
        assert row.outcome in (CHANGED, UNKNOWN)
        assert then != "ok" or row.outcome is CHANGED


async def test_a_late_duplicate_of_a_pause_changes_nothing_more(bench: OpenBench) -> None:
    async with bench(ONE, behaviour=Behaviour(renew_mark=True)) as b:
        b.server.script("app0/con0", ["delay=40"])  # the client gives up after 30 s, the tenant does not
        result = await b.run(job(ONE))
        await asyncio.sleep(60)

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 1})
        first, second = b.arrivals("pause")
        assert first.at + 30 <= second.at < first.at + 40
        assert len(b.server.oracle.events) == 2
        assert b.tenant.state(*ONE[0]).pause is not None


async def test_a_request_that_is_applied_after_the_last_read_is_found_by_the_verification(bench: OpenBench) -> None:
    targets = pairs(60, per_app=60)
    async with bench(targets, "latency=10s") as b:
        b.server.script("app0/con0", ["delay=45", "status=400"])
        result = await b.run(job(targets, limits=LimitPolicy(concurrency=2)))

        assert b.rows(result)[0].outcome in (CHANGED, UNKNOWN)


@pytest.mark.parametrize("first", ["drop", "status=502"])
async def test_what_is_found_paused_after_an_ambiguous_attempt_long_before_our_request_is_not_claimed(
    bench: OpenBench, first: str
) -> None:
    async with bench(ONE) as b:
        b.tenant.pause_by_other(*ONE[0])
        await asyncio.sleep(3600)
        b.server.script("app0/con0", [first])
        result = await b.run(job(ONE, preflight=False))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"unchanged": 1})
        assert "before this run's request" in (b.rows(result)[0].detail or "")


@pytest.mark.parametrize("operation", ["resume", "force_sync"])
@pytest.mark.parametrize("applied", ["yes", "no"])
@pytest.mark.parametrize("first", ["drop", "silence", "status=502"])
async def test_the_other_operations_are_read_before_they_are_repeated_too(
    bench: OpenBench, operation: str, first: str, applied: str
) -> None:
    async with bench(ONE) as b:
        if operation == "resume":
            b.tenant.pause_by_other(*ONE[0])
        b.server.script("app0/con0", [f"{first},applied={applied}"])
        result = await b.run(job(ONE, operation))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 1})
        repeated = applied == "no" or (operation == "force_sync" and first == "silence")  # that sync is over by then
        assert len(b.posts()) == 1 + repeated


@pytest.mark.parametrize("then", ["drop", "status=400", "status=500"])
async def test_a_sync_that_nobody_can_see_is_unknown_never_failed(bench: OpenBench, then: str) -> None:
    async with bench(ONE, behaviour=Behaviour(sync_seconds=0.0)) as b:
        b.server.script("app0/con0", ["drop_after", *[then] * 20])
        result = await b.run(job(ONE, "force_sync"))

        assert (result.exit_code, counts(result)) == (ExitCode.INCOMPLETE, {"unknown": 1})


async def test_what_somebody_resumes_after_our_lost_pause_is_not_told_as_failed(bench: OpenBench) -> None:
    targets = pairs(4, per_app=4)
    async with bench(targets, "latency=1s") as b:
        b.server.script("app0/con0", ["silence,applied=yes"])
        asyncio.get_running_loop().call_later(20, partial(b.tenant.resume_by_other, *targets[0]))
        b.server.script("app0/con0", ["status=400"] * 9)
        result = await b.run(job(targets, retry=RetryPolicy(attempts=1)))

        assert b.rows(result)[0].outcome in (UNKNOWN, FAILED)
        assert counts(result)["changed"] == 3
