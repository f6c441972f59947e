"""One credential, one token for all: what its end costs, in requests to the tenant."""

import asyncio
import math
import os
import signal
from dataclasses import replace

import pytest

from runner.base.errors import ExitCode
from runner.base.policy import LimitPolicy
from runner.base.settings import AccessToken, ClientCredentials
from tests.sim.conftest import OpenBench, counts, job, pairs

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("preflight", [True, False])
@pytest.mark.parametrize("workers", [1, 10, 50])
async def test_a_revoked_credential_ends_the_run_within_as_many_requests_as_workers_and_three(
    bench: OpenBench, workers: int, preflight: bool
) -> None:
    targets = pairs(8 * workers, per_app=4)
    async with bench(targets, "latency=1s") as b:
        desk, loop = b.server.desk, asyncio.get_running_loop()
        loop.call_later(5.5, desk.revoke_credential, desk.signer.client_id)
        result = await b.run(job(targets, preflight=preflight, limits=LimitPolicy(concurrency=workers)))

        assert result.exit_code == ExitCode.ACCESS
        assert "refuses" in (result.stopped or "")
        begin = b.server.oracle.requests[0].at
        refused = [r for r in b.server.oracle.requests if r.endpoint != "token" and r.status == 401]
        late = [r for r in b.server.oracle.requests if r.endpoint != "token" and r.at - begin > 5.5]
        assert len(refused) <= workers + 3
        assert len(late) <= 3
        tokens = [r for r in b.server.oracle.requests if r.endpoint == "token" and r.at - begin > 5.5]
        assert len(refused) + len(tokens) <= workers + 3  # whoever has to ask for a new one is counted, too
        assert counts(result).keys() == {"changed", "not_attempted"}
        assert {str(row.target) for row in b.rows(result) if row.outcome == "changed"} == b.applied()


@pytest.mark.parametrize("workers", [1, 10, 50])
async def test_a_revoked_access_token_ends_the_run_with_what_was_in_flight(bench: OpenBench, workers: int) -> None:
    targets = pairs(8 * workers, per_app=4)
    async with bench(targets, "latency=1s") as opened:
        b = opened.with_access_token()
        asyncio.get_running_loop().call_later(5.5, b.server.desk.revoke_all)
        result = await b.run(job(targets, preflight=False, limits=LimitPolicy(concurrency=workers)))

        assert result.exit_code == ExitCode.ACCESS
        assert "CONDUCTORONE_ACCESS_TOKEN" in (result.stopped or "")
        assert b.server.oracle.per_status[401] <= workers + 3
        assert counts(result).keys() == {"changed", "not_attempted"}
        assert b.arrivals("token") == []


async def test_an_access_token_that_is_none_ends_the_run_with_its_first_requests(bench: OpenBench) -> None:
    targets = pairs(200)
    async with bench(targets) as b:
        b.settings = replace(b.settings, credential=AccessToken("outdated"))
        result = await b.run(job(targets))

        assert (result.exit_code, counts(result)) == (ExitCode.ACCESS, {"not_attempted": 200})
        assert len(b.server.oracle.requests) <= 10
        assert b.posts() == []


async def test_tokens_that_live_five_seconds_are_renewed_once_each_and_before_their_end(bench: OpenBench) -> None:
    targets = pairs(300, per_app=10)
    async with bench(targets, "latency=500ms,token_life=5s") as b:
        result = await b.run(job(targets))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 300})
        assert b.server.oracle.per_status[401] == 0
        assert b.server.desk.mints <= 1 + math.ceil(asyncio.get_running_loop().time() / 4)
        assert b.server.desk.mints == len(b.arrivals("token"))


@pytest.mark.parametrize("life", ["5s", "3600s"])
async def test_a_hundred_refusals_at_once_cost_one_new_token(bench: OpenBench, life: str) -> None:
    targets = pairs(600)  # enough for all hundred workers to be at it
    async with bench(targets, f"latency=1s,token_life={life}") as b:
        asyncio.get_running_loop().call_later(3.5, b.server.desk.revoke_all)
        job_ = job(targets, preflight=False, verify=False, limits=LimitPolicy(concurrency=100))
        result = await b.run(job_)

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 600})
        assert b.server.oracle.per_status[401] == 100
        assert b.server.desk.mints - math.floor(asyncio.get_running_loop().time() / 4) * (life == "5s") <= 2
        assert len(b.posts()) == 700


async def test_a_new_token_is_tried_by_one_request_before_the_others_follow(bench: OpenBench) -> None:
    targets = pairs(300)
    async with bench(targets, "latency=1s") as b:
        asyncio.get_running_loop().call_later(2.5, b.server.desk.revoke_all)
        await b.run(job(targets, preflight=False, verify=False, limits=LimitPolicy(concurrency=100)))

        minted = b.arrivals("token")[1].at
        following = sorted(post.at for post in b.arrivals("pause") if post.at > minted)
        assert following[1] - following[0] >= 1


async def test_a_credential_that_may_only_read_ends_the_run(bench: OpenBench) -> None:
    targets = pairs(200, per_app=10)
    async with bench(targets) as b:
        reader = b.server.desk.reader
        b.settings = replace(b.settings, credential=ClientCredentials(reader.client_id, reader.secret or ""))
        result = await b.run(job(targets))

        assert result.exit_code == ExitCode.ACCESS
        assert "Connector Administrator" in (result.stopped or "")
        assert len(b.posts()) <= 5 + 10
        assert counts(result).keys() == {"failed", "not_attempted"}
        assert b.applied() == set()


async def test_a_credential_that_may_only_read_is_told_from_a_short_job_too(bench: OpenBench) -> None:
    async with bench(pairs(2)) as b:
        reader = b.server.desk.reader
        b.settings = replace(b.settings, credential=ClientCredentials(reader.client_id, reader.secret or ""))
        result = await b.run(job(pairs(2)))

        assert (result.exit_code, counts(result)) == (ExitCode.ACCESS, {"failed": 2})


@pytest.mark.parametrize("by", ["signal", "deadline"])
async def test_waiting_for_a_token_on_probation_ends_with_the_run(bench: OpenBench, by: str) -> None:
    targets = pairs(3)
    async with bench(targets) as b:
        b.server.script("app0/con0", ["status=401", "silence"])  # the second token's verdict does not come
        if by == "signal":
            asyncio.get_running_loop().call_later(1, os.kill, os.getpid(), signal.SIGTERM)
        limits = LimitPolicy(concurrency=2, deadline=1 if by == "deadline" else None)
        result = await b.run(job(targets, preflight=False, limits=limits), signals=True)

        rows = b.results(result)
        sent = set(b.posts())
        assert "app0/con0" in sent
        assert rows["app0/con0"].outcome == "unknown"
        assert {target for target, row in rows.items() if row.outcome == "unknown"} <= sent
        assert counts(result)["not_attempted"] >= 1
