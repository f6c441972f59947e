"""The signals that end a run: heard in one place, for as long as something is to be protected from them."""

import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import anyio

_AT_HAND = 0.01
"""Seconds that it takes at most to be given a signal that has come."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Signals:
    """The signals that have come and were not taken yet, in order."""

    def __init__(self, received: AsyncIterator[signal.Signals] | None) -> None:
        self._received = received

    async def next(self) -> signal.Signals:
        """Take the next one, when it comes."""
        if self._received is None:
            await anyio.sleep_forever()
            raise AssertionError("unreachable")
        return await anext(self._received)

    async def forget(self) -> None:
        """Drop those that have come until now, and were not taken: what they were meant for is over."""
        if self._received is None:
            return
        with anyio.move_on_after(_AT_HAND):
            while True:
                await anext(self._received)


@contextmanager
def heed() -> Iterator[Signals]:
    """Keep signals from ending the process within the block; who is in it takes them.

    What the parent had us ignore (nohup, a script's `&`) stays ignored.
    """
    wanted = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    if not wanted:
        yield Signals(None)
        return
    with anyio.open_signal_receiver(*wanted) as received:
        yield Signals(received)
