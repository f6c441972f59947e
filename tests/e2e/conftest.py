"""The installed command as a process: its standard output, its standard error, its exit code."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

COMMAND = Path(sys.executable).with_name("c1-runner")
REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True)
class Finished:
    """How a process ended."""

    code: int
    stdout: str
    stderr: str


class Shell:
    """Runs the command with a state directory of its own and no settings but the given ones."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(directory),
            "C1_RUNNER_STATE_DIR": str(directory / "state"),
            **{name: value for name, value in os.environ.items() if name.startswith("COVERAGE")},
        }

    def start(self, *arguments: str, env: Mapping[str, str] | None = None) -> "subprocess.Popen[str]":
        """Start the command; its output is read through pipes."""
        return subprocess.Popen(
            [COMMAND, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.directory,
            env=self.environment | dict(env or {}),
        )

    def run(self, *arguments: str, env: Mapping[str, str] | None = None, stdin: str = "") -> Finished:
        """Run the command to its end."""
        done = subprocess.run(
            [COMMAND, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            cwd=self.directory,
            env=self.environment | dict(env or {}),
            timeout=120,
            check=False,
        )
        return Finished(done.returncode, done.stdout, done.stderr)

    def write(self, name: str, text: str) -> str:
        """Write a file into the working directory; returns its name."""
        (self.directory / name).write_text(text, encoding="utf-8")
        return name

    @contextmanager
    def sandbox(self, *arguments: str) -> Iterator[dict[str, str]]:
        """A sandbox tenant in a process of its own; yields the variables that lead to it."""
        process = self.start("sandbox", *arguments)
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(3)]
            pairs = (line.removeprefix("export ").strip().partition("=") for line in lines)
            yield {name: value.strip("'") for name, _, value in pairs}
        finally:
            process.terminate()
            process.communicate(timeout=30)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """The command line of a user in an empty directory."""
    return Shell(tmp_path)


