"""A terminal with one command in it, as a person has it: it shows, it is typed into, it can be closed."""

import os
import select
import subprocess
import time
from types import TracebackType
from typing import Self

from tests.e2e.shell import PATIENCE, Shell

INTERRUPT, SUSPEND = "\x03", "\x1a"


class Terminal:
    """A pseudo-terminal whose session is led by the command."""

    def __init__(self, shell: Shell, *command: str, env: dict[str, str]) -> None:
        self._ours, theirs = os.openpty()
        self.shown = ""
        self.process = subprocess.Popen(
            ["setsid", "--ctty", *command],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=shell.directory,
            env=shell.environment | {"TERM": "xterm-256color"} | env,
        )
        os.close(theirs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.close()

    def see(self, text: str) -> None:
        """Return when the text has been shown."""
        give_up = time.monotonic() + PATIENCE
        while text not in self.shown:
            assert time.monotonic() < give_up, f"never showed {text!r}, but {self.shown!r}"
            assert self._read(), f"ended without {text!r}: {self.shown!r}"

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._ours, text.encode())

    def close(self) -> None:
        """Hang up."""
        if self._ours >= 0:
            os.close(self._ours)
            self._ours = -1

    def finish(self) -> int:
        """Watch until the command ends; returns its exit code."""
        while self._ours >= 0 and self._read():
            pass
        return self.process.wait(PATIENCE)

    def _read(self) -> bool:
        """Take in what is shown next; False when there is nothing more to come."""
        if not select.select([self._ours], [], [], 1.0)[0]:
            return True
        try:
            chunk = os.read(self._ours, 65_536)
        except OSError:  # nobody has it open any more (EIO)
            return False
        self.shown += chunk.decode(errors="replace")
        return bool(chunk)
