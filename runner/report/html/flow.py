"""The drawing of the run's pace: what came to its end when, where C1 asked to slow down, the learned limit."""

from collections import Counter
from dataclasses import dataclass

from runner.base.model import Outcome
from runner.report.html.axis import Axis, grid, scale
from runner.report.html.digest import OUTCOMES, Spans
from runner.report.html.markup import NOTHING, Markup, element, escaped, joined
from runner.store.records import PaceSample

FEWEST = 50
"""Targets below which a pace is no more than noise, unless there is a limit to compare it with."""

_MOST_COLUMNS, _FEWEST_COLUMNS = 80, 10
_PER_COLUMN = 2
"""Targets that a column has on average at least, if there are enough of them."""

_HEIGHT = 110
"""Pixels of the drawing above the line of refusals."""

_MARKS = 10
"""Pixels of that line."""

_ABOVE = 4.0
"""A limit more than so many times above all that happened limited nothing, and would dwarf what did."""


@dataclass(frozen=True, slots=True)
class _Grid:
    """The columns that time is cut into."""

    axis: Axis
    columns: int

    @property
    def span(self) -> float:
        """Seconds of one column."""
        return self.axis.length / self.columns

    @property
    def wide(self) -> str:
        """The width of a column's bar."""
        return f"{100 / self.columns * 0.86:.3f}%"

    def place(self, moment: float) -> int:
        """The column of a moment (seconds since the epoch)."""
        return min(int(self.axis.percent(moment) * self.columns / 100), self.columns - 1)

    def x(self, place: int) -> str:
        """Where a column begins."""
        return f"{100 / self.columns * place:.3f}%"


def flow(axis: Axis, spans: Spans, pace: tuple[PaceSample, ...]) -> Markup:
    """The drawing, or nothing for a run of a few targets without a known pace."""
    if len(spans) < FEWEST and not pace:
        return NOTHING
    cut = _Grid(axis, min(max(len(spans) // _PER_COLUMN, _FEWEST_COLUMNS), _MOST_COLUMNS))
    ended: list[Counter[Outcome]] = [Counter() for _ in range(cut.columns)]
    for place, end in enumerate(spans.ends):
        ended[cut.place(end)][OUTCOMES[spans.outcomes[place]]] += 1
    busiest = max(sum(column.values()) for column in ended) / cut.span
    highest = max([busiest, *(rate for rate in _limits(pace, busiest) if rate is not None)])
    bars = [
        bar for place, column in enumerate(ended) for bar in _bars(cut, place, column, _HEIGHT / highest / cut.span)
    ]
    picture = element(
        "svg",
        grid(axis),
        *bars,
        _limit(axis, pace, _limits(pace, busiest), highest),
        *_refusals(cut, _refused(cut, spans, pace)),
        class_="flow",
        width="100%",
        height=_HEIGHT + _MARKS + 2,
        aria_hidden="true",
    )
    top = element(
        "p", escaped(f"{highest:,.0f} a second" if highest >= 100 else f"{highest:.3g} a second"), class_="top"
    )
    return joined([top, picture, scale(axis)])


def _limits(pace: tuple[PaceSample, ...], busiest: float) -> list[float | None]:
    """The rate of each sample, None where it limited nothing."""
    return [None if sample.rate is None or sample.rate > busiest * _ABOVE else sample.rate for sample in pace]


def _bars(cut: _Grid, place: int, column: "Counter[Outcome]", unit: float) -> list[Markup]:
    """One column's outcomes, stacked; `unit` is the height of one target."""
    bars = []
    top = float(_HEIGHT)
    for outcome in OUTCOMES:
        if count := column[outcome]:
            height = max(count * unit, 1.0)
            top -= height
            x = cut.x(place)
            bars.append(element("rect", class_=str(outcome), x=x, y=max(top, 0.0), width=cut.wide, height=height))
    return bars


def _refused(cut: _Grid, spans: Spans, pace: tuple[PaceSample, ...]) -> "Counter[int]":
    """How often C1 asked to slow down, by column: exact where samples tell, else by the targets concerned."""
    refused: Counter[int] = Counter()
    if any(sample.refused for sample in pace):
        for sample in pace:
            refused[cut.place(sample.at)] += sample.refused
        return +refused
    for place, waited in enumerate(spans.throttled):
        if waited:
            refused[cut.place(spans.starts[place])] += 1
    return refused


def _refusals(cut: _Grid, refused: "Counter[int]") -> list[Markup]:
    most = max(refused.values(), default=0)
    marks = []
    for place, count in sorted(refused.items()):
        height = max(_MARKS * count / most, 3.0)
        x = cut.x(place)
        marks.append(element("rect", class_="waited", x=x, y=_HEIGHT + 2, width=cut.wide, height=height))
    return marks


def _limit(axis: Axis, pace: tuple[PaceSample, ...], limits: list[float | None], highest: float) -> Markup:
    """The learned limit as a line of steps, broken where none was known."""
    steps = []
    level: float | None = None
    for sample, rate in zip(pace, limits, strict=True):
        x, before = axis.percent(sample.at), level
        level = None if rate is None else _HEIGHT * (1 - rate / highest)
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
