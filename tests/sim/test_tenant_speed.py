"""A whole tenant costs as many requests as it must, and no more time than they take."""

import random
from collections import Counter

import pytest

from runner.base.errors import ExitCode
from runner.base.model import Job, OperationName, RunResult, Selection
from runner.base.policy import PAGE_SIZE, LimitPolicy
from runner.sandbox import App, Connector, Listed
from tests.sim.conftest import Bench, OpenBench, counts

pytestmark = pytest.mark.anyio

APPS = 1000
LATENCY = 0.05
WORKERS = 10
ALLOWED = 1.15
"""Times what the requests take when all workers are always busy."""

ALL = Job(OperationName.PAUSE, "all", select=Selection(all=True), limits=LimitPolicy(concurrency=WORKERS))


def tenant(apps: int = APPS) -> Listed:
    """Apps with one or two connectors each."""
    draw = random.Random(4)
    population = Listed()
    for app in range(apps):
        for number in range(draw.choice((1, 2))):
            population.add(Connector(f"app{app}", f"con{number}", f"Connector {number} of {app}"))
    return population


def size(population: Listed) -> int:
    return sum(len(population.connectors(app.id)) for app in population.apps())


def span(b: Bench) -> float:
    """Virtual seconds from the token to the last reply."""
    requests = b.server.oracle.requests
    token = b.arrivals("token")[0]
    return max(request.at for request in requests) + LATENCY - (token.at + LATENCY)


async def whole_job(b: Bench) -> RunResult:
    result = await b.run(ALL)
    assert result.exit_code == ExitCode.OK
    return result


async def test_a_whole_tenant_takes_the_time_of_the_requests_it_needs_and_not_one_more(bench: OpenBench) -> None:
    population = tenant()
    async with bench(population, f"latency={LATENCY}s") as b:
        result = await whole_job(b)
        needed = {"apps": APPS // PAGE_SIZE, "connectors": 2 * APPS, "pause": size(population)}

        assert counts(result) == {"changed": size(population)}
        assert b.server.oracle.per_endpoint == needed | {"token": 1}
        assert span(b) <= ALLOWED * sum(needed.values()) / WORKERS * LATENCY
        assert b.server.oracle.max_in_flight == WORKERS


async def test_one_listing_before_and_one_after_give_state_names_and_receipts(bench: OpenBench) -> None:
    population = tenant(40)
    async with bench(population, f"latency={LATENCY}s") as b:
        result = await whole_job(b)

        assert set(Counter(request.path for request in b.arrivals("connectors")).values()) == {2}
        for row in b.rows(result):
            true = b.tenant.state(row.target.app_id, row.target.connector_id)
            assert row.before is not None
            assert row.after is not None
            assert true.pause is not None
            assert (row.before.paused, row.after.paused_at) == (False, true.pause.mark)
            assert row.app_name == f"App {row.target.app_id}"
            assert row.connector_name is not None


async def test_an_app_in_which_nothing_was_changed_is_not_listed_again(bench: OpenBench) -> None:
    population = tenant(20)
    async with bench(population, f"latency={LATENCY}s") as b:
        for connector in population.connectors("app7"):
            b.tenant.pause_by_other(connector.app_id, connector.id)
        population.add_app(App("empty", "Empty"))
        await whole_job(b)

        listed = [request.path.split("/")[4] for request in b.arrivals("connectors")]
        assert (listed.count("app7"), listed.count("empty"), listed.count("app8")) == (1, 1, 2)


async def test_the_first_pause_leaves_two_round_trips_after_the_token(bench: OpenBench) -> None:
    async with bench(tenant(150), f"latency={LATENCY}s") as b:
        await whole_job(b)
        signed_in = b.arrivals("token")[0].at + LATENCY

        assert b.arrivals("pause")[0].at == pytest.approx(signed_in + 2 * LATENCY, abs=LATENCY / 10)


async def test_pauses_do_not_wait_until_the_tenant_is_listed(bench: OpenBench) -> None:
    async with bench(tenant(150), f"latency={LATENCY}s") as b:
        await whole_job(b)
        before = {request.path for request in b.arrivals("connectors") if request.at < b.arrivals("pause")[0].at}

        assert len(before) <= 2 * WORKERS


@pytest.mark.parametrize("workers", [1, 3, 50])
async def test_listing_and_pausing_together_stay_within_the_concurrency(bench: OpenBench, workers: int) -> None:
    population = tenant(60)
    job = Job(OperationName.PAUSE, "all", select=Selection(all=True), limits=LimitPolicy(concurrency=workers))
    async with bench(population, f"latency={LATENCY}s") as b:
        result = await b.run(job)

        assert counts(result) == {"changed": size(population)}
        assert b.server.oracle.max_in_flight == workers


async def test_an_app_with_many_connectors_is_listed_by_the_page(bench: OpenBench) -> None:
    population = Listed()
    for number in range(250):
        population.add(Connector("big", f"con{number}", f"Connector {number}"))
    async with bench(population, f"latency={LATENCY}s") as b:
        result = await whole_job(b)

        assert counts(result) == {"changed": 250}
        assert b.server.oracle.per_endpoint["connectors"] == 2 * 3
        assert b.server.oracle.per_endpoint["connector"] == 0
