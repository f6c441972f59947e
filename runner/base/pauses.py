"""What the tenant says of a connector, whose doing its pause looks like, and how a pause of ours is known again.

C1 keeps no owner of a pause, only its mark: `syncDisabledAt`, and a category and a reason beside it, whose values are
published nowhere. So the mark decides. What stands beside it is remembered as it was when the mark was first read.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import NamedTuple

from runner.base.policy import CLOCKS_DISAGREE, DANGER_TIME

_WORDS = re.compile(r"[a-z]+").findall
_NO_WORDS = frozenset({"sync", "status", "disabled", "category", "unspecified", "by", "the"})
_BY_CHECK = re.compile(r"anomal|threshold|drop|bad.?sync|no.?data|suspicious", re.IGNORECASE).search
_BY_CUSTOMER = frozenset({"customer", "opt", "user", "manual", "manually", "admin", "administrator", "operator", "api"})


def epoch(timestamp: str | None) -> float | None:
    """Seconds since the epoch of an RFC 3339 time; None if it is none, or says no time zone."""
    try:
        moment = datetime.fromisoformat(timestamp) if timestamp else None
    except ValueError:
        return None
    return moment.timestamp() if moment is not None and moment.tzinfo is not None else None


class PauseKind(Enum):
    """Whose doing a pause looks like, by C1's words alone."""

    DELIBERATE = "deliberate"  # a person's, or a client's
    ANOMALY = "anomaly"  # C1's own check of what a sync would remove
    SYSTEM = "system"  # C1's own, for another reason


class Look(NamedTuple):
    """What stands beside a mark."""

    category: str | None  # syncDisabledCategory
    reason: str | None  # syncDisabledReason


@dataclass(frozen=True, slots=True)
class ConnectorState:
    """What the tenant said of a connector at one moment."""

    paused_at: str | None  # syncDisabledAt as sent: the mark of a pause
    status: str | None  # SYNC_STATUS_..., an open enumeration
    category: str | None = None  # syncDisabledCategory
    reason: str | None = None  # syncDisabledReason
    can_resume: bool | None = None  # canResumeSync
    sync_started_at: str | None = None
    sync_completed_at: str | None = None
    last_error: str | None = None
    deleted: bool = False

    @property
    def paused(self) -> bool:
        """Whether it may be paused, by anyone: it has a mark, or its status says so."""
        return self.paused_at is not None or self.status == "SYNC_STATUS_DISABLED"

    @property
    def marked(self) -> bool:
        """Whether it is paused for certain. The status alone proves nothing: a failed sync has the same."""
        return self.paused_at is not None

    @property
    def look(self) -> Look:
        """What stands beside its mark."""
        return Look(self.category, self.reason)

    @property
    def kind(self) -> PauseKind | None:
        """Whose doing its pause looks like, by the reason first; None if it is not paused."""
        if not self.paused:
            return None
        reason, category = _words(self.reason), _words(self.category)
        if self.checked_by_c1:
            return PauseKind.ANOMALY
        if reason & _BY_CUSTOMER:
            return PauseKind.DELIBERATE
        if category and _BY_CHECK(self.category or ""):
            return PauseKind.ANOMALY
        return PauseKind.SYSTEM if (reason or category) == {"system"} else PauseKind.DELIBERATE

    @property
    def checked_by_c1(self) -> bool:
        """Whether its reason is that of C1's own check: "Sync paused due to significant drop in sync data"."""
        reason = _words(self.reason)
        return bool(reason) and not reason & _BY_CUSTOMER and bool(_BY_CHECK(self.reason or ""))

    @property
    def running(self) -> bool:
        """Whether a sync is under way (a pause lets it go on)."""
        return self.status == "SYNC_STATUS_RUNNING"

    def synced_since(self, mark: str | None) -> bool:
        """Whether a sync has begun after a pause with this mark: none begins while a connector is paused."""
        paused_at, began = epoch(mark), epoch(self.sync_started_at)
        return paused_at is not None and began is not None and began > paused_at


class Mark(NamedTuple):
    """The mark of a pause of ours, with what stood beside it when it was first read."""

    at: str
    look: Look

    @classmethod
    def of(cls, state: ConnectorState | None) -> "Mark | None":
        """The mark that a state shows."""
        return None if state is None or state.paused_at is None else cls(state.paused_at, state.look)

    def is_of(self, state: ConnectorState) -> bool:
        """Whether `state` shows this pause. With another category or reason, the pause is somebody else's by now."""
        return state.look == self.look and _same_moment(self.at, state.paused_at)


class Span(NamedTuple):
    """Between which moments a request for a pause can have taken effect, in the tenant's time, epoch seconds."""

    begin: float
    end: float
    accepted: bool = False  # the tenant said yes to it, at once


class Moment(NamedTuple):
    """One moment by both clocks, epoch seconds; the tenant's decides where it is known, for ours may be set."""

    wall: float
    tenant: float | None = None


class Marks(NamedTuple):
    """How the pauses that this tool made of one connector are known again: by mark, or by their time.

    `spans` stand for pauses whose mark was never read. `looks` is what our pauses look like on this tenant. `unread`
    says that a pause is wanted of which no mark is known.
    """

    known: tuple[Mark, ...] = ()
    spans: tuple[Span, ...] = ()
    looks: frozenset[Look] = frozenset()
    unread: bool = False

    def cover(self, state: ConnectorState) -> bool:
        """Whether the pause that `state` shows is one of these, and still what it was."""
        if state.paused_at is None:
            return False
        if any(mark.is_of(state) for mark in self.known):
            return True
        if any(_same_moment(mark.at, state.paused_at) for mark in self.known):
            return False  # whoever has changed what stands beside the mark has made the pause theirs
        at = epoch(state.paused_at)
        return at is not None and any(self._made_in(span, at, state) for span in self.spans)

    def undecided(self, state: ConnectorState) -> bool:
        """Whether a pause that these do not cover could be ours all the same: nothing says for certain it is not."""
        return self.unread and not (self.spans and all(_far_from(span, state.paused_at) for span in self.spans))

    def _made_in(self, span: Span, at: float, state: ConnectorState) -> bool:
        if not span.begin <= at <= span.end or state.checked_by_c1:
            return False
        if span.accepted or state.look in self.looks:
            return True
        return not self.looks and state.kind is PauseKind.DELIBERATE


def looks_deliberate(state: ConnectorState, looks: Iterable[Look] = ()) -> bool:
    """Whether a pause looks like somebody's wish: by C1's words, or because our own pauses look the same here."""
    return state.kind is PauseKind.DELIBERATE or (state.look in looks and not state.checked_by_c1)


def _far_from(span: Span, mark: str | None) -> bool:
    """Whether a pause was made at another time for certain, however clocks and requests are off."""
    at = epoch(mark)
    latest = span.end if span.accepted else span.end + DANGER_TIME
    return at is not None and not span.begin - CLOCKS_DISAGREE <= at <= latest


def _words(text: str | None) -> set[str]:
    return set(_WORDS(text.lower())) - _NO_WORDS if text else set()


def _same_moment(mark: str, other: str | None) -> bool:
    """Whether two marks are one: a listing and a read need not spell a moment with as many digits."""
    if mark == other:
        return True
    moment = epoch(mark)
    return other is not None and len(mark) != len(other) and moment is not None and moment == epoch(other)
