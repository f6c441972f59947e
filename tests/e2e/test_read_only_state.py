"""Reading the account of earlier runs needs no right to write the state directory, and leaves nothing in it."""

import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from runner.store.schema import MIGRATIONS
from tests.e2e.contract_server import ContractServer
from tests.e2e.shell import COMMAND, Finished, Shell
from tests.e2e.windows import PAIRS

READING = [["runs"], ["report"], ["report", "--format", "json"], ["status"], ["connectors"]]


@pytest.fixture(scope="module")
def read_only(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Shell, ContractServer]]:
    """A state directory with two runs in it that nobody may write, and their tenant."""
    with ContractServer(PAIRS).serving() as server:
        shell = Shell(tmp_path_factory.mktemp("read-only"))
        for operation in ("pause", "resume"):
            shell.run("run", shell.job(PAIRS, operation), "--quiet", env=server.environment())
        state = shell.path("state")
        everything = [state, *state.rglob("*")]
        for path in everything:
            path.chmod(0o500 if path.is_dir() else 0o400)
        yield shell, server
        for path in everything:
            path.chmod(0o700)


def bound(shell: Shell, server: ContractServer, *arguments: str) -> Finished:
    """Run the command as a user on whom the modes of files bind: root gives up the right to pass over them."""
    if os.geteuid() != 0:
        return shell.run(*arguments, env=server.environment())
    done = shell.pipe([sys.executable, "-c", _GIVE_UP, str(COMMAND), *arguments], env=server.environment())
    if done.code == _CANNOT:
        pytest.skip("root cannot give up its rights here")
    return done


_CANNOT = 77
_GIVE_UP = f"""
import ctypes, os, sys
dac_override, dac_read_search, drop = 1, 2, 24
for capability in (dac_override, dac_read_search):
    if ctypes.CDLL(None).prctl(drop, capability, 0, 0, 0) != 0:
        sys.exit({_CANNOT})
os.execv(sys.argv[1], sys.argv[1:])
"""
"""From then on no program that it starts gets these two (capabilities(7): the bounding set)."""


def contents(state: Path) -> list[tuple[str, int]]:
    """The names of all files, and when they were last changed."""
    return sorted((str(path), path.stat().st_mtime_ns) for path in state.rglob("*"))


@pytest.mark.parametrize("arguments", READING, ids=" ".join)
def test_what_only_reads_works_without_the_right_to_write(
    read_only: tuple[Shell, ContractServer], arguments: list[str]
) -> None:
    shell, server = read_only
    before = contents(shell.path("state"))
    done = bound(shell, server, *arguments)

    assert (done.code, done.stderr) == (0, "")
    assert done.stdout
    assert contents(shell.path("state")) == before


def test_runs_are_compared_without_the_right_to_write(read_only: tuple[Shell, ContractServer]) -> None:
    ids = [line.split()[0] for line in bound(*read_only, "runs").stdout.splitlines()[1:]]
    done = bound(*read_only, "runs", "diff", *ids)
    assert (done.code, "fared alike" in done.stdout) == (0, True)


def test_what_writes_says_that_it_may_not(read_only: tuple[Shell, ContractServer]) -> None:
    done = bound(*read_only, "run", "job.yaml")
    assert done.code == 7
    assert "state.db: the state cannot be read or written (" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [["runs"], ["status"], ["connectors"]], ids=" ".join)
def test_reading_makes_no_state_directory(shell: Shell, server: ContractServer, arguments: list[str]) -> None:
    done = shell.run(*arguments, env=server.environment())
    assert done.code == 0
    assert not shell.path("state").exists()


def test_reading_leaves_no_auxiliary_files_and_sees_what_a_writer_has_just_written(
    shell: Shell, server: ContractServer
) -> None:
    shell.run("run", shell.job(PAIRS), "--quiet", env=server.environment())
    names = sorted(path.name for path in shell.path("state").iterdir())
    with closing(sqlite3.connect(shell.path("state/state.db"), isolation_level=None)) as writer:
        writer.execute("UPDATE runs SET job_name = 'renamed'")  # it stands in the log alone by now
        assert "renamed" in shell.run("runs").stdout
    assert "renamed" in shell.run("runs").stdout
    assert sorted(path.name for path in shell.path("state").iterdir()) == names


def test_a_state_of_an_older_format_is_read_and_left_as_it_is(shell: Shell) -> None:
    shell.path("state").mkdir()
    path = shell.path("state/state.db")
    with closing(sqlite3.connect(path)) as old:
        old.execute("PRAGMA journal_mode = WAL")
        old.executescript(MIGRATIONS[0])
        old.execute("PRAGMA user_version = 1")
    before = path.read_bytes()
    done = shell.run("runs")
    assert (done.code, done.stderr) == (0, "no runs yet\n")
    assert path.read_bytes() == before


def test_a_state_of_a_newer_format_is_refused(shell: Shell) -> None:
    shell.path("state").mkdir()
    with closing(sqlite3.connect(shell.path("state/state.db"))) as new:
        new.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    done = shell.run("runs")
    assert done.code == 2
    assert "written by a newer c1-runner" in done.stderr


def test_a_state_that_is_none_is_told(shell: Shell) -> None:
    shell.path("state").mkdir()
    shell.path("state/state.db").write_bytes(b"\xa5" * 65_536)
    done = shell.run("runs")
    assert done.code == 7
    assert "the state file is damaged" in done.stderr
