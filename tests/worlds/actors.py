"""A second actor: what a colleague, the anomaly check or the system does to one connector while we work."""

import asyncio

from tests.worlds.dials import Dials
from tests.worlds.truth import ANOMALY, OTHER, SYSTEM, Pair, Truth


class Actor:
    """Acts on one connector, by the dial `actor`. Times are seconds."""

    def __init__(self, dials: Dials, truth: Truth, pair: Pair, *, after_resume: float = 20.0) -> None:
        self._habit = dials.actor
        self._truth = truth
        self._pair = pair
        self._after_resume = after_resume
        self._acted = False
        self._tasks = set[asyncio.Task[None]]()

    @property
    def is_waiting(self) -> bool:
        """Whether something of his is still to come."""
        return bool(self._tasks)

    async def read(self, app_id: str) -> None:
        """A listing of an app, or one of its connectors, was read, and the reply is about to leave.

        He pauses 5 s before it does, and so before the request that it leads to.
        """
        if self._habit == "pauses before our post" and not self._acted and app_id == self._pair[0]:
            self._acted = True
            await asyncio.sleep(1.0)
            self._truth.pause(self._pair, OTHER)
            await asyncio.sleep(5.0)

    def posted(self, pair: Pair, operation: str) -> None:
        """A request of ours has taken effect."""
        if (self._habit, operation, pair) != ("anomaly after our resume", "resume", self._pair) or self._acted:
            return
        self._acted = True
        task = asyncio.get_running_loop().create_task(self._stop_the_sync())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _stop_the_sync(self) -> None:
        await asyncio.sleep(self._after_resume)
        self._truth.pause(self._pair, ANOMALY)

    def meanwhile(self) -> None:
        """What is paused is to stay so for a while: the time in which colleagues act."""
        truth, pair = self._truth, self._pair
        match self._habit:
            case "resumes and pauses again":
                truth.resume(pair, OTHER)
                truth.pause(pair, OTHER)
            case "resumes":
                truth.resume(pair, OTHER)
            case "deletes" | "deletes softly" | "deletes, still listed":
                truth.delete(pair, OTHER)
            case "anomaly meanwhile":
                truth.pause(pair, ANOMALY)
            case "system meanwhile":
                truth.pause(pair, SYSTEM)
            case "changes the words":
                truth.reword(pair, OTHER)
