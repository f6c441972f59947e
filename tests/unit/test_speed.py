"""How fast a run has been lately, and the time that is left: told only when it can be, and no more exact than known."""

import pytest

from runner.cli.speed import Speed, left_text


def steady(seconds: int, *, each: int = 2, requests: int = 3, begin: int = 0, speed: Speed | None = None) -> Speed:
    """A run that has gone on for so long; `each` targets a second."""
    speed = speed or Speed()
    for second in range(begin, begin + seconds + 1):
        speed.note(second, second * each, second * requests)
    return speed


def test_a_steady_run_goes_on_as_it_went() -> None:
    speed = steady(60)

    assert speed.requests == 3
    assert speed.left(100) == 50


@pytest.mark.parametrize("seconds", [0, 4])
def test_nothing_is_promised_of_a_run_that_has_just_begun(seconds: int) -> None:
    assert steady(seconds).left(100) is None


def test_what_was_long_ago_does_not_count() -> None:
    speed = Speed()
    speed.note(0, 5000, 100)  # paused already: no work at all
    for second in range(1, 101):
        speed.note(second, 5000 + second, 100 + second)

    assert speed.left(100) == pytest.approx(100)


def test_a_burst_is_not_taken_for_the_pace() -> None:
    speed = steady(10, each=50, requests=100)

    assert speed.left(1000) == 20
    assert speed.left(1000, limit=10.0) == 200


def test_a_run_that_stands_still_promises_nothing() -> None:
    speed = steady(10)
    for second in range(11, 60):
        speed.note(second, 20, 30)

    assert speed.left(100) is None
    assert speed.requests == 0


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "about 10 s left"),
        (31, "about 40 s left"),
        (54, "about 60 s left"),
        (55, "about 1 min left"),
        (61, "about 2 min left"),
        (3600, "about 1 h left"),
        (3601, "about 1 h 10 min left"),
    ],
)
def test_the_time_left_is_no_more_exact_than_it_is_known(seconds: float, words: str) -> None:
    assert left_text(seconds) == words
