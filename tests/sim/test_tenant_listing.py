"""A tenant that cannot be listed whole: the rest is done, and nobody is told that all of it was."""

import json
import re

import pytest

from runner.base.errors import AccessError, ExitCode, OutageError
from runner.base.model import Exclusion, Job, OperationName, Outcome, Planned, Result, RunResult, Selection, Target
from runner.base.policy import LimitPolicy, Share
from runner.engine.supervisor import Observer
from runner.sandbox import Action, Kind
from tests.sim.conftest import Bench, OpenBench, Pairs, counts, pairs

pytestmark = pytest.mark.anyio

ALL = Selection(all=True)
FAILING = ["status=500"] * 20
LARGE = pairs(250)  # apps enough for three pages
SECOND_PAGE = 1


def everything(**fields: object) -> Job:
    return Job(OperationName.PAUSE, "all", select=ALL, **fields)  # type: ignore[arg-type]


def script(b: Bench, app_id: str, actions: list[str]) -> None:
    """What becomes of the next listings of an app's connectors."""
    b.server.script(f"GET /api/v1/apps/{app_id}/connectors", actions)


def of_apps(targets: Pairs, *app_ids: str) -> set[str]:
    return {f"{app_id}/{connector_id}" for app_id, connector_id in targets if app_id in app_ids}


def assert_not_whole(b: Bench, result: RunResult, code: ExitCode) -> None:
    """The account does not read as if everything had been done."""
    assert result.exit_code == code
    assert result.stopped
    [record] = b.store.runs()
    assert (record.exit_code, record.stopped) == (code, result.stopped)


async def test_an_app_that_cannot_be_listed_costs_the_others_nothing(bench: OpenBench) -> None:
    targets = pairs(12, per_app=3)
    async with bench(targets) as b:
        script(b, "app2", FAILING)
        result = await b.run(everything())

        assert b.applied() == of_apps(targets, "app0", "app1", "app3")
        assert set(b.results(result)) == b.applied()
        assert_not_whole(b, result, ExitCode.STOPPED)


async def test_the_run_says_which_app_could_not_be_listed_and_why(bench: OpenBench) -> None:
    async with bench(pairs(12, per_app=3)) as b:
        script(b, "app2", FAILING)
        result = await b.run(everything())

        assert result.stopped is not None
        assert re.search(r"App app2 \(app2\)", result.stopped)
        assert "500" in result.stopped


async def test_every_app_that_could_not_be_listed_can_be_found_in_the_account(bench: OpenBench) -> None:
    async with bench(pairs(12, per_app=3)) as b:
        script(b, "app1", FAILING)
        script(b, "app2", FAILING)
        result = await b.run(everything())

        assert result.stopped is not None
        assert all(app in result.stopped for app in ("app1", "app2"))


async def test_a_listing_that_fails_now_and_then_is_asked_again(bench: OpenBench) -> None:
    async with bench(pairs(12, per_app=3)) as b:
        script(b, "app2", ["status=500", "drop", "truncate", "ok"])
        result = await b.run(everything())

        assert result.exit_code == ExitCode.OK
        assert counts(result) == {"changed": 12}


async def test_apps_that_cannot_be_listed_at_all_end_the_run_with_nothing_sent(bench: OpenBench) -> None:
    async with bench(pairs(3)) as b:
        b.server.script("apps", FAILING)
        result = await b.run(everything())

        assert b.posts() == []
        assert_not_whole(b, result, ExitCode.STOPPED)
        assert "apps could not be listed" in (result.stopped or "")


async def test_what_an_unfinished_listing_of_apps_has_shown_is_not_called_everything(bench: OpenBench) -> None:
    async with bench(LARGE) as b:
        b.server.script("apps", ["ok", *FAILING])
        result = await b.run(everything())

        assert len(b.posts()) < len(LARGE)
        assert_not_whole(b, result, ExitCode.STOPPED)


async def test_a_page_token_that_comes_again_ends_the_listing(bench: OpenBench) -> None:
    async with bench(LARGE) as b:
        first = {"list": [{"id": "app0", "displayName": "App"}], "nextPageToken": "again"}
        b.server.script("apps", [_json(first)] * 20)
        result = await b.run(everything())

        assert b.server.oracle.per_endpoint["apps"] <= 3
        assert "round in circles" in (result.stopped or "")
        assert_not_whole(b, result, ExitCode.STOPPED)


async def test_an_app_whose_pages_never_end_is_reported_and_the_others_are_done(bench: OpenBench) -> None:
    targets = pairs(4)
    async with bench(targets) as b:
        page = {"list": [], "nextPageToken": "again"}
        b.server.script("GET /api/v1/apps/app1/connectors", [_json(page)] * 20)
        result = await b.run(everything())

        assert b.applied() == of_apps(targets, "app0", "app2", "app3")
        assert "app1" in (result.stopped or "")
        assert_not_whole(b, result, ExitCode.STOPPED)


def _json(document: object) -> Action:
    return Action(Kind.ANSWER, applied=False, body=json.dumps(document).encode())


@pytest.mark.parametrize("waves", [(), (Share(1),)], ids=["streamed", "known before"])
async def test_a_credential_that_may_not_list_is_told_so(bench: OpenBench, waves: tuple[Share, ...]) -> None:
    async with bench(pairs(3)) as b:
        b.server.script("apps", ["status=403"] * 20)
        try:
            code = (await b.run(everything(waves=waves))).exit_code
        except (AccessError, OutageError) as error:
            code = error.exit_code

        assert b.posts() == []
        assert code == ExitCode.ACCESS


async def test_one_app_that_may_not_be_seen_is_one_that_could_not_be_listed(bench: OpenBench) -> None:
    targets = pairs(6)
    async with bench(targets) as b:
        script(b, "app2", ["status=403"] * 20)
        result = await b.run(everything())

        assert b.applied() == of_apps(targets, "app0", "app1", "app3", "app4", "app5")
        assert "app2" in (result.stopped or "")
        assert_not_whole(b, result, ExitCode.STOPPED)


async def test_a_credential_that_is_revoked_while_listing_ends_the_run_as_refused(bench: OpenBench) -> None:
    async with bench(LARGE) as b:
        b.server.script("apps", ["ok", *["expire"] * 40])
        b.server.script("token", ["ok", *["status=401"] * 40])
        result = await b.run(everything())

        assert len(b.posts()) < len(LARGE)
        assert_not_whole(b, result, ExitCode.ACCESS)


async def test_a_deadline_during_the_listing_is_no_success(bench: OpenBench) -> None:
    async with bench(LARGE, "latency=1s") as b:
        result = await b.run(everything(limits=LimitPolicy(deadline=12.0), verify=False))

        assert 0 < len(b.posts()) < len(LARGE)
        assert_not_whole(b, result, ExitCode.STOPPED)
        assert "deadline" in (result.stopped or "")


@pytest.mark.parametrize(
    "fields",
    [{"waves": (Share(1),)}, {"limits": LimitPolicy(max_targets=Share(100))}],
    ids=["waves", "max_targets"],
)
async def test_a_plan_that_must_be_known_whole_is_not_begun_on_half_of_it(
    bench: OpenBench, fields: dict[str, object]
) -> None:
    async with bench(pairs(12, per_app=3)) as b:
        script(b, "app2", FAILING)
        with pytest.raises(OutageError, match="app2"):
            await b.run(everything(**fields))

        assert b.posts() == []
        assert b.store.runs() == []


async def test_names_that_rules_need_are_read_before_a_protected_pair_is_sent_anything(bench: OpenBench) -> None:
    async with bench(pairs(3)) as b:
        b.server.script("apps", FAILING)
        rules = (Exclusion(app="App app1"),)
        job = Job(
            OperationName.PAUSE, "pairs", targets=(Target("app1", "con1"), Target("app2", "con2")), protected=rules
        )
        with pytest.raises(OutageError, match="nothing was sent"):
            await b.run(job)

        assert b.posts() == []


async def test_an_outage_while_listing_is_waited_out(bench: OpenBench) -> None:
    targets = pairs(30)
    async with bench(targets, "latency=50ms,outage=0.12s-40s") as b:
        result = await b.run(everything())

        assert result.exit_code == ExitCode.OK, result
        assert counts(result) == {"changed": 30}


async def test_a_throttled_listing_costs_time_and_no_app(bench: OpenBench) -> None:
    targets = pairs(60, per_app=2)
    async with bench(targets, "latency=20ms,limit=20/s,burst=5") as b:
        result = await b.run(everything())

        assert result.exit_code == ExitCode.OK
        assert counts(result) == {"changed": 60}
        assert {row.outcome for row in b.rows(result)} == {Outcome.CHANGED}


async def test_a_deleted_app_is_not_listed(bench: OpenBench) -> None:
    async with bench(pairs(2)) as b:
        apps = [{"id": "app0", "displayName": "A", "deletedAt": "2026-01-01T00:00:00Z"}, {"id": "app1"}]
        b.server.script("apps", [_json({"list": apps, "nextPageToken": ""})])
        result = await b.run(everything())

        assert b.posts() == ["app1/con1"]
        assert result.exit_code == ExitCode.OK


async def test_going_on_with_a_run_that_was_cut_off_while_listing_does_not_make_it_whole(bench: OpenBench) -> None:
    async with bench(LARGE, "latency=1s") as b:
        wanted = everything(limits=LimitPolicy(deadline=12.0), verify=False)
        first = await b.run(wanted)
        again = await b.proceed(first.run_id, everything(verify=False))

        assert len(b.applied()) < len(LARGE)
        assert again.exit_code != ExitCode.OK


# --partial


async def test_what_cannot_be_listed_may_be_missing_when_the_job_says_so_and_is_named_all_the_same(
    bench: OpenBench,
) -> None:
    targets = pairs(12, per_app=3)
    async with bench(targets) as b:
        script(b, "app2", FAILING)
        result = await b.run(everything(partial=True))
        [record] = b.store.runs()

        assert b.applied() == of_apps(targets, "app0", "app1", "app3")
        assert (result.exit_code, record.exit_code, result.partial) == (ExitCode.OK, ExitCode.OK, True)
        assert "App app2 (app2)" in (record.stopped or "")
        assert not record.whole


@pytest.mark.parametrize(
    "fields",
    [{"waves": (Share(1),)}, {"limits": LimitPolicy(max_targets=Share(100))}],
    ids=["waves", "max_targets"],
)
async def test_a_plan_that_must_be_known_whole_is_begun_without_the_rest_when_the_job_says_so(
    bench: OpenBench, fields: dict[str, object]
) -> None:
    targets = pairs(12, per_app=3)
    async with bench(targets) as b:
        script(b, "app2", FAILING)
        result = await b.run(everything(partial=True, **fields))

        assert b.applied() == of_apps(targets, "app0", "app1", "app3")
        assert result.exit_code == ExitCode.OK
        assert not b.store.runs()[0].whole


@pytest.mark.parametrize(("partial", "code"), [(False, ExitCode.STOPPED), (True, ExitCode.OK)])
async def test_apps_that_were_listed_are_done_although_the_next_page_fails(
    bench: OpenBench, partial: bool, code: ExitCode
) -> None:
    async with bench(LARGE) as b:
        b.server.script("apps", ["ok", *FAILING])
        result = await b.run(everything(partial=partial))

        assert len(b.applied()) == 100
        assert result.exit_code == code
        assert "the apps after the first 100" in (result.stopped or "")


async def test_nothing_at_all_is_no_part_of_a_tenant(bench: OpenBench) -> None:
    async with bench(pairs(3)) as b:
        b.server.script("apps", FAILING)
        result = await b.run(everything(partial=True))

        assert_not_whole(b, result, ExitCode.STOPPED)


async def test_a_partial_run_that_also_fails_says_both(bench: OpenBench) -> None:
    async with bench(pairs(12, per_app=3)) as b:
        script(b, "app2", FAILING)
        b.server.script("app0/con0", ["status=400"] * 20)
        result = await b.run(everything(partial=True))

        assert result.exit_code == ExitCode.INCOMPLETE
        assert "app2" in (result.stopped or "")


async def test_a_deadline_is_none_of_the_things_a_partial_job_does_without(bench: OpenBench) -> None:
    async with bench(LARGE, "latency=1s") as b:
        result = await b.run(everything(partial=True, limits=LimitPolicy(deadline=12.0), verify=False))

        assert_not_whole(b, result, ExitCode.STOPPED)


# What is told meanwhile


class Told(Observer):
    """Remembers how large the plan was said to be, and whether anything was done beyond it."""

    def __init__(self) -> None:
        self.sizes: list[tuple[int, bool]] = []
        self.listed: list[tuple[int, int]] = []
        self.done = 0

    def listing(self, apps: int, connectors: int) -> None:
        self.listed.append((apps, connectors))

    def planned(self, total: int, *, whole: bool) -> None:
        self.sizes.append((total, whole))

    def finished(self, planned: Planned, result: Result) -> None:
        self.done += 1
        assert self.done <= self.sizes[-1][0]


async def test_a_plan_is_said_to_grow_until_it_is_known_to_its_end(bench: OpenBench) -> None:
    async with bench(pairs(30, per_app=3)) as b:
        told = Told()
        await b.run(everything(), observer=told)

    assert told.sizes == [*((number, False) for number in range(31)), (30, True)]
    assert told.listed[-1][1] == 30


async def test_a_plan_with_gaps_is_never_said_to_be_known_to_its_end(bench: OpenBench) -> None:
    async with bench(pairs(30, per_app=3)) as b:
        script(b, "app2", FAILING)
        told = Told()
        await b.run(everything(), observer=told)

    assert told.sizes[-1] == (27, False)
