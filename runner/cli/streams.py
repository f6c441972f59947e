"""Standard streams that never raise: what one could not take is remembered, and decides nothing but the exit code."""

import errno
import io
import os
import select
import stat
import sys
from typing import TextIO, cast

_PATIENCE = 1.0
"""Seconds that a line on standard error waits for a reader who does not read, where the system would not wait."""


class _Unfailing(io.FileIO):
    """The file of a standard stream. Writing never fails: from the first failure on, what comes is dropped.

    It is nobody's loss that a reader has left (`| head`), or that a terminal is gone. `loss` says why anything else
    was lost. With `patience` a full pipe that does not block gets so many seconds; without, it is waited for.
    """

    def __init__(self, descriptor: int, patience: float | None) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self.loss: str | None = None
        self._over = False
        self._patience = patience
        self._left = patience

    def write(self, data: "bytes | bytearray | memoryview", /) -> int:  # type: ignore[override]
        """Write, or pretend to."""
        try:
            while not self._over:
                written = super().write(data)
                if written is not None:
                    self._left = self._patience
                    return written
                if not self._wait():
                    break
        except OSError as error:
            self._over = True
            if not self._forgiven(error):
                self.loss = error.strerror or str(error)
        return len(data)

    def _wait(self) -> bool:
        """Wait until there is room, at most as long as there is patience; who has waited in vain waits no more."""
        poll = select.poll()
        poll.register(self.fileno(), select.POLLOUT)
        there_is_room = bool(poll.poll(None if self._left is None else self._left * 1000))
        self._left = self._left if there_is_room else 0.0
        return there_is_room

    def _forgiven(self, error: OSError) -> bool:
        if error.errno == errno.EIO:
            return stat.S_ISCHR(os.fstat(self.fileno()).st_mode)
        return error.errno == errno.EPIPE


_files: dict[str, _Unfailing] = {}
_lost = False


def make_unfailing() -> None:
    """Put unfailing streams in the place of the standard ones, also where the parent has closed them."""
    _occupy_descriptors()
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - it stays open
    sys.stdout = _unfailing(sys.stdout, 1, None)
    sys.stderr = _unfailing(sys.stderr, 2, _PATIENCE)


def note_loss() -> None:
    """Take note that something that was asked for could not be put down; whoever calls says what, and why."""
    global _lost
    _lost = True


def output_loss() -> str | None:
    """Why something that was printed has not arrived on standard output."""
    sys.stdout.flush()
    return _loss("stdout")


def anything_lost() -> bool:
    """Whether something that was asked for has not arrived, on a stream or elsewhere."""
    sys.stderr.flush()
    return _lost or output_loss() is not None or _loss("stderr") is not None


def _loss(name: str) -> str | None:
    file = _files.get(name)
    return file.loss if file is not None else None


def _occupy_descriptors() -> None:
    """Keep files that are opened later from getting the number of a closed stream, and what is written to it.

    What stands there then is not open for writing: who writes, we or a command of ours, is told.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDONLY)  # gets the lowest number that is free: this one
            os.set_inheritable(descriptor, True)


def _unfailing(stream: TextIO | None, descriptor: int, patience: float | None) -> TextIO:
    if stream is not None:
        try:
            descriptor = stream.fileno()
        except (OSError, ValueError):  # none of the system's
            return stream
        stream.flush()
    raw = _Unfailing(descriptor, patience)
    _files["stdout" if descriptor == 1 else "stderr"] = raw
    buffered = io.BufferedWriter(cast("io.RawIOBase", raw))
    by_line = descriptor != 1 or raw.isatty()
    return io.TextIOWrapper(buffered, encoding="utf-8", errors="backslashreplace", line_buffering=by_line)
