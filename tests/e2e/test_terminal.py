"""The command in a pseudo-terminal: wide, narrow, without colours, and resized while it runs."""

import codecs
import contextlib
import fcntl
import os
import re
import struct
import subprocess
import termios
from collections.abc import Mapping
from dataclasses import dataclass, field

import pyte
import pytest

from tests.e2e.contract_server import ContractServer
from tests.e2e.shell import COMMAND, PATIENCE, REPOSITORY, Shell
from tests.e2e.windows import PAIRS, QUICK

ROWS = 50
SHOWS_THE_CURSOR = "\x1b[?25h"

FAULTS = "latency=50ms,limit=12/s,burst=4,retry_after=1s,seed=5"


@dataclass
class Window:
    """A terminal window, a command in it, and what it showed after each piece of output."""

    columns: int
    output: str = ""
    moments: list[list[str]] = field(default_factory=list)

    def run(
        self, shell: Shell, *arguments: str, resized: int | None = None, env: Mapping[str, str] | None = None
    ) -> int:
        """Run the command; after some output the window is `resized`. Returns the exit code."""
        controller, terminal = os.openpty()
        self._size(terminal, self.columns)
        process = subprocess.Popen(
            [COMMAND, *arguments],
            cwd=shell.directory,
            env=shell.environment | {"TERM": "xterm-256color", "C1_RUNNER_PROGRESS": "auto"} | dict(env or {}),
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
        )
        screen = pyte.Screen(self.columns, ROWS)
        stream = pyte.Stream(screen)
        decoder = codecs.getincrementaldecoder("utf-8")()
        with contextlib.suppress(OSError):  # the other end is closed
            os.close(terminal)
            while chunk := os.read(controller, 65536):
                text = decoder.decode(chunk)
                self.output += text
                stream.feed(text)
                self.moments.append([line.rstrip() for line in screen.display if line.strip()])
                if resized is not None and "━" in text:
                    self._size(controller, resized)
                    screen.resize(ROWS, resized)
                    self.columns, resized = resized, None
        os.close(controller)
        return process.wait()

    def showing(self, text: str) -> list[str]:
        """What stands on the screen once nothing but `text` was ever written to it."""
        screen = pyte.Screen(self.columns, ROWS)
        pyte.Stream(screen).feed(text)
        return [line.rstrip() for line in screen.display if line.strip()]

    @staticmethod
    def _size(terminal: int, columns: int) -> None:
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, columns, 0, 0))


@pytest.mark.parametrize(
    ("columns", "resized", "env"),
    [
        (80, None, {}),
        (200, 80, {}),
        (40, 120, {"NO_COLOR": "1"}),
    ],
    ids=["80 columns", "200 columns, then 80", "40 columns without colours, then 120"],
)
def test_a_run_leaves_its_failures_and_its_recap_on_the_terminal_and_nothing_else(
    shell: Shell, columns: int, resized: int | None, env: Mapping[str, str]
) -> None:
    names = ("2aHRcore/2bWorkdayUS", "2aHRcore/2bWorkdayEU", "2aHRcore/2bHRsheet", "2aAwsOrg/2bAwsRoot")
    pairs = [(app, connector) for app, _, connector in (name.partition("/") for name in names)]
    job = shell.job([*pairs, ("2aGitHub", "2bNoSuchThing"), *(("2aGitHub", f"2bNone{n}") for n in range(2))])
    window = Window(columns)
    code = window.run(shell, "run", job, "--sandbox", "--faults", FAULTS, resized=resized, env=env)

    assert code == 4
    drawn, _, recap = window.output.rpartition(SHOWS_THE_CURSOR)
    codes = re.compile(r"\x1b\[[0-9;]*m")
    failures = [
        codes.sub("", line.partition("\r\n")[0])
        for line in drawn.split("\x1b[J")
        if "2bNo" in line and "failed" in line
    ]
    assert len(failures) == 3
    assert "4 of 7 connectors are paused." in recap
    assert "--report report.json" in recap

    left, shown_recap = window.moments[-1], window.showing(recap)
    above = left[: -len(shown_recap)]
    assert left[-len(shown_recap) :] == shown_recap
    assert sum(line.startswith("failed: ") for line in above) == 3
    # This terminal neither joins nor wraps anew what it showed before it was resized.
    assert [line for line in above if not any(line in failure for failure in failures)] == []
    assert max(sum(" of 7 · " in line for line in shown) for shown in window.moments) == 1
    assert any("in flight" in "".join(shown) for shown in window.moments)
    if "NO_COLOR" in env:
        assert "\x1b[3" not in window.output.replace("\x1b[?25", "")


@pytest.mark.parametrize("arguments", [["run"], ["window"]], ids=lambda words: words[0])
def test_a_terminal_that_is_gone_changes_nothing(shell: Shell, server: ContractServer, arguments: list[str]) -> None:
    controller, terminal = os.openpty()
    server.hold()
    process = subprocess.Popen(
        [COMMAND, *arguments, shell.job(PAIRS, extra=QUICK), *(["--", "true"] if arguments == ["window"] else [])],
        cwd=shell.directory,
        env=shell.environment | server.environment() | {"TERM": "xterm", "C1_RUNNER_PROGRESS": "auto"},
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    )
    os.close(terminal)
    server.wait_for(lambda: server.in_flight == 1)
    os.close(controller)  # it is not the one that controls the command, so no signal tells
    server.release()

    assert process.wait(PATIENCE) == 0
    assert len(server.posts()) == (6 if arguments == ["window"] else 3)


def test_a_terminal_without_a_locale_shows_progress_and_recap(shell: Shell) -> None:
    window = Window(100)
    env = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    assert window.run(shell, "run", str(REPOSITORY / "jobs/demo.yaml"), "--sandbox", "--faults", FAULTS, env=env) == 0
    assert "Traceback" not in window.output
    assert "All 8 connectors are paused." in window.output
