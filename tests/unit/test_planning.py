"""Waves: which part of a plan each of them is. (What a plan holds is tested against a tenant.)"""

import math
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from runner.base.model import Planned, Target
from runner.base.policy import Share
from runner.planning.planner import in_waves

NUMBERS = st.builds(Share, st.integers(1, 30).map(float))
PERCENTS = st.builds(Share, st.floats(0.1, 100, allow_nan=False), st.just(True))
WAVES = st.lists(NUMBERS | PERCENTS, max_size=6)


def plan(size: int) -> list[Planned]:
    return [Planned(seq, Target("app", f"con{seq}")) for seq in range(size)]


def sizes(size: int, *waves: str) -> list[int]:
    return [len(part) for part in in_waves(plan(size), [_share(wave) for wave in waves])]


def _share(text: str) -> Share:
    return Share(float(text.removesuffix("%")), text.endswith("%"))


def test_without_waves_the_plan_is_one() -> None:
    assert sizes(12) == [12]


def test_each_entry_says_how_far_into_the_plan_its_wave_reaches() -> None:
    assert sizes(200, "1", "10%", "100%") == [1, 19, 180]
    assert sizes(200, "1", "5", "50") == [1, 4, 45, 150]


def test_what_the_last_entry_leaves_is_one_more_wave() -> None:
    assert sizes(10, "3") == [3, 7]
    assert sizes(10, "50%") == [5, 5]


def test_a_share_of_a_small_plan_is_at_least_one_target() -> None:
    assert sizes(3, "1%", "100%") == [1, 2]


def test_an_entry_that_an_earlier_one_has_reached_is_no_wave() -> None:
    assert sizes(5, "2", "10%", "100%") == [2, 3]
    assert sizes(2, "1", "5", "50%", "100%") == [1, 1]


def test_an_empty_plan_has_no_waves() -> None:
    assert sizes(0, "1", "100%") == []


def test_rounding_never_makes_a_wave_smaller_than_its_share() -> None:
    assert sizes(1000, "0.1%", "100%") == [1, 999]
    assert sizes(7, "33%", "100%") == [math.ceil(7 * 0.33), 4]


@given(st.integers(0, 60), WAVES)
def test_waves_are_the_whole_plan_in_its_order_without_gaps(size: int, waves: Sequence[Share]) -> None:
    parts = in_waves(plan(size), waves)

    assert [planned.seq for part in parts for planned in part] == list(range(size))
    assert all(parts)


@given(st.integers(1, 60), WAVES.filter(bool))
def test_the_first_wave_is_what_the_first_entry_says(size: int, waves: Sequence[Share]) -> None:
    assert len(in_waves(plan(size), waves)[0]) == min(size, math.ceil(waves[0].of(size)))
