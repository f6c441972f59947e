"""The time axis that the drawings share."""

import math
from dataclasses import dataclass

from runner.report.html.digest import Spans
from runner.report.html.markup import Markup, element, escaped
from runner.report.words import duration_text
from runner.store.records import RunRecord

_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400)
_TICKS = 6
"""About so many marks fit on a phone."""


@dataclass(frozen=True, slots=True)
class Axis:
    """From the run's start to its end, as shares of the width."""

    start: float  # seconds since the epoch
    length: float  # seconds, more than 0

    def percent(self, moment: float) -> float:
        """Where a moment lies, from 0 to 100."""
        return min(max((moment - self.start) / self.length, 0.0), 1.0) * 100

    def ticks(self) -> list[float]:
        """Round numbers of seconds since the start, in order, the first one 0."""
        step = _step(self.length)
        return [step * place for place in range(int(self.length / step) + 1)]


def axis_of(run: RunRecord, spans: Spans) -> Axis:
    """The axis that shows a whole run."""
    end = max([run.started_at, run.finished_at or run.started_at, *spans.ends])
    return Axis(run.started_at, max(end - run.started_at, 0.001))


def scale(axis: Axis) -> Markup:
    """The axis itself, with its marks named."""
    marks = []
    for seconds in axis.ticks():
        place = axis.percent(axis.start + seconds)
        anchor = "start" if place < 4 else "end" if place > 96 else "middle"
        label = escaped(_label(seconds))
        marks.append(element("text", label, x=f"{place:.2f}%", y="13", text_anchor=anchor))
    return element("svg", *marks, class_="scale", width="100%", height="18", aria_hidden="true")


def grid(axis: Axis) -> Markup:
    """Faint upright lines at the marks of the axis."""
    lines = []
    for seconds in axis.ticks():
        place = f"{axis.percent(axis.start + seconds):.2f}%"
        lines.append(element("line", x1=place, x2=place, y1="0", y2="100%"))
    return element("g", *lines, class_="grid")


def _label(seconds: float) -> str:
    if seconds >= 60:
        return duration_text(seconds)
    return f"{seconds:g} s" if seconds else "0"


def _step(length: float) -> float:
    rough = length / _TICKS
    for step in _STEPS:
        if rough <= step and rough > 0.5:
            return step
    if rough > _STEPS[-1]:
        return math.ceil(rough / 86_400) * 86_400
    power = 10.0 ** math.floor(math.log10(rough))
    return next(step * power for step in (1, 2, 5, 10) if rough <= step * power * 1.0001)
