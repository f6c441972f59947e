"""Every default, unit and bound of a run, in one place. Durations are seconds, rates are per second."""

from dataclasses import dataclass

MAX_TARGETS = 200_000
"""More pairs than this in one job file is taken for a mistake."""

MAX_JOB_BYTES = 32 * 1024 * 1024
"""A larger job file is refused unread."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """An inclusive range."""

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high  # NaN is in no range


CONCURRENCY = Bounds(1, 200)
RATE = Bounds(0.01, 10_000)
ATTEMPTS = Bounds(1, 20)
DEADLINE = Bounds(1, 7 * 86_400)
OUTAGE = Bounds(30, 86_400)
CONNECT_TIMEOUT = Bounds(0.1, 120)
REQUEST_TIMEOUT = Bounds(0.1, 600)
WINDOW = Bounds(1, 90 * 86_400)
DRAIN = Bounds(1, 7 * 86_400)


@dataclass(frozen=True, slots=True)
class Share:
    """A number of targets, either absolute or per cent of the plan."""

    value: float
    percent: bool = False

    def of(self, total: int) -> float:
        """How many of `total` this is (not rounded: thresholds are *exceeded*, never equalled)."""
        return self.value * total / 100 if self.percent else self.value

    def __str__(self) -> str:
        return f"{self.value:g}%" if self.percent else f"{self.value:g}"


@dataclass(frozen=True, slots=True)
class LimitPolicy:
    """How much a run may do at once, in all, and how much may go wrong."""

    concurrency: int = 10  # requests in flight
    rate: float | None = None  # requests per second; None: learn it
    max_targets: Share | None = None  # a larger plan is refused before anything is sent
    max_failures: Share | None = None  # more failed or unknown targets than this stop the run
    deadline: float | None = None  # seconds from the start of the run
    resume_rate: float = 5.0  # resumes per second: each starts a sync


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When a request is sent again. Throttling and token refreshes use up no attempt."""

    attempts: int = 5  # requests per target that may end badly, the one of the last pass included
    base: float = 0.5  # seconds: full jitter over base * 2**(n-1)
    connect_base: float = 1.0  # seconds: the same where nothing could be sent; networks take longer to heal
    cap: float = 20.0  # seconds: no back-off is longer
    target_deadline: float = 300.0  # seconds of attempts and back-off per target; waiting one's turn is not counted
    budget_share: float = 0.2  # retries per request sent; beyond it a target is put off to the last pass
    budget_floor: int = 10  # retries that are always granted
    last_pass_delay: float = 10.0  # seconds between the end of the list and the last pass
    outage_failures: int = 20  # so many failed requests in a row: the tenant is taken to be down
    outage_probe: float = 30.0  # seconds between requests while it is
    outage: float = 600.0  # seconds until the run gives up
    longest_retry_after: float = 300.0  # seconds: the tenant asks for more, and there is no deadline: the run stops
    forbidden_streak: int = 5  # so many 403 and nothing else: the credential may not do this at all
    missing_streak: int = 5  # so many 404 and nothing else: wrong tenant, or wrong ids
    alien_streak: int = 5  # so many replies that are none of C1's, and nothing else: wrong host, or a portal
    rejected_tokens: int = 3  # so many 401 in a row on fresh tokens: the credential is dead


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Bounds on one request."""

    connect: float = 10.0  # DNS, TCP and TLS
    request: float = 30.0  # everything, from asking for a connection to the last byte


MAX_WAVES = 20
"""Entries of a job's `waves`."""

REPLY_BYTES = 64 * 1024
"""The most a mutating request's or a token's reply is read; C1 answers `{}`."""

PAGE_BYTES = 16 * 1024 * 1024
"""The most one page of a listing is read."""

PAGE_SIZE = 100
"""Rows asked for per page, the most C1 gives (SearchAppsRequest.pageSize)."""

BARREN_PAGES = 10
"""Pages of a listing in a row that show nothing new, though each names a next one: so many end it as an error.
Not fewer: what a credential may not see may be left out of pages that are made up before."""

LONGEST_WAIT = 86_400.0
"""Seconds: a header that asks for more is taken to ask for this, or where it is a hint alone, not to be meant."""

BLIND_WAIT = 60.0
"""Seconds waited at most until a moment that only this machine's clock can tell: it may be wrong."""

QUOTA_WAIT = 60.0
"""Seconds that a hint of the rate limit may keep everybody from sending; then one request finds out."""

TOKEN_LEEWAY = 60.0
"""A token is renewed this many seconds before it ends, or at four fifths of a shorter life."""

RECHECK_DELAYS = (1.0, 3.0, 6.0)
"""Seconds between reads of a connector that does not show yet what the tenant accepted."""

CLOCK_MARGIN = 1.0
"""Seconds by which the clock that a reply's `Date` is read from may differ from the one that marks are made with."""

LARGE_OFFSET = 60.0
"""Seconds between this machine's clock and the tenant's from which on it is worth a warning."""

REQUEST_LIFE = 60.0
"""Seconds after it has left in which a request without an answer can still take effect, for all that is known. A
gateway gives up after as much (nginx's proxy_read_timeout, for one). What takes effect later cannot be told from
somebody else's doing."""

CLOCKS_DISAGREE = 10.0
"""Seconds up to which two clocks of one tenant may disagree. A mark that is older by less than this than the request
that it was read after could be that request's, or somebody else's."""

APPLY_TIME = 10.0
"""Seconds after its acceptance in which a pause may get its mark."""

DANGER_TIME = 120.0
"""Seconds after a pause without a clear answer in which nothing is resumed: the request may be held up
somewhere, and would pause the connector again (reliability: late duplicate)."""

READ_LAG = 150.0
"""Seconds that a read may lag behind a write; C1's own tools have met as much."""

NOTED_EVERY = 5.0
"""Seconds after which the next request for a target is noted durably before it leaves: so a crash leaves behind
about when the last one was under way."""

LAST_LOOK = 60.0
"""Seconds after the last resume until a connector whose pause got no clear answer is looked at once more."""

DRAIN_GRACE = 10.0
"""Seconds that requests in flight get to end after the first signal."""
