"""What goes wrong, how often: a frozen value, and the compact string it is written as."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from runner.sandbox import faultwords
from runner.sandbox.limits import AUTOMATIC, RetryAfter
from runner.sandbox.vocabulary import Vocabulary

_MUTATIONS = frozenset({"post"})
_API = frozenset({"post", "read"})


class FaultsError(ValueError):
    """The fault string is wrong; `problems` holds every reason."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Faults:
    """Fault rates of a server. Shares are of requests, times in seconds, `limit` in requests a second.

    At most one random fault meets a request; which one follows from `seed`, the request's method and
    path and how often that was seen before. `on` and `limit_on` say what is hit: `post` (pause, resume,
    force_sync), `read`, `token`. Latency and outages are for everybody. The fields from `clock` on are about
    the tenant rather than about requests; None leaves it as it is.
    """

    latency: float = 0.0
    jitter: float = 0.0  # sigma of a log-normal around `latency`; 0 is fixed
    error: float = 0.0  # 5xx, not applied
    error_after: float = 0.0  # 5xx, applied
    drop: float = 0.0
    drop_after: float = 0.0
    truncate: float = 0.0
    duplicate: float = 0.0  # the reply is sent twice
    html: float = 0.0
    gateway: float = 0.0  # a 404 in plain text: the request never came to C1
    forbidden: float = 0.0  # a 403 that is a firewall's web page
    accepted: float = 0.0
    empty: float = 0.0
    redirect: float = 0.0
    tarpit: float = 0.0
    bomb: float = 0.0
    big_header: float = 0.0
    big_body: float = 0.0
    expire: float = 0.0
    another: float = 0.0  # of reads of one connector, whatever `on` says: another connector's row
    other: float = 0.0  # of requests to the API: somebody else pauses or resumes this connector or another one
    other_pause: float = 0.0
    other_resume: float = 0.0
    other_delete: float = 0.0
    anomaly: float = 0.0  # C1's own check pauses
    system: float = 0.0  # C1 itself pauses
    error_status: tuple[int, ...] = (500, 502, 503, 504)
    error_retry_after: float | None = None  # sent with a 503
    redirect_status: int = 302
    redirect_to: str = "/login"
    limit: float | None = None
    burst: int | None = None  # default: one second's worth
    window: float | None = None  # count in fixed windows of this length instead of a bucket
    retry_after: RetryAfter = AUTOMATIC
    limit_headers: str = "none"  # one of `limits.STYLES`
    refused_costs: bool = False  # a refused request takes a token too
    token_life: float | None = None
    date: bool = True  # replies carry a Date
    outage: tuple[tuple[float, float], ...] = ()
    outage_as: str = "503"  # 503 | drop | silence
    on: frozenset[str] = _MUTATIONS
    limit_on: frozenset[str] = _API
    seed: int = 0
    clock: float | None = None  # how far the tenant's clock is ahead
    lag: float | None = None
    vocabulary: Vocabulary | None = None
    overshoot: int | None = None
    endless: str | None = None
    deleted: str | None = None
    mcp: str | None = None
    owners: int | None = None

    def __post_init__(self) -> None:
        if max(sum(self.shares().values()), sum(self.others().values())) > 1 + 1e-9:
            raise FaultsError(["the shares of all faults together are more than 100%"])

    def shares(self) -> dict[str, float]:
        """Return the share of each random fault, by name, without those that never happen."""
        return self._chosen(faultwords.RANDOM)

    def others(self) -> dict[str, float]:
        """Return the share of requests that each act of somebody else follows, likewise."""
        return self._chosen(faultwords.OTHERS)

    def of_tenant(self) -> dict[str, Any]:
        """Return what is said of the tenant, by the names of `Behaviour`."""
        return {name: value for name in faultwords.OF_TENANT if (value := getattr(self, name)) is not None}

    def _chosen(self, names: tuple[str, ...]) -> dict[str, float]:
        return {name: share for name in names if (share := getattr(self, name)) > 0}

    @classmethod
    def parse(cls, text: str) -> Faults:
        """Read `latency=50ms,error=5%,limit=50/s,seed=7`; FaultsError names all that is wrong.

        A preset such as `bad-day` stands for its own faults; what is written beside it, on either side, wins.
        """
        values: dict[str, Any] = {}
        preset: dict[str, Any] = {}
        problems: list[str] = []
        for name, value, target in _parts(text, values, preset):
            try:
                if name in target:
                    raise ValueError("is given twice")
                target[name] = _read(name, value)
            except ValueError as error:
                problems.append(f"{name}: {error}")
        if problems:
            raise FaultsError(problems)
        return cls(**preset | values)


def _parts(text: str, values: dict[str, Any], preset: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield each name, its value as written, and where it goes."""
    for part in filter(None, (part.strip() for part in text.split(","))):
        if part in faultwords.PRESETS:
            yield from _parts(faultwords.PRESETS[part], preset, preset)
        else:
            name, _, value = part.partition("=")
            yield name, value, values


def _read(name: str, value: str) -> Any:
    read = faultwords.reader(name)
    if read is None:
        near = get_close_matches(name, faultwords.names(), 1)
        raise ValueError(f"is no fault{f', did you mean {near[0]}?' if near else ''}")
    return read(value)
