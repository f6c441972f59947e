"""Paths as people write them."""

import pwd
from pathlib import Path

import pytest

from runner.base.paths import expanded, is_text


@pytest.mark.parametrize("written", ["x", "./~", "a/~/b", "/a/~b", "-", "cash$", "a$1", "100$/x", "a b", "{name}.json"])
def test_a_plain_path_is_taken_as_it_is(written: str) -> None:
    assert expanded(written) == Path(written)


def test_a_tilde_is_the_home_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/anna")

    assert expanded("~/x/y.yaml") == Path("/home/anna/x/y.yaml")
    assert expanded("~") == Path("/home/anna")
    assert expanded("~root/x") == Path(pwd.getpwnam("root").pw_dir) / "x"


def test_a_home_that_nobody_knows_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(_: int) -> None:
        raise KeyError("uid not found")

    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    with pytest.raises(ValueError, match=r"^'~/x': no home directory is known here: write the path out$"):
        expanded("~/x")
    with pytest.raises(ValueError, match=r"^'~no-such-user/x': no user 'no-such-user' is known here"):
        expanded("~no-such-user/x")


@pytest.mark.parametrize(
    ("written", "variable"),
    [
        ("$HOME/x", "$HOME"),
        ("${HOME}/x", "${HOME}"),
        ("/mnt/$USER/x", "$USER"),
        ("report-${DATE}.json", "${DATE}"),
        ("report-$(date).json", "$(date)"),
        ("~/$x", "$x"),
    ],
)
def test_a_variable_that_no_shell_has_filled_in_is_refused_by_its_name(written: str, variable: str) -> None:
    with pytest.raises(ValueError, match="nothing fills in") as refused:
        expanded(written)
    assert f"nothing fills in {variable} here: write the path out" in str(refused.value)


@pytest.mark.parametrize("home", ["", "x"])
def test_a_home_that_is_no_place_is_none(monkeypatch: pytest.MonkeyPatch, home: str) -> None:
    monkeypatch.setenv("HOME", home)

    with pytest.raises(ValueError, match="no home directory is known"):
        expanded("~/x")


def test_a_relative_path_in_a_directory_that_is_gone_is_said_to_be_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()

    assert [expanded(path) for path in ("/x", "-")] == [Path("/x"), Path("-")]
    with pytest.raises(ValueError, match=r"^'x/y': the working directory is gone: change to another one"):
        expanded("x/y")


def test_a_home_that_is_not_utf_8_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/\udcfc")

    with pytest.raises(ValueError, match="the name of the home directory is not UTF-8"):
        expanded("~/x")


def test_what_could_not_be_decoded_is_no_text() -> None:
    assert is_text("Zürich \U0001f600")
    assert not is_text("Z\udcfcrich")
