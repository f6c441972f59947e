"""What is so in a world, whatever it shows: its connectors, who has paused them, and who did what when.

All times are the world's own, in epoch seconds; how its clock shows them is another matter.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from tests.worlds.dials import DELIBERATE, DROP, HELD_UP, Dials, Words

Pair = tuple[str, str]

OURS, OTHER, ANOMALY, SYSTEM = "ours", "other", "anomaly", "system"
MIXED, LATE = "mixed", "late"
"""Whose pause it is. A foreign one that our request has renewed is mixed: nobody could tell it from ours. One of ours
that a late request of ours has renewed is late: nobody could tell it from a colleague's, so it may be left, if told.
"""

FOREIGN = frozenset({OTHER, ANOMALY, SYSTEM})

SYNC = 30.0
"""Seconds that a sync takes."""


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause that is in force."""

    by: str
    at: float
    words: Words


@dataclass(frozen=True, slots=True)
class Row:
    """A connector at one moment."""

    sync_started: float
    sync_ended: float
    pause: Pause | None = None
    deleted_at: float | None = None


class Event(NamedTuple):
    """Something was done, whether or not it changed anything."""

    at: float
    who: str
    what: str
    pair: Pair
    changed: bool
    before: Row | None
    after: Row | None

    def __str__(self) -> str:
        was = self.before.pause.by if self.before and self.before.pause else "active"
        return f"{self.at:.3f} {self.who} {self.what} {'/'.join(self.pair)} (was {was}){'' if self.changed else ' -'}"


class Truth:
    """The connectors of a world, as they are and as they were."""

    def __init__(self, pairs: Iterable[Pair], dials: Dials, clock: Callable[[], float]) -> None:
        self.events: list[Event] = []
        self._dials = dials
        self.clock = clock
        long_ago = clock() - 7200
        row = Row(long_ago, long_ago + SYNC)
        self._history: dict[Pair, list[tuple[float, Row]]] = {pair: [(long_ago, row)] for pair in pairs}

    @property
    def pairs(self) -> list[Pair]:
        """Every connector there is or was."""
        return list(self._history)

    def row(self, pair: Pair, ago: float = 0.0) -> Row | None:
        """A connector as it was so many seconds ago; None if there is none."""
        states = self._history.get(pair)
        if states is None:
            return None
        moment = self.clock() - ago
        return next((row for at, row in reversed(states) if at <= moment), states[0][1])

    def begin_paused(self, pair: Pair, who: str, ago: float) -> None:
        """Let a connector be paused since so many seconds ago, from before anything of this is played."""
        moment = self.clock() - ago
        [(begun, row)] = self._history[pair]
        self._history[pair].append((moment, replace(row, pause=Pause(who, moment, self._words(who)))))
        assert begun < moment

    def paused(self, pair: Pair) -> bool:
        """Whether a connector is paused, by anybody."""
        row = self.row(pair)
        return row is not None and row.pause is not None

    def deleted(self, pair: Pair) -> bool:
        """Whether a connector was there, and is not any more."""
        row = self.row(pair)
        return row is not None and row.deleted_at is not None

    def paused_by(self, pair: Pair) -> str | None:
        """Whose pause keeps a connector paused, if it exists and is paused."""
        row = self.row(pair)
        return row.pause.by if row and row.pause and row.deleted_at is None else None

    def pause(self, pair: Pair, who: str) -> bool:
        """Pause a connector; whether there is one. C1's own check and the system make a pause their own."""
        row, now = self.row(pair), self.clock()
        if row is None or row.deleted_at is not None:
            return self._note(pair, who, "pause", row, None)
        fresh = Pause(who, now, self._words(who))
        if row.pause is None and who == OURS and self._comes_after_others(pair):
            fresh = replace(fresh, by=LATE)
        if row.pause is not None:
            if not self._dials.renews and who not in (ANOMALY, SYSTEM):
                return self._note(pair, who, "pause", row, row)
            fresh = replace(fresh, by=self._renewed(row.pause, who))
        return self._note(pair, who, "pause", row, replace(row, pause=fresh))

    def resume(self, pair: Pair, who: str) -> bool:
        """Resume a connector, which starts a sync; whether there is one."""
        row, now = self.row(pair), self.clock()
        if row is None or row.deleted_at is not None:
            return self._note(pair, who, "resume", row, None)
        after = replace(row, pause=None, sync_started=now, sync_ended=now + SYNC)
        return self._note(pair, who, "resume", row, after)

    def sync(self, pair: Pair, who: str) -> bool:
        """Start a sync, unless the connector is paused; whether there is one."""
        row, now = self.row(pair), self.clock()
        if row is None or row.deleted_at is not None:
            return self._note(pair, who, "force_sync", row, None)
        after = row if row.pause else replace(row, sync_started=now, sync_ended=now + SYNC)
        return self._note(pair, who, "force_sync", row, after)

    def delete(self, pair: Pair, who: str) -> None:
        """Delete a connector."""
        row = self.row(pair)
        assert row is not None
        self._note(pair, who, "delete", row, replace(row, deleted_at=self.clock()))

    def reword(self, pair: Pair, who: str) -> None:
        """Somebody makes a pause their own: other words stand beside the same mark from now on."""
        row = self.row(pair)
        if row is not None and row.pause is not None:
            words = Words("SYNC_DISABLED_CATEGORY_LEGAL_HOLD", "kept paused for the audit")
            self._note(pair, who, "reword", row, replace(row, pause=replace(row.pause, by=who, words=words)))

    def _comes_after_others(self, pair: Pair) -> bool:
        """Whether a request that was held up arrives after we had paused anew, and somebody else has resumed."""
        theirs = [event.who for event in self.events if event.pair == pair and event.changed]
        return self._dials.replies in HELD_UP and theirs[-2:] == [OURS, OTHER]

    def _renewed(self, pause: Pause, who: str) -> str:
        if who != OURS:
            return who
        if pause.by not in (OURS, LATE):
            return MIXED
        return LATE if self._dials.replies in ("read late", *HELD_UP) else OURS

    def _words(self, who: str) -> Words:
        deliberate = DELIBERATE[self._dials.words]
        if who == ANOMALY:
            alike = self._dials.words == "like the anomaly's"
            return Words(deliberate.category if alike else "SYNC_DISABLED_CATEGORY_ANOMALY", DROP)
        return Words("", "system") if who == SYSTEM else deliberate

    def _note(self, pair: Pair, who: str, what: str, before: Row | None, after: Row | None) -> bool:
        changed = after is not None and (after.pause, after.deleted_at) != (
            (before.pause, before.deleted_at) if before else (None, None)
        )
        now = self.clock()
        self.events.append(Event(now, who, what, pair, changed, before, after))
        if after is not None:
            self._history[pair].append((now, after))
        return after is not None
