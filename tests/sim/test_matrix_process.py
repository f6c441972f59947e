"""What the disk, other processes and the process itself can do to a run, as a table of faults.

row  fault                               test
57   http:// or another host             unit/test_settings, e2e/test_bad_input
58   job file edited before going on     test_row_58_*
59   variable in a job file unset        unit/test_jobfile_refusals (variables are refused)
60   state directory cannot be used      e2e/test_bad_input, test_disk
61   disk full, failing or read-only     test_disk, e2e/test_disk
62   state file damaged                  test_disk, unit/test_store
63   newer version, another tenant       test_disk, e2e/test_bad_input
64   report's place taken                unit/report/test_files, e2e/test_exit_codes
65   file system without locks           unit/test_locks
66   lock held                           e2e/test_locks
67   lock holder killed                  e2e/test_locks, e2e/test_crashes
68   signals                             test_row_68_*, e2e/test_signals
69   output closed                       e2e/test_commands
70   kill -9                             e2e/test_crashes, test_crash_at_every_write
71   too many open files                 test_row_71_*, e2e/test_exit_codes
72   no terminal                         every test under e2e
74   started twice by cron               e2e/test_locks, e2e/test_contract (a second run finds nothing to do)
75   exception in one worker             test_row_75_*
76   system's authorities missing        unit/test_settings, e2e/test_transport
"""

import asyncio
import errno
import os
import signal
from typing import Any

import pytest

from runner.api.client import Client
from runner.base.errors import ExitCode, OutageError
from runner.base.model import Outcome, Target
from runner.base.policy import DRAIN_GRACE, LimitPolicy, Share
from tests.sim.conftest import OpenBench, counts, job, pairs

pytestmark = pytest.mark.anyio


async def test_row_58_going_on_with_a_run_keeps_its_plan_and_never_looks_for_new_targets(bench: OpenBench) -> None:
    targets = pairs(20, per_app=5)
    async with bench(pairs(40, per_app=5), "latency=1s") as b:
        stopped = await b.run(job(targets, limits=LimitPolicy(concurrency=2, deadline=5)))
        assert stopped.exit_code == ExitCode.STOPPED
        listed = len(b.arrivals("apps"))
        edited = job(pairs(40, per_app=5)[30:])
        result = await b.proceed(stopped.run_id, edited)

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 20})
        assert list(b.results(result)) == [f"{app}/{connector}" for app, connector in targets]
        assert b.applied() == set(b.results(result))
        assert len(b.arrivals("apps")) == listed


async def test_row_68_the_end_of_the_grace_leaves_what_is_in_flight_and_still_gives_the_report(
    bench: OpenBench,
) -> None:
    targets = pairs(10)
    async with bench(targets) as b:
        b.server.script("pause", ["ok"] * 3 + ["silence"] * 50)
        asyncio.get_running_loop().call_later(5, os.kill, os.getpid(), signal.SIGTERM)
        result = await b.run(job(targets, preflight=False, limits=LimitPolicy(concurrency=2)), signals=True)

        assert result.exit_code == ExitCode.TERMINATED
        assert result.stopped == "SIGTERM received"
        assert counts(result) == {"changed": 3, "unknown": 2, "not_attempted": 5}
        assert 5 + DRAIN_GRACE <= asyncio.get_running_loop().time() < 5 + DRAIN_GRACE + 1
        assert not result.abandoned


async def test_row_71_a_moment_without_free_file_descriptors_costs_no_target_and_sends_nothing_twice(
    bench: OpenBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    targets = pairs(10)
    loop = asyncio.get_running_loop()
    really, refused = loop.sock_connect, 0

    async def sock_connect(sock: Any, address: Any) -> None:
        nonlocal refused
        if 0.5 < loop.time() < 3:  # the token has come, the workers want connections of their own
            refused += 1
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        await really(sock, address)

    async with bench(targets, "latency=1s") as b:
        monkeypatch.setattr(loop, "sock_connect", sock_connect)
        result = await b.run(job(targets, limits=LimitPolicy(concurrency=5)))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 10})
        assert refused > 0
        assert len(b.posts()) == 10


async def test_row_75_an_exception_in_one_worker_costs_its_target_alone_and_is_told_without_the_token(
    bench: OpenBench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    targets = pairs(20)
    act = Client.act

    async def failing(client: Client, operation: Any, target: Target, *more: Any) -> Any:
        if target.connector_id in ("con3", "con9"):
            raise ZeroDivisionError("a bug")
        return await act(client, operation, target, *more)

    monkeypatch.setattr(Client, "act", failing)
    async with bench(targets) as b:
        result = await b.run(job(targets, limits=LimitPolicy(concurrency=2)))

        assert (result.exit_code, counts(result)) == (ExitCode.BUG, {"changed": 18, "unknown": 2})
        assert b.store.run(result.run_id).exit_code == ExitCode.BUG
        assert "inside c1-runner" in (b.rows(result)[3].detail or "")
        assert "app3/con3: this is a bug in c1-runner (ZeroDivisionError('a bug'))" in caplog.text
        assert caplog.text.count("Traceback") == 1  # the others look alike


async def test_row_75_too_many_such_exceptions_are_too_many_failures(
    bench: OpenBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def failing(client: Client, *_: Any) -> Any:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(Client, "act", failing)
    targets = pairs(20)
    async with bench(targets) as b:
        result = await b.run(job(targets, limits=LimitPolicy(concurrency=1, max_failures=Share(2))))

        assert result.exit_code == ExitCode.BUG
        assert "more than max_failures (2) allows" in (result.stopped or "")
        assert counts(result) == {"unknown": 3, "not_attempted": 17}


async def test_a_deadline_that_passes_while_the_plan_is_made_ends_the_run_before_it_began(bench: OpenBench) -> None:
    targets = pairs(20)
    async with bench(targets, "latency=5s") as b:
        limits = LimitPolicy(deadline=12, max_targets=Share(50, percent=True))
        with pytest.raises(OutageError, match="the deadline of 12 s passed before the plan was known"):
            await b.run(job(targets, limits=limits))

        assert asyncio.get_running_loop().time() == pytest.approx(12)
        assert b.posts() == []
        assert b.store.runs() == []


async def test_the_deadline_counts_from_the_start_of_the_run_the_making_of_the_plan_included(
    bench: OpenBench,
) -> None:
    targets = pairs(50, per_app=50)
    async with bench(targets, "latency=3s") as b:
        limits = LimitPolicy(deadline=20, concurrency=1, max_targets=Share(100, percent=True))
        result = await b.run(job(targets, limits=limits))

        assert result.exit_code == ExitCode.STOPPED
        assert Outcome.CHANGED in result.counts
        assert 20 <= asyncio.get_running_loop().time() <= 23
