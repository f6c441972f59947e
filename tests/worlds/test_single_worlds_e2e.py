"""The installed command in worlds with one dial turned: one setting of each dial; all of them if asked.

No clock is virtual here, so what needs long waits (requests that are held up, reads that lag, pauses without a clear
answer, listings without an end) is left to the matrix.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.shell import Finished, Running, Shell
from tests.e2e.windows import QUICK, let_go
from tests.worlds.dials import SETTINGS, Dials, singles
from tests.worlds.oracle import is_harmless, resumed_foreign
from tests.worlds.truth import OURS, Pair
from tests.worlds.world import PAIRS, World

SLOW = {
    *("held up 45 s", "held up 100 s", "applied later", "read late"),  # replies
    # A pause without a clear answer is waited for before it is undone.
    *("502 page to some", "200 page to 2 posts", "404 plain to 2 posts", "403 page to 2 posts"),
    *("ours steps back", "ours steps on", "ahead, and ours steps back"),  # it would be this machine's clock
    *("endless", "a post's twice, late", "a read's twice, late", "closed soon", "anomaly after our resume"),
    *("another's, in the undo", "another's, always", "another app's, in the undo"),  # asked for again and again
    *("hidden", "rows of another app"),  # an undo of what was never seen paused waits as long as reads may lag
}
"""Settings that take minutes, or that only a virtual clock can have."""

FIRST_OF_EACH = [Dials(**{name: settings[1]}) for name, settings in SETTINGS.items() if settings[1] not in SLOW]
EVERY = os.environ.get("C1_RUNNER_TEST_WORLDS") == "all"
"""Whether a window is played in each world, and not in one of each dial, and both ends of a run in the latter."""
ALL = [Dials(), *(dials for dials in singles() if SLOW.isdisjoint(dials.turned().values()))]
WORLDS = ALL if EVERY else [Dials(), *FIRST_OF_EACH]
UNDONE, EXPIRED = (FIRST_OF_EACH, FIRST_OF_EACH) if EVERY else (FIRST_OF_EACH[::2], FIRST_OF_EACH[1::2])

COMMAND = "touch at-work; until [ -e go ]; do sleep 0.05; done"
"""The command of a window: it says that it is at work, and ends when it may."""

PATIENCE = 60.0
"""Seconds after which a window is taken to be stuck."""

OURS_TO_DO = {(what, pair) for what in ("pause", "resume") for pair in (PAIRS[0], PAIRS[1], PAIRS[4])}
"""What is to be done where nothing stands in the way."""


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """The command line of a user in an empty directory."""
    opened = Shell(tmp_path)
    yield opened
    opened.end()


class Scene:
    """A user in front of one world."""

    def __init__(self, shell: Shell, world: World) -> None:
        self.shell = shell
        self.world = world
        self.env = world.environment()
        self.wrong: list[str] = []
        self.told: list[Finished] = []

    def run(self, *arguments: str) -> Finished:
        """Run the command to its end, and keep what it says."""
        done = self.shell.run(*arguments, env=self.env)
        self.told.append(done)
        return done

    def turn(self, phase: str) -> None:
        """The next phase begins."""
        self.world.tell(lambda: setattr(self.world, "phase", phase))

    def meanwhile(self) -> None:
        """The second actor's time, between the pause and its end."""
        self.turn("between")
        self.world.tell(self.world.actor.meanwhile)
        self.turn("undo")

    def job(self) -> str:
        """A job file over what the world has, by name or by selection."""
        if not self.world.dials.selects:
            return self.shell.job(PAIRS, extra=QUICK)
        chosen = "reason: a freeze\nselect: {all: true}\nexclude:\n  - app1/con5\n"
        return self.shell.write("job.yaml", f"version: 1\nname: job\noperation: pause\n{chosen}{QUICK}\n")

    def pause(self, *more: str) -> Finished:
        """A run that pauses; when it says 0, all is paused."""
        done = self.run("run", self.job(), *more)
        if done.code == 0 and (active := self._active()):
            self.wrong.append(f"the pause says 0, and these are active: {active}")
        return done

    def window(self) -> Finished:
        """A window, whose command works while the second actor does."""
        running = self.shell.running("window", self.job(), "--", "sh", "-c", COMMAND, env=self.env)
        if self._is_at_work(running):  # else the window says why not
            if active := self._active():
                self.wrong.append(f"the command is at work, and these are active: {active}")
            self.meanwhile()
        let_go(self.shell)
        self.told.append(running.finish(PATIENCE))
        return self.told[-1]

    def _is_at_work(self, running: Running) -> bool:
        """Whether the command of a window has begun, as soon as that is known."""
        until = time.monotonic() + PATIENCE
        while not (begun := self.shell.path("at-work").exists()) and running.process.poll() is None:
            assert time.monotonic() < until, "the window neither begins nor ends"
            time.sleep(0.02)
        return begun

    def judge(self, last: Finished) -> None:
        """Everything of ours is resumed, or the exit code and `status` say that it is not."""
        self.turn("after")
        left = [pair for pair in self.world.truth.pairs if self.world.truth.paused_by(pair) == OURS]
        if left and last.code == 0:
            self.wrong.append(f"{left} stay paused by us, and the exit code is 0")
        status = self.run("status", "--format", "json")
        self.wrong += [f"{pair} stays paused by us, and `status` does not know" for pair in self._untold(left, status)]
        if is_harmless(self.world.dials) and (last.code, left, self._done()) != (0, [], OURS_TO_DO):
            self.wrong.append(f"nothing stands in the way, and the exit code is {last.code}; {left} stay paused")
        self.wrong += resumed_foreign(self.world)
        assert not self.wrong, "\n".join([*self.wrong, str(self.world.dials), *self._all()])

    def _untold(self, left: list[Pair], status: Finished) -> list[Pair]:
        """What `status` has no run for: in its row or, where it shows no pause, in what it says besides."""
        rows: list[Any] = status.document if status.stdout.startswith("[") else []
        kept = {(row["app_id"], row["connector_id"]) for row in rows if row["run_id"]}
        shown = {(row["app_id"], row["connector_id"]) for row in rows}
        untold = [pair for pair in left if pair not in kept]
        if untold and shown.isdisjoint(untold):
            runs = {run["run_id"] for run in self.run("runs", "--format", "json").document}
            words = self.run("status")
            return [] if any(run in words.stdout + words.stderr for run in runs) else untold
        return untold

    def _done(self) -> set[tuple[str, Pair]]:
        """What our requests have changed."""
        return {(event.what, event.pair) for event in self.world.truth.events if event.who == OURS and event.changed}

    def _active(self) -> list[Pair]:
        return [pair for pair in PAIRS if not self.world.truth.paused(pair)]

    def _all(self) -> list[str]:
        """Everything that was said, done and asked."""
        said = [f"code {done.code}\n{done.stdout}\n{done.stderr}" for done in self.told]
        requests = [f"{request} -> {status}" for _, request, status in self.world.requests[-40:]]
        return [*said, *map(str, self.world.truth.events), *requests]


@pytest.mark.parametrize("dials", WORLDS, ids=str)
def test_window(shell: Shell, dials: Dials) -> None:
    with World(dials).serving() as world:
        scene = Scene(shell, world)
        scene.judge(scene.window())


@pytest.mark.parametrize("dials", UNDONE, ids=str)
def test_undo(shell: Shell, dials: Dials) -> None:
    with World(dials).serving() as world:
        scene = Scene(shell, world)
        scene.pause()
        scene.meanwhile()
        scene.judge(scene.run("undo"))


@pytest.mark.parametrize("dials", EXPIRED, ids=str)
def test_expire(shell: Shell, dials: Dials) -> None:
    with World(dials).serving() as world:
        scene = Scene(shell, world)
        scene.pause("--for", "1s")
        scene.meanwhile()
        time.sleep(1.1)  # the shortest window there is
        scene.judge(scene.run("expire"))
