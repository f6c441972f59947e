"""So many turns per second at most, evenly spaced: for what the tenant would take faster than is good for it."""

import anyio

from runner.base.stop import Stop


class Cadence:
    """Turns at a fixed rate, per second; the first one is there at once."""

    def __init__(self, rate: float) -> None:
        self._interval = 1.0 / rate
        self._next = 0.0

    async def turn(self, stop: Stop) -> None:
        """Return when it is one's turn; raises `StoppingError` when the run is to end."""
        now = anyio.current_time()
        at = max(now, self._next)
        self._next = at + self._interval
        if at > now:
            await stop.sleep(at - now)
