"""What a terminal shows of a run under way: two lines that stay in their place, and lines above them that stay."""

import io
import logging
from collections.abc import Iterator
from types import SimpleNamespace

import pyte
import pytest

from runner.api.client import Client
from runner.base.model import Outcome, Planned, Result, Target
from runner.base.settings import AccessToken, Settings
from runner.base.stop import Stop
from runner.cli import bar, counting, logs, progress, screen

pytestmark = pytest.mark.anyio

CHANGED, FAILED = Result(Outcome.CHANGED), Result(Outcome.FAILED, error="HTTP 404: gone")
ROWS = 12


class Glass(io.StringIO):
    """A terminal that remembers every write, and shows what comes of them."""

    def __init__(self) -> None:
        super().__init__()
        self.size = 80
        self.screen = pyte.Screen(self.size, ROWS)
        self._stream = pyte.Stream(self.screen)
        self.writes: list[str] = []

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.writes.append(text)
        self._stream.feed(text.replace("\n", "\r\n"))
        return len(text)

    def resize(self, columns: int) -> None:
        """What the user does with the window."""
        self.size = columns
        self.screen.resize(ROWS, columns)

    @property
    def shown(self) -> list[str]:
        """The lines of the screen that are not empty."""
        return [line.rstrip() for line in self.screen.display if line.strip()]


@pytest.fixture
def glass(monkeypatch: pytest.MonkeyPatch) -> Iterator[Glass]:
    glass = Glass()
    # Not `sys.stderr` itself: pytest puts a stream of its own there between fixture and test.
    monkeypatch.setattr(screen, "sys", SimpleNamespace(stderr=glass))
    monkeypatch.setattr(screen, "columns", lambda: glass.size)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    yield glass
    assert screen._live is None


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Set `now` to let time pass."""
    clock = SimpleNamespace(now=1000.0)
    for module in (progress, counting, bar):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


@pytest.fixture
async def client() -> Client:
    return Client(Settings("http://127.0.0.1:1", AccessToken("x")), stop=Stop())


def planned(number: int, name: str | None = None) -> Planned:
    return Planned(number, Target("app1", f"con{number}"), "App", name)


def under_way(shown: progress.Bar, client: Client, clock: SimpleNamespace, done: int = 50) -> None:
    """Half of a run of a hundred: two targets and three requests a second, each tenth request sent again."""
    shown.started("r1", 100, client)
    for number in range(done):
        shown.finished(planned(number), CHANGED)
        clock.now += 0.5
        client.total.requests, client.total.retries = number * 3 // 2, number // 10
        shown.tick()


@pytest.mark.parametrize("width", [200, 80])
async def test_there_is_a_bar_the_numbers_and_the_time_left(
    glass: Glass, clock: SimpleNamespace, client: Client, width: int
) -> None:
    glass.resize(width)
    with progress.Bar() as shown:
        under_way(shown, client, clock)
        shown.finished(planned(50, "Okta"), FAILED)
        shown.tick()
        failure, first, second = glass.shown

        assert failure == "failed: Okta  app1/con50: HTTP 404: gone"
        assert first.startswith("━")
        assert first.endswith("51 of 100 · 1 failed or unknown · about 30 s left · 0:25")
        assert second == "3.0/s · 4 sent again"
        assert len(first) < width
    assert glass.shown == [failure]
    assert not glass.screen.cursor.hidden


async def test_the_listing_is_shown_before_there_is_a_run(glass: Glass, clock: SimpleNamespace, client: Client) -> None:
    with progress.Bar() as shown:
        shown.listing(300, 1200)
        shown.listing(301, 1201)  # at once after it: not drawn
        assert glass.shown == ["1,200 connectors in 300 apps found so far · 0:00"]

        shown.started("r1", 3, client)
        shown.finished(planned(0), CHANGED)
        shown.tick()
        assert "1 of 3" in glass.shown[0]


async def test_a_narrow_terminal_leaves_out_what_matters_least(
    glass: Glass, clock: SimpleNamespace, client: Client
) -> None:
    glass.resize(24)
    with progress.Bar() as shown:
        under_way(shown, client, clock)
        assert glass.shown == ["50 of 100", "3.0/s · 4 sent again"]

        shown.verifying()
        shown.tick()
        assert glass.shown[-1] == "asking the tenant whet…"


@pytest.mark.parametrize(("before", "after"), [(200, 80), (80, 200), (200, 40), (40, 80)])
async def test_a_resized_terminal_keeps_nothing_of_the_old_lines(
    glass: Glass, clock: SimpleNamespace, client: Client, before: int, after: int
) -> None:
    glass.resize(before)
    with progress.Bar() as shown:
        under_way(shown, client, clock)
        glass.resize(after)
        shown.tick()

        assert len(glass.shown) == 2
        assert "50 of 100" in glass.shown[0]
        assert glass.shown[1] == "3.0/s · 4 sent again"
    assert glass.shown == []


async def test_lines_that_a_resize_has_wrapped_stand_below_the_cursor_and_are_wiped(
    glass: Glass, clock: SimpleNamespace, client: Client
) -> None:
    with progress.Bar() as shown:
        under_way(shown, client, clock)
        assert (glass.screen.cursor.x, glass.screen.cursor.y) == (0, 0)
        row = glass.screen.cursor.y
        glass.resize(60)
        for below in range(row, row + 4):  # what reflowing leaves: the old lines in twice as many rows
            glass.screen.buffer[below][0] = pyte.screens.Char("x")
        shown.tick()

        assert len(glass.shown) == 2
        assert "x" not in "".join(glass.shown)


async def test_nothing_flickers(glass: Glass, clock: SimpleNamespace, client: Client) -> None:
    with progress.Bar() as shown:
        under_way(shown, client, clock)
        del glass.writes[:]
        for _ in range(5):
            shown.tick()
        assert glass.writes == []  # nothing has changed, so nothing is drawn

        shown.finished(planned(50), CHANGED)
        shown.tick()
        (frame,) = glass.writes  # whole in one write
        assert "\x1b[2J" not in frame
        assert frame.index("51 of 100") < frame.index("\x1b[J")  # what is there is written over, never wiped first


async def test_a_log_line_stands_above_and_stays(glass: Glass, clock: SimpleNamespace, client: Client) -> None:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    logs.configure(verbose=1, quiet=False, log_format="text")
    try:
        with progress.Bar() as shown:
            under_way(shown, client, clock, done=1)
            logging.getLogger("runner").info("said of %s", "Okta\n\x1b[2Jforged")
            shown.interrupted("SIGINT", 2)
            lines = glass.shown
    finally:
        root.handlers[:] = before
        root.setLevel(level)

    assert lines[0].endswith("said of Okta\\n\\x1b[2Jforged")
    assert lines[1].startswith("c1-runner: SIGINT received: nothing new is started")
    assert "1 of 100" in "".join(lines[2:])
    assert len([line for line in glass.shown if "of 100" in line]) == 0


async def test_without_colours_there_is_still_a_bar(
    glass: Glass, clock: SimpleNamespace, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    with progress.Bar() as shown:
        under_way(shown, client, clock)
        assert glass.shown[0].startswith("━" * 9 + " " * 10 + "  50 of 100")
    assert "\x1b[3" not in "".join(glass.writes)


async def test_a_failures_name_cannot_write_anywhere_else(glass: Glass, clock: SimpleNamespace, client: Client) -> None:
    with progress.Bar() as shown:
        under_way(shown, client, clock, done=1)
        shown.finished(planned(1, "[red]Okta\x1b[2J\u202e\r\nforged"), FAILED)

        assert glass.shown[0] == "failed: [red]Okta\\x1b[2J\\u202e\\r\\nforged  app1/con1: HTTP 404: gone"
