"""Running a regime: all its cases in turns, A B C A B C, so that a machine that drifts is fair to all."""

import math
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.benchmarks.comparison import measure, nginx
from tests.benchmarks.comparison.load import Site
from tests.benchmarks.comparison.regimes import Case, Regime
from tests.benchmarks.comparison.tools import Tools


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of one case took."""

    seconds: float
    cpu: float  # seconds
    peak: float  # MiB
    throttled: float  # share of the requests that were answered 429


@dataclass(frozen=True, slots=True)
class Result:
    """The runs of a case, and the ratio of each to what its regime measures by."""

    name: str
    ours: bool
    runs: tuple[Run, ...]
    ratios: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """The median of the ratios, each taken within its round."""
        return median(self.ratios)

    def middle(self, figure: Callable[[Run], float]) -> float:
        """The median of one figure of the runs."""
        return median(figure(run) for run in self.runs)


def compare(regime: Regime, rounds: int, tools: Tools, folder: Path | None) -> list[Result]:
    """Run a regime, with a first round that does not count; who is not to be had here has no result.

    `folder` is where state, reports and logs of the runs go for their time; None: the system's place.
    """
    _warm_up(regime, tools, folder)
    found: dict[str, list[tuple[Run, float]]] = {case.name: [] for case in regime.cases}
    for number in range(rounds):
        first = None
        for case, run in _round(regime, number, tools, folder):
            first = first or run.seconds
            found[case.name].append((run, run.seconds / regime.expected(case, first)))
            print(f"{regime.key} {number + 1}/{rounds}: {case.name}: {run.seconds:.3f} s", file=sys.stderr)
    return [_result(case, found[case.name]) for case in regime.cases if found[case.name]]


def _result(case: Case, runs: list[tuple[Run, float]]) -> Result:
    return Result(case.name, case.contender.ours, tuple(run for run, _ in runs), tuple(ratio for _, ratio in runs))


def _warm_up(regime: Regime, tools: Tools, folder: Path | None) -> None:
    """Bring every program into the page cache, and Python's into bytecode, with a small load."""
    for case in regime.cases:
        _run(case.small(), tools, folder)


def _round(regime: Regime, number: int, tools: Tools, folder: Path | None) -> Iterator[tuple[Case, Run]]:
    for case in regime.cases:
        run = _run(case, tools, folder) if case.rounds is None or number < case.rounds else None
        if run is not None:
            yield case, run


def _run(case: Case, tools: Tools, folder: Path | None) -> Run | None:
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=folder) as name:
        place = Path(name)
        with nginx.serving(case.server, place / "nginx") as server:
            site = Site(server.origin, place, case.load)
            command = case.contender.command(site, tools)
            if command is None:
                return None
            usage = measure.run(command, case.contender.environment(site), place / "output")
        return _judged(case, usage, server)


def _judged(case: Case, usage: measure.Usage, server: nginx.Running) -> Run:
    """The run's figures; raises `RuntimeError` if the work was not done."""
    paused, total, throttled, first = set[str](), 0, 0, math.inf
    for request in server.requests():
        total += 1
        throttled += request.status == 429
        first = min(first, request.ended_at - request.seconds)
        if request.status == 200 and request.path.endswith("/pause"):
            paused.add(request.path)
    if case.contender.pauses and len(paused) != case.load.count:
        raise RuntimeError(f"{case.name}: {len(paused)} of {case.load.count} connectors were paused")
    seconds = first - usage.started_at if case.to_first_request else usage.seconds
    return Run(seconds, usage.cpu, usage.peak, throttled / max(1, total))
