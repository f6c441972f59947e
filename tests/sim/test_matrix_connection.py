"""What can happen to a connection once it stands, as a table of faults.

row  fault                               test
 6   reset or closed after sending       test_row_06_*
 7   idle connection closed meanwhile    test_row_07_*
 8   no reply in time                    test_row_08_*
 9   one byte a second                   test_row_09_*
10   reply cut short                     test_row_10_*
11   link half open for minutes          test_row_11_*
12   machine asleep                      test_row_12_*
"""

import asyncio

import pytest

from runner.base.errors import ExitCode
from runner.base.model import Outcome
from runner.base.policy import LimitPolicy, RetryPolicy
from runner.sandbox import Faults, TokenDesk
from tests.sim.conftest import OpenBench, counts, job, pairs
from tests.sim.relay import dying, relay
from tests.virtual_clock import wall

pytestmark = pytest.mark.anyio

ONE = pairs(1)


@pytest.mark.parametrize("fault", ["drop", "reset"])
async def test_row_06_a_connection_that_breaks_after_sending_is_read_before_it_is_sent_again(
    bench: OpenBench, fault: str
) -> None:
    targets = pairs(2)
    async with bench(targets) as b:
        b.server.script("app0/con0", [fault])
        b.server.script("app1/con1", [f"{fault}_after"])
        result = await b.run(job(targets, verify=False))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 2})
        assert sorted(b.posts()) == ["app0/con0", "app0/con0", "app1/con1"]  # the second was seen to be paused
        assert len(b.arrivals("connector")) == 2
        assert "a read shows that it took effect" in (b.rows(result)[1].detail or "")


async def test_row_07_a_connection_closed_while_idle_is_replaced_at_once_and_costs_no_try(bench: OpenBench) -> None:
    async with bench(ONE) as b:
        b.server.script("app0/con0", ["drop", "status=503"])
        result = await b.run(job(ONE, retry=RetryPolicy(attempts=2)))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 1})
        first, second, _ = b.arrivals("pause")
        assert 0 < second.at - first.at <= 0.25  # all workers see an outage before any of them sends again
        assert b.rows(result)[0].attempts == 3


@pytest.mark.parametrize("operation", ["pause", "resume", "force_sync"])
@pytest.mark.parametrize("milliseconds", [5, 10, 20])
async def test_row_07_where_every_connection_is_closed_right_after_a_reply_everything_is_done_all_the_same(
    bench: OpenBench, milliseconds: int, operation: str
) -> None:
    targets = pairs(6)
    async with bench(targets) as b, dying(int(b.server.url.rpartition(":")[2]), milliseconds / 1000) as port:
        if operation == "resume":
            for target in targets:
                b.tenant.pause(*target)
        result = await b.through(port).run(job(targets, operation))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 6})


async def test_row_07_only_one_closed_connection_is_forgiven(bench: OpenBench) -> None:
    async with bench(ONE) as b:
        b.server.script("app0/con0", ["drop"] * 9)
        result = await b.run(job(ONE, retry=RetryPolicy(attempts=2)))

        assert (result.exit_code, counts(result)) == (ExitCode.INCOMPLETE, {"failed": 1})
        assert len(b.posts()) == 3


async def test_row_08_a_reply_that_does_not_come_is_waited_for_thirty_seconds(bench: OpenBench) -> None:
    async with bench(ONE) as b:
        b.server.script("app0/con0", ["silence"])
        result = await b.run(job(ONE))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 1})
        first, second = b.arrivals("pause")
        assert 30 <= second.at - first.at < 32
        (read,) = b.arrivals("connector")
        assert first.at < read.at <= second.at


async def test_row_08_a_reply_that_comes_late_is_not_taken_for_the_next_one(bench: OpenBench) -> None:
    targets = pairs(3)
    async with bench(targets) as b:
        b.server.script("app0/con0", ["hold=31,applied=no", "status=400"])
        result = await b.run(job(targets, limits=LimitPolicy(concurrency=1), verify=False))

        rows = b.rows(result)
        assert [row.outcome for row in rows] == [Outcome.FAILED, Outcome.CHANGED, Outcome.CHANGED]
        assert "HTTP 400" in (rows[0].error or "")


async def test_row_09_a_reply_of_one_byte_a_second_is_cut_off_after_thirty_seconds(bench: OpenBench) -> None:
    targets = pairs(10)
    async with bench(targets, "tarpit=100%") as b:
        result = await b.run(job(targets, retry=RetryPolicy(attempts=1), verify=False))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 10})  # a read says so
        assert asyncio.get_running_loop().time() < 40
        assert all("the reply was lost" in (row.detail or "") for row in b.rows(result))


STAYS = {
    "drop": "the tenant closed the connection without a reply",
    "reset": "the connection broke",
    "silence": "no complete reply in time",
    "tarpit,applied=no": "no complete reply in time",
    "truncate,applied=no": "the reply was cut short",
    "bomb,applied=no": "the reply is larger than any of C1's",  # it is unpacked no further than that
    "big_body,applied=no": "the reply is larger than any of C1's",
    "big_header,applied=no": "the reply cannot be read",
    "html": "not an answer of C1's API (text/html",
    "error_object": "HTTP 200: ",
    "status=408": "HTTP 408: ",
    "status=425": "HTTP 425: ",
    "status=500": "HTTP 500: ",
    "status=503,retry_after=2": "HTTP 503: ",
}


@pytest.mark.parametrize("fault", STAYS)
async def test_rows_06_to_35_what_stays_as_it_is_fails_its_target_in_words_and_no_other(
    bench: OpenBench, fault: str
) -> None:
    targets = pairs(3)
    async with bench(targets) as b:
        b.server.script("app1/con1", [fault] * 50)
        result = await b.run(job(targets))

        assert (result.exit_code, counts(result)) == (ExitCode.INCOMPLETE, {"changed": 2, "failed": 1})
        row = b.rows(result)[1]
        assert STAYS[fault] in (row.error or "")
        sent_unclear = fault != "status=425"
        assert (row.detail is not None and "reads showed no effect of it" in row.detail) == sent_unclear
        assert result.stopped is None


async def test_row_10_a_success_cut_short_is_confirmed_by_a_read(bench: OpenBench) -> None:
    async with bench(ONE) as b:
        b.server.script("app0/con0", ["truncate"])
        result = await b.run(job(ONE, verify=False))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 1})
        assert b.posts() == ["app0/con0"]
        assert len(b.arrivals("connector")) == 1
        assert b.rows(result)[0].http_status == 200


async def test_row_11_a_link_that_is_half_open_for_ten_minutes_loses_no_target(bench: OpenBench) -> None:
    targets = pairs(100)
    async with bench(targets, "latency=1s") as b:
        async with relay(int(b.server.url.rpartition(":")[2])) as net:
            loop = asyncio.get_running_loop()
            loop.call_later(6, net.hold)
            loop.call_later(606, net.let_go)
            result = await b.through(net.port).run(job(targets))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 100})
        assert 606 < loop.time() < 606 + 60


async def test_row_11_a_link_that_stays_half_open_ends_with_the_deadline(bench: OpenBench) -> None:
    targets = pairs(100)
    async with bench(targets, "latency=1s") as b:
        async with relay(int(b.server.url.rpartition(":")[2])) as net:
            loop = asyncio.get_running_loop()
            loop.call_later(6, net.hold)
            result = await b.through(net.port).run(job(targets, limits=LimitPolicy(deadline=120)))
            ended = loop.time()

        assert result.exit_code == ExitCode.STOPPED
        assert "deadline" in (result.stopped or "")
        assert set(counts(result)) <= {"changed", "unknown", "not_attempted"}
        assert sum(counts(result).values()) == 100
        assert ended <= 120 + 30


async def test_row_12_a_token_that_aged_while_the_machine_slept_is_renewed_before_it_is_used(bench: OpenBench) -> None:
    targets = pairs(40)
    asleep = 0.0

    def clock() -> float:
        return wall() + asleep

    def sleep() -> None:
        nonlocal asleep
        asleep = 7200.0

    async with bench(targets, "latency=1s", desk=TokenDesk(clock=clock)) as b:
        asyncio.get_running_loop().call_later(2.5, sleep)
        result = await b.run(job(targets, preflight=False, verify=False), wall=clock)

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 40})
        assert b.server.desk.mints == 2
        assert b.server.oracle.per_status[401] <= 10  # what was on its way when the machine fell asleep


async def test_faults_of_every_kind_at_once_lose_no_target(bench: OpenBench) -> None:
    targets = pairs(80, per_app=4)
    faults = Faults.parse("drop=3%,drop_after=3%,truncate=3%,error=3%,error_after=3%,html=2%,accepted=2%,on=post+read")
    async with bench(targets, "latency=20ms") as b:
        b.server.change_faults(faults)
        result = await b.run(job(targets))

        assert counts(result).keys() <= {"changed", "unchanged", "unknown"}
        assert sum(counts(result).values()) == 80
