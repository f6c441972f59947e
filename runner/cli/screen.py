"""Lines on stderr, and below them, on a terminal, a few that are drawn again and again in their place."""

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from typing import Self

_TO_LINE_END, _TO_SCREEN_END = "\x1b[K", "\x1b[J"
_HIDE_CURSOR, _SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"

Draw = Callable[[int], Sequence[str]]
"""The lines to show in so many columns; each must be shorter than that. Colours are codes in them."""


class Live(AbstractContextManager["Live"]):
    """The last lines of the terminal, until the end of the block; then they are gone.

    Between two frames the cursor rests at their start. So whatever a terminal makes of them when it is resized, it
    stands below the cursor and can be wiped whole. A frame is one write, and nothing is written for an equal one.
    """

    def __init__(self, draw: Draw) -> None:
        self._draw = draw
        self._frame = ""
        self._width = 0

    def __enter__(self) -> Self:
        global _live
        _live = self
        _write(_HIDE_CURSOR)
        return self

    def __exit__(self, *_: object) -> None:
        global _live
        _live = None
        _write(_TO_SCREEN_END + _SHOW_CURSOR)

    def refresh(self) -> None:
        """Draw them anew, if they have changed."""
        width = columns()
        frame = _framed(self._draw(width))
        if width != self._width:
            self._width = width
            _write(_TO_SCREEN_END + frame)
        elif frame != self._frame:
            _write(frame)
        self._frame = frame

    def above(self, line: str) -> None:
        """Put a line above them; it stays."""
        _write(f"{_TO_SCREEN_END}{line}\r\n{self._frame}")


_live: Live | None = None


def say(line: str) -> None:
    """A line on stderr, above what is drawn there; a reader that left must not end the run."""
    if _live is not None:
        _live.above(line.replace("\n", "\r\n"))
    else:
        with suppress(OSError):
            print(line, file=sys.stderr, flush=True)


def columns() -> int:
    """How wide the terminal is that stderr leads to."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except (OSError, ValueError, AttributeError):  # no terminal, or a stream that is none of the system's
        return 80


def _framed(lines: Sequence[str]) -> str:
    back = f"\x1b[{len(lines) - 1}A" if len(lines) > 1 else ""
    return "\r\n".join(line + _TO_LINE_END for line in lines) + _TO_SCREEN_END + "\r" + back


def _write(text: str) -> None:
    with suppress(OSError):
        sys.stderr.write(text)
        sys.stderr.flush()
