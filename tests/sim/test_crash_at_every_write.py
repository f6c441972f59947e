"""A crash before and after every durable write of a run, one after another until none is left.

Whatever the tenant applied by then is in the store afterwards, as changed or as unknown; nothing else is told
as changed, and going on with the run brings every target into the wanted state.
"""

import asyncio
import itertools
import math
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import pytest

from runner.api.classify import Reply
from runner.api.transport import Transport
from runner.base.errors import ExitCode
from runner.base.model import Job, Outcome
from runner.base.policy import LimitPolicy, RetryPolicy
from runner.base.settings import from_environment
from runner.sandbox import SandboxServer, environment
from runner.store import Journal, Store
from tests.sim.conftest import Bench, job, open_tenant, pairs
from tests.virtual_clock import VirtualClockLoop

When = Literal["before", "after"]

THOROUGH = "C1_RUNNER_TEST_EXAMPLES" in os.environ
"""Whether every single write gets its crash, with many workers too."""


class Crash(BaseException):
    """The process is gone."""


class Crasher:
    """Ends everything before or after the n-th transaction of the journal, and lets nothing through after it."""

    def __init__(self, number: int, when: When) -> None:
        self.left: float = number
        self.when = when
        self.crashed = False
        self._write = Journal._transaction
        self._send = Transport.exchange

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Have every journal's transactions counted; a process that is gone sends nothing either."""
        crasher = self

        async def exchange(transport: Transport, *values: Any, **options: Any) -> Reply:
            if crasher.crashed:
                raise Crash
            return await crasher._send(transport, *values, **options)

        monkeypatch.setattr(Transport, "exchange", exchange)

        def transaction(journal: Journal, *values: Any) -> None:
            crasher.strike("before")
            crasher._write(journal, *values)
            crasher.strike("after")

        monkeypatch.setattr(Journal, "_transaction", transaction)

    def strike(self, when: When) -> None:
        """Count a transaction; crash when it is the one."""
        if self.crashed:
            raise Crash
        if when == self.when:
            self.left -= 1
            if self.left == 0:
                self.crashed = True
                raise Crash


def told(store: Store) -> dict[str, Outcome]:
    """What the store says of every target of the newest run; nothing if there is none."""
    runs = store.runs()
    return {str(row.target): row.outcome for row in store.targets(runs[0])} if runs else {}


def bench_of(server: SandboxServer, store: Store) -> Bench:
    """A bench without fixtures."""
    return Bench(server, from_environment(environment(server)), store)


async def crash_and_go_on(directory: Path, todo: Job, faults: str, crasher: Crasher) -> bool:
    """One run that crashes, a look at what it left, and going on with it; returns whether it crashed at all."""
    targets = [(target.app_id, target.connector_id) for target in todo.targets]
    async with open_tenant(targets, faults) as server:
        with Store(directory) as store, suppress(Crash, BaseExceptionGroup):
            await bench_of(server, store).run(todo)
        await asyncio.sleep(60)  # what was under way arrives
        crashed, crasher.crashed, crasher.left = crasher.crashed, False, math.inf
        applied = {f"{event.app_id}/{event.connector_id}" for event in server.oracle.events}
        with Store(directory) as store:
            after = told(store)
            assert {
                target for target in applied if after.get(target) not in (Outcome.CHANGED, Outcome.UNKNOWN)
            } == set()
            assert {target for target, outcome in after.items() if outcome is Outcome.CHANGED} <= applied
            if after:
                await assert_can_be_finished(bench_of(server, store), todo)
    return crashed


async def assert_can_be_finished(b: Bench, todo: Job) -> None:
    """Going on brings every target into the wanted state, and asks nothing of those that are done."""
    run, before = b.store.runs()[0], len(b.posts())
    open_ = run.counts[Outcome.UNKNOWN] + run.counts[Outcome.NOT_ATTEMPTED]
    result = await b.proceed(run.run_id, todo)
    assert result.exit_code == ExitCode.OK
    assert set(told(b.store).values()) <= {Outcome.CHANGED, Outcome.UNCHANGED}
    assert len(told(b.store)) == len(todo.targets)
    assert len(set(b.posts()[before:])) <= open_


FAULTS = {"healthy": "latency=5ms", "rough": "latency=5ms,drop=10%,drop_after=10%,error=10%,error_after=5%"}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("weather", FAULTS)
@pytest.mark.parametrize(("workers", "count", "stride"), [(1, 4, 1), (10, 12, 3), (50, 55, 40)])
def test_a_crash_at_any_write_loses_nothing_that_was_applied(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    workers: int,
    count: int,
    stride: int,
    weather: str,
    when: When,
) -> None:
    limits, retry = LimitPolicy(concurrency=workers), RetryPolicy(last_pass_delay=0.1)
    todo = job(pairs(count, per_app=10), limits=limits, retry=retry)
    for number in itertools.count(1, 1 if THOROUGH else stride):
        crasher = Crasher(number, when)
        with monkeypatch.context() as patch, asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
            crasher.install(patch)
            faults = f"{FAULTS[weather]},jitter=0.5,seed={workers}"
            if not runner.run(crash_and_go_on(tmp_path / str(number), todo, faults, crasher)):
                break  # it came to its end: it has fewer writes than that
    assert number > 5
