"""The results as Markdown."""

from collections.abc import Iterator, Sequence

from tests.benchmarks.comparison import contenders as who
from tests.benchmarks.comparison.regimes import Regime
from tests.benchmarks.comparison.rounds import Result

_COLUMNS = (who.EQUAL, who.AIOHTTP, who.GO, who.CURL, who.SDK, who.XARGS)

Compared = Sequence[tuple[Regime, Sequence[Result]]]


def summary(compared: Compared) -> str:
    """All ratios in two tables (tests/README.md has their figures): beside the others, and ours alone."""
    return "\n".join(("### Beside the others", "", *_beside(compared), "", "### Alone", "", *_alone(compared), ""))


def _beside(compared: Compared) -> Iterator[str]:
    yield f"| {' | '.join(['', *(column.name for column in _COLUMNS)])} |"
    yield f"| --- |{' ---: |' * len(_COLUMNS)}"
    for regime, results in compared:
        ratios = {result.name: f"{result.ratio:.2f}" for result in results}
        if who.EQUAL.name in ratios:
            cells = (ratios.get(column.name, "") for column in _COLUMNS)
            yield f"| {regime.title}: {_ratio_words(regime)} | **{next(cells)}** | {' | '.join(cells)} |"


def _alone(compared: Compared) -> Iterator[str]:
    yield "| | ratio | peak MiB |"
    yield "| --- | ---: | ---: |"
    for regime, results in compared:
        for result in results:
            if result.ours and result.name != who.EQUAL.name:
                peak = result.middle(lambda run: run.peak)
                yield f"| {regime.title}: {result.name}: {_ratio_words(regime)} | {result.ratio:.2f} | {peak:.0f} |"


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
