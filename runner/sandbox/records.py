"""The values a tenant is made of: apps, connectors and the state of a connector at one moment."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache

from runner.sandbox.vocabulary import Cause

WELL_FORMED_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Ending(Enum):
    """How a sync ends. An anomaly leaves the connector paused by C1 itself."""

    DONE = "done"
    ERROR = "error"
    ANOMALY = "anomaly"


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause: `mark` is `syncDisabledAt`; which words stand beside it is the tenant's vocabulary."""

    mark: str
    cause: Cause = Cause.CUSTOMER

    @property
    def can_resume(self) -> bool:
        """`canResumeSync`, whose rules are published nowhere."""
        return self.cause is Cause.CUSTOMER


@dataclass(frozen=True, slots=True)
class Sync:
    """One sync, times in epoch seconds; it runs from `starts` until `ends`, whatever is paused meanwhile."""

    starts: float
    ends: float
    ending: Ending = Ending.DONE

    def runs_at(self, moment: float) -> bool:
        return self.starts <= moment < self.ends


@dataclass(frozen=True, slots=True)
class State:
    """All that can change about a connector. `queued` starts at its own time unless a pause removes it."""

    pause: Pause | None = None
    sync: Sync | None = None
    queued: Sync | None = None
    deleted_at: float | None = None

    def at(self, moment: float) -> State:
        """Return this state as time has changed it by `moment` (epoch seconds)."""
        state = self
        if state.queued is not None and state.queued.starts <= moment:
            state = replace(state, sync=state.queued, queued=None)
        sync = state.sync
        if sync is not None and sync.ending is Ending.ANOMALY and sync.ends <= moment:
            pause = state.pause or Pause(timestamp(sync.ends), Cause.ANOMALY)
            state = replace(state, sync=replace(sync, ending=Ending.DONE), queued=None, pause=pause)
        return state

    def status_at(self, moment: float) -> str:
        """Return the `SYNC_STATUS_*` name: that of the last sync, paused or not.

        A pause shows in it only after a sync that has failed. A sync that runs when the pause comes goes on.
        """
        if self.sync is None:
            return "SYNC_STATUS_UNSPECIFIED"
        if self.sync.runs_at(moment):
            return "SYNC_STATUS_RUNNING"
        if self.sync.ending is Ending.ERROR:
            return "SYNC_STATUS_ERROR" if self.pause is None else "SYNC_STATUS_DISABLED"
        return "SYNC_STATUS_DONE"


@dataclass(frozen=True, slots=True)
class App:
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Connector:
    """What never changes about a connector, and the state it starts from."""

    app_id: str
    id: str
    name: str
    catalog_id: str = ""
    initial: State = State()
    owners: tuple[str, ...] = ()  # user ids
    mcp: bool = False  # an MCP server, which C1 models as a connector


def timestamp(moment: float, nanoseconds: int = 0) -> str:
    """Return epoch seconds as RFC 3339 with nine fractional digits; the last three are `nanoseconds`."""
    microseconds = round(moment * 1_000_000)
    return f"{_whole_seconds(microseconds // 1_000_000)}.{microseconds % 1_000_000:06d}{nanoseconds % 1000:03d}Z"


@lru_cache(maxsize=256)
def _whole_seconds(moment: int) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M:%S}"
