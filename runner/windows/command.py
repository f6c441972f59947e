"""A maintenance command as a process of its own: started, given its signals, ended when its time is over."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

import anyio

from runner.base.signals import Signals
from runner.base.stop import now

_ITS_OWN: int = 0 if os.name == "posix" else -1
"""Which process group the command gets: a new one, where there are such groups."""

_KILL = signal.SIGKILL if os.name == "posix" else signal.SIGTERM

_LOOK_AGAIN = 15.0
"""Seconds after which the end is asked for again: it can be moved while the command runs."""

_GLANCE = 0.2
"""Seconds between two looks at a process that says nothing by itself."""


class Elapsed:
    """Time that has passed since this was made, a machine's sleep included: nobody sets this clock."""

    def __init__(self) -> None:
        self._began = now()
        self._asleep = _asleep()

    @property
    def seconds(self) -> float:
        """Seconds since then."""
        return now() - self._began + _asleep() - self._asleep


def _asleep() -> float:
    """Seconds that the machine has slept since it was started, where the system tells."""
    if not hasattr(time, "CLOCK_BOOTTIME"):
        return 0.0
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC))


class Command:
    """One command in a process group of its own, so that what it starts ends with it.

    `left` says how many seconds it has left (infinite: no end) and is asked again and again. `told` gets one line for
    people whenever something is done to the command.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        grace: float,
        left: Callable[[], float],
        told: Callable[[str], None],
    ) -> None:
        self._argv = argv
        self._grace = grace
        self._left = left
        self._told = told
        self._process: asyncio.subprocess.Process | None = None
        self._told_to_end = self._killed = False

    async def run(self, environment: Mapping[str, str], signals: Signals) -> int:
        """Run it to its end; returns its exit code, 128 plus the number of the signal that ended it.

        A first signal to ourselves is passed on, and KILL follows after the grace; a second one kills. When
        the time is over it gets TERM, and KILL after the grace. What it has started is told the same, and
        outlives it only if nobody had to tell it to end. 126 and 127 mean that it could not be started, as in a
        shell.
        """
        try:
            process = await asyncio.create_subprocess_exec(*self._argv, env=dict(environment), process_group=_ITS_OWN)
        except OSError as error:
            self._told(f"{self._argv[0]}: {error.strerror or error}")
            return 127 if isinstance(error, FileNotFoundError) else 126
        self._process = process
        try:
            code = await self._attended(process, signals)
        finally:
            if process.returncode is None:  # an error of ours: it must not go on after the window
                self._send(_KILL)
        return code if code >= 0 else 128 - code

    async def _attended(self, process: asyncio.subprocess.Process, signals: Signals) -> int:
        with _terminal_lent_to(process.pid) as lent:
            async with anyio.create_task_group() as group:
                group.start_soon(self._pass_on, signals)
                group.start_soon(self._keep_time)
                if lent:
                    self._send(signal.SIGCONT)  # it may have wanted to read before it could
                    group.start_soon(self._keep_going)
                code = await process.wait()
                while self._told_to_end and not self._killed and _has_members(process.pid):  # noqa: ASYNC110
                    await anyio.sleep(_GLANCE)  # the system tells nobody when a group is empty
                group.cancel_scope.cancel()
        return code

    async def _pass_on(self, signals: Signals) -> None:
        number = await signals.next()
        self._told(f"{number.name} received, and passed on to the command; it has {self._grace:g} s to end")
        self._end(number)
        with anyio.move_on_after(self._grace):
            await signals.next()
        self._kill()
        await anyio.sleep_forever()

    async def _keep_going(self) -> None:
        """Wake it from Ctrl-Z: while it has the terminal, nobody else could, and the window's time goes on."""
        while self._process is not None and hasattr(os, "waitid"):
            await anyio.sleep(_GLANCE)
            with suppress(ChildProcessError):
                if os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WNOHANG) is not None:  # noqa: ASYNC222
                    self._told("the command was stopped, and goes on: a window cannot wait")
                    self._send(signal.SIGCONT)

    async def _keep_time(self) -> None:
        while (left := self._left()) > 0:  # noqa: ASYNC110 - another process can move the end
            await anyio.sleep(min(left, _LOOK_AGAIN))
        self._told(f"the window is over: the command is told to end, and has {self._grace:g} s for it")
        self._end(signal.SIGTERM)
        await anyio.sleep(self._grace)
        self._kill()
        await anyio.sleep_forever()

    def _end(self, number: signal.Signals) -> None:
        self._told_to_end = True
        self._send(number)

    def _kill(self) -> None:
        self._told("the command is killed")
        self._told_to_end = self._killed = True
        self._send(_KILL)

    def _send(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        with suppress(ProcessLookupError, PermissionError):
            if os.name == "posix":
                os.killpg(self._process.pid, number)
                os.killpg(self._process.pid, signal.SIGCONT)  # what is stopped would not hear it
            elif self._process.returncode is None:
                self._process.send_signal(number)


def _has_members(group: int) -> bool:
    """Whether a process group, whose leader has ended, has processes in it."""
    if os.name != "posix":
        return False
    with suppress(ChildProcessError):  # as a container's first process we are given its orphans
        while os.waitpid(-group, os.WNOHANG) != (0, 0):
            pass
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # somebody else's by now, so it is there
    return True


@contextmanager
def _terminal_lent_to(group: int) -> Iterator[bool]:
    """Let a process group read from our terminal and get its Ctrl-C, if we have one and are in its foreground."""
    terminal = _our_terminal()
    if terminal is None:
        yield False
        return
    before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # to take it back from the background would stop us
    try:
        with suppress(OSError):  # it may have ended already
            os.tcsetpgrp(terminal, group)
        yield True
    finally:
        with suppress(OSError):  # the terminal may be gone
            os.tcsetpgrp(terminal, os.getpgrp())
        os.close(terminal)
        signal.signal(signal.SIGTTOU, before)


def _our_terminal() -> int | None:
    """The terminal that controls us, whatever our streams are, if we are in its foreground."""
    if os.name != "posix":
        return None
    try:
        terminal = os.open(os.ctermid(), os.O_RDWR | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError:
        return None
    try:
        if os.tcgetpgrp(terminal) == os.getpgrp():
            return terminal
    except OSError:
        pass  # it is going away
    os.close(terminal)
    return None
