"""What a command loads before it gets to work, counted instead of timed.

Loading aiohttp takes five times as long as everything that `--help` does; one `import` at the top of the wrong file
is all it takes.
"""

import subprocess
import sys
from pathlib import Path

import pytest

_PROGRAM = """
import atexit, sys
path = sys.argv.pop(1)
atexit.register(lambda: open(path, "w").write("\\n".join(sys.modules)))
from runner.cli import main
main()
"""

NETWORK = {"aiohttp", "anyio", "asyncio", "ssl", "tenacity", "yarl"}
STATE = {"filelock", "sqlite3"}
SELDOM = {"cryptography", "difflib", "jwt", "re2", "rich", "runner.report.html", "runner.sandbox", "xml"}


def loaded(folder: Path, *arguments: str, code: int) -> set[str]:
    """The modules that a command has loaded when it ends."""
    modules = folder / "modules"
    command = [sys.executable, "-I", "-c", _PROGRAM, str(modules), *arguments]
    environment = {"HOME": str(folder), "PATH": "/usr/bin:/bin"}
    ended = subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == code, ended.stderr
    return set(modules.read_text().split())


@pytest.fixture
def job(tmp_path: Path) -> str:
    """A job file of two pairs."""
    path = tmp_path / "job.yaml"
    path.write_text("version: 1\noperation: pause\nconnectors: [app1/con1, app1/con2]\n")
    return str(path)


def test_help_loads_neither_network_nor_state_nor_yaml(tmp_path: Path) -> None:
    found = loaded(tmp_path, "--help", code=0)

    assert "click" in found
    assert found & (NETWORK | STATE | SELDOM | {"yaml", "runner.jobfile", "runner.report"}) == set()


def test_checking_a_job_file_loads_neither_network_nor_state(tmp_path: Path, job: str) -> None:
    found = loaded(tmp_path, "validate", job, code=0)

    assert "yaml" in found
    assert found & (NETWORK | STATE | SELDOM | {"runner.runs", "runner.report"}) == set()


def test_a_run_loads_nothing_that_only_other_commands_and_its_report_need(tmp_path: Path, job: str) -> None:
    found = loaded(tmp_path, "run", job, code=2)  # no credentials: everything up to the first request is there

    assert {"aiohttp", "sqlite3", "runner.runs", "runner.api.client"} <= found
    assert found & (SELDOM | {"runner.planning.saved", "runner.report.json_text"}) == set()
