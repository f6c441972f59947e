"""How far a listing is: told on a terminal, when it takes long, and taken away again."""

import io
import sys
from types import SimpleNamespace

import pytest

from runner.cli import listing


class Stream(io.StringIO):
    """A standard error that is a terminal, or none."""

    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


def told(monkeypatch: pytest.MonkeyPatch, *, terminal: bool, moments: list[float]) -> str:
    """What is written when apps are through at these seconds."""
    stream, clock = Stream(terminal=terminal), SimpleNamespace(now=0.0)
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(listing, "time", SimpleNamespace(monotonic=lambda: clock.now))
    with listing.Listing() as shown:
        for number, clock.now in enumerate(moments, 1):
            shown(number, number * 1000)
    return stream.getvalue()


def test_a_quick_listing_is_not_worth_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(monkeypatch, terminal=True, moments=[0.1, 0.9]) == ""


def test_a_long_one_is_told_now_and_then_and_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    written = told(monkeypatch, terminal=True, moments=[0.5, 1.1, 1.15, 1.4])

    assert [part.partition(" ")[2] for part in written.split("\r\x1b[2K")] == [
        "",
        "2,000 connectors in 2 apps found so far",
        "4,000 connectors in 4 apps found so far",
        "",
    ]


def test_nothing_is_told_where_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(monkeypatch, terminal=False, moments=[5, 10]) == ""
