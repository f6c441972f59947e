"""An event loop whose clock jumps to the next timer as soon as nothing else is to be done.

A real aiohttp client and server in one loop then simulate minutes in milliseconds, the same in every run.
Work in threads is invisible to it, so what runs under it must not use any.
"""

import asyncio
import selectors
from typing import Any


class _JumpingSelector(selectors.DefaultSelector):
    """Polls; what it is asked to wait is added to the loop's clock instead."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        """The ready files, without waiting, unless nothing but a file can wake the loop."""
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:  # no timer either: only a signal or another process can go on
            return super().select(None)
        self.now += max(timeout, 1e-9)
        return ready


class VirtualClockLoop(asyncio.SelectorEventLoop):
    """`loop.time()` starts at 0 and counts virtual seconds."""

    def __init__(self) -> None:
        self._clock = _JumpingSelector()
        super().__init__(self._clock)

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._clock.now

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 (asyncio's name)
        """There is none: nothing here runs in threads."""


EPOCH = 1_790_000_000.0
"""The wall clock when a virtual loop starts: 2026-09-21T14:13:20Z."""


def wall() -> float:
    """The wall clock that goes with the running virtual loop, in seconds since the epoch."""
    return EPOCH + asyncio.get_running_loop().time()
