"""A request was sent and no clear answer came: what is said of the target from then on.

Once an attempt was ambiguous its target is `failed` only when a later read showed it as it was; what was
applied by then is `changed`, and what nobody can tell is `unknown`. The table crosses every ambiguous first
attempt with everything that may come after it, with reads that work and reads that do not.
"""

import asyncio
from collections.abc import Iterable, Mapping
from functools import partial

import pytest

from runner.base.errors import ExitCode
from runner.base.model import Outcome
from runner.base.policy import LimitPolicy, RetryPolicy
from runner.sandbox import Arrival, Behaviour
from tests.sim.conftest import Bench, OpenBench, counts, job, pairs

pytestmark = pytest.mark.anyio

ONE = pairs(1)
Pair = tuple[str, str]
CHANGED, FAILED, UNKNOWN = Outcome.CHANGED, Outcome.FAILED, Outcome.UNKNOWN

# What makes an attempt ambiguous, and lets it be repeated; and what is not worth repeating.
AMBIGUOUS = ["drop", "reset", "silence", "html", "error_object", *(f"status={code}" for code in (408, 500, 502, 504))]
FINAL = ["redirect=302"]

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


Cells = Mapping[Pair, tuple[str, str]]
"""What each target's first request meets with, and then every later one."""

LENIENT = RetryPolicy(outage_failures=10**9, budget_floor=10**9)
"""So many faults at once are no outage here."""


def cells(table: Iterable[tuple[str, str]]) -> Cells:
    """A target for each cell of a table."""
    return {("app", f"con{number}"): cell for number, cell in enumerate(table)}


async def carry_out(b: Bench, table: Cells, read: str | None = None) -> dict[tuple[str, str], Outcome]:
    """Run a job over all cells and a healthy target; returns the outcome of each cell."""
    for (app, connector), (first, then) in table.items():
        times = 5 if then.startswith("status=429") else 1 if then == "expire" else 50
        b.server.script(f"{app}/{connector}", [first, *[then] * times])
        if read is not None:
            b.server.script(f"/api/v1/apps/{app}/connectors/{connector}", [read] * 50)
    limits = LimitPolicy(concurrency=100)
    result = await b.run(job([*ONE, *table], verify=False, retry=LENIENT, limits=limits))
    rows = b.results(result)
    outcomes = {cell: rows[f"{app}/{connector}"].outcome for (app, connector), cell in table.items()}
    assert result.exit_code == (ExitCode.OK if set(outcomes.values()) == {CHANGED} else ExitCode.INCOMPLETE)
    return outcomes


def sent(b: Bench, target: Pair) -> list[Arrival]:
    """The mutating requests for a target."""
    return b.server.oracle.attempts()["/".join(target)]


def reads(b: Bench, target: Pair) -> list[Arrival]:
    """The answered reads of a target alone."""
    path = f"/api/v1/apps/{target[0]}/connectors/{target[1]}"
    return [read for read in b.arrivals("connector") if read.path == path and read.status == 200]


@pytest.mark.parametrize("first", AMBIGUOUS)
async def test_ambiguous_without_effect_and_then_anything(bench: OpenBench, first: str) -> None:
    table = cells((first, then) for then in THEN)
    async with bench([*ONE, *table]) as b:
        outcomes = await carry_out(b, table)

        assert {then: outcome for (_, then), outcome in outcomes.items()} == THEN
        for target, cell in table.items():
            assert ("/".join(target) in b.applied()) == (outcomes[cell] is CHANGED)
            if outcomes[cell] is FAILED:  # a read has proved it, after the last request
                assert reads(b, target)[-1].at >= sent(b, target)[-1].at


@pytest.mark.parametrize("first", AMBIGUOUS + FINAL)
async def test_ambiguous_with_effect_is_found_out_by_a_read_and_not_repeated(bench: OpenBench, first: str) -> None:
    table = cells((f"{first},applied=yes", then) for then in THEN)
    async with bench([*ONE, *table]) as b:
        outcomes = await carry_out(b, table)

        assert set(outcomes.values()) == {CHANGED}
        assert all(len(sent(b, target)) == 1 for target in table)


@pytest.mark.parametrize("applied", ["yes", "no"])
@pytest.mark.parametrize("read", ["status=500", "drop", "status=403", "status=400", "html", "silence", "big_header"])
async def test_ambiguous_and_reads_that_tell_nothing_is_unknown(bench: OpenBench, read: str, applied: str) -> None:
    table = cells((f"{first},applied={applied}", then) for first in AMBIGUOUS + FINAL for then in ("ok", "status=400"))
    async with bench([*ONE, *table]) as b:
        outcomes = await carry_out(b, table, read)

        assert set(outcomes.values()) == {UNKNOWN}
        assert all(len(sent(b, target)) == 1 for target in table)  # nothing is repeated that was not read before


@pytest.mark.parametrize("applied", ["yes", "no"])
async def test_ambiguous_and_gone_by_the_time_it_is_read(bench: OpenBench, applied: str) -> None:
    async with bench(ONE, "latency=1s,deleted=gone") as b:
        b.server.script("app0/con0", [f"status=502,delay=1s,applied={applied}"])
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


@pytest.mark.parametrize("ends_by", ["deadline", "credential", "read"])
async def test_one_read_of_two_does_not_make_a_failure(bench: OpenBench, ends_by: str) -> None:
    async with bench(ONE, behaviour=Behaviour(lag=2.0)) as b:
        desk, loop = b.server.desk, asyncio.get_running_loop()
        b.server.script("app0/con0", ["truncate"])
        if ends_by == "credential":
            loop.call_later(1, desk.revoke_credential, desk.signer.client_id)
        elif ends_by == "read":
            loop.call_later(0.5, b.server.script, "connector", ["status=500"] * 50)
        deadline = 1.5 if ends_by == "deadline" else None
        result = await b.run(job(ONE, verify=False, limits=LimitPolicy(deadline=deadline)))

        assert b.applied() == {"app0/con0"}
        assert counts(result) == {"unknown": 1}


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
    async with bench(targets, "latency=1s") as b:
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
