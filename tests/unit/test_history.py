"""What earlier runs look like afterwards: reports made again, the list of runs, and how two differ."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from runner.base.model import Outcome, Result
from runner.cli.app import app
from runner.store import PaceLog, Store
from tests.unit.report.samples import HOSTILE, START, Sample, entry, of_every_outcome, recorded, start

RUN = "20261123-162611-ab12cd"


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("C1_RUNNER_STATE_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def typed(*arguments: str) -> str:
    """What the command prints on standard output."""
    done = CliRunner().invoke(app, arguments, prog_name="c1-runner", standalone_mode=False, catch_exceptions=False)
    return done.stdout


def test_a_report_made_again_names_the_command_to_type_next(state: Path) -> None:
    with recorded(state, of_every_outcome()):
        pass
    command = f"c1-runner continue {RUN} --only failed,unknown,not_attempted"
    typed("report", "--report", "out.html", "--report", "out.md")

    undo = f"c1-runner undo {RUN}"
    assert f"Next:\n  {command}\n  {undo}\n  c1-runner report {RUN} --report report.json\n" in typed("report")
    assert command in (state / "out.html").read_text(encoding="utf-8")
    assert f"    {command}\n" in (state / "out.md").read_text(encoding="utf-8")


def test_what_a_window_has_left_goes_on_only_with_an_end(state: Path) -> None:
    with recorded(state, [entry(0, Result(Outcome.UNKNOWN))], start=start(run_id="20261123-1", windowed=True)):
        pass

    assert "  c1-runner continue 20261123-1 --for DURATION\n" in typed("report")


def test_the_pace_of_a_run_is_in_every_page_that_is_made_of_it(state: Path) -> None:
    results = (Result(Outcome.CHANGED, None, 200, None, "r", 1, 0, START, START + seq / 4 + 1) for seq in range(60))
    with recorded(state, [entry(seq, result) for seq, result in enumerate(results)], finish=None) as sample:
        journal = sample.store.reopen(sample.run)
        PaceLog(journal).note(START + 3, 4.0, 7)
        journal.commit()
    typed("report", "--report", "out.html")

    assert 'class="limit"' in (state / "out.html").read_text(encoding="utf-8")
    assert 'class="limit"' in typed("report", "--format", "html")


def test_the_list_of_runs_says_when_who_what_how_long_and_how_it_ended(state: Path) -> None:
    with recorded(state, of_every_outcome()):
        pass
    header, line = typed("runs").splitlines()

    assert header.split() == [
        "RUN", "STARTED", "(UTC)", "TOOK", "BY", "JOB", "OPERATION", "TENANT", "TARGETS", "RESULT", "EXIT",
    ]  # fmt: skip
    assert re.split("  +", line)[:7] == [
        RUN, "2026-11-23 16:26:11", "41.5 s", "cron@ops-1", "hr-freeze", "pause", "acme.conductor.one",
    ]  # fmt: skip
    assert line.endswith("1 changed, 1 unchanged, 1 failed, 1 unknown, 1 skipped, 1 not_attempted  4")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_stays_on_its_line_in_every_list(state: Path, name: str) -> None:
    def one(run_id: str, outcome: Outcome) -> Sample:
        with recorded(
            state,
            [entry(0, Result(outcome), name=name)],
            start=start(run_id=run_id, job_name=name, user=name, host=name),
        ) as sample:
            return sample

    one("20261123-1", Outcome.CHANGED)
    one("20261124-1", Outcome.FAILED)

    for printed, lines in ((typed("runs"), 3), (typed("runs", "diff", "20261123", "20261124"), 2)):
        assert len(printed.splitlines()) == lines
        assert not any(sign in printed for sign in "\x1b\x07\x00\r\u202e\u2028\ufeff")


def test_two_runs_are_compared_by_their_full_ids(state: Path) -> None:
    for run_id, outcome in (("20261123-1", Outcome.CHANGED), ("20261124-1", Outcome.FAILED)):
        with recorded(state, [entry(0, Result(outcome))], start=start(run_id=run_id)):
            pass
    header, line = typed("runs", "diff", "20261123", "20261124").splitlines()

    assert header.split() == ["ID", "CONNECTOR", "20261123-1", "20261124-1"]
    assert line.split() == ["app0/con0", "Okta", "production", "changed", "failed"]


def test_old_runs_go_and_those_with_pauses_in_force_stay(state: Path) -> None:
    for run_id, outcome in (("20200101-1", Outcome.CHANGED), ("20200102-1", Outcome.FAILED)):
        with recorded(
            state,
            [entry(0, Result(outcome))],
            start=start(run_id=run_id, started_at=1.0),
            finish=(2.0, 0, None, (1, 0, 0)),
        ):
            pass

    assert typed("runs", "prune", "--keep", "90d").splitlines() == [
        "1 run removed",
        "1 old run is kept: under way, keeping something paused, uncertain, or bound to a younger one",
    ]
    with Store(state) as store:
        assert [run.run_id for run in store.runs()] == ["20200101-1"]
