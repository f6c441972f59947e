"""Standard output and standard error that do not mind a reader who has left (`| head`), or a terminal that is gone."""

import errno
import io
import os
import sys
from typing import TextIO, cast


class _Forgiving(io.FileIO):
    """A file whose writes go nowhere once its reader is gone: the work goes on, and so does its exit code."""

    def write(self, data: "bytes | bytearray | memoryview", /) -> int:  # type: ignore[override]
        """Write, or pretend to."""
        try:
            return super().write(data) or 0
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.EIO):
                raise
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            return len(data)


def forgive_broken_pipes() -> None:
    """Put forgiving streams in the place of `sys.stdout` and `sys.stderr`."""
    sys.stdout = _forgiving(sys.stdout)
    sys.stderr = _forgiving(sys.stderr)


def _forgiving(stream: TextIO) -> TextIO:
    try:
        descriptor, interactive = stream.fileno(), stream.isatty()
    except (OSError, ValueError, AttributeError):  # closed, or none at all
        return stream
    stream.flush()
    raw = _Forgiving(descriptor, "w", closefd=False)
    buffered = io.BufferedWriter(cast("io.RawIOBase", raw))
    by_line = interactive or stream is sys.__stderr__
    return io.TextIOWrapper(buffered, encoding="utf-8", errors="backslashreplace", line_buffering=by_line)
