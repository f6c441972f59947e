"""Arguments and variables that are no text, and where they are said to stand."""

import pytest

from runner.base.errors import UsageError
from runner.cli.given import check_given

BAD = "a\udcfc"


@pytest.mark.parametrize(
    ("arguments", "place"),
    [
        (["run", BAD], r"'a\udcfc'"),
        (["run", "--reason", BAD], "--reason"),
        (["run", "-o", BAD], "-o"),
        (["run", f"--reason={BAD}"], "--reason"),
        (["run", "--reason=x", BAD], r"'a\udcfc'"),
        (["run", "-", BAD], r"'a\udcfc'"),
        (["run", f"--{BAD}"], r"'--a\udcfc'"),
        (["run", f"--{BAD}=x"], r"'--a\udcfc=x'"),
        (["run", "--reason", f"-{BAD}"], r"'-a\udcfc'"),
    ],
)
def test_what_is_no_text_is_named_by_its_option_or_shown_escaped(arguments: list[str], place: str) -> None:
    with pytest.raises(UsageError) as refused:
        check_given(arguments, {})
    assert str(refused.value).startswith(f"{place}: holds bytes that are not UTF-8 (0xfc at character ")


def test_the_variables_of_others_and_a_command_of_its_own_may_hold_any_bytes() -> None:
    check_given(["window", "job.yaml", "--", "cmd", BAD], {"HOME": BAD, "LS_COLORS": BAD, "CONDUCTORONE": BAD})


@pytest.mark.parametrize("name", ["C1_RUNNER_REASON", "CONDUCTORONE_CLIENT_SECRET_FILE"])
def test_a_variable_of_ours_is_named_and_not_shown(name: str) -> None:
    with pytest.raises(UsageError) as refused:
        check_given([], {name: BAD})
    assert str(refused.value).startswith(f"{name}: holds bytes that are not UTF-8: ")
    assert "fc" not in str(refused.value)
