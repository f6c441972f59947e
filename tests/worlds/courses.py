"""What is played in a world: a window, an undo, an expiry, by the real engine on a virtual clock.

What is returned says how each command ended and what was so at that moment; `oracle` judges it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from runner.base.errors import RunnerError
from runner.base.model import Exclusion, Job, OperationName, RunResult, Selection, Target, Window
from runner.base.policy import LimitPolicy
from runner.base.settings import ClientCredentials, Settings
from runner.base.signals import Signals
from runner.engine.session import Context
from runner.runs import run
from runner.store import RunRecord, Store, TargetRecord
from runner.windows import hold as engine
from runner.windows.undo import due, undo, undo_job
from tests.memory import MEMORY
from tests.virtual_clock import wall
from tests.worlds.dials import CLOCKS, Dials
from tests.worlds.truth import Pair
from tests.worlds.world import CLIENT_ID, PAIRS, SECRET, SPARE, World

BEFORE_HE_ACTS, AFTERWARDS = 15.0, 45.0
"""Seconds until the second actor's time while things are paused, and until the end of that time."""

STRAGGLERS = 200.0
"""Seconds after the last command in which what was held up arrives."""

LASTING = 300.0
"""Seconds after which a pause that is to end by itself does."""

ENDLESS = 6 * 3600.0
"""Seconds after which a command will not end any more."""

NO_RESULT = -1
"""The exit code of a command that has not come to an end, or died of an error that nobody foresaw."""


@dataclass
class Played:
    """How a course went."""

    dials: Dials
    course: str
    world: World
    code: int | None = None  # of the last command
    pause_code: int | None = None  # of the run that has paused, if it got so far
    paused: dict[Pair, bool] = field(default_factory=dict)  # what was paused when that run had ended
    pause_rows: list[TargetRecord] = field(default_factory=list)
    undo_rows: list[TargetRecord] = field(default_factory=list)
    held: set[Pair] = field(default_factory=set)  # what the store has down as paused by us, in the end
    command_ran: bool = False  # of a window
    errors: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def took_note(self, result: RunResult, store: Store) -> None:
        """The run that pauses has ended: what is so now, and what it says."""
        truth = self.world.truth
        self.pause_code = result.exit_code
        self.pause_rows = list(store.targets(store.run(result.run_id)))
        self.paused = {pair: truth.paused(pair) or truth.deleted(pair) for pair in truth.pairs}


class Player:
    """Plays one course in one world. Our own clock can step, by the dial `clock`."""

    def __init__(self, world: World, store: Store, played: Played) -> None:
        self.world = world
        self.store = store
        self.played = played
        self._settings = Settings(world.origin, ClientCredentials(CLIENT_ID, SECRET))
        self._step = 0.0
        world.on_post = self._post_arrived

    @property
    def tenant(self) -> str:
        """How the store names the tenant."""
        return self._settings.tenant

    def wall(self) -> float:
        """Our own clock."""
        return wall() + self._step

    def _post_arrived(self, number: int) -> None:
        if number == 2:  # in the middle of the run that pauses
            self._step = CLOCKS[self.world.dials.clock].step

    def context(self, **more: Any) -> Context:
        """What a run needs from outside."""
        given: dict[str, Any] = {"signals": False, "wall": self.wall} | more
        return Context(self._settings, self.store, **given)

    def job(self, window: Window | None = None) -> Job:
        """The pause of all that the world has, by name or by selection."""
        limits = LimitPolicy(concurrency=2)
        if self.world.dials.selects:
            everything, but = Selection(all=True), (Exclusion(target=Target(*SPARE)),)
            return Job(OperationName.PAUSE, "world", select=everything, exclude=but, window=window, limits=limits)
        targets = tuple(Target(*pair) for pair in PAIRS)
        return Job(OperationName.PAUSE, "world", targets=targets, window=window, limits=limits)

    async def pause(self, window: Window | None = None) -> RunRecord | None:
        """Pause everything; the run, if one was made."""
        try:
            result = await run(self.job(window), self.context())
        except RunnerError as error:
            self.played.code = error.exit_code
            self.played.said.append(str(error))
            return None
        self.played.code = result.exit_code
        self.played.took_note(result, self.store)
        return self.store.run(result.run_id)

    async def undo(self, record: RunRecord) -> None:
        """Undo a run, as the command does."""
        self.world.phase = "undo"
        try:
            result = await undo(record, undo_job(self.job(), record), self.context())
        except RunnerError as error:
            self.played.said.append(str(error))
            self.played.code = error.exit_code
            return
        self.played.code = 0 if result is None else result.exit_code
        if result is not None:
            self.played.undo_rows = list(self.store.targets(self.store.run(result.run_id)))

    async def undo_all(self) -> None:
        """Undo every run that keeps something paused, as the store has it."""
        for record in self.store.pausing_runs(self.tenant):
            await self.undo(record)

    async def while_it_lasts(self) -> None:
        """The time in which things are to stay paused."""
        self.world.phase = "between"
        await asyncio.sleep(BEFORE_HE_ACTS)
        self.world.actor.meanwhile()
        await asyncio.sleep(AFTERWARDS)
        self.world.phase = "undo"


async def play_undo(player: Player) -> None:
    """Pause, and undo it later."""
    record = await player.pause()
    if record is not None:
        await player.while_it_lasts()
        await player.undo(record)


async def play_expire(player: Player) -> None:
    """Pause for a while, and resume what is due when it is over by our own clock."""
    record = await player.pause(Window(seconds=LASTING))
    if record is None:
        return
    await player.while_it_lasts()
    until = record.until or 0.0
    await asyncio.sleep(max(0.0, until - player.wall() + 1))
    player.played.code = 0
    for late in due(player.store, record.tenant, player.wall()):
        await player.undo(late)


async def play_window(player: Player) -> None:
    """A window, with a command that only waits."""
    desk = _Desk(player)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "Command", lambda *_, **__: _Waiting(player))  # a process has a clock of its own
        try:
            player.played.code = await engine.Window(engine.Terms(player.job(), ["true"]), desk).hold()
        except RunnerError as error:
            player.played.said.append(str(error))
            player.played.code = error.exit_code


class _Waiting:
    """Stands for the command of a window."""

    def __init__(self, player: Player) -> None:
        self._player = player

    async def run(self, environment: Mapping[str, str], signals: Signals) -> int:
        """Wait, as the command does."""
        self._player.played.command_ran = True
        await self._player.while_it_lasts()
        return 0


class _Desk(engine.Desk):
    """Keeps what a window says."""

    def __init__(self, player: Player) -> None:
        self._player = player
        self.store = player.store
        self.wall = player.wall

    @contextmanager
    def context(self, signals: Signals, **more: Any) -> Iterator[Context]:
        yield self._player.context(heard=signals, **more)

    def account(self, result: RunResult) -> None:
        player, record = self._player, self.store.run(result.run_id)
        if record.undoes is None:
            player.played.took_note(result, self.store)
            player.world.phase = "undo"  # unless there is a command in between
        else:
            player.played.undo_rows = list(self.store.targets(record))

    def facts(self, record: RunRecord) -> dict[str, str]:
        return {}

    def note(self, text: str) -> None:
        self.say(text)

    def say(self, text: str) -> None:
        self._player.played.said.append(text)

    def undo_by_hand(self, run_id: str) -> str:
        return f"c1-runner undo {run_id}"


COURSES: dict[str, Callable[[Player], Awaitable[None]]] = {
    "window": play_window,
    "undo": play_undo,
    "expire": play_expire,
}


async def play(dials: Dials, course: str, *, then_calm: bool = False) -> Played:
    """Play one course in one world, and wait until nothing is on its way any more.

    With `then_calm` the weather clears after that, and whatever is down as paused is undone once more.
    """
    world = World(dials, wall, latency=0.02)
    played = Played(dials, course, world)
    async with world.listening():
        with TemporaryDirectory(dir=MEMORY) as directory, Store(Path(directory)) as store:
            player = Player(world, store, played)
            await _died_of(COURSES[course](player), played)
            await asyncio.sleep(STRAGGLERS)
            if then_calm:
                world.calm_down()
                await _died_of(player.undo_all(), played)
                await asyncio.sleep(STRAGGLERS)
            played.held = {pair for pair, hold in store.holds(player.tenant).items() if hold.leases}
    return played


async def _died_of(work: Awaitable[None], played: Played) -> None:
    """Do some work; whatever nobody foresaw, the account says so."""
    try:
        async with asyncio.timeout(ENDLESS):
            await work
    except Exception as error:
        played.errors.append(_words(error))
        played.code = NO_RESULT


def _words(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"
