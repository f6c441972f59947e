"""What is compared, in the order in which it matters to a tenant's administrator."""

from dataclasses import dataclass, replace

from tests.benchmarks.comparison import contenders as who
from tests.benchmarks.comparison.contenders import Contender
from tests.benchmarks.comparison.load import Load
from tests.benchmarks.comparison.nginx import APPS, PER_APP, Server


@dataclass(frozen=True, slots=True)
class Case:
    """One contender in a regime, with what differs from the regime for it."""

    contender: Contender
    load: Load
    server: Server
    rounds: int | None = None  # at most; the slow ones have better things to do
    to_first_request: bool = False  # the time until the server sees a request, not until the end
    label: str = ""

    @property
    def name(self) -> str:
        """What the table calls it."""
        return self.contender.name + self.label

    def small(self) -> "Case":
        """The same with next to nothing to do."""
        return replace(self, load=replace(self.load, count=min(self.load.count, 10)))


@dataclass(frozen=True, slots=True)
class Regime:
    """Cases that are compared with each other, or with what is possible at all."""

    key: str
    title: str
    cases: tuple[Case, ...]
    ideal: float | None = None  # seconds that nobody can beat; None: the first case is the measure
    per_connector: bool = False  # whether time is compared per connector, the loads being of different size

    @property
    def measure(self) -> str:
        """What a ratio of 1 means."""
        return f"the ideal, {self.ideal:.3g} s" if self.ideal else self.cases[0].name

    def expected(self, case: Case, first: float) -> float:
        """Seconds that make a ratio of 1 for a case, if the round's first case took `first` seconds."""
        reference = self.ideal or first
        return reference * case.load.count / self.cases[0].load.count if self.per_connector else reference


def _limited(key: str, count: int, peers: tuple[tuple[Contender, int], ...]) -> Regime:
    server, load = Server(rate=200, burst=20), Load(count, 50)
    title = f"Rate limit of 200 requests/s (burst 20, Retry-After 1), {count:,} connectors, 50 at once"
    cases = (Case(who.EQUAL, load, server), *(Case(peer, load, server, rounds) for peer, rounds in peers))
    return Regime(key, title, cases, ideal=(count - 20) / 200)


def _latency() -> Regime:
    load, server = Load(500, 10), Server(latency=0.05)
    cases = (
        Case(who.EQUAL, load, server),
        Case(who.FULL, load, Server(latency=0.05, stateful=True)),
        *(Case(peer, load, server) for peer in (who.AIOHTTP, who.GO, who.CURL, who.XARGS, who.SDK)),
    )
    return Regime("latency", "50 ms latency, 500 connectors, 10 at once", cases, ideal=500 / 10 * 0.05)


def _no_latency() -> Regime:
    load, server = Load(10_000, 50), Server()
    cases = (
        Case(who.AIOHTTP, load, server),
        Case(who.EQUAL, load, server),
        Case(who.FULL, load, Server(stateful=True)),
        *(
            Case(peer, load, server, rounds)
            for peer, rounds in ((who.GO, 5), (who.CURL, 5), (who.SDK, 1), (who.XARGS, 1))
        ),
    )
    return Regime("no-latency", "No latency, 10,000 connectors, 50 at once", cases)


def _start() -> Regime:
    one, server = Load(1, 1), Server()
    cases = (
        Case(who.IMPORTS, one, server),
        Case(who.HELP, one, server),
        Case(who.VALIDATE, Load(200, 1), server, label=", 200 connectors"),
        Case(who.EQUAL, one, server, to_first_request=True, label=", to the first request"),
        Case(who.MINTING, one, server, to_first_request=True, label=", to the first request"),
    )
    return Regime("start", "Start-up", cases)


def _size() -> Regime:
    server = Server()
    cases = (
        Case(who.EQUAL, Load(10_000, 50), server, label=", 10,000"),
        Case(who.EQUAL, Load(30_000, 50), server, rounds=1, label=", 30,000"),
        Case(who.EQUAL, Load(100_000, 50), server, rounds=1, label=", 100,000"),
        Case(who.MAPPINGS, Load(100_000, 50), server, rounds=1, label=", 100,000"),
    )
    return Regime("size", "Time per connector and peak memory as the job grows", cases, per_connector=True)


def _listing() -> Regime:
    load, latency = Load(APPS * PER_APP, 50), 0.05
    cases = (Case(who.PLAN, load, Server(latency=latency, stateful=True)),)
    title = f"Listing a tenant of {APPS:,} apps with {PER_APP} connectors each, 50 ms latency, 50 at once"
    return Regime("listing", title, cases, ideal=APPS / load.concurrency * latency)


REGIMES = (
    _limited("limited", 1_000, ((who.XARGS, 2), (who.SDK, 2), (who.CURL, 1), (who.AIOHTTP, 1), (who.GO, 1))),
    _limited("limited-5000", 5_000, ()),
    _latency(),
    _no_latency(),
    _start(),
    _listing(),
    _size(),
)
