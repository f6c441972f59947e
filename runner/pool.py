"""N workers over a zero-buffer stream. The number of workers is the limit; nothing here knows HTTP."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from runner.errors import StoppingError
from runner.stop import Stop

Item = TypeVar("Item")

Put = Callable[[Item], Awaitable[None]]
"""Puts an item into the stream; returns when a worker has it. Raises `StoppingError` when the run ends."""

Feed = Callable[[Put[Item]], Awaitable[None]]
"""Puts items into the stream, one after another, through the function it is given."""


async def work_through(feed: Feed[Item], work: Callable[[Item], Awaitable[None]], *, workers: int, stop: Stop) -> None:
    """Apply `work` to every item that `feed` puts, `workers` at a time, until the items or the run end.

    `feed` is held up until a worker is free, so a long list costs no memory. When `stop` is requested no
    further item is handed over, and what is being worked on comes to its own end. `work` deals with its own
    errors: an exception that escapes it ends everything.
    """
    send, receive = anyio.create_memory_object_stream[Item](0)
    async with anyio.create_task_group() as group:
        with receive:  # the workers' clones keep it open as long as there is a worker
            for _ in range(workers):
                group.start_soon(_worker, receive.clone(), work, stop)
        await _put_all(feed, send, stop)


async def _worker(
    receive: MemoryObjectReceiveStream[Item], work: Callable[[Item], Awaitable[None]], stop: Stop
) -> None:
    async with receive:
        async for item in receive:
            if stop.requested:
                return
            await work(item)


async def _put_all(feed: Feed[Item], send: MemoryObjectSendStream[Item], stop: Stop) -> None:
    async def put(item: Item) -> None:
        stop.check()
        try:
            await _hand_over(item, send)
        except anyio.BrokenResourceError:
            raise StoppingError("the workers have left") from None

    async with send:
        try:
            await feed(put)
        except StoppingError:
            return


async def _hand_over(item: Item, send: MemoryObjectSendStream[Item]) -> None:
    """Put an item into the stream, at once if a worker waits: `send` alone takes a turn of the loop for each."""
    try:
        send.send_nowait(item)
    except anyio.WouldBlock:
        await send.send(item)
