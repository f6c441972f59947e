"""A maintenance window: pause, wait for running syncs, run a command, and resume by receipt, whatever happens.

    pause ─► threshold kept? ─► drain ─► command ─► undo
               └─ no ──────────────────────────────► undo, and the command is not run

Signals are heeded from the first pause to the last resume: they end the phase they meet, never the window.
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import TypeVar

import anyio

from runner.command import Command
from runner.conduct import Context
from runner.drain import Drain
from runner.errors import AccessError, ApiError, ExitCode, RunnerError, StoppingError, UsageError
from runner.model import Job, OperationName, Outcome, RunResult
from runner.policy import Share
from runner.run import client_of, run
from runner.signals import Signals, heed
from runner.stop import Stop
from runner.store import RunRecord, Store, TargetRecord
from runner.undo import undo, undo_job
from runner.units import duration_text

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

    async def hold(self) -> int:
        """Hold the window; returns the exit code of the process.

        It is the command's own, or the pause's if there was none; and 4 when not everything could be resumed.
        Raises as `run.run`, as long as nothing was paused.
        """
        with heed() as signals:
            with self._desk.context(signals, windowed=True) as context:
                paused = await run(self._terms.job, context)
            keep = False
            try:
                self._desk.account(paused)
                code, ran = await self._within(paused, signals)
                keep = ran and code != 0 and self._terms.keep_on_failure
            finally:
                complete = keep or await self._resume(paused.run_id, signals)
            if keep:
                undo_it = self._desk.undo_by_hand(paused.run_id)
                self._desk.say(f"the command failed with code {code}, and everything stays paused, as asked: {undo_it}")
            return code if complete else ExitCode.INCOMPLETE

    async def _within(self, paused: RunResult, signals: Signals) -> tuple[int, bool]:
        """What stands between pause and resume: the exit code, and whether the command was run."""
        record = self._desk.store.run(paused.run_id)
        obstacle = _obstacle(paused, self._terms.job)
        code = paused.exit_code or ExitCode.STOPPED
        if obstacle is None and self._terms.drain is not None:
            obstacle, code = await self._drained(record, self._terms.drain, signals)
        if obstacle is None and self._over(record):
            obstacle, code = "the window is over already", ExitCode.STOPPED
        if obstacle is not None:
            self._desk.say(f"{obstacle}: the command is not run, and what was paused is resumed")
            return code, False
        command = Command(
            self._terms.argv,
            grace=self._terms.grace,
            until=lambda: self._end_of(record),
            wall=self._desk.wall,
            told=self._desk.say,
        )
        return await command.run(os.environ | self._desk.facts(record), signals), True

    def _end_of(self, record: RunRecord) -> float | None:
        """When the window ends as of now; as it was at the start, should the store not say."""
        try:
            return self._desk.store.run(record.run_id).until
        except RunnerError:
            return record.until

    def _over(self, record: RunRecord) -> bool:
        return record.until is not None and record.until <= self._desk.wall()

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
            return f"{_named(left)} still syncing after {duration_text(seconds)}", ExitCode.STOPPED
        if left:
            self._desk.say(f"{_named(left)} still syncing after {duration_text(seconds)}: going on, as asked")
        return None, ExitCode.OK

    def _waiting(self, running: Sequence[TargetRecord]) -> None:
        self._desk.note(f"waiting for the syncs of {_named(running)}")

    async def _resume(self, run_id: str, signals: Signals) -> bool:
        """Resume what the window has paused; whether nothing is left to do."""
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
        if result is None:
            return True
        self._desk.account(result)
        return result.exit_code == ExitCode.OK


def _obstacle(paused: RunResult, job: Job) -> str | None:
    """Why the command is not to be run after this pause."""
    if paused.stopped is not None:
        return paused.stopped
    failures = paused.counts.get(Outcome.FAILED, 0) + paused.counts.get(Outcome.UNKNOWN, 0)
    limit = job.limits.max_failures or Share(0)
    if failures > limit.of(sum(paused.counts.values())):
        return f"{failures} could not be paused, and max_failures allows {limit}"
    return None if sum(paused.counts.values()) or job.allow_empty else "nothing was selected"


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
        except StoppingError:
            pass  # `ended` says why
        except AccessError as error:
            ended.append((str(error), ExitCode.ACCESS))
        except ApiError as error:
            ended.append((str(error), ExitCode.STOPPED))
        group.cancel_scope.cancel()
    return ended[0] if ended else None


def _named(rows: Sequence[TargetRecord], most: int = 3) -> str:
    names = ", ".join(row.connector_name or str(row.target) for row in rows[:most])
    return f"{names} and {len(rows) - most} more" if len(rows) > most else names
