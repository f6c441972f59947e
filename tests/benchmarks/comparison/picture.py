"""The results as a picture: a row per contender, a bar from 1 to its ratio, logarithmic. SVG, light and dark."""

import math
from collections.abc import Iterator, Sequence
from html import escape

from tests.benchmarks.comparison.regimes import Regime
from tests.benchmarks.comparison.rounds import Result

_WIDTH, _LEFT, _RIGHT = 860, 340, 60
_ROW, _HEAD, _GAP = 22, 46, 26
_LOW, _HIGH = 0.06, 64.0  # of the scale
_TICKS = (0.25, 0.5, 1, 2, 4, 8, 16)

_STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328; }
.title { font-weight: 600; } .note { font-size: 11px; fill: #59636e; }
.grid { stroke: #d1d9e0; } .one { stroke: #59636e; }
.bar { stroke: #818b98; stroke-width: 8; } .ours { stroke: #1a7f37; } .us { font-weight: 600; fill: #1a7f37; }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc; } .note { fill: #9198a1; } .grid { stroke: #3d444d; } .one { stroke: #9198a1; }
  .bar { stroke: #656c76; } .ours { stroke: #3fb950; } .us { fill: #3fb950; }
}
"""


def picture(compared: Sequence[tuple[Regime, Sequence[Result]]]) -> str:
    """One panel per regime, below each other."""
    panels: list[str] = []
    top = 0
    for regime, results in compared:
        panels += _panel(regime, results, top)
        top += _HEAD + _ROW * len(results) + _GAP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {top}" width="{_WIDTH}" height="{top}" '
        f'role="img" aria-label="Time of c1-runner and others, as ratios">\n<style>{_STYLE}</style>\n'
        + "\n".join(panels)
        + "\n</svg>\n"
    )


def _panel(regime: Regime, results: Sequence[Result], top: int) -> Iterator[str]:
    bottom = top + _HEAD + _ROW * len(results)
    yield f'<text class="title" x="10" y="{top + 18}">{escape(regime.title)}</text>'
    yield f'<text class="note" x="10" y="{top + 34}">1 = {escape(regime.measure)}; less is better</text>'
    for tick in _TICKS:
        x = _x(tick)
        yield f'<line class="{"one" if tick == 1 else "grid"}" x1="{x}" x2="{x}" y1="{top + _HEAD}" y2="{bottom}"/>'
        yield f'<text class="note" x="{x}" y="{bottom + 13}" text-anchor="middle">{tick:g}</text>'
    for number, result in enumerate(results):
        yield from _row(result, top + _HEAD + _ROW * number + _ROW // 2)


def _row(result: Result, y: int) -> Iterator[str]:
    one, end = _x(1), _x(result.ratio)
    name, bar = ("us", "bar ours") if result.ours else ("", "bar")
    place, anchor = (end + 6, "start") if end >= one else (end - 6, "end")
    yield f'<text class="{name}" x="{_LEFT - 10}" y="{y + 4}" text-anchor="end">{escape(result.name)}</text>'
    yield f'<line class="{bar}" x1="{one}" x2="{end}" y1="{y}" y2="{y}"/>'
    yield f'<text class="{name}" x="{place}" y="{y + 4}" text-anchor="{anchor}">{result.ratio:.2f}</text>'


def _x(ratio: float) -> int:
    share = math.log(min(max(ratio, _LOW), _HIGH) / _LOW) / math.log(_HIGH / _LOW)
    return round(_LEFT + share * (_WIDTH - _LEFT - _RIGHT))
