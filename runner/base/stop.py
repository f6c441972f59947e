"""How a run ends early: one request to stop, seen by everything that waits."""

import math
from asyncio import get_running_loop

import anyio

from runner.base.errors import SIGNAL_CODES, ExitCode, StoppingError

_BY_GRAVITY = (ExitCode.STOPPED, ExitCode.INTERRUPTED, ExitCode.BUG, ExitCode.ACCESS, ExitCode.STORAGE)


def _gravity(exit_code: int) -> int:
    code = ExitCode(exit_code)
    return _BY_GRAVITY.index(ExitCode.INTERRUPTED if code in SIGNAL_CODES else code)


def now() -> float:
    """The event loop's clock in seconds; `anyio.current_time`, asked at each step, would cost ten times as much."""
    return get_running_loop().time()


class Stop:
    """Asked by a signal, the deadline, a threshold or a fatal reply; the gravest reason stays, then the first.

    After that nothing new is sent: requests in flight end by themselves, and every wait that goes through
    `sleep` ends at once with `StoppingError`.
    """

    def __init__(self) -> None:
        self.reason: str | None = None
        self.exit_code: int = ExitCode.OK
        self._event = anyio.Event()

    def __repr__(self) -> str:
        return f"<Stop {self.reason or 'not asked'}>"

    @property
    def requested(self) -> bool:
        """Whether the run is to end."""
        return self.reason is not None

    def request(self, reason: str, exit_code: int) -> None:
        """End the run for `reason`, a clause for people, with the exit code that goes with it."""
        if self.reason is None or _gravity(exit_code) > _gravity(self.exit_code):
            self.reason = reason
            self.exit_code = exit_code
            self._event.set()

    def check(self) -> None:
        """Raise `StoppingError` if the run is to end."""
        if self.reason is not None:
            raise StoppingError(self.reason)

    async def wait(self) -> None:
        """Return when the run is to end."""
        await self._event.wait()

    async def wait_for(self, event: anyio.Event) -> None:
        """Return when `event` is set; raises `StoppingError` when the run is to end, now or before that."""
        self.check()
        async with anyio.create_task_group() as group:
            group.start_soon(self._end, group.cancel_scope)
            await event.wait()
            group.cancel_scope.cancel()
        self.check()

    async def _end(self, scope: anyio.CancelScope) -> None:
        await self._event.wait()
        scope.cancel()

    async def sleep(self, seconds: float) -> None:
        """Wait, but no longer than the run does; raises `StoppingError` when it is to end.

        `seconds` must be finite: an endless or NaN sleep is a bug in the caller.
        """
        if not math.isfinite(seconds):
            raise ValueError(f"cannot sleep {seconds} seconds")
        self.check()
        with anyio.move_on_after(seconds):
            await self._event.wait()
        self.check()
