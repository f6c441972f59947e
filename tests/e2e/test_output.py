"""Output is not control flow: whatever becomes of the streams, the work is done; the exit code tells a loss."""

import fcntl
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.contract_server import ContractServer
from tests.e2e.shell import COMMAND, PATIENCE, Shell
from tests.e2e.windows import PAIRS, QUICK

FULL = "> /dev/full"
CLOSED = ">&-"
LOST = "c1-runner: standard output could not be written (No space left on device)"

needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Shell, dict[str, str]]]:
    """A user who has run a job and only reads from now on, and the variables that lead to the tenant."""
    with ContractServer(PAIRS).serving() as serving:
        shell = Shell(tmp_path_factory.mktemp("told"))
        assert shell.run("run", shell.job(PAIRS), "--quiet", env=serving.environment()).code == 0
        yield shell, serving.environment()


def through_shell(shell: Shell, redirection: str, *arguments: str, env: dict[str, str]) -> tuple[int, str, str]:
    """Run the command with its streams as a shell's redirection has them."""
    done = shell.pipe(["sh", "-c", f'exec "$@" {redirection}', "sh", str(COMMAND), *arguments], env=env)
    return done.code, done.stdout, done.stderr


@needs_full
@pytest.mark.parametrize(
    ("redirection", "why"), [(FULL, "No space left on device"), (CLOSED, "Bad file descriptor")], ids=["full", "closed"]
)
def test_a_run_whose_recap_is_lost_is_done_all_the_same(
    shell: Shell, server: ContractServer, redirection: str, why: str
) -> None:
    job = shell.job(PAIRS, extra=QUICK)
    run = through_shell(shell, redirection, "run", job, "--report", "out.json", env=server.environment())
    assert run[0] == 7
    lost = f"c1-runner: standard output could not be written ({why}): what was printed there is lost, or not whole\n"
    assert run[2] == lost
    assert len(server.paused()) == len(shell.report()["results"]) == 3

    undo = through_shell(shell, redirection, "undo", env=server.environment())
    assert undo[0] == 7
    assert undo[2] == lost
    assert server.paused() == set()


@needs_full
@pytest.mark.parametrize("redirection", [FULL, CLOSED, f"{FULL} 2>&1", ">&- 2>&-", "<&- >&- 2>&-"])
def test_quiet_has_nothing_to_lose(shell: Shell, server: ContractServer, redirection: str) -> None:
    job = shell.job(PAIRS)
    for arguments in (["run", job], ["undo"], ["expire"], ["continue", "--help"]):
        quiet = [] if "--help" in arguments else ["--quiet"]
        code, *_ = through_shell(shell, redirection, *arguments, *quiet, env=server.environment())
        assert code == (7 if "--help" in arguments else 0), arguments


@needs_full
@pytest.mark.parametrize(
    ("arguments", "redirection"),
    [
        pytest.param(words.split(), redirection, id=f"{words}, {'full' if redirection == FULL else 'closed'}")
        for words, redirections in (
            ("report --format json", [FULL, CLOSED]),
            ("report", [FULL]),
            ("report --format html", [FULL]),
            ("runs", [FULL]),
            ("connectors", [FULL]),
            ("connectors --format csv", [FULL]),
            ("status", [FULL, CLOSED]),
            ("plan job.yaml", [FULL]),
            ("plan job.yaml --format json", [FULL]),
            ("validate job.yaml", [FULL, CLOSED]),
            ("schema", [FULL, CLOSED]),
            ("--help", [FULL, CLOSED]),
            ("--version", [FULL, CLOSED]),
            ("run --help", [FULL, CLOSED]),
        )
        for redirection in redirections
    ],
)
def test_data_that_cannot_be_given_is_exit_code_7_and_one_line(
    told: tuple[Shell, dict[str, str]], arguments: list[str], redirection: str
) -> None:
    shell, env = told
    code, _, stderr = through_shell(shell, redirection, *arguments, env=env)
    assert code == 7
    assert stderr.startswith("c1-runner: standard output could not be written (")
    assert stderr.count("\n") == 1


@needs_full
def test_a_graver_exit_code_stays(shell: Shell, server: ContractServer) -> None:
    job = shell.job([*PAIRS, ("app1", "gone")])
    code, _, stderr = through_shell(shell, FULL, "run", job, env=server.environment())
    assert code == 4
    assert LOST in stderr


@needs_full
@pytest.mark.parametrize("redirection", ["2> /dev/full", "2>&-"], ids=["full", "closed"])
@pytest.mark.parametrize("progress", ["text", "json", "none"])
def test_what_stderr_does_not_take_stops_nothing(
    shell: Shell, server: ContractServer, redirection: str, progress: str
) -> None:
    env = server.environment() | {"C1_RUNNER_PROGRESS": progress}
    code, stdout, _ = through_shell(shell, redirection, "run", shell.job(PAIRS), env=env)
    assert code == (0 if progress == "none" else 7)
    assert "All 3 connectors are paused." in stdout
    assert len(server.paused()) == 3


@needs_full
@pytest.mark.parametrize(
    ("redirection", "then", "code"),
    [
        *((each, "", 7) for each in (FULL, CLOSED, "2> /dev/full", "2>&-", f"{FULL} 2>&1", "<&- >&- 2>&-", "| true")),
        *((each, "exit 3", 3) for each in (FULL, "2>&-", "| true")),
    ],
)
def test_a_window_runs_its_command_and_resumes_whatever_its_streams_take(
    shell: Shell, server: ContractServer, redirection: str, then: str, code: int
) -> None:
    job = shell.job(PAIRS, extra=QUICK)
    command = (
        f'exec "$@" {redirection}' if "|" not in redirection else '("$@"; echo $? > code) | true; exit $(cat code)'
    )
    note = f"cp $C1_RUNNER_REPORT seen.json; {then}"
    arguments = ["window", job, "--progress", "text", "--", "sh", "-c", note]
    done = shell.pipe(["sh", "-c", command, "sh", str(COMMAND), *arguments], env=server.environment())

    assert done.code == (0 if "|" in redirection and code == 7 else code)
    assert "Traceback" not in done.stderr
    assert len(shell.report("seen.json")["results"]) == 3
    assert server.paused() == set()
    assert len(server.posts()) == 6


def test_files_do_not_get_the_number_of_a_closed_stream(shell: Shell, server: ContractServer) -> None:
    job = shell.job(PAIRS, extra=QUICK)
    note = "echo out; echo err >&2; ls -l /proc/self/fd | grep -c state.db; true"
    through_shell(
        shell, "<&- >&- 2>&-", "window", job, "--report", "out.json", "--", "sh", "-c", note, env=server.environment()
    )
    shell.report()
    done = shell.run("report", "--format", "json")
    assert done.code == 0
    assert len(done.document["results"]) == 3


@needs_full
@pytest.mark.parametrize("kind", ["directory", "full", "missing directory"])
def test_a_step_summary_that_cannot_be_written_is_told(shell: Shell, server: ContractServer, kind: str) -> None:
    path = {"directory": str(shell.directory), "full": "/dev/full", "missing directory": "no/such/file"}[kind]
    done = shell.run("run", shell.job(PAIRS), env=server.environment() | {"GITHUB_STEP_SUMMARY": path})
    assert done.code == 7
    assert "All 3 connectors are paused." in done.stdout
    assert f"c1-runner: {path}: the summary could not be written (GITHUB_STEP_SUMMARY: " in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_stderr_that_nobody_reads_and_that_does_not_block_ends_no_run(shell: Shell, server: ContractServer) -> None:
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETFL, os.O_NONBLOCK)
    with open(writing, "wb", buffering=0, closefd=False) as pipe:
        while pipe.write(b"." * 4096):  # until it is full
            pass
    done = subprocess.run(
        [COMMAND, "run", shell.job(PAIRS), "--progress", "json"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=writing,
        cwd=shell.directory,
        env=shell.environment | server.environment(),
        timeout=PATIENCE,
        check=False,
    )
    os.close(writing)
    os.close(reading)
    assert done.returncode == 0
    assert b"All 3 connectors are paused." in done.stdout
    assert len(server.paused()) == 3


def test_a_stdout_that_does_not_block_is_waited_for(shell: Shell) -> None:
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETFL, os.O_NONBLOCK)
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    process = subprocess.Popen(
        [COMMAND, "schema"], stdin=subprocess.DEVNULL, stdout=writing, stderr=subprocess.PIPE, env=shell.environment
    )
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as pipe:
        text = pipe.read()
    assert process.communicate()[1] == b""
    assert process.returncode == 0
    assert text == shell.run("schema").stdout


@pytest.mark.parametrize("locale", [{"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}], ids=["none"])
@pytest.mark.parametrize("progress", ["text", "json", "bar"])
def test_a_name_beyond_ascii_needs_no_locale(
    shell: Shell, server: ContractServer, locale: dict[str, str], progress: str
) -> None:
    text = "version: 1\nname: Wartung für Ägypten\noperation: pause\nreason: läuft\nconnectors: [app1/con1]\n"
    job = shell.write("job.yaml", text)
    env = server.environment() | locale | {"C1_RUNNER_PROGRESS": progress, "GITHUB_STEP_SUMMARY": "summary.md"}
    done = shell.run("window", job, "--report", "out.json", "--", "true", env=env)
    assert (done.code, "Traceback" in done.stderr) == (0, False)
    assert "Wartung für Ägypten" in done.stdout
    assert "für" in shell.path("summary.md").read_text(encoding="utf-8")
    assert server.paused() == set()
