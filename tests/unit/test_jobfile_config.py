"""The user's configuration file."""

from pathlib import Path

import pytest

from runner import jobfile
from runner.base import policy
from runner.base.errors import ExitCode, JobFileError, UsageError
from runner.base.model import Exclusion, Target
from runner.jobfile import Config


def written(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text)
    return path


def test_a_configuration_names_what_is_protected(tmp_path: Path) -> None:
    path = written(tmp_path, 'protected:\n- {app: "Payroll*"}\n- 2aXkP/2cZnR\n')
    assert jobfile.load_config(path) == Config((Exclusion(app="Payroll*"), Exclusion(target=Target("2aXkP", "2cZnR"))))


def test_a_missing_configuration_says_nothing(tmp_path: Path) -> None:
    assert jobfile.load_config(tmp_path / "no" / "config.yaml") == Config()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "1:1: the file is empty: write `protected: []`, or remove it"),
        ("- a/b\n", "1:1: a configuration file: expected `key: value` lines, not a list"),
        ("protect: [a/b]\n", "1:1: unknown key 'protect': did you mean 'protected'?"),
        ("protected: {app: HR}\n", "1:12: protected: expected a list, not `key: value` lines"),
        ("protected: [{app: /(/}]\n", "1:19: protected.app: '/(/' is not a regular expression: "),
        ("protected: []\n---\n", "2:1: a second document begins here: one file holds one configuration"),
        ("client_secret: x\n", "1:1: 'client_secret': credentials never stand in a "),
    ],
)
def test_what_is_wrong_with_a_configuration_has_its_place(tmp_path: Path, text: str, problem: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(JobFileError) as caught:
        jobfile.load_config(path)
    assert str(caught.value).startswith(f"{path}:{problem}")
    assert caught.value.exit_code is ExitCode.USAGE


def test_a_configuration_that_is_there_but_cannot_be_read_is_no_empty_one(tmp_path: Path) -> None:
    link, written_file = tmp_path / "config.yaml", tmp_path / "file"
    written_file.touch()
    link.symlink_to(tmp_path / "gone.yaml")
    with pytest.raises(UsageError, match=r"config\.yaml: there is no such file$"):
        jobfile.load_config(link)
    with pytest.raises(UsageError, match=r"is a directory, not a configuration file$"):
        jobfile.load_config(tmp_path)
    with pytest.raises(UsageError, match=r"cannot be read: Not a directory$"):
        jobfile.load_config(written_file / "config.yaml")


def test_a_configuration_beyond_the_bound_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "MAX_JOB_BYTES", 2**20)
    with pytest.raises(UsageError, match=r"larger than 1 MiB: split the configuration$"):
        jobfile.load_config(written(tmp_path, "#" * (2**20 + 1)))
