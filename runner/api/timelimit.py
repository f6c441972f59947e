"""One time limit for many exchanges at once, kept by a single timer.

All of them have the same number of seconds, so they run out in the order in which they began, and only the oldest has
to be watched. The timer of its own that aiohttp would give to each request costs a twelfth of that request.
"""

import asyncio
from types import TracebackType
from typing import Any, Self


class TimeLimit:
    """Gives whatever is begun under it so many seconds; `begin` is called in the task that does it."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._open: dict[Running, None] = {}  # the oldest first
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> "Running":
        """A context in which the current task gets `TimeoutError` when the time is over, counted from now."""
        ends_at = self._loop.time() + self._seconds
        running = Running(self._open, asyncio.current_task(self._loop), ends_at)
        if self._timer is None:
            self._timer = self._loop.call_at(ends_at, self._look)
        return running

    def close(self) -> None:
        """Nothing is watched any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        """End what has run out of time, and look again when the next one does."""
        self._timer = None
        moment = self._loop.time()
        for running in list(self._open):
            if running.ends_at > moment:
                self._timer = self._loop.call_at(running.ends_at, self._look)
                return
            running.end()


class Running:
    """One thing under a `TimeLimit`. What is within it may enter it once more, to see the `TimeoutError` itself."""

    __slots__ = ("_cancelling", "_depth", "_others", "_over", "_task", "ends_at")

    def __init__(self, others: "dict[Running, None]", task: asyncio.Task[Any] | None, ends_at: float) -> None:
        if task is None:
            raise RuntimeError("a time limit holds within a task only")
        self._task = task
        self._others = others
        self._over = False
        self._depth = 0
        self._cancelling = task.cancelling()  # by others
        self.ends_at = ends_at

    def __enter__(self) -> Self:
        self._depth += 1
        if self._depth == 1:
            self._others[self] = None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._depth -= 1
        if self._depth == 0:
            self._others.pop(self, None)
        if self._over:
            self._over = False
            # As `asyncio.timeout` does: a cancellation from elsewhere, at the same moment, is not ours to keep.
            if self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
                raise TimeoutError from error

    def end(self) -> None:
        """The time is over."""
        del self._others[self]
        self._over = True
        self._task.cancel()
