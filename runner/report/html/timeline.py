"""The drawing of a run: each target's wait and work, as lines with names, or packed when there are many."""

import heapq

from runner.base.model import Outcome
from runner.report.document import duration
from runner.report.html.axis import Axis, grid, scale
from runner.report.html.digest import NAMED_SPANS, OUTCOMES, Spans
from runner.report.html.markup import NOTHING, Markup, element, escaped, joined
from runner.report.text import shortened
from runner.report.words import attempts_text, duration_text, waits_text
from runner.store.records import TargetRecord

PACKED_SPANS = 30_000
"""More bars than this are no picture any more; the drawing of the pace beside it remains."""

_WIDTH = 20_000
"""Units across the packed drawing: a bar is never thinner than one screen pixel or so."""

_LANE, _BAR, _STRIP = 10, 8, 3
"""Units of height in the packed drawing: a lane, a bar in it, and the strip of one that had to wait."""


def timeline(axis: Axis, spans: Spans) -> Markup:
    """The drawing, or nothing when nothing was attempted."""
    if not 0 < len(spans) <= PACKED_SPANS:
        return NOTHING
    return _lines(axis, spans) if len(spans) <= NAMED_SPANS else _packed(axis, spans)


def _lines(axis: Axis, spans: Spans) -> Markup:
    ordered = sorted(spans.named, key=lambda target: target.started_at or 0.0)
    items = [_line(axis, target, spans.held_back(target)) for target in ordered]
    last = element("li", element("span"), scale(axis), element("span"), class_="axis", aria_hidden="true")
    return element("ol", *items, last, class_="lines")


def _line(axis: Axis, target: TargetRecord, held: float) -> Markup:
    name = target.connector_name or str(target.target)
    begin = axis.percent(target.started_at or axis.start)
    width = max(axis.percent(target.finished_at or axis.start) - begin, 0.4)
    begin = min(begin, 100 - width)
    drawing = element(
        "svg",
        grid(axis),
        element("rect", class_="wait", x=0, y=7, width=f"{begin:.2f}%", height=2),
        _bar(str(target.outcome), begin, width, top=3, height=10),
        _bar("waited", begin, axis.percent(axis.start + held), top=9, height=4) if held else NOTHING,
        width="100%",
        height=16,
        aria_hidden="true",
    )
    return element(
        "li",
        element("span", element("bdi", escaped(shortened(name, 80))), class_="who"),
        drawing,
        element("span", escaped(_took(target)), _held(held), class_="took"),
    )


def _bar(kind: str, begin: float, width: float, *, top: int, height: int) -> Markup:
    return element("rect", class_=kind, x=f"{begin:.2f}%", y=top, width=f"{width:.2f}%", height=height, rx=2)


def _took(target: TargetRecord) -> str:
    parts = [duration_text(duration(target.started_at, target.finished_at) or 0.0)]
    if target.attempts > 1:
        parts.append(attempts_text(target.attempts))
    if target.throttled:
        parts.append(waits_text(target.throttled))
    return " · ".join(parts)


def _held(seconds: float) -> Markup:
    return element("i", escaped(f" · held back {duration_text(seconds)}")) if seconds else NOTHING


def _packed(axis: Axis, spans: Spans) -> Markup:
    """Bars in as few lanes as were busy at once, one path for each outcome: small, and quick to draw."""
    paths: dict[str, list[str]] = {}
    lanes = 0
    for place, lane in pack(spans):
        lanes = max(lanes, lane + 1)
        begin = round(axis.percent(spans.starts[place]) * _WIDTH / 100)
        width = max(round(axis.percent(spans.ends[place]) * _WIDTH / 100) - begin - 4, 8)
        top = lane * _LANE + 1
        paths.setdefault(OUTCOMES[spans.outcomes[place]], []).append(_box(begin, top, width, _BAR))
        if held := spans.waited[place]:
            wide = min(round(axis.percent(axis.start + held) * _WIDTH / 100), width)
            paths.setdefault("waited", []).append(_box(begin, top + _BAR - _STRIP, wide, _STRIP))
    drawn = [element("path", class_=kind, d="".join(paths[kind])) for kind in (*Outcome, "waited") if kind in paths]
    height = lanes * _LANE
    inner = element(
        "svg", *drawn, viewBox=f"0 0 {_WIDTH} {height}", preserveAspectRatio="none", width="100%", height="100%"
    )
    pixels = min(max(lanes * 12, 60), max(300, lanes * 3))
    picture = element("svg", grid(axis), inner, class_="packed", width="100%", height=pixels, aria_hidden="true")
    return joined([picture, scale(axis)])


def _box(begin: int, top: int, width: int, height: int) -> str:
    return f"M{begin} {top}h{width}v{height}h-{width}z"


def pack(spans: Spans) -> list[tuple[int, int]]:
    """(place, lane) of every span, in order of start: each in the lowest lane that is free again."""
    order = sorted(range(len(spans)), key=spans.starts.__getitem__)
    busy: list[tuple[float, int]] = []  # (end, lane)
    free: list[int] = []
    placed = []
    for place in order:
        while busy and busy[0][0] <= spans.starts[place]:
            heapq.heappush(free, heapq.heappop(busy)[1])
        lane = heapq.heappop(free) if free else len(busy)
        heapq.heappush(busy, (spans.ends[place], lane))
        placed.append((place, lane))
    return placed
