"""A maintenance command as a process of its own: started, given its signals, ended when its time is over."""

import asyncio
import math
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

import anyio

from runner.signals import Signals

_ITS_OWN: int = 0 if os.name == "posix" else -1
"""Which process group the command gets: a new one, where there are such groups."""

_LOOK_AGAIN = 15.0
"""Seconds after which the end is asked for again: it can be moved while the command runs."""


class Command:
    """One command in a process group of its own, so that what it starts ends with it.

    `until` says when its time is over (epoch seconds, None: never) and is asked again and again. `told` gets
    one line for people whenever something is done to the command.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        grace: float,
        until: Callable[[], float | None],
        wall: Callable[[], float],
        told: Callable[[str], None],
    ) -> None:
        self._argv = argv
        self._grace = grace
        self._until = until
        self._wall = wall
        self._told = told
        self._process: asyncio.subprocess.Process | None = None

    async def run(self, environment: Mapping[str, str], signals: Signals) -> int:
        """Run it to its end; returns its exit code, 128 plus the number of the signal that ended it.

        A first signal to ourselves is passed on, and KILL follows after the grace; a second one kills. When
        the time is over it gets TERM, and KILL after the grace. 126 and 127 mean that it could not be started,
        as in a shell.
        """
        try:
            process = await asyncio.create_subprocess_exec(*self._argv, env=dict(environment), process_group=_ITS_OWN)
        except OSError as error:
            self._told(f"{self._argv[0]}: {error.strerror or error}")
            return 127 if isinstance(error, FileNotFoundError) else 126
        self._process = process
        with _terminal_lent_to(process.pid):
            async with anyio.create_task_group() as group:
                group.start_soon(self._pass_on, signals)
                group.start_soon(self._keep_time)
                code = await process.wait()
                group.cancel_scope.cancel()
        return code if code >= 0 else 128 - code

    async def _pass_on(self, signals: Signals) -> None:
        number = await signals.next()
        self._told(f"{number.name} received, and passed on to the command; it has {self._grace:g} s to end")
        self._send(number)
        with anyio.move_on_after(self._grace):
            await signals.next()
        self._kill()
        await anyio.sleep_forever()

    async def _keep_time(self) -> None:
        while (left := self._left()) > 0:  # noqa: ASYNC110 - another process can move the end
            await anyio.sleep(min(left, _LOOK_AGAIN))
        self._told(f"the window is over: the command is told to end, and has {self._grace:g} s for it")
        self._send(signal.SIGTERM)
        await anyio.sleep(self._grace)
        self._kill()
        await anyio.sleep_forever()

    def _left(self) -> float:
        until = self._until()
        return math.inf if until is None else until - self._wall()

    def _kill(self) -> None:
        self._told("the command is killed")
        self._send(signal.SIGKILL if os.name == "posix" else signal.SIGTERM)

    def _send(self, number: signal.Signals) -> None:
        if self._process is None or self._process.returncode is not None:
            return
        with suppress(ProcessLookupError, PermissionError):
            if os.name == "posix":
                os.killpg(self._process.pid, number)
                os.killpg(self._process.pid, signal.SIGCONT)  # what is stopped would not hear it
            else:
                self._process.send_signal(number)


@contextmanager
def _terminal_lent_to(group: int) -> Iterator[None]:
    """Let a process group read from our terminal and get its Ctrl-C, if we have one and are in its foreground."""
    try:
        lend = os.name == "posix" and sys.stdin.isatty() and os.tcgetpgrp(0) == os.getpgrp()
    except (OSError, ValueError, AttributeError):  # no standard input, or its terminal is gone
        lend = False
    if not lend:
        yield
        return
    before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # to take it back from the background would stop us
    try:
        with suppress(OSError):  # it may have ended already
            os.tcsetpgrp(0, group)
        yield
    finally:
        with suppress(OSError):  # the terminal may be gone
            os.tcsetpgrp(0, os.getpgrp())
        signal.signal(signal.SIGTTOU, before)
