"""Two lines on the terminal that say how far a run is, in as many columns as there are; drawn with rich."""

import io
import time
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from runner.cli.counting import Counting

_SHARE, _LEAST, _MOST = 4, 8, 50
"""The bar has this part of the line, whatever stands beside it, and so many columns; or it is left out."""

_BETWEEN = " · "


class Picture:
    """Draws what `counting` knows; `__call__` with the columns there are."""

    def __init__(self, counting: Counting) -> None:
        self._counting = counting
        # It makes text alone: when something reaches the terminal is not rich's business here.
        self._console = Console(file=io.StringIO(), force_terminal=True, highlight=False)

    def __call__(self, width: int) -> Sequence[str]:
        """The two lines, each shorter than `width`."""
        counting, room = self._counting, width - 1
        bar = self._bar(min(room // _SHARE, _MOST))
        words = (
            (counting.progress, "bold"),
            (counting.trouble, "red"),
            (counting.left, ""),
            (_clock(time.monotonic() - counting.begun), "dim"),
        )
        first = bar + _fitting(words, room - len(bar))
        second = _fitting([(counting.waiting, "yellow"), *((words, "dim") for words in counting.work)], room)
        return [self._ansi(first), self._ansi(second)]

    def failure(self, outcome: str, text: str) -> str:
        """A line about a target that went wrong; `text` is plain."""
        return self._ansi(Text.assemble((f"{outcome}:", "red"), f" {text}"))

    def _bar(self, width: int) -> Text:
        counting = self._counting
        if width < _LEAST or counting.growing or not counting.total:
            return Text()
        done = width * counting.done // counting.total
        rest = " " if self._console.no_color else "━"
        return Text.assemble(("━" * done, "green"), (rest * (width - done), "bright_black"), "  ")

    def _ansi(self, text: Text) -> str:
        with self._console.capture() as captured:
            self._console.print(text, end="", soft_wrap=True)
        return captured.get()


def _fitting(parts: Sequence[tuple[str, str]], room: int) -> Text:
    """As many of the parts as there is room for, from the first one on; that one is cut if it must be."""
    line = Text()
    for words, style in parts:
        if not words:
            continue
        part = Text.assemble(_BETWEEN if line else "", (words, style))
        if line and line.cell_len + part.cell_len > room:
            break
        line.append_text(part)
    line.truncate(room, overflow="ellipsis")
    return line


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
