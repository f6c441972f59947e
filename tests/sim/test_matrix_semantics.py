"""What a tenant may mean by what it says, as a table of faults.

row  fault                               test
32   202, 204                            test_row_32_*
33   200 with an error in it, or broken  test_row_33_*
34   200, and reads that contradict it   test_row_34_*
36   unknown JSON fields and values      test_row_36_*
37   connector deleted during the run    test_row_37_*
38   connector created during the run    test_row_38_*
39   paused already                      test_row_39_*
40   somebody resumes during the run     test_row_40_*
"""

import asyncio
import json
from functools import partial
from typing import Any

import pytest

from runner.base.errors import ExitCode
from runner.base.model import Outcome
from runner.base.policy import LimitPolicy
from runner.sandbox import Action, Behaviour, Connector, Kind, Listed
from tests.sim.conftest import OpenBench, counts, job, pairs

pytestmark = pytest.mark.anyio

ONE = pairs(1)
IGNORED = Action(applied=False)  # 200 and {}, without effect


async def test_row_32_no_content_is_success(bench: OpenBench) -> None:
    async with bench(ONE) as b:
        b.server.script("app0/con0", ["empty"])
        result = await b.run(job(ONE, verify=False))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 1})
        assert len(b.posts()) == 1
        assert b.rows(result)[0].http_status == 204


async def test_row_32_accepted_is_success_once_a_read_shows_it(bench: OpenBench) -> None:
    async with bench(ONE) as b:
        b.server.script("app0/con0", ["accepted"])
        result = await b.run(job(ONE, verify=False))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 1})
        assert len(b.posts()) == 1
        assert len(b.arrivals("connector")) == 1


async def test_row_32_accepted_without_a_trace_is_unknown_never_failed(bench: OpenBench) -> None:
    async with bench(ONE) as b:
        b.server.script("app0/con0", [Action(Kind.ACCEPTED, applied=False)] * 50)
        result = await b.run(job(ONE))

        assert (result.exit_code, counts(result)) == (ExitCode.INCOMPLETE, {"unknown": 1})
        row = b.rows(result)[0]
        assert row.http_status == 202
        assert row.detail == "a request was sent; what came of it is not known"
        assert row.error == "accepted, but not said to be done"


@pytest.mark.parametrize("applied", [True, False])
@pytest.mark.parametrize(
    "body",
    [
        b'{"error":{"code":13,"message":"internal error"}}',
        b'{"code":13,"message":"internal error","details":[]}',
        b"{oops",
        b"[]",
        b"null",
        b"\xff\xfe",
    ],
)
async def test_row_33_a_success_that_is_none_is_settled_by_a_read(bench: OpenBench, body: bytes, applied: bool) -> None:
    async with bench(ONE) as b:
        b.server.script("app0/con0", [Action(body=body, applied=applied)])
        result = await b.run(job(ONE, verify=False))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 1})
        assert len(b.posts()) == (1 if applied else 2)
        assert len(b.arrivals("connector")) == 1


async def test_row_34_a_success_without_effect_is_repeated_once_and_then_counts(bench: OpenBench) -> None:
    targets = pairs(5)
    async with bench(targets) as b:
        b.server.script("app2/con2", [IGNORED])
        result = await b.run(job(targets))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 5})
        assert len(b.posts()) == 6
        assert b.rows(result)[2].after is not None


async def test_row_34_a_success_without_effect_that_repeats_itself_is_unknown(bench: OpenBench) -> None:
    targets = pairs(5)
    async with bench(targets) as b:
        b.server.script("app2/con2", [IGNORED] * 50)
        result = await b.run(job(targets))

        assert (result.exit_code, counts(result)) == (ExitCode.INCOMPLETE, {"changed": 4, "unknown": 1})
        assert b.posts().count("app2/con2") == 2
        assert "reads as if nothing had happened" in (b.rows(result)[2].detail or "")


async def test_row_34_reads_that_lag_behind_are_read_again_before_anything_is_doubted(bench: OpenBench) -> None:
    targets = pairs(20, per_app=4)
    async with bench(targets, behaviour=Behaviour(lag=8.0)) as b:
        result = await b.run(job(targets))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 20})
        assert len(b.posts()) == 20
        assert all(row.after is not None and row.after.paused for row in b.rows(result))


def stranger(row: dict[str, Any]) -> dict[str, Any]:
    """A connector's row as a later version of the API may write it."""
    row["connector"] |= {"newField": {"deep": [1]}, "syncDisabledCategory": 7, "userIds": "nobody", "config": []}
    row["connector"]["status"] = {"status": "SYNC_STATUS_BRAND_NEW", "startedAt": 12, "more": None}
    return row | {"sibling": True}


async def test_row_36_unknown_fields_and_values_change_nothing(bench: OpenBench) -> None:
    async with bench(ONE) as b:
        row = {"connector": {"id": "con0", "appId": "app0", "displayName": "A", "syncDisabledAt": None}}
        page = json.dumps({"list": [stranger(row), None, 5, {}], "nextPageToken": None, "total": {}}).encode()
        b.server.script("connectors", [Action(body=page)])
        b.server.script("app0/con0", [Action(body=b'{"some":{"thing":"new"}}')])
        result = await b.run(job(ONE))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 1})
        (kept,) = b.rows(result)
        assert kept.before is not None
        assert kept.before.status == "SYNC_STATUS_BRAND_NEW"


async def test_row_37_a_connector_deleted_after_it_was_listed_is_failed_as_not_found(bench: OpenBench) -> None:
    targets = pairs(2, per_app=2)
    async with bench(targets, "latency=1s") as b:
        asyncio.get_running_loop().call_later(2.5, partial(b.tenant.delete, *targets[1]))
        result = await b.run(job(targets, limits=LimitPolicy(concurrency=1), verify=False))

        assert (result.exit_code, counts(result)) == (ExitCode.INCOMPLETE, {"changed": 1, "failed": 1})
        row = b.rows(result)[1]
        assert (row.http_status, row.attempts) == (404, 1)
        assert "not found" in (row.error or "")
        assert row.before is not None  # it was listed


async def test_row_37_a_connector_deleted_before_is_not_even_tried(bench: OpenBench) -> None:
    targets = pairs(2, per_app=2)
    async with bench(targets, behaviour=Behaviour(deleted="listed")) as b:
        b.tenant.delete(*targets[1])
        result = await b.run(job(targets))

        assert (result.exit_code, counts(result)) == (ExitCode.INCOMPLETE, {"changed": 1, "failed": 1})
        assert b.posts() == ["app0/con0"]
        assert b.rows(result)[1].error == "the connector is deleted"


async def test_row_38_a_connector_created_during_the_run_is_left_alone(bench: OpenBench) -> None:
    targets = pairs(20, per_app=20)
    population = Listed(connectors=(Connector(app, each, each) for app, each in targets))
    async with bench(population, "latency=1s") as b:
        newcomer = Connector("app0", "newcomer", "newcomer")
        asyncio.get_running_loop().call_later(2.5, population.add, newcomer)
        result = await b.run(job(targets))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 20})
        assert b.tenant.state("app0", "newcomer").pause is None


async def test_row_39_what_is_paused_already_gets_no_request_and_is_no_failure(bench: OpenBench) -> None:
    targets = pairs(4, per_app=2)
    async with bench(targets) as b:
        b.tenant.pause_by_other(*targets[1])
        b.tenant.anomaly(*targets[2])
        result = await b.run(job(targets))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 2, "unchanged": 2})
        assert sorted(b.posts()) == ["app0/con0", "app1/con3"]
        assert b.rows(result)[1].detail == "already paused"


async def test_row_40_a_target_that_somebody_resumes_during_the_run_is_unknown_and_not_fought_over(
    bench: OpenBench,
) -> None:
    targets = pairs(10, per_app=10)
    async with bench(targets, "latency=1s") as b:
        asyncio.get_running_loop().call_later(3.5, partial(b.tenant.resume_by_other, *targets[0]))
        result = await b.run(job(targets, limits=LimitPolicy(concurrency=2)))

        assert (result.exit_code, counts(result)) == (ExitCode.INCOMPLETE, {"changed": 9, "unknown": 1})
        row = b.rows(result)[0]
        assert row.outcome is Outcome.UNKNOWN
        assert "somebody else has changed it since" in (row.detail or "")
        assert b.posts().count("app0/con0") == 1
        assert b.tenant.state(*targets[0]).pause is None
