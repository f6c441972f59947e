"""The results as Markdown."""

from collections.abc import Sequence

from tests.benchmarks.comparison.regimes import Regime
from tests.benchmarks.comparison.rounds import Result


def table(regime: Regime, results: Sequence[Result]) -> str:
    """A heading and a table, the contenders in the order in which they ran."""
    lines = [
        f"### {regime.title}",
        "",
        f"Ratio: {_ratio_words(regime)}.",
        "",
        "| | ratio | seconds | fastest to slowest | CPU seconds | peak MiB | 429s | runs |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        *(_row(result) for result in results),
    ]
    return "\n".join(lines) + "\n"


def _ratio_words(regime: Regime) -> str:
    return f"time {'per connector ' if regime.per_connector else ''}/ {regime.measure}"


def _row(result: Result) -> str:
    times = [run.seconds for run in result.runs]
    mark = "**" if result.ours else ""
    cells = (
        f"{mark}{result.name}{mark}",
        f"{mark}{result.ratio:.2f}{mark}",
        f"{result.middle(lambda run: run.seconds):.3g}",
        f"{min(times):.3g} to {max(times):.3g}",
        f"{result.middle(lambda run: run.cpu):.2f}",
        f"{result.middle(lambda run: run.peak):.0f}",
        f"{result.middle(lambda run: run.throttled):.1%}",
        str(len(times)),
    )
    return f"| {' | '.join(cells)} |"
