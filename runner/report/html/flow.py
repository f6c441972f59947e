"""The drawing of the run's pace: what came to its end when, where C1 asked to slow down, the learned limit."""

from collections import Counter

from runner.model import Outcome
from runner.report.extras import PaceSample
from runner.report.html.axis import Axis, grid, scale
from runner.report.html.digest import OUTCOMES, Spans
from runner.report.html.markup import NOTHING, Markup, element, escaped, joined

FEWEST = 50
"""Targets below which a pace is no more than noise."""

_COLUMNS = 80
_HEIGHT = 110
"""Pixels of the drawing above the line of refusals."""

_MARKS = 10
"""Pixels of that line."""


def flow(axis: Axis, spans: Spans, pace: tuple[PaceSample, ...]) -> Markup:
    """The drawing, or nothing for a run of a few targets without a known pace."""
    if len(spans) < FEWEST:
        return NOTHING
    ended: list[Counter[Outcome]] = [Counter() for _ in range(_COLUMNS)]
    for place, end in enumerate(spans.ends):
        ended[_column(axis, end)][OUTCOMES[spans.outcomes[place]]] += 1
    span = axis.length / _COLUMNS  # seconds
    rates = [sample.rate for sample in pace if sample.rate is not None]
    highest = max([sum(column.values()) / span for column in ended] + rates)
    bars = [bar for place, column in enumerate(ended) for bar in _bars(place, column, _HEIGHT / highest / span)]
    picture = element(
        "svg",
        grid(axis),
        *bars,
        _limit(axis, pace, highest),
        *_refusals(_refused(axis, spans, pace)),
        class_="flow",
        width="100%",
        height=_HEIGHT + _MARKS + 2,
        aria_hidden="true",
    )
    top = element("p", escaped(f"{highest:,.3g} a second"), class_="top")
    return joined([top, picture, scale(axis)])


def _bars(place: int, column: "Counter[Outcome]", unit: float) -> list[Markup]:
    """One column's outcomes, stacked; `unit` is the height of one target."""
    bars = []
    top = float(_HEIGHT)
    for outcome in OUTCOMES:
        if count := column[outcome]:
            height = max(count * unit, 1.0)
            top -= height
            bars.append(element("rect", class_=str(outcome), x=_x(place), y=max(top, 0.0), width=_WIDE, height=height))
    return bars


def _refused(axis: Axis, spans: Spans, pace: tuple[PaceSample, ...]) -> "Counter[int]":
    """How often C1 asked to slow down, by column: exact where samples tell, else by the targets concerned."""
    refused: Counter[int] = Counter()
    if any(sample.refused for sample in pace):
        for sample in pace:
            refused[_column(axis, sample.at)] += sample.refused
        return +refused
    for place, waited in enumerate(spans.throttled):
        if waited:
            refused[_column(axis, spans.starts[place])] += 1
    return refused


def _refusals(refused: "Counter[int]") -> list[Markup]:
    most = max(refused.values(), default=0)
    marks = []
    for place, count in sorted(refused.items()):
        height = max(_MARKS * count / most, 3.0)
        marks.append(element("rect", class_="waited", x=_x(place), y=_HEIGHT + 2, width=_WIDE, height=height))
    return marks


def _limit(axis: Axis, pace: tuple[PaceSample, ...], highest: float) -> Markup:
    """The learned limit as a line of steps, broken where none was known."""
    steps = []
    level: float | None = None
    for sample in pace:
        x, before = axis.percent(sample.at), level
        level = None if sample.rate is None else _HEIGHT * (1 - sample.rate / highest)
        if before is not None:
            steps.append(f"H{x:.2f}")
        if level is not None:
            steps.append(f"V{level:.1f}" if before is not None else f"M{x:.2f} {level:.1f}")
    if not steps:
        return NOTHING
    if level is not None:
        steps.append("H100")
    path = element("path", class_="limit", d="".join(steps), vector_effect="non-scaling-stroke")
    return element("svg", path, viewBox=f"0 0 100 {_HEIGHT}", preserveAspectRatio="none", width="100%", height=_HEIGHT)


_WIDE = f"{100 / _COLUMNS * 0.86:.3f}%"


def _x(place: int) -> str:
    return f"{100 / _COLUMNS * place:.3f}%"


def _column(axis: Axis, moment: float) -> int:
    return min(int(axis.percent(moment) * _COLUMNS / 100), _COLUMNS - 1)
