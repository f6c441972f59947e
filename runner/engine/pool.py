"""N workers and a hand-over. The number of workers is the limit; nothing here knows HTTP."""

from asyncio import Future, get_running_loop
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Generic, Self, TypeVar

import anyio

from runner.base.errors import StoppingError
from runner.base.stop import Stop

Item = TypeVar("Item")

Put = Callable[[Item], Awaitable[None]]
"""Hands an item over; returns when a worker has it, or it is among those kept ready. `StoppingError`: the run ends."""

Feed = Callable[[Put[Item]], Awaitable[None]]
"""Puts items, one after another, through the function it is given."""


def as_listed(items: Iterable[Item]) -> Feed[Item]:
    """A feed of the items as they are, one after the other."""

    async def feed(put: Put[Item]) -> None:
        for item in items:
            await put(item)

    return feed


async def work_through(
    feed: Feed[Item], work: Callable[[Item], Awaitable[None]], *, workers: int, stop: Stop, ahead: int = 0
) -> None:
    """Apply `work` to every item that `feed` puts, `workers` at a time, until the items or the run end.

    `feed` is held up until a worker is free, so a long list costs no memory. When `stop` is requested no
    further item is handed over, and what is being worked on comes to its own end. `work` deals with its own
    errors: an exception that escapes it ends everything.

    So many items are kept `ahead`, ready for whoever is free next. Without them all workers that end in the same turn
    of the event loop begin again together, after the slowest: right for what then shares a commit, while a listing's
    requests had better leave one by one. What is ready when the run ends is let go of.
    """
    counter = _Counter[Item](workers, ahead)
    async with anyio.create_task_group() as group:
        for _ in range(workers):
            group.start_soon(_worker, counter, work, stop)
        await _put_all(feed, counter, stop)


class _Counter(Generic[Item]):
    """Where items pass from hand to hand: whoever comes first, giver or taker, waits for the other.

    A memory object stream does the same with two turns of the event loop and a cancel scope for each item.
    """

    def __init__(self, workers: int, ahead: int) -> None:
        self._loop = get_running_loop()
        self._workers = workers
        self._ahead = ahead
        self._ready: deque[Item] = deque()
        self._takers: deque[Future[Item]] = deque()
        self._givers: deque[tuple[Item, Future[None]]] = deque()
        self._closed = False

    async def give(self, item: Item) -> None:
        """Return when a worker has the item, or it is ready for one; raises `StoppingError` if none is left."""
        while self._takers:
            taker = self._takers.popleft()
            if not taker.done():
                taker.set_result(item)
                return
        if not self._workers:
            raise StoppingError("the workers have left")
        if len(self._ready) < self._ahead:
            self._ready.append(item)
            return
        taken: Future[None] = self._loop.create_future()
        self._givers.append((item, taken))
        await taken

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Item:
        """Take the next item."""
        while self._givers:
            item, taken = self._givers.popleft()
            if not taken.done():
                taken.set_result(None)
                self._ready.append(item)
                break
        if self._ready:
            return self._ready.popleft()
        if self._closed:
            raise StopAsyncIteration
        taker: Future[Item] = self._loop.create_future()
        self._takers.append(taker)
        return await taker

    def close(self) -> None:
        """There are no more items."""
        self._closed = True
        for taker in self._takers:
            if not taker.done():
                taker.set_exception(StopAsyncIteration())
        self._takers.clear()

    def leave(self) -> None:
        """One worker fewer; with the last one, whoever has something to give is sent away."""
        self._workers -= 1
        while not self._workers and self._givers:
            _, taken = self._givers.popleft()
            if not taken.done():
                taken.set_exception(StoppingError("the workers have left"))


async def _worker(counter: _Counter[Item], work: Callable[[Item], Awaitable[None]], stop: Stop) -> None:
    try:
        async for item in counter:
            if stop.requested:
                return
            await work(item)
    finally:
        counter.leave()


async def _put_all(feed: Feed[Item], counter: _Counter[Item], stop: Stop) -> None:
    async def put(item: Item) -> None:
        stop.check()
        await counter.give(item)

    try:
        await feed(put)
    except StoppingError:
        return
    finally:
        counter.close()
