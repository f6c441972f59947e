"""A maintenance window: pause, wait for running syncs, run a command, and resume by receipt, whatever happens.

    pause ─► threshold kept? ─► drain ─► command ─► undo
               └─ no ──────────────────────────────► undo, and the command is not run

Signals are heeded from the first pause to the last resume: they end the phase they meet, never the window.
"""

import math
import os
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from typing import TypeVar

import anyio

from runner.base.errors import ApiError, ExitCode, RunnerError, StoppingError, UsageError
from runner.base.model import Job, OperationName, Outcome, Planned, RunResult
from runner.base.signals import Signals, heed
from runner.base.stop import Stop
from runner.base.units import duration_text
from runner.engine.session import Context
from runner.runs import client_of, run
from runner.store import RunRecord, Store, TargetRecord
from runner.windows.command import Command, Elapsed
from runner.windows.drain import Drain
from runner.windows.obstacle import named, obstacle_of, some_of
from runner.windows.undo import undo, undo_job

T = TypeVar("T")

_LOCK_WAIT = 3600.0
"""Seconds that the resume waits for whoever works on the same job: it must not be left out."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a window is to do."""

    job: Job
    argv: Sequence[str]
    drain: float | None = None  # seconds to wait for running syncs; None: not at all
    give_up: bool = True  # when some still run then: do not run the command
    keep_on_failure: bool = False  # the command failed: leave everything paused
    grace: float = 10.0  # seconds from TERM to KILL
    sync_wait: float | None = None  # seconds to follow the syncs that the resume starts


class Desk(ABC):
    """Whoever has opened the window: shows what happens, and lends what a run needs."""

    store: Store
    wall: Callable[[], float]

    @abstractmethod
    def context(self, signals: Signals, **more: object) -> AbstractContextManager[Context]:
        """What a run needs from outside, as long as the block."""

    @abstractmethod
    def account(self, result: RunResult) -> None:
        """A run is over: show its account, write its reports."""

    @abstractmethod
    def facts(self, record: RunRecord) -> dict[str, str]:
        """What the command finds in its environment about the run that has paused."""

    @abstractmethod
    def note(self, text: str) -> None:
        """One line for people who watch; it goes without saying where quiet is asked for."""

    @abstractmethod
    def say(self, text: str) -> None:
        """One line for people, of what is not as it should be."""

    @abstractmethod
    def undo_by_hand(self, run_id: str) -> str:
        """The full command that resumes what a run has paused."""


class Window:
    """One window, from the first pause to the last resume."""

    def __init__(self, terms: Terms, desk: Desk) -> None:
        if terms.job.operation is not OperationName.PAUSE:
            raise UsageError(f"a window pauses, and this job is a {terms.job.operation}; nothing was sent")
        self._terms = terms
        self._desk = desk
        self._clock = Elapsed()
        self._held: dict[tuple[str, str], str] = {}  # what the command relies on, with its name
        self._ended: dict[tuple[str, str], str] = {}  # what of it somebody else has ended meanwhile

    async def hold(self) -> int:
        """Hold the window; returns the exit code of the process.

        It is the command's own, or the pause's if there was none; and 4 when not everything could be resumed.
        Raises as `run.run`, as long as nothing was paused.
        """
        with heed() as signals, ExitStack() as living:
            with self._desk.context(signals, windowed=True, living=living) as context:
                paused = await run(replace(self._terms.job, verify=True), context)  # what it resumes by is verified
            keep = False
            try:
                self._desk.account(paused)
                code, ran = await self._within(paused, signals)
                keep = ran and code != 0 and self._terms.keep_on_failure
            finally:
                complete = keep or await self._resume(paused.run_id, signals)
            if keep:
                undo_it = self._desk.undo_by_hand(paused.run_id)
                rest = f"everything stays paused, as asked: {undo_it}" if self._held else "nothing was paused for it"
                self._desk.say(f"the command failed with code {code}, and {rest}")
            if ran and self._ended_early():
                complete = False
            return code if complete else ExitCode.INCOMPLETE

    async def _within(self, paused: RunResult, signals: Signals) -> tuple[int, bool]:
        """What stands between pause and resume: the exit code, and whether the command was run."""
        record = self._desk.store.run(paused.run_id)
        obstacle = obstacle_of(paused, self._terms.job, self._desk.store)
        code = paused.exit_code or ExitCode.STOPPED
        if obstacle is None and self._terms.drain is not None:
            obstacle, code = await self._drained(record, self._terms.drain, signals)
        if obstacle is None and self._left(record) <= 0:
            obstacle, code = "the window is over already", ExitCode.STOPPED
        if obstacle is not None:
            rest = "what was paused is resumed" if self._holds(record) else "nothing was paused"
            self._desk.say(f"{obstacle}: the command is not run, and {rest}")
            return code, False
        self._held = {planned.target[:2]: _name(planned) for planned, _ in self._desk.store.held(record)}
        command = Command(
            self._terms.argv, grace=self._terms.grace, left=lambda: self._left(record), told=self._desk.say
        )
        return await command.run(os.environ | self._desk.facts(record), signals), True

    def _holds(self, record: RunRecord) -> bool:
        """Whether there is anything to resume; so it is, should the store not say."""
        try:
            return bool(self._desk.store.holding(record).connectors)
        except RunnerError:
            return True

    def _left(self, record: RunRecord) -> float:
        """Seconds until the window ends as of now; by its end at the start, should the store not say.

        An end that was given as a duration is time that passes, whatever the clock is set to; a moment is the clock's.
        """
        try:
            until = self._desk.store.run(record.run_id).until
        except RunnerError:
            until = record.until
        if until is None:
            return math.inf
        window = self._terms.job.window
        if window is not None and window.seconds is not None:
            return until - record.started_at - self._clock.seconds
        return until - self._desk.wall()

    async def _drained(self, record: RunRecord, seconds: float, signals: Signals) -> tuple[str | None, int]:
        """Wait for running syncs; why the command is not to be run, if so, and the exit code that goes with it."""
        job, stop = self._terms.job, Stop()
        left: list[TargetRecord] = []
        with self._desk.context(signals) as context:

            async def drain() -> None:
                async with client_of(job, context, stop) as client:
                    rows = self._desk.store.targets(record)
                    left.extend(
                        await Drain(client, stop, workers=job.limits.concurrency).wait(rows, seconds, self._waiting)
                    )

            heard = await _unless_signalled(drain, signals, stop)
        if heard is not None:
            return heard
        if left and self._terms.give_up:
            return f"{named(left)} still syncing after {duration_text(seconds)}", ExitCode.STOPPED
        if left:
            self._desk.say(f"{named(left)} still syncing after {duration_text(seconds)}: going on, as asked")
        return None, ExitCode.OK

    def _waiting(self, running: Sequence[TargetRecord]) -> None:
        self._desk.note(f"waiting for the syncs of {named(running)}")

    async def _resume(self, run_id: str, signals: Signals) -> bool:
        """Resume what the window has paused; whether nothing is left to do."""
        await signals.forget()  # they have ended what came before, and must not count against this
        more = {"patience": 1, "lock_wait": _LOCK_WAIT, "sync_wait": self._terms.sync_wait}
        try:
            record = self._desk.store.run(run_id)
            job = undo_job(self._terms.job, record)
            job = replace(job, limits=replace(job.limits, deadline=None))
            with self._desk.context(signals, **more) as context:
                result = await undo(record, job, context)
        except RunnerError as error:
            again = self._desk.undo_by_hand(run_id)
            self._desk.say(f"what was paused could not be resumed: {error}; next: {again}")
            return False
        self._note_ended(record, result)
        if result is None:
            return True
        self._desk.account(result)
        return result.exit_code == ExitCode.OK

    def _note_ended(self, record: RunRecord, result: RunResult | None) -> None:
        """What the command has relied on, and was not paused any more when the window came to resume it."""
        before = self._left(record) > 0
        tried: dict[tuple[str, str], TargetRecord] = {}
        if result is not None:
            undo_record = self._desk.store.run(result.run_id)
            tried = {row.target[:2]: row for row in self._desk.store.targets(undo_record)}
        for pair, name in self._held.items():
            row = tried.get(pair)
            by_itself = row is None and not before  # `expire` has ended it, when its time had come
            if (row is None and not by_itself) or (row is not None and row.outcome is Outcome.UNCHANGED):
                self._ended[pair] = name

    def _ended_early(self) -> bool:
        """Whether pauses were ended by others while the command relied on them; they are named."""
        if self._ended:
            names = some_of(list(self._ended.values()))
            self._desk.say(f"not paused any more when the window ended, or no longer for it: {names}")
        return bool(self._ended)


async def _unless_signalled(
    work: Callable[[], Awaitable[None]], signals: Signals, stop: Stop
) -> tuple[str, int] | None:
    """Do `work`; the reason and exit code of what has kept it from its end, be it a signal."""
    ended: list[tuple[str, int]] = []

    async def listen() -> None:
        number = await signals.next()
        ended.append((f"{number.name} received", 128 + number))
        stop.request(f"{number.name} received", 128 + number)

    async with anyio.create_task_group() as group:
        group.start_soon(listen)
        try:
            await work()
        except StoppingError as error:
            ended.append((stop.reason or str(error), stop.exit_code))
        except ApiError as error:
            ended.append((str(error), ExitCode.STOPPED))
        group.cancel_scope.cancel()
    return ended[0] if ended else None


def _name(planned: Planned) -> str:
    return planned.connector_name or str(planned.target)
