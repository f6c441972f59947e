"""The truth a test compares a client's report with: what was applied, and every request that arrived."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """One change of the tenant, in the order it was applied.

    `kind` is pause, resume, force_sync, anomaly or delete; `actor` is api (a request), other (a
    person elsewhere) or tenant (C1 itself); `mark` is `syncDisabledAt` after a pause, before a
    resume; `changed` is false when there was nothing to do.
    """

    at: float
    kind: str
    app_id: str
    connector_id: str
    mark: str | None
    actor: str
    changed: bool


@dataclass(slots=True)
class Arrival:
    """One request. `status` is 0 until decided and stays 0 when no reply is given at all."""

    at: float
    method: str
    path: str
    endpoint: str
    target: str | None
    client: str
    in_flight: int
    status: int = 0
    retry_after: float | None = None


class Oracle:
    """Collects events and arrivals in memory; with a sink, each record also goes there on `flush`.

    `keep_requests=False` keeps counters only, so that memory does not grow with the number of requests.
    """

    def __init__(self, *, keep_requests: bool = True) -> None:
        self.keep_requests = keep_requests
        self.events: list[Event] = []
        self.requests: list[Arrival] = []
        self.per_endpoint: Counter[str] = Counter()
        self.per_status: Counter[int] = Counter()
        self.per_path: Counter[str] = Counter()
        self.in_flight = 0
        self.max_in_flight = 0
        self.sink: Callable[[list[Record]], None] | None = None
        self._unflushed: list[Record] = []

    def applied(self, event: Event) -> None:
        """Record a change, before anybody is told of it."""
        self.events.append(event)
        if self.sink is not None:
            self._unflushed.append({"record": "event", **asdict(event)})

    def arrived(self, arrival: Arrival) -> Arrival:
        """Record a request on arrival and count it as in flight until `left`."""
        self.in_flight += 1
        arrival.in_flight = self.in_flight
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        self.per_endpoint[arrival.endpoint] += 1
        if self.keep_requests:
            self.requests.append(arrival)
            self.per_path[f"{arrival.method} {arrival.path}"] += 1
        return arrival

    def decided(self, arrival: Arrival, status: int, retry_after: float | None = None) -> None:
        """Record what will be answered, and bring all records to the sink before the reply leaves."""
        arrival.status = status
        arrival.retry_after = retry_after
        self.per_status[status] += 1
        if self.sink is not None:
            self._unflushed.append({"record": "request", **asdict(arrival)})
        self.flush()

    def left(self) -> None:
        """Record that a request is over, answered or not."""
        self.in_flight -= 1

    def flush(self) -> None:
        if self.sink is not None and self._unflushed:
            self.sink(self._unflushed)
            self._unflushed = []

    def applied_to(self, app_id: str, connector_id: str) -> list[Event]:
        """Return the events of one connector, oldest first."""
        return [event for event in self.events if (event.app_id, event.connector_id) == (app_id, connector_id)]

    def attempts(self) -> dict[str, list[Arrival]]:
        """Return the pause, resume and force_sync requests of each target (`app/connector`), in order."""
        attempts: dict[str, list[Arrival]] = {}
        for arrival in self.requests:
            if arrival.target is not None and arrival.method == "POST":
                attempts.setdefault(arrival.target, []).append(arrival)
        return attempts

    def sent_too_early(self) -> Iterator[Arrival]:
        """Yield requests for a target that came before the Retry-After it had been given was over."""
        for arrivals in self.attempts().values():
            not_before = 0.0
            for arrival in arrivals:
                if arrival.at < not_before:
                    yield arrival
                if arrival.retry_after is not None:
                    not_before = max(not_before, arrival.at + arrival.retry_after)
