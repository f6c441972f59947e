"""What comes from people is bytes, and paths as nobody's shell has expanded them: said by name, and nothing is sent."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.contract_server import ContractServer
from tests.e2e.shell import PATIENCE, REPOSITORY, Finished, Shell
from tests.e2e.test_bad_input import GOOD, one_message, refused

JOB = str(REPOSITORY / "jobs/demo.yaml")
NOT_UTF_8 = "f\udcfcr"
"""`f\\xfcr`, which Latin-1 would be: as the system hands it to Python."""

RENAME = "type it in that encoding, or rename the file or folder"

NOBODY = """
import pwd
def nobody(_): raise KeyError("uid not found")
pwd.getpwuid = nobody
from runner.cli import main
main()
"""


# Bytes


@pytest.mark.parametrize(
    ("arguments", "where", "way"),
    [
        pytest.param(["run", "job.yaml", "--reason", NOT_UTF_8], "--reason", "give --reason in that encoding",
                     id="an option"),
        pytest.param(["run", "job.yaml", f"--reason={NOT_UTF_8}"], "--reason", "give --reason in that encoding",
                     id="an option and its value in one"),
        pytest.param(["run", "job.yaml", "--report", f"{NOT_UTF_8}.json"], "--report",
                     "give --report in that encoding, or rename the file or folder", id="a report"),
        pytest.param(["run", "job.yaml", "--exclude", NOT_UTF_8], "--exclude", "give --exclude in that encoding",
                     id="a pattern"),
        pytest.param(["run", "job.yaml", "--state-dir", NOT_UTF_8], "--state-dir",
                     "give --state-dir in that encoding, or rename the file or folder", id="the state directory"),
        pytest.param(["run", f"{NOT_UTF_8}.yaml"], r"'f\udcfcr.yaml'", RENAME, id="a job file"),
        pytest.param(["run", "--quiet", f"{NOT_UTF_8}.yaml"], r"'f\udcfcr.yaml'", RENAME, id="a job file after a flag"),
        pytest.param(["validate", "job.yaml", f"{NOT_UTF_8}.yaml"], r"'f\udcfcr.yaml'", RENAME,
                     id="one of several job files"),
        pytest.param(["pause", f"{NOT_UTF_8}/b", "--yes"], r"'f\udcfcr/b'", "type it in that encoding", id="a pair"),
        pytest.param(["pause", "--targets", NOT_UTF_8, "--yes"], "--targets",
                     "give --targets in that encoding, or rename the file or folder", id="a list of pairs"),
        pytest.param(["undo", NOT_UTF_8], r"'f\udcfcr'", "type it in that encoding", id="a run"),
        pytest.param(["runs", "prune", "--keep", NOT_UTF_8], "--keep", "give --keep in that encoding",
                     id="an option of a command's command"),
        pytest.param([NOT_UTF_8], r"'f\udcfcr'", "type it in that encoding", id="a command"),
    ],
)  # fmt: skip
def test_an_argument_that_is_no_text_is_named_and_so_is_what_to_do_about_it(
    shell: Shell, server: ContractServer, arguments: list[str], where: str, way: str
) -> None:
    shell.write("job.yaml", GOOD)
    done = refused(shell, server, *arguments, env={})

    assert done.code == 2
    assert one_message(done).startswith(f"c1-runner: {where}: holds bytes that are not UTF-8 (0xfc at character ")
    assert done.stderr.endswith(f"): {way}. Nothing was sent\n")


@pytest.mark.parametrize("name", ["C1_RUNNER_REASON", "CONDUCTORONE_CLIENT_SECRET", "C1_RUNNER_CONFIG"])
def test_a_variable_that_is_no_text_is_named_and_not_shown(shell: Shell, server: ContractServer, name: str) -> None:
    shell.write("job.yaml", GOOD)
    done = refused(shell, server, "run", "job.yaml", env={name: NOT_UTF_8})

    assert done.code == 2
    assert one_message(done).startswith(f"c1-runner: {name}: holds bytes that are not UTF-8")
    assert "xfc" not in done.stderr


def test_the_command_of_a_window_gets_its_arguments_as_the_bytes_that_they_are(shell: Shell) -> None:
    program = "import os, sys; print(os.fsencode(sys.argv[1]).hex())"
    done = shell.run("window", JOB, "--sandbox", "--quiet", "--", sys.executable, "-c", program, NOT_UTF_8)

    assert (done.code, done.stdout.strip()) == (0, "66fc72")


def test_a_user_whose_name_is_no_text_is_recorded_harmlessly(shell: Shell) -> None:
    name = {"LOGNAME": NOT_UTF_8, "USER": NOT_UTF_8}

    assert shell.run("run", JOB, "--sandbox", env=name).code == 0
    assert r"f\udcfcr@" in shell.run("runs").stdout


def test_a_home_that_is_no_text_is_a_place_like_any_other(shell: Shell) -> None:
    done = shell.run("run", JOB, "--sandbox", env={"HOME": f"{shell.directory}/{NOT_UTF_8}", "C1_RUNNER_STATE_DIR": ""})

    assert done.code == 0
    assert (shell.directory / NOT_UTF_8 / ".local/state/c1-runner/state.db").exists()


def test_half_a_character_in_a_list_of_pairs_is_shown_and_breaks_nothing(shell: Shell) -> None:
    row = '{"app_id": "2aHRcore", "connector_id": "2bWorkdayUS", "name": "x\\ud800"}\n'
    done = shell.run("pause", "--targets", "-", "--yes", "--sandbox", "--format", "json", stdin=row)

    assert done.code == 0, done.stderr
    assert len(done.document["results"]) == 1


# Paths


@pytest.mark.parametrize("form", ["--report=~/out.json", "--report ~/out.json", "job file"])
def test_a_report_below_a_tilde_goes_home(shell: Shell, form: str) -> None:
    job = Path(JOB).read_text(encoding="utf-8")
    shell.write("job.yaml", job + ('report: "~/out.json"\n' if form == "job file" else ""))
    work = shell.path("work")
    work.mkdir()
    options = [] if form == "job file" else form.split(" ")
    done = shell.pipe(["sh", "-c", 'cd work && exec "$@"', "-", *_command("run", "~/job.yaml", "--sandbox", *options)])

    assert done.code == 0, done.stderr
    assert shell.path("out.json").exists()
    assert list(work.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["run", "$HOME/job.yaml"], "'$HOME/job.yaml': nothing fills in $HOME here", id="a job"),
        pytest.param(["run", "--plan", "${X}/p.json"], "'--plan': '${X}/p.json': nothing fills in", id="a saved plan"),
        pytest.param(["run", "job.yaml", "--report=$HOME/x.json"], "'--report': '$HOME/x.json'", id="a report"),
        pytest.param(["run", "job.yaml", "--state-dir=$HOME"], "'--state-dir'", id="the state directory"),
        pytest.param(["plan", "job.yaml", "-o", "$PWD/x.json"], "'-o' / '--output': '$PWD/x.json'", id="a plan"),
        pytest.param(["pause", "--targets", "$HOME/x"], "'--targets': '$HOME/x'", id="a list of pairs"),
        pytest.param(["undo", "--receipt", "~nobody-here/x"], "'--receipt': '~nobody-here/x': no user", id="a receipt"),
        pytest.param(["init", "$HOME/x.yaml"], "'[FILE]': '$HOME/x.yaml'", id="a new job file"),
        pytest.param(["report", "--report", "$HOME/x.json"], "'--report': '$HOME/x.json'", id="a report made again"),
    ],
)
def test_a_variable_in_a_path_is_refused_with_the_reason(
    shell: Shell, server: ContractServer, arguments: list[str], said: str
) -> None:
    shell.write("job.yaml", GOOD)
    done = refused(shell, server, *arguments, env={})

    assert done.code == 2
    assert said in one_message(done)
    assert not [path for path in shell.directory.iterdir() if path.name.startswith(("$", "~"))]


def test_a_variable_in_the_path_of_a_report_in_a_job_file_is_refused_in_its_place(
    shell: Shell, server: ContractServer
) -> None:
    shell.write("job.yaml", GOOD + "report: $HOME/out.json\n")
    done = refused(shell, server, "run", "job.yaml", env={})

    assert done.code == 2
    assert "job.yaml:4:9: report: '$HOME/out.json': nothing fills in $HOME here" in one_message(done)


A_TYPO = {"C1_RUNNER_CONFIG": "~/typo.yaml"}, "typo.yaml: there is no such file, and what it"
A_VARIABLE = {"C1_RUNNER_CONFIG": "$HOME/mine.yaml"}, "nothing fills in $HOME here"
A_FOLDER = {"XDG_CONFIG_HOME": "~/.config"}, "XDG_CONFIG_HOME: '~/.config' does not begin"


@pytest.mark.parametrize(
    ("command", "env", "said"),
    [
        pytest.param(["run", "job.yaml"], *A_TYPO, id="a typo, for a run"),
        pytest.param(["plan", "job.yaml"], *A_TYPO, id="a typo, for a plan"),
        pytest.param(["pause", "--all", "--reason", "x"], *A_TYPO, id="a typo, for all"),
        pytest.param(["window", "job.yaml", "--", "true"], *A_TYPO, id="a typo, for a window"),
        pytest.param(["resume", "app1/con1", "--yes"], *A_TYPO, id="a typo, for a resume by name"),
        pytest.param(["connectors"], *A_TYPO, id="a typo, for a listing"),
        pytest.param(["status"], *A_TYPO, id="a typo, for the status"),
        pytest.param(["init"], *A_TYPO, id="a typo, for a first job"),
        pytest.param(["run", "job.yaml"], *A_VARIABLE, id="a variable"),
        pytest.param(["run", "job.yaml"], *A_FOLDER, id="a folder"),
    ],
)
def test_a_list_of_what_is_protected_that_cannot_be_found_stops_everything(
    shell: Shell, server: ContractServer, command: list[str], env: dict[str, str | None], said: str
) -> None:
    shell.write("job.yaml", GOOD)
    done = refused(shell, server, *command, env=env)

    assert done.code == 2
    assert said in one_message(done)


def test_a_run_is_not_gone_on_with_while_the_list_of_what_is_protected_cannot_be_found(
    shell: Shell, server: ContractServer
) -> None:
    shell.run("run", shell.job([("app1", "con1")]), env=server.environment())
    before = len(server.requests)
    done = shell.run("continue", env=server.environment() | {"C1_RUNNER_CONFIG": "~/typo.yaml"})

    assert (done.code, done.stdout, len(server.requests)) == (2, "", before)
    assert "typo.yaml: there is no such file, and what it protects is not known" in one_message(done)


def test_a_configuration_of_another_name_stops_everything_and_both_are_named(
    shell: Shell, server: ContractServer
) -> None:
    shell.write("job.yaml", GOOD)
    shell.path(".config/c1-runner").mkdir(parents=True)
    shell.write(".config/c1-runner/config.yml", "protected: [app1/con1]\n")
    env: dict[str, str | None] = {"XDG_CONFIG_HOME": f"{shell.directory}/.config"}
    done = refused(shell, server, "run", "job.yaml", env=env)

    assert done.code == 2
    assert "c1-runner/config.yaml: there is no such file, but config.yml: " in one_message(done)


def test_what_is_protected_stays_so_from_a_file_that_is_named_with_a_tilde(
    shell: Shell, server: ContractServer
) -> None:
    shell.write("job.yaml", GOOD)
    shell.write("mine.yaml", "protected: [app1/con1]\n")
    shell.run("run", "job.yaml", env=server.environment() | {"C1_RUNNER_CONFIG": "~/mine.yaml"})

    assert server.posts() == []


def test_what_was_paused_is_resumed_without_the_list_of_what_is_protected(shell: Shell, server: ContractServer) -> None:
    shell.write("job.yaml", GOOD)
    assert shell.run("run", "job.yaml", env=server.environment()).code == 0
    done = shell.run("undo", env=server.environment() | {"C1_RUNNER_CONFIG": "/nowhere.yaml"})

    assert done.code == 0, done.stderr
    assert server.posts() == ["app1/con1/pause", "app1/con1/resume"]


# Scripts and clocks


def test_a_script_with_the_line_ends_of_windows_is_named_before_anything_is_sent(
    shell: Shell, server: ContractServer
) -> None:
    shell.write("job.yaml", GOOD)
    shell.path("migrate.sh").write_bytes(b"#!/bin/sh\r\ntrue\r\n")
    shell.path("migrate.sh").chmod(0o755)
    done = refused(shell, server, "window", "job.yaml", "--for", "1h", "--", "./migrate.sh", env={})

    assert done.code == 2
    assert "./migrate.sh: its lines end in CR LF, as on Windows" in one_message(done)


@pytest.mark.skipif(importlib.util.find_spec("tzdata") is not None, reason="the package tzdata is a database, too")
def test_a_system_without_time_zones_is_told_what_to_install(shell: Shell, server: ContractServer) -> None:
    shell.write("job.yaml", GOOD + 'window: {until: "05:00", time_zone: Europe/Berlin}\n')
    done = refused(shell, server, "run", "job.yaml", env={"PYTHONTZPATH": ""})

    assert done.code == 2
    assert "there is no time zone database here (tzdata); install" in one_message(done)


# Nobody, nowhere


def test_a_user_without_a_name_and_a_home_is_asked_for_a_state_directory(shell: Shell) -> None:
    none = _as_nobody(shell, "run", JOB, "--sandbox")
    given = _as_nobody(shell, "run", JOB, "--sandbox", "--state-dir", str(shell.path("state")))

    assert (none.code, none.stdout) == (2, "")
    assert "no home directory is known here" in one_message(none)
    assert "--state-dir" in none.stderr
    assert (given.code, given.stderr) == (0, "")
    assert f"{os.getuid()}@" in shell.run("runs").stdout
    assert not [path for path in shell.directory.iterdir() if path.name.startswith("~")]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "job.yaml", "--sandbox"], "'job.yaml': the working directory is gone"),
        (["run", JOB, "--sandbox", "--report", "x.json"], "'--report': 'x.json': the working directory is gone"),
        (["run", JOB, "--sandbox", "--state-dir", "state"], "'state': the working directory is gone"),
    ],
)
def test_a_working_directory_that_is_gone_is_said_where_a_path_starts_from_it(
    shell: Shell, arguments: list[str], said: str
) -> None:
    done = _in_a_directory_that_is_gone(shell, *arguments)

    assert (done.code, done.stdout) == (2, "")
    assert said in one_message(done)


def test_a_working_directory_that_is_gone_is_nobodys_trouble_where_no_path_starts_from_it(shell: Shell) -> None:
    report = str(shell.path("out.json"))

    assert _in_a_directory_that_is_gone(shell, "run", JOB, "--sandbox", "--report", report).code == 0
    assert _in_a_directory_that_is_gone(shell, "window", JOB, "--sandbox", "--", "true").code == 0
    assert shell.path("out.json").exists()


def _command(*arguments: str) -> list[str]:
    return [str(Path(sys.executable).with_name("c1-runner")), *arguments]


def _in_a_directory_that_is_gone(shell: Shell, *arguments: str) -> Finished:
    return shell.pipe(["sh", "-c", 'mkdir gone; cd gone; rmdir ../gone; exec "$@"', "-", *_command(*arguments)])


def _as_nobody(shell: Shell, *arguments: str) -> Finished:
    """Run the command as a user whom the system does not know, without a home."""
    environment = {
        name: value for name, value in shell.environment.items() if name not in ("HOME", "C1_RUNNER_STATE_DIR")
    }
    done = subprocess.run(
        [sys.executable, "-c", NOBODY, *arguments],
        env=environment,
        cwd=shell.directory,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return Finished(done.returncode, done.stdout, done.stderr)
