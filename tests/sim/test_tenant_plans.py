"""Looking before leaping: plans, limits on their size, saved plans, and waves."""

from dataclasses import replace
from pathlib import Path

import pytest

from runner import jobfile
from runner.base.errors import ExitCode, UsageError
from runner.base.model import Exclusion, Job, OperationName, Outcome, RunResult, Selection, Target
from runner.base.policy import LimitPolicy, Share
from runner.engine.session import Context
from runner.planning import saved as planfile
from runner.planning.preview import Preview, preview
from runner.runs import run
from runner.sandbox import App, Connector, Listed
from tests.sim.conftest import Bench, OpenBench, counts, pairs
from tests.virtual_clock import wall

pytestmark = pytest.mark.anyio

ALL = Selection(all=True)
READS = {"GET"}


def job(*targets: str, select: Selection | None = None, **fields: object) -> Job:
    chosen = tuple(Target(*target.split("/")) for target in targets)
    return Job(OperationName.PAUSE, "test", targets=chosen, select=select, **fields)  # type: ignore[arg-type]


def at_most(number: float, *, percent: bool = False) -> LimitPolicy:
    return LimitPolicy(max_targets=Share(number, percent))


async def look(b: Bench, wanted: Job) -> Preview:
    return await preview(wanted, b.settings, wall=wall)


def outcomes(shown: Preview) -> dict[str, str]:
    return {str(row.target): str(row.outcome) for row in shown.targets}


def methods(b: Bench) -> set[str]:
    return {request.method for request in b.server.oracle.requests if request.endpoint != "token"}


async def saved(b: Bench, wanted: Job, path: Path) -> planfile.SavedPlan:
    planfile.save(path, wanted, await look(b, wanted))
    return planfile.load(path)


# A plan


async def carried_out(saved: planfile.SavedPlan, job: Job, context: Context) -> RunResult:
    """Run a saved plan, if the tenant is still as it has it."""
    await saved.check(job, context)
    return await run(job, context)


async def test_a_plan_tells_the_outcome_of_each_target_and_sends_nothing_but_reads(bench: OpenBench) -> None:
    async with bench(pairs(5)) as b:
        b.tenant.pause_by_other("app1", "con1")
        b.tenant.anomaly("app2", "con2")
        b.tenant.delete("app3", "con3")
        shown = await look(b, job("app9/con9", "app3/con3", select=ALL))

        assert outcomes(shown) == {
            "app9/con9": "failed",
            "app3/con3": "failed",
            "app0/con0": "changed",
            "app1/con1": "unchanged",
            "app2/con2": "unchanged",
            "app4/con4": "changed",
        }
        assert methods(b) == READS
        assert b.applied() == set()
        assert b.store.runs() == []


async def test_what_a_plan_says_is_what_the_run_then_does(bench: OpenBench) -> None:
    async with bench(pairs(8, per_app=3)) as b:
        b.tenant.pause_by_other("app1", "con4")
        wanted = job("app2/con7", select=ALL, exclude=(Exclusion(connector="*con0"),))
        shown = await look(b, wanted)
        result = await b.run(wanted)

        done = {target: str(row.outcome) for target, row in b.results(result).items()}
        assert {target: word for target, word in outcomes(shown).items() if word != "skipped"} == done


@pytest.mark.parametrize(
    "rule",
    [Exclusion(app="App app1"), Exclusion(connector="Connector con1"), Exclusion(target=Target("app1", "con1"))],
    ids=["app", "connector", "pair"],
)
@pytest.mark.parametrize("kind", ["exclude", "protected"])
@pytest.mark.parametrize("named", [(), ("app1/con1",)], ids=["selected", "named"])
async def test_a_plan_shows_what_is_left_alone_and_the_rule(
    bench: OpenBench, kind: str, rule: Exclusion, named: tuple[str, ...]
) -> None:
    async with bench(pairs(3)) as b:
        shown = await look(b, job(*named, select=ALL, **{kind: (rule,)}))
        [left_alone] = [row for row in shown.targets if row.outcome is Outcome.SKIPPED]

        assert str(left_alone.target) == "app1/con1"
        assert left_alone.detail is not None
        assert kind.rstrip("d") in left_alone.detail
        assert "con1" in left_alone.detail or "app1" in left_alone.detail
        assert shown.run.counts[Outcome.CHANGED] == 2


async def test_a_plan_lists_each_app_once(bench: OpenBench) -> None:
    async with bench(pairs(12, per_app=3)) as b:
        await look(b, job(select=ALL, limits=at_most(50)))

        assert b.server.oracle.per_endpoint == {"token": 1, "apps": 1, "connectors": 4}


async def test_an_empty_plan_is_a_failure_unless_it_is_allowed(bench: OpenBench) -> None:
    async with bench(pairs(2)) as b:
        nobody = Selection(catalog_ids=("nobody*",))
        assert (await look(b, job(select=nobody))).run.exit_code == ExitCode.NOTHING
        assert (await look(b, job(select=nobody, allow_empty=True))).run.exit_code == ExitCode.OK


# Limits on its size


@pytest.mark.parametrize("way", ["run", "plan"])
@pytest.mark.parametrize(
    "wanted",
    [
        job(select=ALL, limits=at_most(9)),
        job(select=ALL, limits=at_most(99, percent=True)),
        job("app0/con0", "app1/con1", limits=at_most(1)),
        job("app0/con0", select=ALL, limits=at_most(9)),
        job(select=Selection(apps=("App app1*",)), limits=at_most(0)),
        job("app0/con0", "app1/con1", limits=at_most(19, percent=True)),
    ],
    ids=["number", "per cent", "pairs", "pairs and selection", "none at all", "per cent of pairs"],
)
async def test_a_plan_that_is_too_large_is_refused_before_any_write(bench: OpenBench, wanted: Job, way: str) -> None:
    async with bench(pairs(10)) as b:
        with pytest.raises(UsageError, match=r"max_targets allows \d"):
            await (b.run(wanted) if way == "run" else look(b, wanted))

        assert methods(b) <= READS
        assert b.store.runs() == []


@pytest.mark.parametrize(
    ("wanted", "done"),
    [
        (job(select=ALL, limits=at_most(10)), 10),
        (job(select=ALL, limits=at_most(100, percent=True)), 10),
        (job(select=Selection(apps=("App app[0-4]",)), limits=at_most(50, percent=True)), 5),
        (job("app0/con0", "app1/con1", limits=at_most(20, percent=True)), 2),
        (job("app0/con0", select=Selection(apps=("App app[0-4]",)), limits=at_most(5)), 5),
    ],
    ids=["number", "per cent of all", "per cent of a selection", "per cent of pairs", "pairs and selection"],
)
async def test_a_plan_as_large_as_allowed_is_carried_out(bench: OpenBench, wanted: Job, done: int) -> None:
    async with bench(pairs(10)) as b:
        result = await b.run(wanted)

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": done})


async def test_deleted_connectors_make_no_tenant_larger(bench: OpenBench) -> None:
    async with bench(pairs(10)) as b:
        for number in range(5):
            b.tenant.delete(f"app{number}", f"con{number}")
        with pytest.raises(UsageError, match="of the tenant's 5"):
            await b.run(job("app5/con5", "app6/con6", "app7/con7", limits=at_most(50, percent=True)))


# A saved plan


async def test_a_saved_plan_is_carried_out_exactly(bench: OpenBench, tmp_path: Path) -> None:
    async with bench(pairs(6)) as b:
        b.tenant.pause_by_other("app2", "con2")
        wanted = job("app5/con5", select=ALL, exclude=(Exclusion(target=Target("app0", "con0")),), reason="CHG-1")
        plan = await saved(b, wanted, tmp_path / "plan.json")
        result = await carried_out(plan, plan.job, b.context())

        assert result.exit_code == ExitCode.OK
        assert set(b.posts()) == {"app5/con5", "app1/con1", "app3/con3", "app4/con4"}
        assert str(b.rows(result)[0].target) == "app5/con5"
        assert b.results(result)["app2/con2"].outcome is Outcome.UNCHANGED
        assert b.store.runs()[0].reason == "CHG-1"


def _pause(b: Bench) -> None:
    b.tenant.pause_by_other("app1", "con1")


def _resume(b: Bench) -> None:
    b.tenant.resume_by_other("app0", "con0")


def _pause_anew(b: Bench) -> None:
    b.tenant.resume_by_other("app0", "con0")
    b.tenant.pause_by_other("app0", "con0")


def _delete(b: Bench) -> None:
    b.tenant.delete("app1", "con1")


def _add(b: Bench) -> None:
    b.tenant.population.add(Connector("app9", "new", "came later"))  # type: ignore[attr-defined]


def _rename_into_the_exclusion(b: Bench) -> None:
    b.tenant.population.connectors("app1")[0] = Connector("app1", "con1", "Spare me")  # type: ignore[index]


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        (_pause, r"app1/con1: was active, is paused since \S+"),
        (_resume, r"app0/con0: was paused since \S+, is active"),
        (_pause_anew, r"app0/con0: was paused since \S+, is paused since \S+"),
        (_delete, r"app1/con1: is gone"),
        (_add, r"'came later' app9/new: is not in the plan"),
        (_rename_into_the_exclusion, r"app1/con1: would be skipped now: left alone, excluded: connector Spare\*"),
    ],
    ids=["paused", "resumed", "paused anew", "deleted", "added", "renamed"],
)
async def test_a_plan_that_the_tenant_has_moved_away_from_is_refused_with_the_differences(
    bench: OpenBench, tmp_path: Path, change: object, difference: str
) -> None:
    async with bench(pairs(4)) as b:
        b.tenant.pause_by_other("app0", "con0")
        spare = (Exclusion(connector="Spare*"),)
        plan = await saved(b, job(select=ALL, exclude=spare), tmp_path / "plan.json")
        assert callable(change)
        change(b)
        with pytest.raises(UsageError, match=difference) as caught:
            await carried_out(plan, plan.job, b.context())

        assert "app2/con2" not in str(caught.value)
        assert b.posts() == []
        assert b.store.runs() == []


async def test_a_pair_that_is_deleted_or_protected_since_the_plan_is_a_difference(
    bench: OpenBench, tmp_path: Path
) -> None:
    async with bench(pairs(4), "deleted=listed") as b:
        plan = await saved(b, job("app0/con0", "app1/con1", "app2/con2"), tmp_path / "plan.json")
        b.tenant.delete("app0", "con0")
        protecting = replace(plan.job, protected=(Exclusion(app="App app1"),))
        with pytest.raises(UsageError) as caught:
            await carried_out(plan, protecting, b.context())

        assert "app0/con0: was active, is deleted" in str(caught.value)
        assert "app1/con1: would be skipped now: left alone, protected: app App app1" in str(caught.value)
        assert "app2" not in str(caught.value)
        assert b.posts() == []


async def test_what_the_plan_left_out_may_do_what_it_likes(bench: OpenBench, tmp_path: Path) -> None:
    async with bench(pairs(4)) as b:
        plan = await saved(b, job(select=Selection(apps=("App app[01]",))), tmp_path / "plan.json")
        b.tenant.pause_by_other("app2", "con2")
        b.tenant.population.add(Connector("app3", "new", "came later"))  # type: ignore[attr-defined]
        result = await carried_out(plan, plan.job, b.context())

        assert counts(result) == {"changed": 2}


async def test_a_job_file_that_was_edited_since_makes_its_plan_void(bench: OpenBench, tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    async with bench(pairs(2)) as b:
        path.write_text("version: 1\nname: x\noperation: pause\nreason: x\nselect: {all: true}\n", encoding="utf-8")
        plan = await saved(b, jobfile.load(str(path)), tmp_path / "plan.json")
        path.write_text(path.read_text(encoding="utf-8") + "exclude: [app1/con1]\n", encoding="utf-8")
        with pytest.raises(UsageError, match=r"job\.yaml has changed since the plan was made"):
            await carried_out(plan, plan.job, b.context())
        assert b.posts() == []

        path.unlink()
        assert counts(await carried_out(plan, plan.job, b.context())) == {"changed": 2}


async def test_many_differences_are_counted_rather_than_all_shown(bench: OpenBench, tmp_path: Path) -> None:
    targets = pairs(300)
    async with bench(targets) as b:
        plan = await saved(b, job(select=ALL), tmp_path / "plan.json")
        for target in targets:
            b.tenant.pause_by_other(*target)
        with pytest.raises(UsageError) as caught:
            await carried_out(plan, plan.job, b.context())

        lines = str(caught.value).splitlines()
        assert len(lines) < 30
        assert "280 more" in str(caught.value)


async def test_a_sync_that_has_run_meanwhile_is_no_difference(bench: OpenBench, tmp_path: Path) -> None:
    async with bench(pairs(2)) as b:
        plan = await saved(b, job(select=ALL), tmp_path / "plan.json")
        b.tenant.force_sync("app0", "con0", actor="other")
        result = await carried_out(plan, plan.job, b.context())

        assert counts(result) == {"changed": 2}


async def test_a_target_that_the_plan_could_not_read_is_not_lost_from_it_in_silence(
    bench: OpenBench, tmp_path: Path
) -> None:
    async with bench(pairs(3)) as b:
        b.server.script("GET /api/v1/apps/app1/connectors", ["status=500"] * 5)
        wanted = job("app0/con0", "app1/con1", "app2/con2")
        shown = await look(b, wanted)
        assert outcomes(shown)["app1/con1"] == "unknown"
        planfile.save(tmp_path / "plan.json", wanted, shown)
        plan = planfile.load(tmp_path / "plan.json")
        with pytest.raises(UsageError, match="app1/con1"):
            await carried_out(plan, plan.job, b.context())

        assert b.posts() == []


async def test_a_plan_of_another_tenant_is_refused_before_any_request(bench: OpenBench, tmp_path: Path) -> None:
    async with bench(pairs(2)) as b:
        plan = await saved(b, job(select=ALL), tmp_path / "plan.json")
    async with bench(pairs(2)) as other:
        with pytest.raises(UsageError, match="the plan is for"):
            await carried_out(plan, plan.job, other.context())

        assert other.server.oracle.requests == []


# Waves


WAVES = (Share(1), Share(50, percent=True), Share(100, percent=True))


def sizes(b: Bench, gap: float) -> list[int]:
    """How many pauses came together: a longer pause between two of them ends a wave."""
    groups: list[int] = []
    last = -1e9
    for arrival in b.arrivals("pause"):
        if arrival.at - last > gap:
            groups.append(0)
        groups[-1] += 1
        last = arrival.at
    return groups


async def test_waves_reach_as_far_as_they_say_one_after_the_other(bench: OpenBench) -> None:
    async with bench(pairs(12), "latency=1s") as b:
        result = await b.run(job(select=ALL, waves=WAVES, limits=LimitPolicy(concurrency=20)))

        assert result.exit_code == ExitCode.OK
        assert sizes(b, 0.9) == [1, 5, 6]
        assert b.server.oracle.per_endpoint["connectors"] == 2 * 12


@pytest.mark.parametrize("select", [ALL, None], ids=["selection", "pairs"])
async def test_a_failing_first_wave_of_one_stops_the_rest_and_accounts_for_it(
    bench: OpenBench, select: Selection | None
) -> None:
    async with bench(pairs(12)) as b:
        b.server.script("app0/con0", ["status=400"] * 20)
        targets = () if select else tuple("/".join(pair) for pair in pairs(12))
        result = await b.run(job(*targets, select=select, waves=WAVES))

        assert result.exit_code == ExitCode.STOPPED
        assert set(b.posts()) == {"app0/con0"}
        assert counts(result) == {"failed": 1, "not_attempted": 11}
        assert "wave 1" in (result.stopped or "")


async def test_a_later_wave_that_fails_stops_the_one_after_it(bench: OpenBench) -> None:
    async with bench(pairs(12)) as b:
        for number in (1, 2, 3):
            b.server.script(f"app{number}/con{number}", ["status=400"] * 20)
        limits = LimitPolicy(max_failures=Share(40, percent=True))
        result = await b.run(job(select=ALL, waves=WAVES, limits=limits))

        assert result.exit_code == ExitCode.STOPPED
        assert counts(result) == {"changed": 3, "failed": 3, "not_attempted": 6}
        assert "wave 2" in (result.stopped or "")


async def test_failures_that_the_threshold_allows_let_the_next_wave_begin(bench: OpenBench) -> None:
    async with bench(pairs(12)) as b:
        b.server.script("app3/con3", ["status=400"] * 20)
        limits = LimitPolicy(max_failures=Share(20, percent=True))
        result = await b.run(job(select=ALL, waves=WAVES, limits=limits))

        assert counts(result) == {"changed": 11, "failed": 1}
        assert result.exit_code == ExitCode.INCOMPLETE


async def test_an_empty_app_is_no_wave(bench: OpenBench) -> None:
    async with bench(Listed([App("empty", "Empty")], [Connector("app", "con", "one")])) as b:
        result = await b.run(job(select=ALL, waves=WAVES))

        assert counts(result) == {"changed": 1}
