"""Undo: exactly what a run has paused is resumed, once, and nobody else's pause is touched."""

import asyncio
from dataclasses import replace

import pytest

from runner.base.errors import ExitCode
from runner.base.model import Job, Outcome, RunResult
from runner.base.policy import DANGER_TIME, LAST_LOOK, LimitPolicy, RetryPolicy
from runner.runs import start_of
from runner.sandbox import Behaviour
from runner.sandbox.records import Ending
from runner.windows.undo import undo, undo_job
from tests.sim.conftest import Bench, OpenBench, counts, job, pairs
from tests.virtual_clock import wall

pytestmark = pytest.mark.anyio


async def undone(b: Bench, paused: RunResult, like: Job | None = None, **context: object) -> RunResult | None:
    """Undo a run."""
    record = b.store.run(paused.run_id)
    return await undo(record, undo_job(like or job([]), record), b.context(**context))


def is_paused(b: Bench, *targets: tuple[str, str]) -> list[bool]:
    """Whether the tenant has these paused."""
    return [b.tenant.state(*target).pause is not None for target in targets]


def resumes(b: Bench) -> list[str]:
    """The targets that were resumed through the API, in order."""
    return [f"{e.app_id}/{e.connector_id}" for e in b.server.oracle.events if e.kind == "resume" and e.actor == "api"]


async def test_what_a_run_has_paused_is_resumed_in_reverse_order(bench: OpenBench) -> None:
    targets = pairs(6, per_app=2)
    async with bench(targets) as b:
        paused = await b.run(job(targets, limits=LimitPolicy(concurrency=1)))
        result = await undone(b, paused, job([], limits=LimitPolicy(concurrency=1)))

        assert result is not None
        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 6})
        assert resumes(b) == ["/".join(target) for target in reversed(targets)]
        assert not any(is_paused(b, *targets))


async def test_undoing_twice_changes_nothing(bench: OpenBench) -> None:
    targets = pairs(3)
    async with bench(targets) as b:
        paused = await b.run(job(targets))
        await undone(b, paused)
        before = len(b.server.oracle.requests)

        assert await undone(b, paused) is None
        assert len(b.server.oracle.requests) == before


async def test_what_was_paused_before_is_left_alone(bench: OpenBench) -> None:
    targets = pairs(3)
    async with bench(targets) as b:
        b.tenant.pause_by_other(*targets[0])
        b.tenant.anomaly(*targets[1])
        paused = await b.run(job(targets))
        result = await undone(b, paused)

        assert result is not None
        assert counts(result) == {"changed": 1}
        assert is_paused(b, *targets) == [True, True, False]


async def test_a_pause_that_somebody_has_made_since_is_foreign(bench: OpenBench) -> None:
    targets = pairs(3)
    async with bench(targets) as b:
        paused = await b.run(job(targets))
        b.tenant.resume_by_other(*targets[0])
        b.tenant.pause_by_other(*targets[0])
        b.tenant.resume_by_other(*targets[1])
        result = await undone(b, paused)

        assert result is not None
        rows = b.results(result)
        assert rows["app0/con0"].outcome is Outcome.SKIPPED
        assert "somebody else has paused it since" in (rows["app0/con0"].detail or "")
        assert rows["app1/con1"].outcome is Outcome.UNCHANGED
        assert result.exit_code == ExitCode.INCOMPLETE
        assert resumes(b) == ["app2/con2"]
        assert await undone(b, paused) is None  # nothing of it is ours any more


async def test_a_pause_of_c1s_own_is_undone_only_if_that_is_asked_for(bench: OpenBench) -> None:
    targets = pairs(2)
    async with bench(targets) as b:
        paused = await b.run(job(targets))
        b.tenant.resume_by_other(*targets[0])
        b.tenant.anomaly(*targets[0])
        result = await undone(b, paused)

        assert result is not None
        row = b.results(result)["app0/con0"]
        assert (row.outcome, resumes(b)) == (Outcome.SKIPPED, ["app1/con1"])
        assert "C1 paused it itself" in (row.detail or "")
        assert await undone(b, paused) is None
        again = await undone(b, paused, include_anomalies=True)

        assert again is not None
        assert (again.exit_code, counts(again)) == (ExitCode.OK, {"changed": 1})
        assert resumes(b) == ["app1/con1", "app0/con0"]
        assert await undone(b, paused, include_anomalies=True) is None


async def test_asking_for_c1s_own_pauses_resumes_no_persons(bench: OpenBench) -> None:
    targets = pairs(1)
    async with bench(targets) as b:
        paused = await b.run(job(targets))
        b.tenant.resume_by_other(*targets[0])
        b.tenant.pause_by_other(*targets[0])
        result = await undone(b, paused, include_anomalies=True)

        assert result is not None
        assert (result.exit_code, counts(result), resumes(b)) == (ExitCode.INCOMPLETE, {"skipped": 1}, [])


async def test_without_the_state_before_nothing_is_ours(bench: OpenBench) -> None:
    targets = pairs(2)
    async with bench(targets) as b:
        b.tenant.pause_by_other(*targets[0])
        paused = await b.run(job(targets, preflight=False))
        result = await undone(b, paused)

        assert result is not None
        assert counts(result) == {"skipped": 2}
        assert result.exit_code == ExitCode.INCOMPLETE
        assert "c1-runner resume app1/con1" in (b.results(result)["app1/con1"].detail or "")
        assert resumes(b) == []


async def test_without_verification_the_time_of_the_pause_is_the_receipt(bench: OpenBench) -> None:
    targets = pairs(2)
    async with bench(targets) as b:
        paused = await b.run(job(targets, verify=False))
        result = await undone(b, paused)

        assert result is not None
        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 2})


async def test_half_a_run_can_be_undone(bench: OpenBench) -> None:
    targets = pairs(20)
    async with bench(targets, "latency=1s") as b:
        paused = await b.run(job(targets, limits=LimitPolicy(concurrency=2, deadline=6.0)))
        assert counts(paused)["not_attempted"] > 0
        result = await undone(b, paused)

        assert result is not None
        assert counts(result) == {"changed": counts(paused)["changed"]}
        assert not any(is_paused(b, *targets))


async def test_resumes_have_a_pace_of_their_own(bench: OpenBench) -> None:
    targets = pairs(10)
    async with bench(targets) as b:
        paused = await b.run(job(targets))
        await undone(b, paused, job([], limits=LimitPolicy(resume_rate=0.5)))
        times = [arrival.at for arrival in b.arrivals("resume")]

        assert times[-1] - times[0] == pytest.approx(18.0, abs=0.1)


async def test_a_resume_by_name_has_that_pace_too_and_what_is_active_costs_no_turn(bench: OpenBench) -> None:
    targets = pairs(10)
    async with bench(targets) as b:
        await b.run(job(targets[:4]))
        began = wall()
        await b.run(job(targets, "resume", limits=LimitPolicy(resume_rate=0.5), verify=False))

        assert wall() - began == pytest.approx(6.0, abs=0.1)


async def test_nothing_is_resumed_within_the_danger_time_after_an_unclear_pause(bench: OpenBench) -> None:
    targets = pairs(2)
    async with bench(targets) as b:
        b.server.script("app0/con0", ["drop_after"])
        paused = await b.run(job(targets))
        unclear_at = b.arrivals("pause")[0].at
        result = await undone(b, paused)

        assert result is not None
        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 2})
        assert resumes(b) == ["app1/con1", "app0/con0"]
        assert b.arrivals("resume")[-1].at >= unclear_at + DANGER_TIME


async def test_a_last_look_sees_a_pause_that_came_back(bench: OpenBench) -> None:
    targets = pairs(2)
    async with bench(targets) as b:
        b.server.script("app0/con0", ["drop_after"])
        paused = await b.run(job(targets))

        def late() -> None:
            b.tenant.pause(*targets[0])  # the request that was held up arrives in the end

        asyncio.get_running_loop().call_later(DANGER_TIME + LAST_LOOK / 2, late)
        result = await undone(b, paused)

        assert result is not None
        row = b.results(result)["app0/con0"]
        assert row.outcome is Outcome.UNKNOWN
        assert "paused again since" in (row.detail or "")
        assert result.exit_code == ExitCode.INCOMPLETE


async def test_an_outage_during_the_undo_is_gone_on_with(bench: OpenBench) -> None:
    targets = pairs(4)
    retry = RetryPolicy(attempts=1, outage=60.0, outage_failures=2)
    async with bench(targets) as b:
        paused = await b.run(job(targets))
        for target in targets:
            b.server.script("/".join(target), ["status=503"] * 2)
        like = job([], retry=retry, limits=LimitPolicy(concurrency=1))
        result = await undone(b, paused, like)
        assert result is not None
        assert result.exit_code != ExitCode.OK
        record = b.store.run(result.run_id)
        again = await b.proceed(
            result.run_id,
            undo_job(job([]), b.store.run(paused.run_id)),
            Outcome.FAILED,
            Outcome.UNKNOWN,
            Outcome.NOT_ATTEMPTED,
        )

        assert record.undoes is not None
        assert (again.exit_code, counts(again)) == (ExitCode.OK, {"changed": 4})
        assert not any(is_paused(b, *targets))
        assert await undone(b, paused) is None


async def test_a_resume_without_effect_is_repeated_only_while_the_pause_is_ours(bench: OpenBench) -> None:
    targets = pairs(1)
    async with bench(targets) as b:
        paused = await b.run(job(targets))
        b.server.script("app0/con0", ["ok,applied=no"])
        result = await undone(b, paused)

        assert result is not None
        assert (result.exit_code, counts(result), len(b.arrivals("resume"))) == (ExitCode.OK, {"changed": 1}, 2)


async def test_a_resume_that_never_takes_effect_keeps_the_receipt(bench: OpenBench) -> None:
    targets = pairs(1)
    async with bench(targets) as b:
        paused = await b.run(job(targets))
        b.server.script("app0/con0", ["ok,applied=no"] * 2)
        result = await undone(b, paused)
        assert result is not None
        assert counts(result) == {"unknown": 1}
        again = await undone(b, paused)

        assert again is not None
        assert counts(again) == {"changed": 1}


async def test_a_deleted_connector_needs_no_resume(bench: OpenBench) -> None:
    targets = pairs(2)
    async with bench(targets) as b:
        paused = await b.run(job(targets))
        b.tenant.delete(*targets[0])
        result = await undone(b, paused)

        assert result is not None
        assert b.results(result)["app0/con0"].outcome is Outcome.SKIPPED
        assert "does not exist any more" in (b.results(result)["app0/con0"].detail or "")
        assert await undone(b, paused) is None


@pytest.mark.parametrize(
    ("ending", "outcome", "words"),
    [
        (Ending.DONE, Outcome.CHANGED, "its sync is done"),
        (Ending.ERROR, Outcome.FAILED, "its sync failed"),
        (Ending.ANOMALY, Outcome.FAILED, "anomalous"),
    ],
)
async def test_the_syncs_that_a_resume_starts_are_followed_to_their_end(
    bench: OpenBench, ending: Ending, outcome: Outcome, words: str
) -> None:
    targets = pairs(1)
    async with bench(targets, "", Behaviour(sync_seconds=40.0, queue_seconds=5.0)) as b:
        paused = await b.run(job(targets))
        b.tenant.plan_sync(*targets[0], seconds=40.0, ending=ending)
        result = await undone(b, paused, sync_wait=3600.0)

        assert result is not None
        [row] = b.rows(result)
        assert row.outcome is outcome
        assert words in (row.detail or "")
        assert result.exit_code == (ExitCode.OK if ending is Ending.DONE else ExitCode.INCOMPLETE)
        assert await undone(b, paused) is None or ending is not Ending.DONE


async def test_a_sync_that_does_not_end_in_time_is_unknown(bench: OpenBench) -> None:
    targets = pairs(1)
    async with bench(targets, "", Behaviour(sync_seconds=4000.0)) as b:
        paused = await b.run(job(targets))
        result = await undone(b, paused, sync_wait=60.0)

        assert result is not None
        [row] = b.rows(result)
        assert row.outcome is Outcome.UNKNOWN
        assert "1m have passed" in (row.detail or "")


async def test_what_is_paused_again_after_an_undo_is_held_again(bench: OpenBench) -> None:
    targets = pairs(20)
    async with bench(targets, "latency=1s") as b:
        todo = job(targets, limits=LimitPolicy(concurrency=2, deadline=6.0))
        paused = await b.run(todo)
        await undone(b, paused)
        again = await b.proceed(paused.run_id, replace(todo, limits=LimitPolicy()), *Outcome)
        assert again.exit_code == ExitCode.OK
        assert all(is_paused(b, *targets))
        result = await undone(b, paused)

        assert result is not None
        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 20})
        assert not any(is_paused(b, *targets))


async def test_what_is_uncertain_is_read_first_once_nothing_can_arrive_any_more(bench: OpenBench) -> None:
    targets = pairs(3)
    async with bench(targets) as b:
        b.server.script("app0/con0", ["silence_after"])
        b.server.script("connectors", ["ok"] * 3)
        paused = await b.run(job(targets, retry=RetryPolicy(attempts=1), verify=False))
        await asyncio.sleep(2 * DANGER_TIME)
        await undone(b, paused, job([], limits=LimitPolicy(concurrency=1)))

        assert resumes(b) == ["app0/con0", "app2/con2", "app1/con1"]


async def test_an_undo_that_was_cut_off_before_it_had_a_plan_makes_one_when_it_is_gone_on_with(
    bench: OpenBench,
) -> None:
    targets = pairs(3)
    async with bench(targets) as b:
        paused = await b.run(job(targets))
        record = b.store.run(paused.run_id)
        todo = undo_job(job([]), record)
        began = start_of(todo, b.context(), "20261125-100000-abcdef", wall(), whole=True)._replace(undoes=record.run)
        b.store.journal(began)  # and then its process is killed
        again = await b.proceed(began.run_id, todo)

        assert (again.exit_code, counts(again)) == (ExitCode.OK, {"changed": 3})
        assert not any(is_paused(b, *targets))
