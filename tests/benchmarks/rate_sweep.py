"""How near the ideal does the learned pace come, over a whole grid of limits, bursts, latencies and workers?

    python -m tests.benchmarks.rate_sweep              # the grid, as the Markdown table in runner/api/PACE.md
    python -m tests.benchmarks.rate_sweep --unseen 9   # 400 points of the same ranges, drawn with a seed
    python -m tests.benchmarks.rate_sweep --all        # the other controls as well
    python -m tests.benchmarks.rate_sweep --untold     # nobody knows how many targets are left, as during a listing
    python -m tests.benchmarks.rate_sweep --missed     # name each point that is missed, and what is possible there

A point is met if the run takes at most 1.15 (N=1000) or 1.05 (N=5000) times the ideal and at most 5 % of its requests
are refused. A point that is missed is tried again with a client that knows R and B, keeps the two rules that the pace
keeps (a refused target waits its Retry-After; a second refusal meanwhile holds up everybody), and has the best of 33
ways to send: where even that one misses, nobody could do it.
"""

import argparse
import itertools
import math
import random
import statistics
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

from tests.benchmarks.rate_controls import CONTROLS, Control, Known
from tests.benchmarks.rate_servers import Bucket
from tests.benchmarks.ratesim import Client, Load, Result, Simulation, ideal

RATES = (2, 5, 10, 20, 50, 100, 200)
BURSTS = (0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10)  # in seconds of the rate
LATENCIES = (0.002, 0.02, 0.1, 0.3, 1.0)
WORKERS = (5, 10, 20, 50)

SLOWEST = {1000: 1.15, 5000: 1.05}
"""How many times the ideal a run of so many targets may take."""

MOST_REFUSED = 0.05
KINDS = {"all but B=1": (2, math.inf), "B=1": (1, 1), "B=2,3": (2, 3), "B>=4": (4, math.inf)}


class Point(NamedTuple):
    rate: float
    burst: float
    latency: float  # seconds
    workers: int

    def __str__(self) -> str:
        return f"R={self.rate:.3g} B={self.burst:g} L={self.latency:.3g} c={self.workers}"


class Job(NamedTuple):
    point: Point
    targets: int
    control: str  # one of CONTROLS; or "known", with the two below
    share: float = 1.0  # of the rate
    size: float = 1.0  # of a client-side bucket
    told: bool = True  # how many targets are left

    def made(self, rng: random.Random) -> Control:
        if self.control == "known":
            return Known(self.point.rate * self.share, self.size)
        return CONTROLS[self.control](rng)


def grid() -> list[Point]:
    pairs = sorted({(rate, max(1, round(rate * seconds))) for rate in RATES for seconds in BURSTS})
    return [
        Point(rate, burst, latency, workers)
        for (rate, burst), latency, workers in itertools.product(pairs, LATENCIES, WORKERS)
    ]


def unseen(seed: int, count: int = 400) -> list[Point]:
    """Points of the same ranges: R, B and L log-uniform, c uniform."""
    rng = random.Random(seed)

    def drawn(least: float, most: float) -> float:
        return math.exp(rng.uniform(math.log(least), math.log(most)))

    points = []
    for _ in range(count):
        rate = drawn(2, 200)
        points.append(Point(rate, max(1, round(rate * drawn(0.1, 10))), drawn(0.002, 1), rng.randint(5, 50)))
    return points


def run(job: Job) -> Result:
    """One point: the mean of two seeds for a short run, one for a long one."""
    load = Load(job.targets, job.point.latency, job.point.workers)
    best = ideal(job.point.rate, job.point.burst, load)
    clients = []
    for seed in (1, 2) if job.targets <= 1000 else (1,):
        simulation = Simulation(seed)
        server = Bucket(job.point.rate, job.point.burst)
        client = Client(
            simulation, job.made(simulation.random), server, load, hold=job.control == "naive", told=job.told
        )
        simulation.run(30 + 10 * best)
        client.end = math.inf if client.unfinished else client.end
        clients.append(client)
    return Result(
        statistics.mean(client.end for client in clients) / best,
        statistics.mean(client.refused / client.sent for client in clients),
    )


def met(targets: int, result: Result) -> bool:
    return result.ratio <= SLOWEST[targets] and result.share <= MOST_REFUSED


def best_known(executor: ProcessPoolExecutor, points: list[Point], targets: int) -> Iterator[float]:
    """The least time, in multiples of the ideal, that a client needs that knows the limit, at most 5 % refused."""
    shares = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.93, 0.96, 0.98, 1.0, 1.03)
    for point in points:
        sizes = {1.0, max(1.0, point.burst / 2), point.burst}
        jobs = [Job(point, targets, "known", *way) for way in itertools.product(shares, sorted(sizes))]
        results = executor.map(run, jobs, chunksize=4)
        yield min((result.ratio for result in results if result.share <= MOST_REFUSED), default=math.inf)


def sweep(points: list[Point], controls: list[str], *, name_missed: bool, told: bool) -> None:
    """A row for each number of targets, control and kind of bucket."""
    print("| N | control | points | T/ideal p50 / p90 / max | 429 p50 / p90 / max | met | missed, and nobody could |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    with ProcessPoolExecutor(2) as executor:
        for targets, control in itertools.product(SLOWEST, controls):
            jobs = [Job(point, targets, control, told=told) for point in points]
            results = dict(zip(points, executor.map(run, jobs, chunksize=8), strict=True))
            missed = [point for point, result in results.items() if point.burst > 1 and not met(targets, result)]
            known = dict(zip(missed, best_known(executor, missed, targets), strict=True)) if "pace" in control else {}
            for kind, (least, most) in KINDS.items():
                among = {point: result for point, result in results.items() if least <= point.burst <= most}
                print(_row(f"{targets} | {control} | {kind}", targets, among, known))
            for point in missed if name_missed else ():
                print(f"    missed: {point}: {results[point]}; one that knows the limit: {known.get(point, 0):.2f}")


def _row(name: str, targets: int, among: dict[Point, Result], known: dict[Point, float]) -> str:
    ratios, shares = sorted(r.ratio for r in among.values()), sorted(100 * r.share for r in among.values())
    half, tenth = len(among) // 2, len(among) * 9 // 10
    missed = [point for point, result in among.items() if not met(targets, result)]
    hopeless = sum(known.get(point, 0) > SLOWEST[targets] for point in missed)
    return (
        f"| {name} ({len(among)}) | {ratios[half]:.2f} / {ratios[tenth]:.2f} / {ratios[-1]:.2f}"
        f" | {shares[half]:.1f} / {shares[tenth]:.1f} / {shares[-1]:.1f} % | {1 - len(missed) / len(among):.1%}"
        f" | {len(missed)}, {hopeless if known else '-'} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--unseen", type=int, nargs="*", metavar="SEED", help="400 points drawn with each seed")
    parser.add_argument("--all", action="store_true", help="every control")
    parser.add_argument("--untold", action="store_true", help="the pace does not know how many targets are left")
    parser.add_argument("--missed", action="store_true", help="name the points that are missed")
    arguments = parser.parse_args()
    points = [point for seed in arguments.unseen or () for point in unseen(seed)] or grid()
    controls = list(CONTROLS) if arguments.all else ["**pace**"]
    sweep(points, controls, name_missed=arguments.missed, told=not arguments.untold)


if __name__ == "__main__":
    main()
