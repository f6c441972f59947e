"""The values that flow through a run. Frozen, without behaviour beyond their own consistency."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any, NamedTuple

from runner.base.pauses import ConnectorState as ConnectorState
from runner.base.pauses import Look as Look
from runner.base.pauses import Mark as Mark
from runner.base.pauses import Marks as Marks
from runner.base.pauses import PauseKind as PauseKind
from runner.base.pauses import Span as Span
from runner.base.pauses import epoch as epoch
from runner.base.policy import LimitPolicy, RetryPolicy, Share, Timeouts

ID_PATTERN = r"[A-Za-z0-9_-]{1,64}"
"""What an app or connector id may look like; anything else is refused before a path is built from it."""

JsonObject = dict[str, Any]
"""A JSON object as the standard library reads and writes it."""

_is_id = re.compile(ID_PATTERN).fullmatch


def is_id(text: str) -> bool:
    """Whether `text` can be an app or connector id."""
    return _is_id(text) is not None


class OperationName(StrEnum):
    """What a job does to its targets; the values are the words of the job file."""

    PAUSE = "pause"
    RESUME = "resume"
    FORCE_SYNC = "force_sync"


class AttemptClass(Enum):
    """What one request did to its target."""

    NOT_SENT = "not_sent"  # nothing left this machine
    REFUSED = "refused"  # the tenant handled it and said no
    APPLIED = "applied"  # the tenant said yes
    AMBIGUOUS = "ambiguous"  # something was sent, no clear answer came back


class Outcome(StrEnum):
    """What became of a target; each planned target has exactly one."""

    CHANGED = "changed"  # this run brought it into the wanted state
    UNCHANGED = "unchanged"  # it was in the wanted state already
    FAILED = "failed"  # it is known not to be in the wanted state
    UNKNOWN = "unknown"  # something was sent, and nothing proves what came of it
    SKIPPED = "skipped"  # left alone on purpose
    NOT_ATTEMPTED = "not_attempted"  # the run ended before its turn


class ConnectorKind(StrEnum):
    """What a connector is; the values are the words of the job file and of listings."""

    CONNECTOR = "connector"  # anything but an MCP server
    MCP = "mcp"  # an MCP server, which C1 keeps as a connector of its app


class Target(NamedTuple):
    """One connector of one app; the pair is the key, a connector id alone is not unique."""

    app_id: str
    connector_id: str
    name: str | None = None  # a label for the report, from the job file

    def __str__(self) -> str:
        return f"{self.app_id}/{self.connector_id}"


class Connector(NamedTuple):
    """A connector as the tenant lists it."""

    app_id: str
    connector_id: str
    name: str | None
    state: ConnectorState
    catalog_id: str | None = None
    owners: tuple[str, ...] = ()
    kind: ConnectorKind | None = None  # None where nobody asked, or the tenant does not tell


class Verdict(NamedTuple):
    """What one reply, or its absence, means: the result of `api.classify`."""

    attempt: AttemptClass
    message: str
    status: int | None = None  # HTTP status, None when there was no reply
    request_id: str | None = None
    retryable: bool = False  # sending it again may help
    throttled: bool = False  # the tenant asks to slow down: waiting, not failure
    retry_after: float | None = None  # seconds the tenant asks for
    token_rejected: bool = False  # 401: the token, not the request, is the matter
    forbidden: bool = False  # 403 in C1's own words: this credential may not do this to this connector
    lacks_permission: bool = False  # and C1 names a permission that it lacks: it may do this to no connector
    fatal: bool = False  # no other request of this run can do better
    truncated: bool = False  # a 2xx whose body did not arrive whole
    disconnected: bool = False  # the connection was closed before any reply
    alien: bool = False  # not C1's API: a redirect, a 2xx that is not JSON, a gateway's own refusal
    missing: bool = False  # C1 itself, in its own words, says that there is no such app or connector


@dataclass(frozen=True, slots=True)
class Selection:
    """Which of the tenant's connectors a job takes, besides its explicit pairs."""

    all: bool = False
    apps: tuple[str, ...] = ()
    connectors: tuple[str, ...] = ()
    catalog_ids: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    kind: ConnectorKind | None = None


@dataclass(frozen=True, slots=True)
class Exclusion:
    """What a job leaves alone: a connector matches when every part that is given matches."""

    app: str | None = None
    connector: str | None = None
    target: Target | None = None
    kind: ConnectorKind | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """When the pauses of a job end by themselves: after a time, or at a moment. Exactly one of the two is given."""

    seconds: float | None = None  # counted from the start of the run
    until: str | None = None  # RFC 3339 with an offset; without one, or as HH:MM, in `time_zone`
    time_zone: str | None = None  # IANA name; None where `until` says it


@dataclass(frozen=True, slots=True)
class Job:
    """What is asked for: the content of a job file, or of an ad-hoc command line."""

    operation: OperationName
    name: str
    targets: tuple[Target, ...] = ()
    select: Selection | None = None
    exclude: tuple[Exclusion, ...] = ()
    protected: tuple[Exclusion, ...] = ()  # left alone even where a pair names it
    allow_empty: bool = False  # nothing selected is fine
    partial: bool = False  # what the tenant could not list may be missing
    waves: tuple[Share, ...] = ()  # how much of the plan is done after each wave; what is left is one more
    window: Window | None = None  # when what it pauses is resumed without being asked for
    tenant: str | None = None  # the pin: the only host this job may touch
    reason: str | None = None
    limits: LimitPolicy = field(default_factory=LimitPolicy)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    timeouts: Timeouts = field(default_factory=Timeouts)
    preflight: bool = True
    verify: bool = True
    reports: tuple[str, ...] = ()  # path templates, format by suffix
    path: str | None = None  # the file it came from
    sha256: str | None = None  # of that file's bytes


class Planned(NamedTuple):
    """A target on its way to a worker, with what is known of it before."""

    seq: int  # its place in the plan, from 0
    target: Target
    app_name: str | None = None
    connector_name: str | None = None
    before: ConnectorState | None = None
    unread: str | None = None  # why `before` is not known although it was asked for
    skip: str | None = None  # why it is left alone whatever its state
    named: bool = False  # asked for by its ids, not found by a selection
    since: float | None = None  # an earlier request may have taken effect: when it was intended, epoch seconds
    till: float | None = None  # and until when it may have been under way
    span: Span | None = None  # the same in the tenant's time, where that was known
    marks: Marks | None = None  # resume no pause but one of these


class Result(NamedTuple):
    """What became of one target, and how. Times are seconds since the epoch."""

    outcome: Outcome
    detail: str | None = None
    http_status: int | None = None
    error: str | None = None
    request_id: str | None = None
    attempts: int = 0
    throttled: int = 0
    started_at: float | None = None
    finished_at: float | None = None
    after: ConnectorState | None = None
    unclear_at: float | None = None  # when a request last got no clear answer: it may still take effect
    waited: float = 0.0  # seconds it was held back by the tenant's limit: for a turn, or as a 429 asked
    receipt: Mark | None = None  # the mark of the pause, if it is for certain the one that was asked for
    span: Span | None = None  # when the request can have taken effect, in the tenant's time
    unproven: bool = False  # failed after a request without a clear answer, which could still take effect
    left_to: str | None = None  # the id of the run that wants it paused, and that an undo has left it to
    undecided: bool = False  # left alone because it cannot be told whose pause it is: it is still held
    verdict: Verdict | None = None  # what the last reply meant, for those who watch the run


class RunResult(NamedTuple):
    """How a run ended; the rest is in the store."""

    run_id: str
    exit_code: int
    stopped: str | None
    counts: Mapping[Outcome, int]
    abandoned: bool = False  # left in a hurry: requests in flight were not waited for
    unwritten: tuple[str, ...] = ()  # what the disk did not take, in words
    partial: bool = False  # `stopped` says what could not be listed, and the job does not mind
