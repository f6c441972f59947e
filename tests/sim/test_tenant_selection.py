"""Which of a tenant's connectors a job takes, as the tenant sees it: by the requests that arrive, and no others."""

from typing import Any

import pytest

from runner.base.errors import ExitCode, UsageError
from runner.base.model import Exclusion, Job, OperationName, Outcome, Selection, Target
from runner.base.policy import Share
from runner.sandbox import App, Connector, Ending, Listed, Pause, State, Sync
from tests.sim.conftest import Bench, OpenBench, counts
from tests.virtual_clock import EPOCH

pytestmark = pytest.mark.anyio

DONE = State(sync=Sync(EPOCH - 600, EPOCH - 300))
BROKEN = State(sync=Sync(EPOCH - 600, EPOCH - 300, Ending.ERROR))
RUNNING = State(sync=Sync(EPOCH - 60, EPOCH + 3600))
PAUSED = State(Pause("2026-09-20T08:00:00.000000001Z"), DONE.sync)
DELETED = State(sync=DONE.sync, deleted_at=EPOCH - 86_400)

APPS = {"hr": "HR Core", "pay": "Payroll", "slack1": "Slack", "slack2": "Slack", "none": "Archive"}
CONNECTORS = (
    Connector("hr", "wd", "Workday US", "cat-workday", DONE),
    Connector("hr", "wdeu", "Workday EU", "cat-workday", RUNNING),
    Connector("hr", "sheet", "Contractors Sheet", "cat-csv", BROKEN),
    Connector("hr", "gone", "Workday old", "cat-workday", DELETED),
    Connector("pay", "adp", "ADP", "cat-adp", DONE),
    Connector("pay", "adpde", "ADP Germany", "cat-adp", PAUSED),
    Connector("slack1", "bot", "Workspace", "cat-slack", DONE),
    Connector("slack2", "bot", "Workspace", "cat-slack", DONE),
)
EVERYTHING = {"hr/wd", "hr/wdeu", "hr/sheet", "pay/adp", "slack1/bot", "slack2/bot"}  # that can be paused


def tenant() -> Listed:
    return Listed((App(app_id, name) for app_id, name in APPS.items()), CONNECTORS)


def selecting(*pairs: str, select: Selection | None = None, operation: str = "pause", **fields: Any) -> Job:
    targets = tuple(Target(*pair.split("/")) for pair in pairs)
    return Job(OperationName(operation), "test", targets=targets, select=select, **fields)


def listed_apps(b: Bench) -> list[str]:
    return [request.path.split("/")[4] for request in b.arrivals("connectors")]


@pytest.mark.parametrize(
    ("select", "paused"),
    [
        (Selection(all=True), EVERYTHING),
        (Selection(apps=("hr",)), {"hr/wd", "hr/wdeu", "hr/sheet"}),
        (Selection(apps=("payroll",)), {"pay/adp"}),
        (Selection(apps=("sl*",)), {"slack1/bot", "slack2/bot"}),
        (Selection(apps=("/^(hr|pay)/",)), {"hr/wd", "hr/wdeu", "hr/sheet", "pay/adp"}),
        (Selection(connectors=("wd",)), {"hr/wd"}),
        (Selection(connectors=("adp",)), {"pay/adp"}),
        (Selection(connectors=("WORKDAY*",)), {"hr/wd", "hr/wdeu"}),
        (Selection(connectors=("/ (us|sheet)$/",)), {"hr/wd", "hr/sheet"}),
        (Selection(catalog_ids=("cat-slack",)), {"slack1/bot", "slack2/bot"}),
        (Selection(catalog_ids=("cat-[aw]*",)), {"hr/wd", "hr/wdeu", "pay/adp"}),
        (Selection(status=("running",)), {"hr/wdeu"}),
        (Selection(status=("error",)), {"hr/sheet"}),
        (Selection(status=("active",)), EVERYTHING),
        (Selection(apps=("hr",), status=("done",)), {"hr/wd"}),
        (Selection(apps=("hr", "slack*"), connectors=("w*",)), {"hr/wd", "hr/wdeu", "slack1/bot", "slack2/bot"}),
    ],
    ids=lambda value: (
        ",".join(f"{name}={getattr(value, name)}" for name in value.__slots__ if getattr(value, name))
        if isinstance(value, Selection)
        else ""
    ),
)
async def test_what_a_selection_names_is_paused_and_nothing_else(
    bench: OpenBench, select: Selection, paused: set[str]
) -> None:
    async with bench(tenant()) as b:
        result = await b.run(selecting(select=select))

        assert result.exit_code == ExitCode.OK
        assert sorted(b.posts()) == sorted(paused)
        assert b.applied() == paused
        assert {target for target, row in b.results(result).items() if row.outcome is Outcome.CHANGED} == paused


async def test_what_is_paused_already_is_recorded_as_unchanged_and_what_is_deleted_is_not_in_the_plan(
    bench: OpenBench,
) -> None:
    async with bench(tenant()) as b:
        result = await b.run(selecting(select=Selection(all=True)))
        rows = b.results(result)

        assert set(rows) == EVERYTHING | {"pay/adpde"}
        assert rows["pay/adpde"].outcome is Outcome.UNCHANGED
        assert (rows["hr/wd"].app_name, rows["hr/wd"].connector_name) == ("HR Core", "Workday US")


async def test_resume_of_all_takes_what_is_paused_and_leaves_what_is_deleted(bench: OpenBench) -> None:
    async with bench(tenant()) as b:
        result = await b.run(selecting(select=Selection(all=True), operation="resume"))

        assert result.exit_code == ExitCode.OK
        assert b.posts() == ["pay/adpde"]


async def test_an_app_that_the_selection_cannot_want_is_not_listed(bench: OpenBench) -> None:
    async with bench(tenant()) as b:
        await b.run(selecting(select=Selection(apps=("Slack*",)), verify=False))

        assert sorted(listed_apps(b)) == ["slack1", "slack2"]


@pytest.mark.parametrize(
    ("rule", "spared"),
    [
        (Exclusion(app="HR*"), {"hr/wd", "hr/wdeu", "hr/sheet"}),
        (Exclusion(app="pay"), {"pay/adp"}),
        (Exclusion(connector="/^work/"), {"hr/wd", "hr/wdeu", "slack1/bot", "slack2/bot"}),
        (Exclusion(app="slack", connector="workspace"), {"slack1/bot", "slack2/bot"}),
        (Exclusion(target=Target("slack2", "bot")), {"slack2/bot"}),
        (Exclusion(connector="nothing of the kind"), set()),
    ],
    ids=["app glob", "app id", "connector regex", "both names", "pair", "no match"],
)
@pytest.mark.parametrize("kind", ["exclude", "protected"])
async def test_excludes_and_protection_win_over_the_selection(
    bench: OpenBench, kind: str, rule: Exclusion, spared: set[str]
) -> None:
    rules: dict[str, Any] = {kind: (rule,)}
    async with bench(tenant()) as b:
        result = await b.run(selecting(select=Selection(all=True), **rules))

        assert result.exit_code == ExitCode.OK
        assert set(b.posts()) == EVERYTHING - spared


PROTECTING = [
    Exclusion(app="Payroll*"),
    Exclusion(connector="ADP"),
    Exclusion(app="Payroll", connector="/adp/"),
    Exclusion(target=Target("pay", "adp")),
]


@pytest.mark.parametrize("preflight", [True, False], ids=["with preflight", "without preflight"])
@pytest.mark.parametrize("rule", PROTECTING, ids=["app", "connector", "both", "pair"])
async def test_not_even_an_explicit_pair_touches_what_is_protected(
    bench: OpenBench, rule: Exclusion, preflight: bool
) -> None:
    async with bench(tenant()) as b:
        result = await b.run(selecting("pay/adp", "hr/wd", protected=(rule,), preflight=preflight))
        row = b.results(result)["pay/adp"]

        assert b.posts() == ["hr/wd"]
        assert row.outcome is Outcome.SKIPPED
        assert row.detail is not None
        assert "protected" in row.detail
        assert result.exit_code == ExitCode.INCOMPLETE


@pytest.mark.parametrize("rule", PROTECTING, ids=["app", "connector", "both", "pair"])
async def test_protection_can_be_lifted_for_pairs_and_selections_alike(bench: OpenBench, rule: Exclusion) -> None:
    async with bench(tenant()) as b:
        job = selecting("pay/adp", select=Selection(apps=("hr", "pay")), protected=(rule,))
        result = await b.run(job, include_protected=True)

        assert result.exit_code == ExitCode.OK
        assert set(b.posts()) == {"pay/adp", "hr/wd", "hr/wdeu", "hr/sheet"}


async def test_what_is_protected_stays_so_when_its_name_cannot_be_read(bench: OpenBench) -> None:
    async with bench(tenant()) as b:
        b.server.script("GET /api/v1/apps/pay/connectors", ["status=500"] * 20)
        result = await b.run(selecting("pay/adp", "hr/wd", protected=(Exclusion(connector="ADP*"),)))

        assert b.posts() == ["hr/wd"]
        assert b.results(result)["pay/adp"].outcome is Outcome.SKIPPED


async def test_an_excluded_pair_is_left_alone_too(bench: OpenBench) -> None:
    async with bench(tenant()) as b:
        result = await b.run(selecting("pay/adp", "hr/wd", exclude=(Exclusion(app="Pay*"),)))

        assert b.posts() == ["hr/wd"]
        assert counts(result) == {"changed": 1, "skipped": 1}


@pytest.mark.parametrize(
    ("select", "ids"),
    [
        (Selection(apps=("slack",)), ("slack1", "slack2")),
        (Selection(connectors=("Workspace",)), ("slack1/bot", "slack2/bot")),
        (Selection(apps=("hr", "Slack")), ("slack1", "slack2")),
    ],
    ids=["apps", "connectors", "one of two apps"],
)
async def test_an_exact_name_of_two_is_refused_before_any_write_with_both_ids(
    bench: OpenBench, select: Selection, ids: tuple[str, str]
) -> None:
    async with bench(tenant()) as b:
        with pytest.raises(UsageError) as caught:
            await b.run(selecting("pay/adp", select=select))

        assert all(each in str(caught.value) for each in ids)
        assert b.posts() == []
        assert b.store.runs() == []


@pytest.mark.parametrize("select", [Selection(apps=("HR Corr",)), Selection(connectors=("Workday UK",))])
async def test_an_exact_name_that_nobody_has_is_refused_with_the_nearest_one(
    bench: OpenBench, select: Selection
) -> None:
    async with bench(tenant()) as b:
        with pytest.raises(UsageError, match=r"did you mean '(HR Core|Workday US)'"):
            await b.run(selecting(select=select))

        assert b.posts() == []


async def test_an_exact_name_that_only_one_is_left_of_is_clear(bench: OpenBench) -> None:
    async with bench(tenant()) as b:
        result = await b.run(selecting(select=Selection(apps=("Slack",)), exclude=(Exclusion(app="slack2"),)))

        assert result.exit_code == ExitCode.OK
        assert b.posts() == ["slack1/bot"]


@pytest.mark.parametrize(("allow_empty", "code"), [(False, ExitCode.NOTHING), (True, ExitCode.OK)])
@pytest.mark.parametrize(
    "select",
    [Selection(catalog_ids=("cat-nobody",)), Selection(apps=("Archive",)), Selection(apps=("nothing*",))],
    ids=["no such catalog id", "an app without connectors", "a glob that fits nothing"],
)
async def test_an_empty_selection_is_a_failure_unless_it_is_allowed(
    bench: OpenBench, select: Selection, allow_empty: bool, code: ExitCode
) -> None:
    async with bench(tenant()) as b:
        result = await b.run(selecting(select=select, allow_empty=allow_empty))

        assert result.exit_code == code
        assert b.posts() == []


@pytest.mark.parametrize("waves", [(), (Share(1),)], ids=["streamed", "known before"])
async def test_a_pair_that_the_selection_finds_too_is_done_once_and_comes_first(
    bench: OpenBench, waves: tuple[Share, ...]
) -> None:
    async with bench(tenant()) as b:
        result = await b.run(selecting("pay/adp", "hr/sheet", select=Selection(all=True), waves=waves))
        rows = b.rows(result)

        assert sorted(b.posts()) == sorted(EVERYTHING)
        assert [str(row.target) for row in rows[:2]] == ["pay/adp", "hr/sheet"]
        assert [row.seq for row in rows] == list(range(len(EVERYTHING) + 1))  # one of them is paused already
        assert result.exit_code == ExitCode.OK


async def test_a_deleted_pair_is_not_sent_anything(bench: OpenBench) -> None:
    async with bench(tenant(), "deleted=listed") as b:
        result = await b.run(selecting("hr/gone", "hr/wd"))

        assert b.posts() == ["hr/wd"]
        assert result.exit_code != ExitCode.OK


@pytest.mark.parametrize("overlap", ["apps", "connectors"])
async def test_pages_that_overlap_put_no_connector_into_the_plan_twice(bench: OpenBench, overlap: str) -> None:
    many = Listed()
    for number in range(120):
        app = f"app{number}" if overlap == "apps" else "app"
        many.add(Connector(app, f"con{number:03}", f"Connector {number}"))
    async with bench(many, "latency=20ms") as b:
        _begin_later_pages_earlier(b)
        result = await b.run(selecting(select=Selection(all=True)))

        assert counts(result) == {"changed": 120}
        assert len(b.posts()) == len(set(b.posts())) == 120


def _begin_later_pages_earlier(b: Bench) -> None:
    """As when something is deleted while a listing is under way: what was on one page is on the next one again."""
    apps, connectors = b.tenant.apps, b.tenant.connectors
    asked: dict[str, int] = {}

    def again(rows: list[object], key: str) -> list[object]:
        asked[key] = asked.get(key, 0) + 1
        return rows if asked[key] == 1 else [rows[0], *rows]

    b.tenant.apps = lambda: again(list(apps()), "")  # type: ignore[assignment, method-assign, return-value]
    b.tenant.connectors = lambda app_id: again(list(connectors(app_id)), app_id)  # type: ignore[assignment, method-assign, return-value]


async def test_an_app_with_an_id_that_fits_no_path_costs_only_itself(bench: OpenBench) -> None:
    odd = tenant()
    odd.add(Connector("what?/..", "con", "odd"))
    async with bench(odd) as b:
        result = await b.run(selecting(select=Selection(all=True)))

        assert set(b.posts()) == EVERYTHING
        assert result.exit_code == ExitCode.STOPPED
        assert result.stopped is not None
        assert "what?" in result.stopped


async def test_a_connector_with_an_id_that_fits_no_path_costs_only_itself(bench: OpenBench) -> None:
    odd = tenant()
    odd.add(Connector("hr", "../x", "odd"))
    async with bench(odd) as b:
        result = await b.run(selecting(select=Selection(all=True)))

        assert set(b.posts()) == EVERYTHING
        assert result.exit_code in (ExitCode.INCOMPLETE, ExitCode.STOPPED)
