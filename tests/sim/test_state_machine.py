"""Whatever happens to a run, its account is true: a property over faults, stops, crashes and a second actor.

A scenario is a small job, the fates of its requests, and what happens meanwhile; a run that crashed, or did
not finish, is gone on with. After each part the store is compared with the tenant's own record.
"""

import asyncio
import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from runner.base.errors import SIGNAL_CODES, ExitCode
from runner.base.model import Job, Outcome, RunResult
from runner.base.policy import DANGER_TIME, LimitPolicy, RetryPolicy
from runner.base.settings import from_environment
from runner.sandbox import Behaviour, Vocabulary, environment
from runner.store import Store, TargetRecord
from tests.memory import MEMORY
from tests.sim.conftest import Bench, job, open_tenant, pairs
from tests.virtual_clock import VirtualClockLoop, wall

EXAMPLES = int(os.environ.get("C1_RUNNER_TEST_EXAMPLES", "30"))
"""How many scenarios are played; a thorough check takes 10,000."""

FATES = (
    *("ok", "empty", "expire", "drop", "drop_after", "reset", "reset_after", "silence", "silence_after"),
    *("truncate", "truncate,applied=no", "html", "html_after", "accepted", "accepted,applied=no", "redirect"),
    *("error_object", "error_object_after", "big_header", "big_body", "status=429", "status=429,retry_after=3"),
    *("status=500", "status=502,applied=yes", "status=503,retry_after=2", "status=503,retry_after=2,applied=yes"),
    *("status=400", "status=401", "status=403", "status=404", "status=408,applied=yes", "status=409", "status=425"),
    *("gateway", "forbidden", "duplicate"),
)
READ_FATES = (
    *("ok", "status=500", "status=403", "status=429,retry_after=2", "drop", "html", "silence", "expire"),
    *("gateway", "forbidden", "another", "duplicate", "status=404"),
)
AHEAD = (0.0, 0.0, 130.0, -130.0, 86_400.0, -86_400.0)
"""Seconds by which the tenant's clock is ahead of ours."""
STEPS = (0.0, 0.0, 600.0, -600.0, -86_400.0)
"""Seconds by which our clock is set, in the middle of a run."""

MOMENTS = st.floats(0.0, 60.0, allow_nan=False)
GOOD = {Outcome.CHANGED, Outcome.UNCHANGED}


@dataclass(frozen=True)
class Scenario:
    """What is asked for, and what happens."""

    count: int
    per_app: int
    workers: int
    operation: str
    preflight: bool
    verify: bool
    attempts: int
    latency: float
    lag: float
    paused_before: set[int]
    fates: dict[int, list[str]]
    read_fates: list[str]
    others: list[tuple[float, int, str]]  # when, which target, what somebody else does to it
    crashes: list[float]  # for each part of the run in turn, when it crashes
    signals: list[float]
    deadline: float | None
    revoked_at: float | None
    vocabulary: Vocabulary
    ahead: float
    clock_step: tuple[float, float]  # when our clock is set, and by how much

    def job(self) -> Job:
        """The job of it."""
        return job(
            pairs(self.count, self.per_app),
            self.operation,
            preflight=self.preflight,
            verify=self.verify,
            retry=RetryPolicy(attempts=self.attempts),
            limits=LimitPolicy(concurrency=self.workers, deadline=self.deadline),
        )


INDEX = st.integers(0, 5)
SCENARIOS = st.builds(
    Scenario,
    count=st.integers(1, 6),
    per_app=st.integers(1, 3),
    workers=st.integers(1, 4),
    operation=st.sampled_from(["pause", "pause", "resume"]),
    preflight=st.booleans(),
    verify=st.booleans(),
    attempts=st.sampled_from([1, 2, 3, 5]),
    latency=st.sampled_from([0.0, 0.1, 1.0]),
    lag=st.sampled_from([0.0, 0.0, 2.0]),
    paused_before=st.sets(INDEX, max_size=3),
    fates=st.dictionaries(INDEX, st.lists(st.sampled_from(FATES), max_size=7), max_size=6),
    read_fates=st.lists(st.sampled_from(READ_FATES), max_size=6),
    others=st.lists(st.tuples(MOMENTS, INDEX, st.sampled_from(["pause", "resume"])), max_size=2),
    crashes=st.lists(MOMENTS, max_size=2),
    signals=st.lists(MOMENTS, max_size=2),
    deadline=st.none() | st.floats(1.0, 90.0),
    revoked_at=st.none() | MOMENTS,
    vocabulary=st.sampled_from(Vocabulary),
    ahead=st.sampled_from(AHEAD),
    clock_step=st.tuples(MOMENTS, st.sampled_from(STEPS)),
)


class Play:
    """One scenario on its way."""

    def __init__(self, scenario: Scenario, bench: Bench, directory: Path) -> None:
        self.scenario = scenario
        self.bench = bench
        self.directory = directory
        self.targets = pairs(scenario.count, scenario.per_app)
        self.crashed = False
        self.step = 0.0

    def wall(self) -> float:
        """Our own clock, which somebody may set."""
        return wall() + self.step

    def _set_clock(self) -> None:
        self.step += self.scenario.clock_step[1]

    async def prepare(self) -> None:
        """Set the stage: states before, fates, and what somebody else will do."""
        scenario, server = self.scenario, self.bench.server
        loop = asyncio.get_running_loop()
        for index in sorted(filter(self._exists, scenario.paused_before)):
            server.tenant.pause_by_other(*self.targets[index])
        await asyncio.sleep(3 * DANGER_TIME)  # long enough ago to be told from what the run does
        for index, fates in scenario.fates.items():
            if self._exists(index):
                server.script("/".join(self.targets[index]), fates)
        server.script("connector", scenario.read_fates[::2])
        server.script("connectors", scenario.read_fates[1::2])
        for at, index, what in scenario.others:
            if self._exists(index):
                act = server.tenant.pause_by_other if what == "pause" else server.tenant.resume_by_other
                loop.call_later(at, partial(act, *self.targets[index]))
        loop.call_later(scenario.clock_step[0], self._set_clock)
        if scenario.revoked_at is not None:
            desk = server.desk
            loop.call_later(scenario.revoked_at, desk.revoke_credential, desk.signer.client_id)

    async def part(self, crash_at: float | None, run_id: str | None) -> RunResult | None:
        """Run, or go on with a run, until it ends or crashes; then compare the account with the truth."""
        with Store(self.directory) as store:
            self.bench.store = store
            todo = self.scenario.job()
            if run_id is None:
                work = self.bench.run(todo, signals=True, wall=self.wall)
            else:
                work = self.bench.proceed(run_id, todo, wall=self.wall)
            task = asyncio.create_task(work)
            kills = [] if run_id else [self._signal_in(at) for at in self.scenario.signals]
            done, _ = await asyncio.wait([task], timeout=crash_at)
            for kill in kills:
                kill.cancel()
            if not done:
                self.crashed = True
                store.connection.close()  # from here on nothing reaches the disk
                task.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await task
            result = task.result() if done else None
        await asyncio.sleep(100)  # what was under way arrives
        return result

    def _signal_in(self, seconds: float) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(seconds, terminate)

    def _exists(self, index: int) -> bool:
        return index < self.scenario.count

    def check(self, result: RunResult | None) -> str | None:
        """Compare the store with the tenant's record; returns the run's id if there is a run."""
        with Store(self.directory) as store:
            runs = store.runs()
            if not runs:
                assert self.crashed
                return None
            rows = list(store.targets(runs[0]))
        assert [row.target[:2] for row in rows] == [tuple(target) for target in self.targets]
        assert sum(runs[0].counts.values()) == self.scenario.count
        for row in rows:
            self._check_target(row)
        if result is not None:
            outcomes = {row.outcome for row in rows}
            assert {outcome for outcome, count in result.counts.items() if count} == outcomes
            if result.exit_code not in SIGNAL_CODES:
                assert (result.exit_code == ExitCode.OK) == (outcomes <= GOOD)
            assert result.exit_code not in (ExitCode.BUG, ExitCode.STORAGE)
        return runs[0].run_id

    def _check_target(self, row: TargetRecord) -> None:
        events = self.bench.server.oracle.applied_to(row.target.app_id, row.target.connector_id)
        ours = [event for event in events if event.actor == "api"]
        index = self.targets.index((row.target.app_id, row.target.connector_id))
        if any(index == touched for _, touched, _ in self.scenario.others):
            return  # whose doing a state is can then not be told from outside
        if row.outcome is Outcome.CHANGED:
            assert any(event.kind == self.scenario.operation for event in ours), row
        if any(event.changed for event in ours):
            assert row.outcome in (Outcome.CHANGED, Outcome.UNKNOWN), row
        if row.outcome is Outcome.UNKNOWN and not self.crashed:
            assert "/".join(row.target[:2]) in self.bench.server.oracle.attempts(), row
        if row.outcome is Outcome.UNCHANGED:
            state = self.bench.tenant.state(row.target.app_id, row.target.connector_id)
            assert (state.pause is not None) == (self.scenario.operation == "pause"), row


def terminate() -> None:
    """Send ourselves a SIGTERM, if anybody is there to handle it."""
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        os.kill(os.getpid(), signal.SIGTERM)


async def play(scenario: Scenario, directory: Path) -> None:
    """Play a scenario through: a run, and after it as many continuations as it takes."""
    targets = pairs(scenario.count, scenario.per_app)
    behaviour = Behaviour(lag=scenario.lag, vocabulary=scenario.vocabulary, clock=scenario.ahead)
    async with open_tenant(targets, f"latency={scenario.latency:g}s", behaviour) as server:
        play = Play(scenario, Bench(server, from_environment(environment(server)), Store(directory)), directory)
        await play.prepare()
        run_id: str | None = None
        for crash_at in [*scenario.crashes, None]:
            result = await play.part(crash_at, run_id)
            run_id = play.check(result)
            event(f"{scenario.operation}: {'crashed' if result is None else ExitCode(result.exit_code).name}")


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
@given(SCENARIOS)
def test_whatever_happens_to_a_run_its_account_is_true(scenario: Scenario) -> None:
    with TemporaryDirectory(dir=MEMORY) as directory, asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
        runner.run(play(scenario, Path(directory) / "state"))
