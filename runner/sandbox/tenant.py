"""The simulated tenant: pure state and a clock, no I/O. What it does is what C1's pages say a tenant does."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from runner.sandbox.oracle import Event, Oracle
from runner.sandbox.population import Population
from runner.sandbox.records import App, Connector, Ending, Pause, State, Sync, timestamp
from runner.sandbox.vocabulary import Cause, Vocabulary

Pair = tuple[str, str]


class NotFound(LookupError):
    """There is no such app or connector, or it was deleted."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What the published contract leaves open, and how long things take. Times in seconds."""

    sync_seconds: float = 30.0
    queue_seconds: float = 0.0  # from acceptance of a sync to its start
    renew_mark: bool = False  # pausing a paused connector: a new mark, or the old one stays
    lag: float = 0.0  # reads show the tenant as it was this long ago
    overshoot: int = 0  # rows a page holds beyond its size
    endless: str = "no"  # listings never end: with `empty` pages, or with the same rows `again`
    deleted: str = "left_out"  # of listings, but a GET shows `deletedAt`; `listed` with it; `gone` altogether
    mcp: str = "listed"  # MCP servers stand among the connectors of an app, or `apart`
    owners: int = 0  # of connectors that have none of their own
    clock: float = 0.0  # how far the tenant's clock is ahead
    null_lists: bool = True  # an empty list is null
    vocabulary: Vocabulary = Vocabulary.ODD  # the words beside a pause


class Tenant:
    """Apps and connectors that can be paused, resumed and synced, with an oracle of all that was applied.

    `clock` returns epoch seconds. Only connectors that were changed take memory.
    """

    def __init__(
        self,
        population: Population,
        *,
        behaviour: Behaviour | None = None,
        clock: Callable[[], float] = time.time,
        oracle: Oracle | None = None,
    ) -> None:
        self.population = population
        self.behaviour = behaviour or Behaviour()
        self._clock = clock
        self.oracle = oracle or Oracle()
        self._states: dict[Pair, State] = {}
        self._older: dict[Pair, deque[tuple[float, State]]] = {}
        self._next_syncs: dict[Pair, tuple[float, Ending]] = {}
        self._marks = 0

    def clock(self) -> float:
        """Return the tenant's own time, epoch seconds."""
        return self._clock() + self.behaviour.clock

    # What requests do

    def pause(self, app_id: str, connector_id: str, *, actor: str = "api") -> State:
        """Pause: no new syncs, queued ones are dropped, a running one goes on. Idempotent in effect."""
        now, before = self._begin(app_id, connector_id)
        if before.pause is not None and not self.behaviour.renew_mark:
            return self._apply(before, Event(now, "pause", app_id, connector_id, before.pause.mark, actor, False))
        mark = self._mark(now)
        after = replace(before, pause=Pause(mark), queued=None)
        return self._apply(after, Event(now, "pause", app_id, connector_id, mark, actor, True))

    def resume(self, app_id: str, connector_id: str, *, actor: str = "api") -> State:
        """Clear any pause, C1's own included, and queue a sync, also when there was no pause."""
        now, before = self._begin(app_id, connector_id)
        mark = before.pause.mark if before.pause else None
        after = replace(before, pause=None, queued=self._queued(app_id, connector_id, before, now))
        return self._apply(after, Event(now, "resume", app_id, connector_id, mark, actor, mark is not None))

    def force_sync(self, app_id: str, connector_id: str, *, actor: str = "api") -> State:
        """Queue a sync; accepted without effect on a paused connector."""
        now, before = self._begin(app_id, connector_id)
        if before.pause is not None:
            mark = before.pause.mark
            return self._apply(before, Event(now, "force_sync", app_id, connector_id, mark, actor, False))
        after = replace(before, queued=self._queued(app_id, connector_id, before, now))
        return self._apply(after, Event(now, "force_sync", app_id, connector_id, None, actor, True))

    # What happens behind a client's back

    def pause_by_other(self, app_id: str, connector_id: str) -> State:
        return self.pause(app_id, connector_id, actor="other")

    def resume_by_other(self, app_id: str, connector_id: str) -> State:
        return self.resume(app_id, connector_id, actor="other")

    def anomaly(self, app_id: str, connector_id: str) -> State:
        """Let C1 itself pause the connector until a person confirms a suspicious sync."""
        return self._pause_by_tenant("anomaly", app_id, connector_id, Cause.ANOMALY)

    def pause_by_system(self, app_id: str, connector_id: str) -> State:
        """Let C1 itself pause the connector for reasons of its own, which are no anomaly."""
        return self._pause_by_tenant("pause", app_id, connector_id, Cause.SYSTEM)

    def delete(self, app_id: str, connector_id: str) -> State:
        """Delete the connector: no request can change it any more; what still shows it is `behaviour.deleted`."""
        now, before = self._begin(app_id, connector_id)
        after = replace(before, deleted_at=now, queued=None)
        return self._apply(after, Event(now, "delete", app_id, connector_id, None, "other", True))

    def plan_sync(
        self, app_id: str, connector_id: str, *, seconds: float | None = None, ending: Ending = Ending.DONE
    ) -> None:
        """Decide how long the connector's next sync takes and how it ends."""
        length = self.behaviour.sync_seconds if seconds is None else seconds
        self._next_syncs[app_id, connector_id] = (length, ending)

    # What can be read

    def state(self, app_id: str, connector_id: str) -> State:
        """Return the true state now, without lag."""
        return self._begin(app_id, connector_id)[1]

    def apps(self) -> Sequence[App]:
        return self.population.apps()

    def app(self, app_id: str) -> App:
        app = self.population.app(app_id)
        if app is None:
            raise NotFound(f"app {app_id} not found")
        return app

    def connectors(self, app_id: str) -> Sequence[Connector]:
        return self.population.connectors(self.app(app_id).id)

    def is_listed(self, connector: Connector, state: State) -> bool:
        """Whether a listing of the app's connectors has this one."""
        behaviour = self.behaviour
        if state.deleted_at is not None and behaviour.deleted != "listed":
            return False
        return not connector.mcp or behaviour.mcp == "listed"

    def look(self, app_id: str, connector_id: str) -> tuple[Connector, State]:
        """Return one connector as a reader sees it, or raise NotFound."""
        connector = self._connector(app_id, connector_id)
        state = self.seen(connector)
        if state.deleted_at is not None and self.behaviour.deleted == "gone":
            raise NotFound(f"connector {connector_id} not found")
        return connector, state

    def seen(self, connector: Connector) -> State:
        """Return the state as a reader sees it: as it was `behaviour.lag` seconds ago."""
        moment = self.clock() - self.behaviour.lag
        pair = (connector.app_id, connector.id)
        for until, state in self._older.get(pair, ()):
            if moment < until:
                return state.at(moment)
        return self._states.get(pair, connector.initial).at(moment)

    def changed(self) -> Iterator[tuple[Pair, State]]:
        """Yield every connector that was ever changed, with its true state now."""
        now = self.clock()
        return ((pair, state.at(now)) for pair, state in self._states.items())

    def _pause_by_tenant(self, kind: str, app_id: str, connector_id: str, cause: Cause) -> State:
        now, before = self._begin(app_id, connector_id)
        mark = self._mark(now)
        after = replace(before, pause=Pause(mark, cause), queued=None)
        return self._apply(after, Event(now, kind, app_id, connector_id, mark, "tenant", True))

    def _connector(self, app_id: str, connector_id: str) -> Connector:
        connector = self.population.connector(app_id, connector_id)
        if connector is None:
            raise NotFound(f"connector {connector_id} of app {app_id} not found")
        return connector

    def _begin(self, app_id: str, connector_id: str) -> tuple[float, State]:
        connector = self._connector(app_id, connector_id)
        now = self.clock()
        state = self._states.get((app_id, connector_id), connector.initial).at(now)
        if state.deleted_at is not None:
            raise NotFound(f"connector {connector_id} of app {app_id} not found")
        return now, state

    def _apply(self, after: State, event: Event) -> State:
        pair = (event.app_id, event.connector_id)
        if self.behaviour.lag > 0:
            self._remember(pair, event.at)
        self._states[pair] = after
        self.oracle.applied(event)
        return after

    def _remember(self, pair: Pair, now: float) -> None:
        older = self._older.setdefault(pair, deque())
        while older and older[0][0] <= now - self.behaviour.lag:
            older.popleft()
        older.append((now, self._states.get(pair, self._connector(*pair).initial)))

    def _queued(self, app_id: str, connector_id: str, before: State, now: float) -> Sync:
        if before.queued is not None:
            return before.queued
        default = (self.behaviour.sync_seconds, Ending.DONE)
        seconds, ending = self._next_syncs.pop((app_id, connector_id), default)
        starts = now + self.behaviour.queue_seconds
        if before.sync is not None:
            starts = max(starts, before.sync.ends)
        return Sync(starts, starts + seconds, ending)

    def _mark(self, now: float) -> str:
        self._marks += 1  # two pauses in one microsecond still differ
        return timestamp(now, self._marks)
