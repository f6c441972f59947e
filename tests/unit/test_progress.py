"""Progress on stderr: a bar on a terminal, a line a minute elsewhere, nothing in between."""

import io
import json
import sys
from types import SimpleNamespace

import pytest

from runner.api.classify import Reply, classify_reply
from runner.api.client import Client
from runner.cli import counting, progress
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
        ("none", False, True, counting.Silent),
        ("json", False, True, progress.JsonLines),
        ("bar", True, True, counting.Silent),
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
    with progress.Lines(chatty=False) as shown:
        shown.started("r1", 100, client)
        for number in range(100):
            clock.now += 2
            shown.finished(PLANNED, FAILED if number % 10 == 0 else CHANGED)
            shown.tick()
    lines = capsys.readouterr().err.splitlines()

    assert lines == [
        "run r1: 30 of 100 done, 3 failed or unknown",
        "run r1: 60 of 100 done, 6 failed or unknown",
        "run r1: 90 of 100 done, 9 failed or unknown",
    ]


async def test_a_short_run_prints_no_line(
    clock: SimpleNamespace, capsys: pytest.CaptureFixture[str], client: Client
) -> None:
    with progress.Lines(chatty=False) as shown:
        shown.started("r1", 100, client)
        for _ in range(100):
            clock.now += 0.5
            shown.finished(PLANNED, CHANGED)
            shown.tick()

    assert capsys.readouterr().err == ""


async def test_a_reader_of_stderr_that_left_ends_no_run(
    clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, client: Client
) -> None:
    with progress.Lines(chatty=False) as shown:
        shown.started("r1", 2, client)
        monkeypatch.setattr(sys, "stderr", Closed())
        clock.now += 61
        shown.tick()


async def test_lines_that_were_asked_for_begin_and_end_the_run(
    clock: SimpleNamespace, capsys: pytest.CaptureFixture[str], client: Client
) -> None:
    with progress.Lines(chatty=True) as shown:
        shown.started("r1", 0, client)
        shown.planned(2, whole=False)
        shown.finished(PLANNED, CHANGED)

    assert capsys.readouterr().err.splitlines() == [
        "run r1: a selection of connectors",
        "run r1: 1 of 2 found so far done",
    ]


async def test_a_listing_that_takes_long_is_told_before_there_is_a_run(
    clock: SimpleNamespace, capsys: pytest.CaptureFixture[str], client: Client
) -> None:
    shown = progress.Lines(chatty=False)
    with shown:
        shown.listing(1, 2)
        clock.now += 61
        shown.listing(300, 1200)
        shown.listing(301, 1201)
        shown.started("r1", 0, client)
        shown.planned(0, whole=False)
        assert shown.progress == "0 of 0 found so far"

    assert capsys.readouterr().err == "listing: 1,200 connectors in 300 apps found so far\n"


async def test_a_bar_shows_the_listing_and_then_the_run(monkeypatch: pytest.MonkeyPatch, client: Client) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with progress.Bar() as shown:
        shown.listing(300, 1200)
        before = terminal.getvalue()
        shown.started("r1", 3, client)
        shown.finished(PLANNED, CHANGED)
        shown.tick()

    assert "listing" in before
    assert "1,200 connectors in 300 apps" in before
    assert "1 of 3" in terminal.getvalue().removeprefix(before)


async def test_json_says_when_a_plan_that_grows_is_known_to_its_end(
    capsys: pytest.CaptureFixture[str], client: Client
) -> None:
    with progress.JsonLines() as shown:
        shown.started("r1", 0, client)
        for total in range(3):
            shown.planned(total, whole=False)
        shown.planned(2, whole=True)
    events = [json.loads(line) for line in capsys.readouterr().err.splitlines()]

    assert events[1:] == [
        {"event": "planned", "targets": 0, "whole": False},
        {"event": "planned", "targets": 2, "whole": True},
    ]


async def test_json_lines_are_an_object_each(capsys: pytest.CaptureFixture[str], client: Client) -> None:
    with progress.JsonLines() as shown:
        shown.started("r1", 1, client)
        shown.finished(PLANNED, FAILED)
        shown.verifying()
    events = [json.loads(line) for line in capsys.readouterr().err.splitlines()]

    assert [event["event"] for event in events] == ["started", "finished", "verifying"]
    assert events[1] == {"event": "finished", "target": "app1/con1", "outcome": "failed", "error": None}


async def test_a_bar_counts_names_failures_and_says_what_goes_on(
    monkeypatch: pytest.MonkeyPatch, client: Client
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with progress.Bar() as shown:
        shown.started("20261123-170000-abc123", 3, client)
        shown.finished(PLANNED, CHANGED)
        shown.finished(PLANNED._replace(connector_name="[red]Okta\x1b[2J"), FAILED)
        shown.tick()
        shown.verifying()
        shown.tick()
    drawn = terminal.getvalue()

    assert "2 of 3, 1 bad" in drawn.replace("\x1b[31m", "").replace("\x1b[0m", "")
    assert "failed: [red]Okta\\x1b[2J  app1/con1" in drawn
    assert "verifying" in drawn


async def test_what_the_run_waits_for_is_said_in_words(client: Client) -> None:
    shown = progress.Bar()
    assert shown.state == ""

    shown.started("r1", 3, client)
    assert shown.state == ""

    verdict = classify_reply(Reply(429, {"retry-after": "12"}))
    for _ in range(2):
        client.turns.answered(await client.turns.take(), verdict, None)
    assert shown.state == "the tenant asks to wait 12 s"


async def test_the_silent_one_says_nothing(capsys: pytest.CaptureFixture[str], client: Client) -> None:
    with counting.Silent() as shown:
        shown.started("r1", 3, client)
        shown.finished(PLANNED, FAILED)
        shown.verifying()

    assert capsys.readouterr() == ("", "")
