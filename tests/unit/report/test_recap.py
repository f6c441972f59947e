"""The recap: one look tells how it went, what went wrong, and what to type."""

import re
from pathlib import Path

import pytest

from runner.base.model import Outcome, Result
from runner.report import recap
from tests.unit.report.samples import HOSTILE, START, Sample, entry, of_every_outcome, recorded, start


def test_the_verdict_comes_first_and_the_counts_follow_in_the_words_of_the_operation(mixed: Sample) -> None:
    lines = recap(mixed.run, mixed.targets).splitlines()

    assert lines[0] == "2 of 6 connectors are paused."
    assert [" ".join(line.split()) for line in lines if re.fullmatch(r"  [a-z ]+  1", line)] == [
        "paused 1", "already paused 1", "failed 1", "unknown 1", "skipped 1", "not attempted 1",
    ]  # fmt: skip


def test_what_went_wrong_is_named_with_ids_reason_and_request(mixed: Sample) -> None:
    text = recap(mixed.run, mixed.targets)

    assert "Okta / Okta production  (app1/con2)\n      HTTP 500: internal\n      request req-3, 5 attempts\n" in text
    assert "a request was sent; what came of it is not known\n      no complete reply in time\n" in text


def test_a_long_list_is_cut_and_the_rest_counted(tmp_path: Path) -> None:
    failed = [entry(seq, Result(Outcome.FAILED, error="HTTP 404: not found")) for seq in range(57)]
    with recorded(tmp_path, failed) as sample:
        text = recap(sample.run, sample.targets)

    assert text.count("HTTP 404") == 20
    assert "\n  and 37 more\n" in text


def test_a_clean_run_reads_no_target(tmp_path: Path) -> None:
    unread = map(pytest.fail, ["a target was read"])
    done = [entry(seq, Result(Outcome.CHANGED, attempts=1)) for seq in range(2)]
    with recorded(tmp_path, done, finish=(START + 4.2, 0, None, (2, 0, 0))) as sample:
        text = recap(sample.run, unread)

    assert text.startswith("All 2 connectors are paused.\n")
    assert "4.2 s · 2 requests\n" in text
    assert "Failed" not in text


def test_reading_ends_when_all_that_is_to_be_named_is_found(mixed: Sample) -> None:
    targets = mixed.targets
    recap(mixed.run, targets)

    assert [target.outcome for target in targets] == [Outcome.NOT_ATTEMPTED]


@pytest.mark.parametrize(
    ("operation", "headline"),
    [
        ("pause", "The one connector is paused."),
        ("resume", "The one connector is active."),
        ("force_sync", "The one connector is queued for a sync."),
    ],
)
def test_the_headline_speaks_of_the_wanted_state(tmp_path: Path, operation: str, headline: str) -> None:
    with recorded(
        tmp_path,
        [entry(0, Result(Outcome.CHANGED))],
        start=start(operation=operation),
        finish=(START, 0, None, (1, 0, 0)),
    ) as sample:
        assert recap(sample.run, sample.targets).splitlines()[0] == headline


def test_a_run_that_stopped_says_why(tmp_path: Path) -> None:
    with recorded(tmp_path, of_every_outcome(), finish=(START + 1, 5, "more than 10% failed", (3, 0, 0))) as sample:
        assert "\nStopped early: more than 10% failed.\n" in recap(sample.run, sample.targets)


def test_a_run_without_an_end_says_so(tmp_path: Path) -> None:
    with recorded(tmp_path, of_every_outcome(), finish=None) as sample:
        assert "No end of this run is recorded" in recap(sample.run, sample.targets)


def test_an_empty_run_says_so(tmp_path: Path) -> None:
    with recorded(tmp_path, [], finish=(START, 6, None, (0, 0, 0))) as sample:
        assert recap(sample.run, sample.targets).startswith("Nothing was selected.\n")


def test_it_ends_with_the_commands_to_type(mixed: Sample) -> None:
    given = recap(mixed.run, mixed.targets, hints=["c1-runner continue X"])

    assert recap(mixed.run, mixed.targets).endswith(
        "Next:\n  c1-runner report 20261123-162611-ab12cd --report out.json\n"
    )
    assert given.endswith("Next:\n  c1-runner continue X\n")
    assert "Next" not in recap(mixed.run, mixed.targets, hints=())


def test_colour_only_adds_codes(mixed: Sample) -> None:
    painted = recap(mixed.run, mixed.targets, color=True)

    assert "\x1b[" in painted
    assert re.sub(r"\x1b\[\d+m", "", painted) == recap(mixed.run, mixed.targets)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_neither_moves_the_cursor_nor_adds_a_line(tmp_path: Path, name: str) -> None:
    harmless = [entry(0, Result(Outcome.FAILED, error="no"))]
    hostile = [entry(0, Result(Outcome.FAILED, error=name), app=name, name=name)]
    with (
        recorded(tmp_path / "a", harmless) as calm,
        recorded(tmp_path / "b", hostile, start=start(job_name=name)) as wild,
    ):
        text = recap(wild.run, wild.targets)
        expected = recap(calm.run, calm.targets).count("\n")

    assert text.count("\n") == expected
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
