"""What a run lets people see while it goes on: the words of progress, and what each log line belongs to."""

import json
import logging
from collections.abc import Iterator

import pytest

from runner.base.policy import RetryPolicy
from runner.cli import logs
from runner.cli.counting import Counting
from runner.cli.progress import JsonLines
from runner.sandbox import Action
from tests.sim.conftest import OpenBench, job, pairs

pytestmark = pytest.mark.anyio

THREE = pairs(3, per_app=3)


class Watching(Counting):
    """Writes down every new word of progress."""

    tick_every = 0.25

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def tick(self) -> None:
        super().tick()
        if self.waiting not in self.said[-1:]:
            self.said.append(self.waiting)


class Kept(logging.Handler):
    """Keeps the lines as a log for machines has them."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logs._Json())
        self.lines: list[dict[str, object]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(json.loads(self.format(record)))


@pytest.fixture
def log() -> Iterator[Kept]:
    kept, logger = Kept(), logging.getLogger("runner")
    level = logger.level
    logger.addHandler(kept)
    logger.setLevel(logging.DEBUG)
    yield kept
    logger.removeHandler(kept)
    logger.setLevel(level)


async def test_a_wait_is_counted_down_in_words_with_how_many_wait(bench: OpenBench) -> None:
    async with bench(THREE) as b:
        b.server.script("app0/con0", ["status=429,retry_after=12"])
        watching = Watching()
        await b.run(job(THREE), observer=watching)

    waits = [words for words in watching.said if words.startswith("server asks")]
    assert waits[0] == "server asks for 12 s (1 waiting)"
    assert waits[-1] == "server asks for 1 s (1 waiting)"
    assert len(waits) == 12


async def test_a_last_try_and_the_verification_are_announced(bench: OpenBench) -> None:
    async with bench(THREE) as b:
        b.server.script("app0/con0", ["status=503"] * 2)
        watching = Watching()
        await b.run(job(THREE, retry=RetryPolicy(attempts=3)), observer=watching)

    assert "a last try of 1" in watching.said
    assert watching.phase == "asking the tenant whether it shows the changes"
    assert watching.done == 3


async def test_what_is_sent_again_after_the_verification_is_counted_once(
    bench: OpenBench, capsys: pytest.CaptureFixture[str]
) -> None:
    """More than all of it cannot be done, whatever has to be done twice."""
    async with bench(THREE) as b:
        b.server.script("app0/con0", [Action(applied=False)])
        with JsonLines() as shown:
            await b.run(job(THREE), observer=shown)
        posts = b.posts()

    events = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    finished = [event["target"] for event in events if event["event"] == "finished"]
    assert posts.count("app0/con0") == 2
    assert sorted(finished) == sorted(f"{app}/{connector}" for app, connector in THREE)
    assert [event["done"] for event in events if event["event"] == "finished"] == [1, 2, 3]
    assert all(event["done"] <= event["targets"] for event in events if "done" in event)
    assert (events[-1]["event"], events[-1]["done"], events[-1]["targets"]) == ("ended", 3, 3)


async def test_every_log_line_names_its_run_and_those_of_a_target_its_target_and_attempt(
    bench: OpenBench, log: Kept
) -> None:
    async with bench(THREE) as b:
        b.server.script("app0/con1", ["status=503", "status=429,retry_after=1"])
        result = await b.run(job(THREE))

    assert {line["run_id"] for line in log.lines} == {result.run_id}
    posts = [line for line in log.lines if "/pause -> " in str(line["message"])]
    assert len(posts) == 5
    for line in posts:
        app_id, _, connector_id = str(line["target"]).partition("/")
        assert f"/apps/{app_id}/connectors/{connector_id}/pause" in str(line["message"])
    assert [line["attempt"] for line in posts if line["target"] == "app0/con1"] == [1, 2, 2]
    assert {line["attempt"] for line in posts if line["target"] != "app0/con1"} == {1}
    ends = {line["target"] for line in log.lines if line["logger"] == "runner.engine.execute"}
    assert ends == {f"{app}/{connector}" for app, connector in THREE}
