"""The signals that end a run: heard in one place, for as long as something is to be protected from them."""

import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import anyio

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
