"""Which control should all workers share under an unknown limit? A simulation of `runner/api/pace.py` and others.

    python -m tests.benchmarks.ratesim            # the scenarios, as the Markdown table in runner/api/PACE.md
    python -m tests.benchmarks.ratesim --quick    # fewer seeds, N up to 1000
    python -m tests.benchmarks.ratesim --hold     # a refused target keeps its worker instead of being put aside

`rate_sweep.py` beside it goes through a whole grid of limits, bursts, latencies and workers.

Client: c workers, N targets, at most 2500 sends per second (a Python process), timers up to 1.5 ms late. Latency is
log-normal around L (sigma 0.3); a quarter of it is the way to the server, a refusal takes half of it in all.
A cell reads T/ideal and the share of requests refused. ideal = max((N - B)/R + L, ceil(N/c) * L, N * 0.4 ms).
"""

import argparse
import heapq
import itertools
import math
import random
import statistics
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

from runner.api.pace import Pace
from tests.benchmarks.rate_controls import CONTROLS, Control
from tests.benchmarks.rate_servers import Bucket, Leaky, Server, Window

SEND_COST = 0.0004  # seconds
LATE = 0.0015  # seconds


@dataclass(frozen=True, slots=True)
class Load:
    targets: int
    latency: float  # seconds, mean
    workers: int


class Simulation:
    """A clock and a heap of things to do."""

    def __init__(self, seed: int) -> None:
        self.now = 0.0
        self.random = random.Random(seed)
        self._agenda: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._order = itertools.count()

    def at(self, moment: float, action: Callable[..., None], *arguments: Any) -> None:
        heapq.heappush(self._agenda, (moment, next(self._order), action, arguments))

    def run(self, until: float = math.inf) -> None:
        while self._agenda and self.now < until:
            self.now, _, action, arguments = heapq.heappop(self._agenda)
            action(*arguments)


class Client:
    """c workers, N targets, turns first come first served; a refused target waits aside, or (`hold`) in its worker."""

    def __init__(
        self,
        simulation: Simulation,
        control: Control,
        server: Server,
        load: Load,
        *,
        hold: bool = False,
        start: float = 0.0,
        told: bool = True,
    ) -> None:
        self.simulation, self.control, self.server = simulation, control, server
        self.told = told  # whether the control is told how many targets are left
        self.hold, self.mean = hold, math.log(load.latency) - 0.045
        self.untouched = self.unfinished = load.targets
        self.idle, self.turns, self.busy_until, self.asleep = 0, 0, 0.0, False
        self.aside: list[float] = []
        self.sent = self.refused = 0
        self.end = 0.0
        simulation.at(start, self._begin, min(load.workers, load.targets))

    def _begin(self, workers: int) -> None:
        for _ in range(workers):
            self._next_target()

    def _next_target(self) -> None:
        """A worker is free."""
        if self.aside and self.aside[0] <= self.simulation.now:
            heapq.heappop(self.aside)
        elif self.untouched:
            self.untouched -= 1
        else:
            self.idle += 1
            return
        self._queue()

    def _due(self) -> None:
        """A target put aside may be sent again: an idle worker takes it, a busy one will come for it."""
        while self.idle and self.aside and self.aside[0] <= self.simulation.now:
            self.idle -= 1
            heapq.heappop(self.aside)
            self._queue()

    def _queue(self) -> None:
        self.turns += 1
        self._pump()

    def _woken(self) -> None:
        self.asleep = False
        self._pump()

    def _pump(self) -> None:
        """The worker whose turn it is asks, and sleeps or sends."""
        while self.turns and not self.asleep:
            now = self.simulation.now
            if self.told and isinstance(self.control, Pace):
                self.control.remaining = self.unfinished
            wait = self.control.delay(now)
            if wait > 0:
                wait += self.simulation.random.random() * LATE
            wait = max(wait, self.busy_until - now)
            if wait > 0:
                self.asleep = True
                self.simulation.at(now + wait, self._woken)
            else:
                self.turns -= 1
                self._send(now)

    def _send(self, now: float) -> None:
        self.sent += 1
        self.busy_until = now + SEND_COST
        self.control.sent(now)
        latency = self.simulation.random.lognormvariate(self.mean, 0.3)
        self.simulation.at(now + latency / 4, self._arrive, now, latency)

    def _arrive(self, sent_at: float, latency: float) -> None:
        refusal = self.server.arrive(self.simulation.now)
        left = self.server.left(self.simulation.now) if isinstance(self.server, Window) else None
        if refusal is None:
            self.simulation.at(sent_at + latency, self._accepted, sent_at, left)
        else:
            self.simulation.at(sent_at + latency / 2, self._refused, sent_at, refusal.retry_after)

    def _accepted(self, sent_at: float, left: tuple[int, float] | None) -> None:
        now = self.simulation.now
        self.unfinished -= 1
        self.end = now
        if left is not None and isinstance(self.control, Pace):
            self.control.hint(now, remaining=left[0], reset_after=left[1], limit=None)
        self.control.accepted(sent_at, now)
        self._next_target()

    def _refused(self, sent_at: float, retry_after: float | None) -> None:
        now = self.simulation.now
        self.refused += 1
        wait = self.control.refused(sent_at, now, retry_after)
        if self.hold:
            self.simulation.at(now + wait, self._queue)
        else:
            heapq.heappush(self.aside, now + wait)
            self.simulation.at(now + wait, self._due)
            self._next_target()


def ideal(rate: float, burst: float, load: Load) -> float:
    """Seconds a client would need that knows the limit. A bucket of less than one token per worker is no help."""
    rounds = math.ceil(load.targets / load.workers) * load.latency
    return max((load.targets - burst) / rate + load.latency, rounds, load.targets * SEND_COST)


@dataclass(frozen=True, slots=True)
class Scenario:
    name: str
    server: Callable[[], Server]
    latency: float
    workers: int
    ideal: Callable[[Load], float]

    def load(self, targets: int) -> Load:
        return Load(targets, self.latency, self.workers)


def bucket(name: str, rate: float, burst: float, latency: float, workers: int, **options: Any) -> Scenario:
    """A scenario with a token bucket; what its options cost beyond the plain bucket's ideal is part of the result."""
    text = f"{name}: R={rate:g} B={burst:g} L={latency:g} c={workers}"
    return Scenario(
        text, lambda: Bucket(rate, burst, **options), latency, workers, lambda load: ideal(rate, burst, load)
    )


def window_ideal(load: Load) -> float:
    full, rest = divmod(load.targets - 1, 600)
    rounds = math.ceil((rest + 1) / load.workers) * load.latency
    return max(full * 60 + rounds, ideal(math.inf, 0, load))


def changing_ideal(load: Load) -> float:
    """R is 50, then 10 from 60 s to 180 s, then 50; B is 50."""
    left = max(0, load.targets - 50)
    if left <= 3000:
        return left / 50 + load.latency
    return (60 + (left - 3000) / 10 if left <= 4200 else 180 + (left - 4200) / 50) + load.latency


CHANGE = ((60.0, 10.0), (180.0, 50.0))
SCENARIOS = [
    bucket("five times over", 10, 20, 0.2, 10),
    bucket("at the limit", 50, 50, 0.2, 10),
    bucket("small burst", 50, 10, 0.1, 50),
    bucket("small burst, fast", 200, 20, 0.01, 50),
    bucket("large burst", 100, 300, 0.05, 50),
    bucket("below the limit", 100, 200, 0.3, 20),
    bucket("forty times over", 2, 10, 0.25, 20),
    bucket("slow replies", 20, 20, 1.0, 50),
    Scenario(
        "nginx limit_req 200r/s burst=20 nodelay, L=0.002 c=50",
        lambda: Leaky(200, 20), 0.002, 50, lambda load: ideal(200, 21, load),
    ),
    bucket("no Retry-After", 10, 20, 0.2, 10, retry="none"),
    bucket("Retry-After is real", 20, 20, 0.1, 20, retry="real"),
    bucket("Retry-After is 20 times too long", 20, 20, 0.1, 20, retry="long"),
    bucket("a refusal costs a token", 10, 20, 0.2, 10, penalty=1.0),
    bucket("a refusal costs a token", 50, 10, 0.1, 50, penalty=1.0),
    bucket("bucket of one", 20, 1, 0.05, 10),
    bucket("bucket of one", 20, 1, 0.5, 20),
    Scenario("50/s, 10/s from 60 s, 50/s from 180 s, B=50 L=0.2 c=20",
             lambda: Bucket(50, 50, schedule=CHANGE), 0.2, 20, changing_ideal),
    Scenario("600 per minute, L=0.2 c=20", lambda: Window(600), 0.2, 20, window_ideal),
    Scenario("600 per minute, RateLimit headers, L=0.2 c=20", lambda: Window(600, headers=True), 0.2, 20, window_ideal),
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Result:
    ratio: float
    share: float  # of requests refused

    def __str__(self) -> str:
        return "over 10" if self.ratio == math.inf else f"{self.ratio:.2f} {100 * self.share:.1f}%"


def simulate(server: Server, load: Load, control: str, seed: int, hold: bool, patience: float) -> Client:
    """Run one client to its end, or until patience (seconds) is lost. The naive one always holds its worker."""
    simulation = Simulation(seed)
    client = Client(simulation, CONTROLS[control](simulation.random), server, load, hold=hold or control == "naive")
    simulation.run(patience)
    if client.unfinished:
        client.end = math.inf
    return client


def run_scenario(job: tuple[int, int, str, int, bool]) -> Result:
    index, targets, control, seeds, hold = job
    scenario = SCENARIOS[index]
    load = scenario.load(targets)
    patience = 30 + 10 * scenario.ideal(load)
    clients = [simulate(scenario.server(), load, control, seed, hold, patience) for seed in range(seeds)]
    return Result(
        statistics.mean(client.end for client in clients) / scenario.ideal(load),
        statistics.mean(client.refused / client.sent for client in clients),
    )


def scenarios(sizes: list[int], seeds: int, hold: bool) -> None:
    """The table of all controls over all scenarios."""
    rows = [(index, targets) for index in range(len(SCENARIOS)) for targets in sizes]
    jobs = [(*row, control, seeds, hold) for row in rows for control in CONTROLS]
    with ProcessPoolExecutor(2) as executor:
        results = iter(list(executor.map(run_scenario, jobs, chunksize=3)))
    print("| limit | N |", " | ".join(CONTROLS), "|")
    print("| --- | --- |" + " --- |" * len(CONTROLS))
    for index, targets in rows:
        print(f"| {SCENARIOS[index].name} | {targets} |", " | ".join(str(next(results)) for _ in CONTROLS), "|")


def neighbours(seeds: int) -> None:
    """Two clients on one bucket of 20/s and 20 tokens, each with 2000 targets: seconds of ours, and of the other."""
    print("\n| our neighbour on the same limit (together at least 199 s) | we finish | it finishes | our 429s |")
    print("| --- | --- | --- | --- |")
    others = [("**pace**", 10, 0.0), ("**pace**", 10, 30.0), ("naive", 10, 0.0), ("naive", 50, 0.0), ("CUBIC", 10, 0.0)]
    for control, workers, start in others:
        ends: list[tuple[float, float, float]] = []
        for seed in range(seeds):
            simulation = Simulation(seed)
            server, load = Bucket(20, 20), Load(2000, 0.1, 10)
            ours = Client(simulation, CONTROLS["**pace**"](simulation.random), server, load)
            other = Client(
                simulation, CONTROLS[control](simulation.random), server, Load(2000, 0.1, workers), start=start
            )
            simulation.run(10_000)
            ends.append((ours.end, other.end, ours.refused / ours.sent))
        mean = [statistics.mean(column) for column in zip(*ends, strict=True)]
        name = f"{control}, {workers} workers" + (f", starts at {start:g} s" if start else "")
        print(f"| {name} | {mean[0]:.0f} s | {mean[1]:.0f} s | {100 * mean[2]:.1f}% |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two seeds, N up to 1000")
    parser.add_argument("--hold", action="store_true", help="a refused target keeps its worker")
    arguments = parser.parse_args()
    seeds = 2 if arguments.quick else 5
    scenarios([100, 1000] if arguments.quick else [10, 100, 1000, 5000], seeds, arguments.hold)
    neighbours(seeds)


if __name__ == "__main__":
    main()
