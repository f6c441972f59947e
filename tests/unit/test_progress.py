"""Progress on stderr: a bar on a terminal, a line a minute elsewhere, nothing in between."""

import io
import sys
from types import SimpleNamespace

import pytest

from runner.api.client import Client
from runner.cli import progress
from runner.model import Outcome, Planned, Result, Target
from runner.settings import AccessToken, Settings
from runner.stop import Stop

pytestmark = pytest.mark.anyio

PLANNED = Planned(0, Target("app1", "con1"))
CHANGED, FAILED = Result(Outcome.CHANGED), Result(Outcome.FAILED)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Closed(io.StringIO):
    """A stream whose reader has left."""

    def write(self, text: str) -> int:
        raise BrokenPipeError


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Set `now` to let time pass."""
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


@pytest.fixture
async def client() -> Client:
    return Client(Settings("http://127.0.0.1:1", AccessToken("x")), stop=Stop())


@pytest.mark.parametrize(
    ("kind", "quiet", "terminal", "expected"),
    [
        ("auto", False, True, progress.Bar),
        ("auto", False, False, progress.Lines),
        ("bar", False, False, progress.Bar),
        ("text", False, True, progress.Lines),
        ("none", False, True, progress.Silent),
        ("bar", True, True, progress.Silent),
    ],
)
def test_the_observer_is_chosen_by_option_and_terminal(
    monkeypatch: pytest.MonkeyPatch, kind: str, quiet: bool, terminal: bool, expected: type
) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal() if terminal else io.StringIO())

    assert type(progress.observer(kind, quiet=quiet)) is expected


async def test_lines_come_once_a_minute_with_what_is_done_and_what_failed(
    clock: SimpleNamespace, capsys: pytest.CaptureFixture[str], client: Client
) -> None:
    with progress.Lines() as shown:
        shown.started("r1", 100, client)
        for number in range(100):
            clock.now += 2
            shown.finished(PLANNED, FAILED if number % 10 == 0 else CHANGED)
    lines = capsys.readouterr().err.splitlines()

    assert lines == [
        "30 of 100 done, 3 failed or unknown",
        "60 of 100 done, 6 failed or unknown",
        "90 of 100 done, 9 failed or unknown",
    ]


async def test_a_short_run_prints_no_line(
    clock: SimpleNamespace, capsys: pytest.CaptureFixture[str], client: Client
) -> None:
    with progress.Lines() as shown:
        shown.started("r1", 100, client)
        for _ in range(100):
            clock.now += 0.5
            shown.finished(PLANNED, CHANGED)

    assert capsys.readouterr().err == ""


async def test_a_reader_of_stderr_that_left_ends_no_run(
    clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, client: Client
) -> None:
    with progress.Lines() as shown:
        shown.started("r1", 2, client)
        monkeypatch.setattr(sys, "stderr", Closed())
        clock.now += 61
        shown.finished(PLANNED, CHANGED)


async def test_a_bar_counts_and_says_what_the_run_waits_for(monkeypatch: pytest.MonkeyPatch, client: Client) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with progress.Bar() as shown:
        shown.started("20261123-170000-abc123", 3, client)
        shown.finished(PLANNED, CHANGED)
        client.total.throttled = 4
        shown.finished(PLANNED, FAILED)
        shown.verifying()
    drawn = terminal.getvalue()

    assert "20261123-170000-abc123" in drawn
    assert "2/3" in drawn
    assert "verifying" in drawn


async def test_the_note_of_a_bar_says_only_what_is_worth_it(client: Client) -> None:
    shown = progress.Bar()
    shown.started("r1", 3, client)
    shown.finished(PLANNED, CHANGED)
    assert shown._note() == ""

    client.total.throttled = 4
    shown.finished(PLANNED, FAILED)
    assert shown._note() == "1 failed or unknown, 4 throttled"


async def test_the_silent_one_says_nothing(capsys: pytest.CaptureFixture[str], client: Client) -> None:
    with progress.Silent() as shown:
        shown.started("r1", 3, client)
        shown.finished(PLANNED, FAILED)
        shown.verifying()

    assert capsys.readouterr() == ("", "")
