"""Pauses that overlap, end, and are cut off: a property over runs, undos, expiry, crashes and a second actor.

A scenario is a tenant of four connectors, and steps: commands, each in a process of its own (a store of its
own), two of them at once at times; and between them what somebody else, or C1's anomaly check, does. What
is asserted is judged by the tenant's own record of what was applied, never by what the tool says of it:

1. no undo and no expiry ever ends a pause that somebody else, or the anomaly check, has made;
2. when every run is undone, and nothing is in the way, nothing of ours is left paused that was not reported,
   and nothing is left at all of a connector that nobody else has touched;
3. while a run wants a connector paused, the undo of another one does not resume it;
4. every target has one outcome, and the exit code is 0 exactly when all are in the wanted state, and truly so;
5. to undo twice sends nothing.

What the tool cannot tell by design is left out, here and nowhere else (`_stand_back`, `_settle_down`):
somebody else acts never during a run, not within the time that reads lag behind, and not within three times
the danger time of a pause whose mark was never read, since its time is then all that it is known by. A request of
ours that was held up comes later than any request is known to live, or renews the mark which was read; so does one
that reads misled which lag behind. Such a pause looks like somebody else's: it is left alone, and reported. The same
is true of an unclear request where our pauses look like the system's own and none was read so far. And while no
pause was ever shown to this credential, a connector that reads as active after an unclear request stays held.
"""

import asyncio
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.base.errors import ExitCode, LockedError, StorageError
from runner.base.model import Job, Outcome, RunResult, Target, Window
from runner.base.policy import DANGER_TIME, LimitPolicy, RetryPolicy
from runner.base.settings import Settings, from_environment
from runner.runs import OPEN
from runner.sandbox import Behaviour, SandboxServer, Vocabulary, environment
from runner.sandbox.oracle import Event
from runner.store import RunRecord, Store, TargetRecord
from runner.windows.undo import due, undo, undo_job
from tests.memory import MEMORY
from tests.sim.conftest import Bench, job, open_tenant, pairs
from tests.virtual_clock import VirtualClockLoop, wall

EXAMPLES = int(os.environ.get("C1_RUNNER_TEST_EXAMPLES", "30"))
"""How many scenarios are played; a thorough check takes 10,000."""

TARGETS = pairs(4, per_app=2)
FATES = (
    *("drop", "drop_after", "reset_after", "silence", "silence_after", "truncate", "html_after", "expire"),
    *("status=500", "status=502,applied=yes", "status=503,retry_after=2,applied=yes", "status=429,retry_after=3"),
    *("status=400", "status=403", "status=409", "gateway", "forbidden", "duplicate"),
)
HELD_UP = ("ok,delay=45s", "ok,delay=100s")  # given up after 30 s, and applied all the same
READ_FATES = (
    *("ok", "status=500", "status=429,retry_after=2", "drop", "silence", "expire"),
    *("gateway", "forbidden", "another", "duplicate", "status=404", "html"),
)
GOOD = {Outcome.CHANGED, Outcome.UNCHANGED}
MAYBE = {Outcome.CHANGED, Outcome.UNKNOWN}

Pair = tuple[str, str]


@dataclass(frozen=True)
class Pause:
    """A run of a pause job."""

    name: str
    targets: frozenset[int]
    window: float | None
    windowed: bool
    preflight: bool
    verify: bool
    deadline: float | None

    def job(self, like: "Scenario") -> Job:
        """The job; what ends by itself has to know the state before."""
        limits = LimitPolicy(concurrency=like.workers, deadline=self.deadline)
        todo = job(
            [TARGETS[index] for index in sorted(self.targets)],
            preflight=self.preflight or self.windowed or self.window is not None,
            verify=self.verify,
            window=None if self.window is None else Window(self.window),
            limits=limits,
            retry=RetryPolicy(attempts=like.attempts),
        )
        return replace(todo, name=self.name)


@dataclass(frozen=True)
class Undo:
    """The undo of an earlier pause run; `twice` asserts that the second one sends nothing."""

    which: int
    twice: bool


@dataclass(frozen=True)
class Expire:
    """The undo of everything that is due."""


@dataclass(frozen=True)
class Continue:
    """Going on with an earlier run of any kind."""

    which: int
    failed: bool


@dataclass(frozen=True)
class Extend:
    """A later end for an earlier run."""

    which: int
    seconds: float


@dataclass(frozen=True)
class Resume:
    """A run that resumes connectors by name."""

    targets: frozenset[int]


@dataclass(frozen=True)
class Other:
    """What somebody else does, or the anomaly check."""

    what: str
    target: int


@dataclass(frozen=True)
class SetClock:
    """Our own clock is set."""

    seconds: float


@dataclass(frozen=True)
class Wait:
    """Time passes."""

    seconds: float


Act = Pause | Undo | Expire | Continue | Extend | Resume | Other | Wait | SetClock


@dataclass(frozen=True)
class Crash:
    """When a command is gone: after so many seconds, or at its n-th write, before it or after it."""

    seconds: float | None = None
    write: int = 0
    before: bool = False


@dataclass(frozen=True)
class Command:
    """A command in a process of its own."""

    act: Act
    crash: Crash | None
    delay: float = 0.0  # seconds after the beginning of the step


@dataclass(frozen=True)
class Step:
    """What happens at once, and what becomes of the requests of it."""

    commands: tuple[Command, ...]
    pause_fates: dict[int, list[str]]
    resume_fates: dict[int, list[str]]
    read_fates: list[str]


@dataclass(frozen=True)
class Scenario:
    """A tenant, and what happens on it."""

    renew_mark: bool
    lag: float
    latency: float
    workers: int
    attempts: int
    resume_rate: float
    vocabulary: Vocabulary
    ahead: float  # seconds by which the tenant's clock is ahead of ours
    steps: list[Step]


SOME = st.frozensets(st.integers(0, 3), min_size=1, max_size=3)
WHICH = st.integers(0, 3)  # counted from the newest
PAUSES = st.builds(
    Pause,
    name=st.sampled_from("abc"),
    targets=SOME,
    window=st.sampled_from([None, None, 30.0, 600.0]),
    windowed=st.booleans(),
    preflight=st.sampled_from([True, True, True, False]),
    verify=st.booleans(),
    deadline=st.sampled_from([None, None, None, 2.0]),
)
UNDOS = st.builds(Undo, WHICH, st.booleans())
CONTINUES = st.builds(Continue, WHICH, st.booleans())
ALONE = (
    st.builds(Resume, SOME)
    | st.builds(Extend, WHICH, st.sampled_from([60.0, 3600.0]))
    | st.builds(Wait, st.sampled_from([0.5, 5.0, 40.0, 150.0, 700.0]))
)
OTHERS = st.builds(Other, st.sampled_from(["pause", "resume", "anomaly", "system"]), st.integers(0, 3))
CLOCKS = st.builds(SetClock, st.sampled_from([600.0, -600.0, 86_400.0, -86_400.0]))
CRASHES = st.none() | st.builds(
    Crash,
    seconds=st.none() | st.sampled_from([0.05, 0.5, 1.5, 3.0, 8.0, 20.0, 70.0, 130.0]),
    write=st.integers(1, 16),
    before=st.booleans(),
)
CALM = st.none()


def commands(acts: st.SearchStrategy[Any], delay: st.SearchStrategy[float]) -> st.SearchStrategy[Command]:
    """Commands that may crash."""
    return st.builds(Command, acts, CALM | CALM | CRASHES, delay)


def steps(*command: st.SearchStrategy[Command]) -> st.SearchStrategy[Step]:
    """Steps of some commands."""
    fates = st.lists(st.sampled_from(FATES), min_size=1, max_size=3)
    held_up = st.lists(st.sampled_from(FATES + HELD_UP), min_size=1, max_size=3)
    return st.builds(
        Step,
        st.tuples(*command),
        st.just({}) | st.dictionaries(st.integers(0, 3), held_up, max_size=2),
        st.just({}) | st.dictionaries(st.integers(0, 3), fates, max_size=2),
        st.just([]) | st.lists(st.sampled_from(READ_FATES), max_size=4),
    )


ENDS = UNDOS | UNDOS | st.just(Expire()) | CONTINUES
NOW = st.just(0.0)
LATER = st.sampled_from([0.0, 0.2, 1.0, 2.5, 35.0, 125.0])
STEPS = (
    steps(commands(PAUSES, NOW))
    | steps(commands(ENDS, NOW))
    | steps(commands(PAUSES | ENDS, NOW), commands(PAUSES | ENDS, LATER))
    | steps(commands(ALONE, NOW))
    | steps(st.builds(Command, OTHERS, CALM))
    | steps(commands(PAUSES | ENDS, NOW), st.builds(Command, CLOCKS, CALM, LATER))
)
SCENARIOS = st.builds(
    Scenario,
    renew_mark=st.booleans(),
    lag=st.sampled_from([0.0, 0.0, 2.0]),
    latency=st.sampled_from([0.0, 0.1, 1.0]),
    workers=st.integers(1, 3),
    attempts=st.sampled_from([1, 2, 4]),
    resume_rate=st.sampled_from([5.0, 5.0, 0.01]),
    vocabulary=st.sampled_from(Vocabulary),
    ahead=st.sampled_from([0.0, 0.0, 130.0, -130.0, 86_400.0, -86_400.0]),
    steps=st.lists(STEPS, min_size=2, max_size=8),
)


class Gone(BaseException):
    """The process is gone."""


class Fragile:
    """A connection that is gone at one of its writes, and lets nothing through after it."""

    def __init__(self, connection: Any, crash: Crash | None) -> None:
        self._connection = connection
        self._crash = crash
        self._left = crash.write if crash is not None and crash.seconds is None else 0
        self.gone = False

    def execute(self, statement: str, *values: Any) -> Any:
        """Carry out a statement, unless it is the one."""
        return self._guarded(self._connection.execute, statement, *values)

    def executemany(self, statement: str, rows: Any) -> Any:
        """The same for many rows."""
        return self._guarded(self._connection.executemany, statement, rows)

    def _guarded(self, carry_out: Callable[..., Any], statement: str, *values: Any) -> Any:
        if self.gone:
            raise Gone
        writes = statement == "COMMIT" or (not self._connection.in_transaction and "BEGIN" not in statement)
        strikes = writes and not statement.lstrip().startswith("SELECT") and self._strikes()
        if strikes and self._crash is not None and self._crash.before:
            self.end()
            raise Gone
        result = carry_out(statement, *values)
        if strikes:
            self.end()
            raise Gone
        return result

    def _strikes(self) -> bool:
        self._left -= 1
        return self._left == 0

    def end(self) -> None:
        """From here on nothing reaches the disk."""
        self.gone = True
        self._connection.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


@dataclass
class Truth:
    """What the tenant's own record says of one connector."""

    paused: bool = False
    foreign: bool = False  # somebody else, or the anomaly check, has had a part in the pause that is in force
    touched: bool = False  # anybody else ever had, or a run that did not see the state before
    wanted_by: set[str] = field(default_factory=set)  # runs


@dataclass
class Account:
    """What the commands of a step have done, as far as it matters for what is asserted."""

    ending: set[str] = field(default_factory=set)  # the runs whose pauses were to be ended
    worked: dict[str, RunResult | None] = field(default_factory=dict)  # runs that were worked on; None: crashed
    again: dict[str, set[Target]] = field(default_factory=dict)  # what of a run was gone on with
    named: bool = False  # a resume by name, which may end any pause
    late: bool = False  # requests of a command that is gone may still arrive
    alone: bool = True  # nothing else went on meanwhile

    def fresh(self, run_id: str, rows: list[TargetRecord]) -> list[TargetRecord]:
        """The targets that were worked on in this step."""
        return [row for row in rows if run_id not in self.again or row.target in self.again[run_id]]


class Play:
    """One scenario on its way."""

    def __init__(self, scenario: Scenario, server: SandboxServer, directory: Path) -> None:
        self.scenario = scenario
        self.server = server
        self.settings: Settings = from_environment(environment(server))
        self.directory = directory
        self.truth = {pair: Truth() for pair in TARGETS}
        self.jobs: dict[str, Job] = {}  # by the name of the run, how it is gone on with
        self.seen = 0  # events
        self.held_up: set[Pair] = set()  # a request for their pause was, and may have renewed the mark late
        self.set_by = 0.0  # seconds by which our clock was set so far
        self.lagged = 0.0  # epoch seconds until which reads may show the world as it was before others acted

    def wall(self) -> float:
        """Our own clock."""
        return wall() + self.set_by

    # What happens

    async def step(self, step: Step) -> None:
        """Take a step, and compare the accounts with the truth."""
        for index, fates in step.pause_fates.items():
            self.server.script(f"POST {_path(index)}/pause", fates)
            if not set(fates).isdisjoint(HELD_UP):
                self.held_up.add(TARGETS[index])
        for index, fates in step.resume_fates.items():
            self.server.script(f"POST {_path(index)}/resume", fates)
        self.server.script("connector", step.read_fates[::2])
        self.server.script("connectors", step.read_fates[1::2])
        account = Account(alone=len(step.commands) == 1)
        await asyncio.gather(*(self._command(command, account) for command in step.commands))
        if account.late:
            await asyncio.sleep(5.0)  # what was under way arrives
        self._judge(account)

    async def _command(self, command: Command, account: Account) -> None:
        await asyncio.sleep(command.delay)
        match command.act:
            case Wait(seconds):
                await asyncio.sleep(seconds)
                return
            case SetClock(seconds):
                self.set_by += seconds
                return
            case Other(what, index):
                await self._stand_back(TARGETS[index])
                act = {
                    "pause": "pause_by_other",
                    "resume": "resume_by_other",
                    "anomaly": "anomaly",
                    "system": "pause_by_system",
                }[what]
                getattr(self.server.tenant, act)(*TARGETS[index])
                await self._settle_down()
                return
        with Store(self.directory) as store:
            fragile = Fragile(store.connection, command.crash)
            store._connection = fragile  # type: ignore[assignment]
            task = asyncio.create_task(self._carry_out(command.act, store, account))
            await asyncio.wait([task], timeout=command.crash.seconds if command.crash is not None else None)
            if not task.done():
                fragile.end()
                task.cancel()
            try:
                await task
            except (Gone, asyncio.CancelledError, BaseExceptionGroup, StorageError):
                if not fragile.gone:
                    raise
                account.late = account.named
            except LockedError:
                pass

    async def _carry_out(self, act: Act, store: Store, account: Account) -> None:
        b = Bench(self.server, self.settings, store)
        match act:
            case Pause():
                await self._run(b, act.job(self.scenario), account, windowed=act.windowed)
            case Resume(targets):
                account.named = True
                todo = job([TARGETS[index] for index in sorted(targets)], "resume")
                await self._run(b, replace(todo, name="by-name"), account)
                await self._settle_down()
            case Undo(which, twice):
                if (record := self._pick(store, which, pauses=True)) is not None:
                    await self._undo(b, record, account, twice=twice)
            case Expire():
                for record in due(store, self.settings.tenant, self.wall()):
                    await self._undo(b, record, account)
            case Extend(which, seconds):
                self._extend(store, which, seconds)
            case Continue(which, failed):
                if (record := self._pick(store, which, pauses=False)) is not None:
                    await self._continue(b, record, account, failed=failed)

    def _extend(self, store: Store, which: int, seconds: float) -> None:
        record = self._pick(store, which, pauses=True)
        if record is None or not store.held(record):
            return
        store.extend(record, max(self.wall(), record.until or 0.0) + seconds, self.wall())
        for planned, unclear_at in store.held(record):
            truth = self.truth[planned.target[:2]]
            if truth.paused and not truth.foreign and unclear_at is None:
                truth.wanted_by.add(record.run_id)

    async def _run(self, b: Bench, todo: Job, account: Account, **context: Any) -> None:
        known = {record.run_id for record in b.store.runs()}
        result = None
        try:
            result = await b.run(todo, wall=self.wall, **context)
        finally:
            for run_id in self._runs_since(known, todo):
                self.jobs[run_id] = todo
                account.worked[run_id] = result

    async def _undo(self, b: Bench, record: RunRecord, account: Account, *, twice: bool = False) -> None:
        todo = undo_job(replace(job([]), limits=LimitPolicy(resume_rate=self.scenario.resume_rate)), record)
        known = {known.run_id for known in b.store.runs()}
        result = None
        try:
            result = await undo(record, todo, b.context(wall=self.wall))
        except LockedError:
            return
        finally:
            for run_id in self._runs_since(known, todo):
                self.jobs[run_id] = todo
                account.worked[run_id] = result
                account.ending.add(record.run_id)
        if (
            twice
            and account.alone
            and result is not None
            and not any(result.counts[outcome] for outcome in _OPEN_AFTER)
            and not b.store.held(record)  # what cannot be told to be somebody else's is held on
        ):
            before = len(self.server.oracle.requests)
            assert await undo(b.store.run(record.run_id), todo, b.context(wall=self.wall)) is None
            assert len(self.server.oracle.requests) == before

    async def _continue(self, b: Bench, record: RunRecord, account: Account, *, failed: bool) -> None:
        if record.run_id not in self.jobs:
            return  # it has begun a moment ago, beside this one
        outcomes = (*OPEN, Outcome.FAILED) if failed else OPEN
        if record.run_id not in account.worked:  # otherwise all of it is judged, as the run has begun beside this
            account.again[record.run_id] = {row.target for row in b.store.targets(record) if row.outcome in outcomes}
        result = None
        locked = False
        try:
            result = await b.proceed(record.run_id, self.jobs[record.run_id], *outcomes, wall=self.wall)
        except LockedError:
            locked = True
        finally:
            if not locked:
                account.worked[record.run_id] = result
                account.named |= self.jobs[record.run_id].name == "by-name"
                if record.undoes is not None:
                    account.ending.add(b.store.undone_by(record).run_id)

    def _pick(self, store: Store, which: int, *, pauses: bool) -> RunRecord | None:
        runs = [run for run in store.runs() if not pauses or run.operation == "pause"]
        return runs[which % len(runs)] if runs else None

    def _runs_since(self, known: set[str], todo: Job) -> Iterator[str]:
        with Store(self.directory) as store:
            for run in store.runs():
                if run.run_id not in known and (run.job_name, run.operation) == (todo.name, todo.operation):
                    yield run.run_id

    async def _stand_back(self, pair: Pair) -> None:
        """Somebody else is about to act: requests under way arrive, and unread marks are left well behind."""
        await asyncio.sleep(5.0)
        with Store(self.directory) as store:
            hold = store.holds(self.settings.tenant).get(pair)
        if hold is not None and hold.marks.spans:
            newest = max(span.end for span in hold.marks.spans)
            await asyncio.sleep(max(0.0, newest + 2 * DANGER_TIME - self.server.tenant.clock()))

    async def _settle_down(self) -> None:
        """Reads come to show what was done."""
        await asyncio.sleep(self.scenario.lag + 0.001)

    # What is asserted

    def _judge(self, account: Account) -> None:
        self._pass_on(account)
        events = self.server.oracle.events
        for event_ in events[self.seen :]:
            self._follow(event_, account)
        self.seen = len(events)
        for pair in TARGETS:
            self.truth[pair].wanted_by -= account.ending
        with Store(self.directory) as store:
            for run_id, result in account.worked.items():
                record = store.run(run_id)
                rows = list(store.targets(record))
                self._check_account(record, rows, result)
                for row in account.fresh(run_id, rows):
                    if record.operation == "pause":
                        self._check_pause(record, row, result, account, held=self._held(store, record, row))
                    elif record.undoes is not None and result is not None and account.alone and row.outcome in GOOD:
                        assert not self.truth[row.target[:2]].paused, row
            for truth in self.truth.values():
                truth.wanted_by -= account.ending
            self._leave_to_one(account, store)

    def _follow(self, event_: Event, account: Account) -> None:
        truth = self.truth[event_.app_id, event_.connector_id]
        ours = event_.actor == "api"
        truth.touched |= not ours or account.named
        match event_.kind:
            case "pause" | "anomaly" | "system":
                if event_.changed:
                    held_up = (event_.app_id, event_.connector_id) in self.held_up
                    truth.touched |= held_up or (truth.paused and self.scenario.lag > 0)
                    truth.foreign = (truth.foreign and truth.paused) or not ours
                    if not ours:
                        truth.wanted_by.clear()
                truth.paused = True
            case "resume":
                if event_.changed and ours and not account.named:
                    assert not truth.foreign, f"a foreign pause was ended: {event_}"
                    assert truth.wanted_by <= account.ending, f"still wanted by {truth.wanted_by}: {event_}"
                truth.wanted_by.clear()
                truth.paused = truth.foreign = False

    def _check_account(self, record: RunRecord, rows: list[TargetRecord], result: RunResult | None) -> None:
        assert len({row.target[:2] for row in rows}) == len(rows) == sum(record.counts.values())
        if result is None:
            return
        good = all(
            row.outcome in GOOD
            or (record.undoes is not None and row.outcome is Outcome.SKIPPED and row.left_to is not None)
            for row in rows
        )
        if not rows:  # it was cut off before it had a plan; an undo makes one, if there is still anything to undo
            late = {ExitCode.STOPPED} if self.jobs[record.run_id].limits.deadline else set()
            assert result.exit_code in {ExitCode.NOTHING if record.undoes is None else ExitCode.OK} | late
            return
        assert (result.exit_code == ExitCode.OK) == good, (result, rows)
        assert result.exit_code not in (ExitCode.BUG, ExitCode.STORAGE)

    def _held(self, store: Store, record: RunRecord, row: TargetRecord) -> bool:
        """Whether a run holds a target that it found paused: where our pauses look like the system's, it may not."""
        if self.scenario.vocabulary is not Vocabulary.SYSTEM or row.outcome is not Outcome.UNCHANGED:
            return True
        return row.target[:2] in {planned.target[:2] for planned, _ in store.held(record)}

    def _check_pause(
        self, record: RunRecord, row: TargetRecord, result: RunResult | None, account: Account, *, held: bool
    ) -> None:
        truth = self.truth[row.target[:2]]
        truth.touched |= row.before is None  # it could not be read, or was not to be: whose pause it is stays open
        if row.outcome in GOOD and record.run_id not in account.ending and not account.named:
            assert truth.paused, (record.run_id, row)
        if held and truth.paused and not truth.foreign and row.outcome in GOOD | MAYBE:
            truth.wanted_by.add(record.run_id)

    def _pass_on(self, account: Account) -> None:
        """What a run without an end wants is what the next one of its job wants that has no end either."""
        with Store(self.directory) as store:
            endless = [run for run in store.runs() if run.operation == "pause" and run.until is None]
            endless = [run for run in endless if not run.windowed]
            for heir in endless:
                if heir.run_id in account.worked:
                    earlier = {run.run_id for run in endless if run.job_name == heir.job_name and run.run != heir.run}
                    for row in account.fresh(heir.run_id, list(store.targets(heir))):
                        if row.outcome in GOOD | MAYBE:
                            self.truth[row.target[:2]].wanted_by -= earlier

    def _leave_to_one(self, account: Account, store: Store) -> None:
        """Of several such runs of a job that worked in one step, one after the other, the last one wants it."""
        runs = [run for run in store.runs() if run.run_id in account.worked and run.operation == "pause"]
        endless = sorted((run for run in runs if run.until is None and not run.windowed), key=lambda run: run.run)
        heirs: dict[tuple[str, Pair], list[str]] = {}
        for run in endless:
            for row in account.fresh(run.run_id, list(store.targets(run))):
                if row.outcome in GOOD | MAYBE:
                    heirs.setdefault((run.job_name, row.target[:2]), []).append(run.run_id)
        for (_, pair), run_ids in heirs.items():
            unordered = len(run_ids) > 1 and not account.again.keys().isdisjoint(run_ids)  # which came last?
            self.truth[pair].wanted_by -= set(run_ids if unordered else run_ids[:-1])

    async def undo_everything(self) -> None:
        """Nothing is in the way any more: undo all runs until nothing is left, and look."""
        self.server._schedule._scripts.clear()
        await asyncio.sleep(1000.0)
        everything = Account()
        with Store(self.directory) as store:
            b = Bench(self.server, self.settings, store)
            for _ in range(6):
                for record in store.pausing_runs(self.settings.tenant):
                    await self._undo(b, record, everything)
            self._judge(everything)
            held = {
                planned.target[:2] for run in store.pausing_runs(self.settings.tenant) for planned, _ in store.held(run)
            }
            sees = self._sees_pauses(store)
            for pair, truth in self.truth.items():
                if pair in held or (truth.paused and not truth.foreign):
                    not_believed = not truth.paused and not sees
                    assert truth.touched or not_believed or self.scenario.vocabulary is Vocabulary.SYSTEM, pair
                    assert self._reported(store, pair), pair
                assert truth.paused or pair not in held or not sees, pair

    def _sees_pauses(self, store: Store) -> bool:
        """Whether a pause was shown to anybody; else what reads as active is not believed to be."""
        return store.sees_marks(self.settings.tenant, self.settings.identity)

    def _reported(self, store: Store, pair: Pair) -> bool:
        """Whether an undo has said that it left a connector paused."""
        rows = (
            row
            for run in store.runs()
            if run.undoes is not None
            for row in store.targets(run)
            if row.target[:2] == pair
        )
        return any(row.outcome not in GOOD and row.left_to is None for row in rows)


_OPEN_AFTER = (Outcome.FAILED, Outcome.UNKNOWN, Outcome.NOT_ATTEMPTED)


def _path(index: int) -> str:
    app_id, connector_id = TARGETS[index]
    return f"/api/v1/apps/{app_id}/connectors/{connector_id}"


async def play(scenario: Scenario, directory: Path) -> None:
    """Play a scenario through, and undo everything in the end."""
    behaviour = Behaviour(
        lag=scenario.lag, renew_mark=scenario.renew_mark, vocabulary=scenario.vocabulary, clock=scenario.ahead
    )
    async with open_tenant(TARGETS, f"latency={scenario.latency:g}s", behaviour) as server:
        play = Play(scenario, server, directory)
        await asyncio.sleep(1000.0)
        for step in scenario.steps:
            await play.step(step)
        await play.undo_everything()


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
@given(SCENARIOS)
def test_no_pause_is_forgotten_and_nobody_elses_is_ended(scenario: Scenario) -> None:
    with TemporaryDirectory(dir=MEMORY) as directory, asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
        runner.run(play(scenario, Path(directory) / "state"))
