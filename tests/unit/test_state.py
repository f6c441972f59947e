"""Where state and configuration are looked for, and when not finding it is an error."""

import pwd
from pathlib import Path

import pytest

from runner.base.errors import UsageError
from runner.cli import state


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory, and no variable that leads elsewhere."""
    for name in ("C1_RUNNER_CONFIG", "C1_RUNNER_STATE_DIR", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def no_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user whom the system does not know, without a home."""

    def nobody(_: int) -> None:
        raise KeyError("uid not found")

    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", nobody)


def place(home: Path) -> Path:
    """Where the configuration file is looked for."""
    path = state.config_file()
    assert path is not None
    assert path.name == "config.yaml"
    assert path.is_relative_to(home)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.parent


def test_no_configuration_at_its_usual_place_is_fine(home: Path) -> None:
    assert not (place(home) / "config.yaml").exists()


@pytest.mark.parametrize(
    "name",
    [
        *("config.yml", "config.YAML", "Config.yaml", "config.yaml.txt", "config.json", "config", "config.toml"),
        *("configuration.yaml", "conf.yml", "c1-runner.yaml", "CONFIG.YML"),
    ],
)
def test_a_neighbour_that_looks_meant_is_an_error_that_names_both(home: Path, name: str) -> None:
    folder = place(home)
    (folder / name).touch()

    with pytest.raises(UsageError) as refused:
        state.config_file()
    assert f"{folder / 'config.yaml'}: there is no such file, but {name}: " in str(refused.value)


@pytest.mark.parametrize("name", ["config.yaml~", "config.yaml.bak", ".config.yaml.swp", "notes.txt", "config.yaml.d"])
def test_what_was_put_aside_is_none(home: Path, name: str) -> None:
    (place(home) / name).touch()

    state.config_file()


def test_a_neighbour_beside_the_right_one_is_none(home: Path) -> None:
    (place(home) / "config.yml").touch()
    (home / ".config/c1-runner/config.yaml").touch()

    assert state.config_file() == home / ".config/c1-runner/config.yaml"


def test_a_folder_that_cannot_be_looked_into_is_an_error(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place(home)

    def forbidden(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", forbidden)
    with pytest.raises(UsageError, match=r"cannot be read \(Permission denied\), and what is protected is not known"):
        state.config_file()


@pytest.mark.parametrize("named", ["~/mine.yaml", "{home}/mine.yaml"])
def test_a_named_file_is_found_also_below_a_tilde(home: Path, monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    (home / "mine.yaml").touch()
    monkeypatch.setenv("C1_RUNNER_CONFIG", named.format(home=home))

    assert state.config_file() == home / "mine.yaml"


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ("~/typo.yaml", "typo.yaml: there is no such file, and what it protects is not known"),
        ("$HOME/mine.yaml", "nothing fills in $HOME here"),
        ("~no-such-user/mine.yaml", "no user 'no-such-user' is known here"),
    ],
)
def test_a_named_file_that_is_not_there_is_an_error(
    home: Path, monkeypatch: pytest.MonkeyPatch, named: str, words: str
) -> None:
    monkeypatch.setenv("C1_RUNNER_CONFIG", named)

    with pytest.raises(UsageError) as refused:
        state.config_file()
    assert str(refused.value).startswith("C1_RUNNER_CONFIG: ")
    assert words in str(refused.value)


def test_a_link_to_nowhere_is_there_so_that_reading_it_fails(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "link.yaml").symlink_to(home / "gone.yaml")
    monkeypatch.setenv("C1_RUNNER_CONFIG", str(home / "link.yaml"))

    assert state.config_file() == home / "link.yaml"


@pytest.mark.parametrize("value", ["~/.config", "$HOME/.config", "relative", "${HOME}"])
@pytest.mark.parametrize("variable", ["XDG_CONFIG_HOME", "XDG_STATE_HOME"])
def test_a_base_directory_that_is_not_written_out_is_refused(
    home: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(UsageError, match=f"^{variable}: .*write the path out"):
        state.config_file() if variable == "XDG_CONFIG_HOME" else state.directory(None)


@pytest.mark.usefixtures("no_home")
def test_without_a_home_there_is_no_configuration() -> None:
    assert state.config_file() is None


@pytest.mark.usefixtures("no_home")
def test_without_a_home_a_place_for_state_is_asked_for() -> None:
    assert state.directory(Path("/var/lib/c1")) == Path("/var/lib/c1")
    with pytest.raises(UsageError, match=r"no home directory is known here.* --state-dir or C1_RUNNER_STATE_DIR"):
        state.directory(None)


def test_a_command_to_type_names_the_state_directory_unless_its_variable_does(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("C1_RUNNER_STATE_DIR", "~/state")

    assert state.to_type("c1-runner undo", home / "state") == "c1-runner undo"
    assert state.to_type("c1-runner undo", home / "other") == f"c1-runner undo --state-dir {home / 'other'}"
