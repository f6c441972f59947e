"""What a reply's status and shape do to a target and to the run, as a table of faults.

row  fault                               test
15   301, 302, 303, 307, 308             test_row_15_*
16   400, 422                            test_row_16_*
20   404                                 test_row_20_*
21   405, 411, 415, 501                  test_row_21_*
22   408, 425                            test_row_22_*
23   409                                 test_row_23_*
29   500, 502, 504, 520 to 524           test_row_29_*
31   200 with a web page                 test_row_31_*
35   gzip bomb, large body, large header test_row_35_*

The rows on 401 and 403 stand in `test_matrix_auth`, those on 429 and 503 in `test_matrix_throttling`.
"""

import asyncio
import tracemalloc
from dataclasses import replace

import pytest

from runner.base.errors import ExitCode
from runner.base.model import Outcome
from runner.base.policy import LimitPolicy
from runner.base.settings import AccessToken
from runner.sandbox import Action, Kind
from tests.sim.conftest import OpenBench, counts, job, open_tenant, pairs
from tests.unit.wire import reply, wire

pytestmark = pytest.mark.anyio

ONE = pairs(1)
FEW = LimitPolicy(concurrency=5)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_row_15_a_redirect_is_not_followed_and_fails_its_target_alone(bench: OpenBench, status: int) -> None:
    targets = pairs(10)
    async with bench(targets) as b, open_tenant(targets) as other:
        b.server.script("app7/con7", [f"redirect={status},location={other.url}/api/v1/apps"])
        result = await b.run(job(targets, limits=LimitPolicy(concurrency=1)))

        assert (result.exit_code, counts(result)) == (ExitCode.INCOMPLETE, {"changed": 9, "failed": 1})
        row = b.rows(result)[7]
        assert (row.outcome, row.http_status) == (Outcome.FAILED, status)
        assert f"redirected to {other.url}" in (row.error or "")
        assert "check the tenant's address" in (row.error or "")
        assert b.posts().count("app7/con7") == 1
        assert other.oracle.requests == []


@pytest.mark.parametrize("preflight", [True, False])
async def test_row_15_a_redirect_of_the_first_target_ends_the_run(bench: OpenBench, preflight: bool) -> None:
    targets = pairs(200)
    async with bench(targets, "redirect=100%,on=post+read,redirect_to=https://login.example/") as b:
        result = await b.run(job(targets, limits=FEW, preflight=preflight))

        assert result.exit_code == ExitCode.STOPPED
        assert "not C1's API" in (result.stopped or "")
        assert "redirected to https://login.example/" in (result.stopped or "")
        assert len(b.posts()) <= 5 + 3
        assert counts(result)["not_attempted"] >= 190
        assert b.applied() == set()


@pytest.mark.parametrize("status", [400, 422])
async def test_row_16_a_refusal_fails_its_target_with_what_the_tenant_said(bench: OpenBench, status: int) -> None:
    targets = pairs(10)
    body = b'{"code":3,"message":"connector is\\u0000 busy (request-id: r-1)"}'
    async with bench(targets) as b:
        b.server.script("app3/con3", [Action(Kind.STATUS, status=status, body=body)])
        result = await b.run(job(targets))

        assert (result.exit_code, counts(result)) == (ExitCode.INCOMPLETE, {"changed": 9, "failed": 1})
        row = b.rows(result)[3]
        assert (row.http_status, row.error, row.attempts) == (status, f"HTTP {status}: connector is busy", 1)
        assert row.request_id is not None
        assert b.posts().count("app3/con3") == 1


async def test_row_16_a_long_reply_that_echoes_the_token_is_shortened_and_redacted(bench: OpenBench) -> None:
    async with bench(ONE) as opened:
        b = opened.with_access_token()
        assert isinstance(b.settings.credential, AccessToken)
        secret = b.settings.credential.value
        b.server.script("app0/con0", [Action(Kind.STATUS, status=400, body=b"bad " + secret.encode() + b"!" * 5000)])
        result = await b.run(job(ONE))

        error = b.rows(result)[0].error or ""
        assert error.startswith("HTTP 400 (application/json): something before C1 answered")
        assert ": bad [redacted]!!" in error
        assert len(error) < 400


async def test_row_20_a_connector_that_does_not_exist_fails_alone(bench: OpenBench) -> None:
    targets = pairs(10)
    async with bench(targets[:-1]) as b:
        result = await b.run(job(targets))

        assert (result.exit_code, counts(result)) == (ExitCode.INCOMPLETE, {"changed": 9, "failed": 1})
        row = b.rows(result)[9]
        assert row.http_status == 404
        assert "not found" in (row.error or "")
        assert row.attempts == 1


@pytest.mark.parametrize("answers", [1, 25])
async def test_row_20_a_gateway_without_a_backend_is_waited_out_like_an_outage(bench: OpenBench, answers: int) -> None:
    targets = pairs(20)
    async with bench(targets) as b:
        away = Action(Kind.STATUS, status=404, body=b"default backend - 404")
        b.server.script("pause", [away] * answers)
        result = await b.run(job(targets))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 20})


async def test_row_20_when_none_of_the_first_five_exists_the_run_ends(bench: OpenBench) -> None:
    targets = pairs(200)
    async with bench(pairs(1000)[500:]) as b:
        result = await b.run(job(targets, limits=FEW))

        assert result.exit_code == ExitCode.STOPPED
        assert "none of the first 5 connectors exists" in (result.stopped or "")
        assert len(b.posts()) <= 5 + 5
        assert sum(counts(result).values()) == 200


@pytest.mark.parametrize("status", [405, 411, 415, 501])
async def test_row_21_a_status_that_says_the_api_has_changed_ends_the_run_as_a_fault_here(
    bench: OpenBench, status: int
) -> None:
    targets = pairs(200)
    async with bench(targets, f"error=100%,error_status={status}") as b:
        result = await b.run(job(targets, limits=FEW))

        assert result.exit_code == ExitCode.BUG
        assert f"HTTP {status}" in (result.stopped or "")
        assert len(b.posts()) <= 5 + 3
        assert counts(result).keys() == {"failed", "not_attempted"}


@pytest.mark.parametrize("status", [408, 425])
async def test_row_22_a_request_that_came_at_the_wrong_time_is_sent_again(bench: OpenBench, status: int) -> None:
    async with bench(ONE) as b:
        b.server.script("app0/con0", [f"status={status}"])
        result = await b.run(job(ONE))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 1})
        assert len(b.posts()) == 2
        assert len(b.arrivals("connector")) == (1 if status == 408 else 0)  # 408: it may have been handled


async def test_row_23_a_conflict_is_no_matter_when_a_read_shows_the_wanted_state(bench: OpenBench) -> None:
    async with bench(ONE) as b:
        b.tenant.pause_by_other(*ONE[0])
        b.server.script("app0/con0", ["status=409"])
        result = await b.run(job(ONE, preflight=False))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"unchanged": 1})
        assert len(b.posts()) == 1
        assert "somebody else" in (b.rows(result)[0].detail or "")


async def test_row_23_a_conflict_that_passes_costs_a_try(bench: OpenBench) -> None:
    async with bench(ONE) as b:
        b.server.script("app0/con0", ["status=409", "status=409"])
        result = await b.run(job(ONE))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 1})
        assert len(b.posts()) == 3


async def test_row_23_a_conflict_that_stays_fails_its_target(bench: OpenBench) -> None:
    async with bench(ONE) as b:
        b.server.script("app0/con0", ["status=409"] * 50)
        result = await b.run(job(ONE))

        assert (result.exit_code, counts(result)) == (ExitCode.INCOMPLETE, {"failed": 1})
        assert b.rows(result)[0].http_status == 409
        assert len(b.posts()) <= 5


@pytest.mark.parametrize("status", [500, 502, 504, 520, 521, 522, 523, 524])
@pytest.mark.parametrize("applied", ["yes", "no"])
async def test_row_29_a_server_error_is_followed_by_a_read_before_anything_is_repeated(
    bench: OpenBench, status: int, applied: str
) -> None:
    async with bench(ONE) as b:
        b.server.script("app0/con0", [f"status={status},applied={applied}"])
        result = await b.run(job(ONE, verify=False))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 1})
        assert len(b.posts()) == (1 if applied == "yes" else 2)
        assert len(b.arrivals("connector")) == 1


async def test_row_29_a_server_error_that_stays_fails_a_target_that_reads_as_it_was(bench: OpenBench) -> None:
    async with bench(ONE) as b:
        b.server.script("app0/con0", ["status=502"] * 50)
        result = await b.run(job(ONE))

        assert (result.exit_code, counts(result)) == (ExitCode.INCOMPLETE, {"failed": 1})
        row = b.rows(result)[0]
        assert (row.http_status, row.attempts) == (502, 5)
        assert row.after is not None
        assert not row.after.paused


async def test_row_31_a_web_page_is_no_success(bench: OpenBench) -> None:
    targets = pairs(10)
    async with bench(targets) as b:
        b.server.script("app3/con3", ["html"])
        b.server.script("app4/con4", ["html"] * 50)
        result = await b.run(job(targets))

        assert (result.exit_code, counts(result)) == (ExitCode.INCOMPLETE, {"changed": 9, "failed": 1})
        rows = b.rows(result)
        assert rows[3].attempts == 2
        assert "not an answer of C1's API (text/html" in (rows[4].error or "")


@pytest.mark.parametrize("preflight", [True, False])
async def test_row_31_a_tenant_that_shows_nothing_but_web_pages_ends_the_run_with_its_first_target(
    bench: OpenBench, preflight: bool
) -> None:
    targets = pairs(200)
    async with bench(targets, "html=100%,on=post+read") as b:
        result = await b.run(job(targets, limits=FEW, preflight=preflight))

        assert result.exit_code == ExitCode.STOPPED
        assert "not C1's API" in (result.stopped or "")
        assert counts(result)["not_attempted"] >= 190
        assert asyncio.get_running_loop().time() < 120


async def test_row_31_a_captive_portal_before_the_token_ends_the_run_before_any_target(bench: OpenBench) -> None:
    targets = pairs(20)
    async with bench(targets, "html=100%,on=token+post+read") as b:
        result = await b.run(job(targets))

        assert (result.exit_code, counts(result)) == (ExitCode.STOPPED, {"not_attempted": 20})
        assert "not an answer of C1's API" in (result.stopped or "")
        assert {request.endpoint for request in b.server.oracle.requests} == {"token"}


@pytest.mark.parametrize("fault", ["bomb", "big_body", "big_header"])
@pytest.mark.parametrize("applied", ["yes", "no"])
async def test_row_35_a_reply_that_is_far_too_large_is_cut_off_and_the_connector_read(
    bench: OpenBench, fault: str, applied: str
) -> None:
    targets = pairs(3)
    async with bench(targets) as b:
        b.server.script("app1/con1", [f"{fault},applied={applied}"])
        result = await b.run(job(targets, verify=False))

        rows = b.rows(result)
        assert [row.outcome for row in rows[::2]] == [Outcome.CHANGED] * 2
        assert len(b.arrivals("connector")) >= 1
        if applied == "yes":
            assert rows[1].outcome is Outcome.CHANGED
        else:
            assert (rows[1].outcome, len(b.posts())) in ((Outcome.CHANGED, 4), (Outcome.FAILED, 3))


async def test_row_35_a_gzip_bomb_is_not_unpacked(bench: OpenBench) -> None:
    async with bench(pairs(20), "bomb=100%") as b:
        await b.run(job(pairs(1)))  # the sandbox makes the bomb, once
        tracemalloc.start()
        try:
            await b.run(job(pairs(20)[1:]))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 16 * 2**20


async def test_row_35_a_header_of_ten_megabytes_makes_its_target_unknown_and_nothing_else(bench: OpenBench) -> None:
    targets = pairs(2)
    async with bench(targets) as b, wire(reply(200, b"{}", "X-Padding: " + "x" * 10_000_000)) as huge:
        b.settings = replace(b.settings, origin=huge.url, credential=AccessToken("token"))
        result = await b.run(job(targets, preflight=False, verify=False))

        assert (result.exit_code, counts(result)) == (ExitCode.INCOMPLETE, {"unknown": 2})
        assert all("the reply cannot be read" in (row.error or "") for row in b.rows(result))
        assert all(len(row.error or "") < 400 for row in b.rows(result))
