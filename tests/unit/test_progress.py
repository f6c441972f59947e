"""Progress on stderr: two lines that change on a terminal, a line a minute elsewhere, JSON for programs."""

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from runner.api.classify import Reply, classify_reply
from runner.api.client import Client
from runner.base.model import Outcome, Planned, Result, Target
from runner.base.settings import AccessToken, Settings
from runner.base.stop import Stop
from runner.cli import counting, logs, progress
from runner.store import Store
from tests.unit.report import samples

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
    for module in (progress, counting):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


@pytest.fixture
async def client() -> Client:
    return Client(Settings("http://127.0.0.1:1", AccessToken("x")), stop=Stop())


@pytest.mark.parametrize(
    ("kind", "quiet", "terminal", "expected"),
    [
        ("auto", False, True, progress.Bar),
        ("auto", False, False, progress.Lines),
        ("bar", False, True, progress.Bar),
        ("bar", False, False, progress.Lines),
        ("text", False, True, progress.Lines),
        ("none", False, True, counting.Silent),
        ("json", False, True, progress.JsonLines),
        ("bar", True, True, counting.Silent),
    ],
)
def test_the_observer_is_chosen_by_option_and_terminal(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str, quiet: bool, terminal: bool, expected: type
) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal() if terminal else io.StringIO())
    monkeypatch.setenv("TERM", "xterm")

    assert type(progress.observer(kind, Store(tmp_path), quiet=quiet)) is expected


def test_a_terminal_that_cannot_move_its_cursor_gets_lines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "dumb")

    assert type(progress.observer("auto", Store(tmp_path), quiet=False)) is progress.Lines


async def test_lines_beside_a_log_for_machines_are_for_machines_too(
    capsys: pytest.CaptureFixture[str], client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "_for_machines", True)
    with progress.Lines() as shown:
        shown.started("r1", 3, client)
    begin, end = (json.loads(line) for line in capsys.readouterr().err.splitlines())

    assert (begin["message"], begin["level"]) == ("run r1: 3 connectors", "info")
    assert end["message"] == "run r1: 0 of 3 done"
    assert set(begin) >= {"time", "run_id", "target", "attempt"}


async def test_lines_come_at_the_start_once_a_minute_and_at_the_end(
    clock: SimpleNamespace, capsys: pytest.CaptureFixture[str], client: Client
) -> None:
    with progress.Lines() as shown:
        shown.started("r1", 100, client)
        for number in range(100):
            clock.now += 2
            shown.finished(PLANNED, FAILED if number % 10 == 0 else CHANGED)
            shown.tick()
    lines = capsys.readouterr().err.splitlines()

    assert lines[0] == "run r1: 100 connectors"
    assert [line.partition(", 0.0/s")[0] for line in lines[1:-1]] == [
        "run r1: 30 of 100 done, 3 failed or unknown",
        "run r1: 60 of 100 done, 6 failed or unknown",
        "run r1: 90 of 100 done, 9 failed or unknown",
    ]
    assert [line.rpartition(", ")[2] for line in lines[1:-1]] == [
        "about 3 min left",
        "about 2 min left",
        "about 20 s left",
    ]
    assert lines[-1] == "run r1: 100 of 100 done, 10 failed or unknown"


async def test_a_reader_of_stderr_that_left_ends_no_run(
    clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, client: Client
) -> None:
    with progress.Lines() as shown:
        shown.started("r1", 2, client)
        monkeypatch.setattr(sys, "stderr", Closed())
        clock.now += 61
        shown.tick()


async def test_a_selection_says_how_much_is_found_so_far(capsys: pytest.CaptureFixture[str], client: Client) -> None:
    with progress.Lines() as shown:
        shown.started("r1", 0, client)
        assert shown.progress == "looking for connectors"
        shown.planned(2, whole=False)
        shown.finished(PLANNED, CHANGED)
        assert shown.progress == "1 of 2 found so far"
        shown.planned(2, whole=True)

    assert capsys.readouterr().err.splitlines() == [
        "run r1: a selection of connectors",
        "run r1: 1 of 2 done",
    ]


async def test_a_listing_that_takes_long_is_told_before_there_is_a_run(
    clock: SimpleNamespace, capsys: pytest.CaptureFixture[str], client: Client
) -> None:
    shown = progress.Lines()
    shown.listing(1, 2)
    clock.now += 61
    shown.listing(300, 1200)
    shown.listing(301, 1201)
    shown.started("r1", 0, client)
    shown.planned(0, whole=False)

    assert shown.progress == "looking for connectors"
    assert capsys.readouterr().err.splitlines() == [
        "listing: 1,200 connectors in 300 apps found so far",
        "run r1: a selection of connectors",
    ]


async def test_json_lines_are_an_object_each(
    clock: SimpleNamespace, capsys: pytest.CaptureFixture[str], client: Client
) -> None:
    with progress.JsonLines() as shown:
        shown.started("r1", 0, client)
        for total in (0, 1):
            shown.planned(total, whole=False)
        shown.planned(1, whole=True)
        shown.finished(PLANNED._replace(connector_name="Okta\x1b[2J\u202e"), FAILED)
        clock.now += 61
        shown.tick()
        shown.last_pass(1)
        shown.verifying()
        shown.interrupted("SIGTERM", 1)
    printed = capsys.readouterr().err
    events = [json.loads(line) for line in printed.splitlines()]

    assert [event["event"] for event in events] == [
        "started", "planned", "planned", "finished", "progress", "last_pass", "verifying", "interrupted", "ended",
    ]  # fmt: skip
    assert {event["run_id"] for event in events} == {"r1"}
    assert events[1:3] == [
        {"event": "planned", "run_id": "r1", "targets": 0, "whole": False},
        {"event": "planned", "run_id": "r1", "targets": 1, "whole": True},
    ]
    assert events[3] == {
        "event": "finished",
        "run_id": "r1",
        "target": "app1/con1",
        "name": "Okta\x1b[2J\u202e",
        "outcome": "failed",
        "error": None,
        "done": 1,
        "targets": 1,
    }
    assert (events[-1]["done"], events[-1]["bad"]) == (1, 1)
    assert "\x1b" not in printed
    assert "\u202e" not in printed


async def test_what_the_run_waits_for_is_said_in_words(client: Client) -> None:
    shown = counting.Counting()
    assert (shown.waiting, shown.work) == ("", [])

    shown.started("r1", 3, client)
    assert (shown.waiting, shown.work) == ("", [])

    verdict = classify_reply(Reply(429, {"retry-after": "12"}))
    for _ in range(2):
        client.turns.answered(await client.turns.take(), verdict, None)
    assert shown.waiting == "server asks for 12 s"
    assert shown.work == ["limit about 0.5/s"]

    shown.last_pass(3)
    assert shown.waiting == "server asks for 12 s"


async def test_what_is_in_flight_and_what_was_sent_again_is_told(client: Client, clock: SimpleNamespace) -> None:
    shown = counting.Counting()
    shown.started("r1", 3, client)
    await client.turns.take()
    client.total.requests, client.total.retries = 40, 4
    clock.now += 4
    shown.tick()

    assert shown.work == ["10/s", "1 in flight", "4 sent again"]


async def test_an_outage_is_told_and_no_time_is_promised(client: Client, clock: SimpleNamespace) -> None:
    shown = counting.Counting()
    shown.started("r1", 1000, client)
    for _ in range(100):
        clock.now += 1
        shown.finished(PLANNED, CHANGED)
        shown.tick()
    assert shown.left == "about 15 min left"

    for _ in range(20):
        client.turns.unanswered(await client.turns.take())
    assert shown.waiting == "no answer from the tenant: one request every 30 s until there is"
    assert shown.left == ""


async def test_no_time_is_promised_before_the_plan_is_known_or_after_the_list(
    client: Client, clock: SimpleNamespace
) -> None:
    shown = counting.Counting()
    shown.started("r1", 0, client)
    shown.planned(100, whole=False)
    for _ in range(20):
        clock.now += 1
        shown.finished(PLANNED, CHANGED)
        shown.tick()
    assert shown.left == ""

    shown.planned(100, whole=True)
    assert shown.left == "about 2 min left"

    shown.verifying()
    assert shown.left == ""
    assert shown.waiting == "asking the tenant whether it shows the changes"


async def test_the_silent_one_says_nothing(capsys: pytest.CaptureFixture[str], client: Client) -> None:
    with counting.Silent() as shown:
        shown.started("r1", 3, client)
        shown.finished(PLANNED, FAILED)
        shown.last_pass(1)
        shown.verifying()

    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("state_dir", "more"), [(None, ""), (Path("/var/lib/c1 runner"), " --state-dir '/var/lib/c1 runner'")]
)
@pytest.mark.parametrize("kind", ["none", "json"])
def test_what_an_abrupt_end_left_open_is_gone_on_with_where_it_is_recorded(
    kind: str, state_dir: Path | None, more: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = [samples.entry(0, CHANGED), samples.entry(1, Result(Outcome.NOT_ATTEMPTED))]
    with samples.recorded(tmp_path, entries, finish=None) as sample:
        shown = progress.observer(kind, sample.store, quiet=False, state_dir=state_dir)
        shown.abrupt(sample.run)
        run_id = sample.run.run_id

    told = capsys.readouterr().err
    assert f"`c1-runner continue {run_id}{more}` finishes it" in told
    assert f"`c1-runner undo {run_id}{more}` takes it back: by the record here it keeps 1 connector paused" in told


@pytest.mark.parametrize("kind", ["none", "json"])
def test_an_abrupt_end_that_has_left_nothing_open_is_not_told(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with samples.recorded(tmp_path, [samples.entry(0, FAILED)], finish=None) as sample:
        progress.observer(kind, sample.store, quiet=False).abrupt(sample.run)

    assert capsys.readouterr().err == ""
