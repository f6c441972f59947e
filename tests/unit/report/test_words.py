"""The words that people read: durations, states, verdicts, explanations."""

import pytest

from runner.base.model import ConnectorState, OperationName, Outcome
from runner.report.document import duration, state_word
from runner.report.explain import explanation
from runner.report.verdict import conclusion
from runner.report.words import duration_text, exit_text, outcome_words, state_change
from tests.unit.report.samples import hostile


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 ms"),
        (0.0384, "38 ms"),
        (0.9996, "1.0 s"),
        (4.24, "4.2 s"),
        (59.96, "1 min"),
        (187.4, "3 min 7 s"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
    ],
)
def test_durations_are_said_as_people_say_them(seconds: float, words: str) -> None:
    assert duration_text(seconds) == words


def test_a_clock_that_was_set_back_makes_no_negative_duration() -> None:
    assert duration(10.0, 9.0) == 0.0


@pytest.mark.parametrize(
    ("state", "word"),
    [
        (ConnectorState(None, None), "active"),
        (ConnectorState(None, "SYNC_STATUS_DONE"), "active"),
        (ConnectorState(None, "SYNC_STATUS_OF_THE_FUTURE"), "active"),
        (ConnectorState(None, "SYNC_STATUS_RUNNING"), "running"),
        (ConnectorState(None, "SYNC_STATUS_ERROR"), "error"),
        (ConnectorState("2026-11-23T16:26:12Z", "SYNC_STATUS_ERROR"), "paused"),
        (ConnectorState(None, "SYNC_STATUS_DISABLED"), "paused"),
        (ConnectorState(None, "SYNC_STATUS_DONE", deleted=True), "deleted"),
    ],
)
def test_a_state_is_one_word(state: ConnectorState, word: str) -> None:
    assert state_word(state) == word


def test_a_change_shows_what_was_read_and_what_was_not() -> None:
    _, target = hostile("x")
    active, paused = ConnectorState(None, None), ConnectorState("2026-11-23T16:26:12Z", None)

    assert state_change(target._replace(before=active, after=paused)) == "active → paused"
    assert state_change(target._replace(before=active, after=None)) == "active"
    assert state_change(target._replace(before=None, after=paused)) == "? → paused"
    assert state_change(target._replace(before=None, after=None)) == ""


@pytest.mark.parametrize("operation", OperationName)
def test_every_operation_has_a_word_for_every_outcome_and_a_headline(operation: OperationName) -> None:
    run, _ = hostile("x")
    run = run._replace(operation=operation.value)

    assert outcome_words(run).keys() == set(Outcome)
    assert conclusion(run).headline.startswith("None of 1 connector is ")


@pytest.mark.parametrize(
    ("counts", "exit_code", "tone"),
    [
        ({Outcome.CHANGED: 2}, 0, "good"),
        ({Outcome.CHANGED: 2}, 7, "bad"),
        ({Outcome.CHANGED: 1, Outcome.SKIPPED: 1}, 4, "attention"),
        ({Outcome.CHANGED: 1, Outcome.SKIPPED: 1}, 0, "attention"),
        ({Outcome.CHANGED: 1, Outcome.FAILED: 1}, 4, "bad"),
        ({Outcome.CHANGED: 1, Outcome.UNKNOWN: 1}, 4, "bad"),
        ({Outcome.CHANGED: 2}, None, "open"),
    ],
)
def test_the_tone_follows_from_counts_and_exit_code(
    counts: dict[Outcome, int], exit_code: int | None, tone: str
) -> None:
    run, _ = hostile("x")
    finished = None if exit_code is None else run.finished_at
    full = dict.fromkeys(Outcome, 0) | counts

    verdict = conclusion(run._replace(counts=full, exit_code=exit_code, finished_at=finished, stopped=None))
    assert verdict.tone == tone


def test_an_exit_code_comes_with_its_meaning() -> None:
    run, _ = hostile("x")

    assert exit_text(run._replace(exit_code=0)) == "0 (every connector is in the wanted state)"
    assert exit_text(run._replace(exit_code=99)) == "99"
    assert exit_text(run._replace(exit_code=None)) == "none recorded"


@pytest.mark.parametrize(
    ("outcome", "status", "attempts", "what"),
    [
        (Outcome.FAILED, 404, 1, "C1 knows no such connector"),
        (Outcome.FAILED, 403, 1, "may not do this"),
        (Outcome.FAILED, 503, 5, "a fault of its own"),
        (Outcome.FAILED, 301, 1, "another address"),
        (Outcome.FAILED, 418, 1, "C1 refused"),
        (Outcome.FAILED, None, 5, "No request got through"),
        (Outcome.FAILED, None, 0, "No request was sent"),
        (Outcome.UNKNOWN, None, 5, "No clear answer"),
        (Outcome.UNKNOWN, 200, 5, "No clear answer"),
        (Outcome.UNKNOWN, 502, 5, "No clear answer"),
    ],
)
def test_what_went_wrong_is_said_in_plain_words(outcome: Outcome, status: int | None, attempts: int, what: str) -> None:
    _, target = hostile("x")
    sentence, advice = explanation(target._replace(outcome=outcome, http_status=status, attempts=attempts))

    assert what in sentence
    assert advice.endswith(".")
