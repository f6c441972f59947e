"""One run of one command, from outside: time, processor time and memory as the system accounts for them."""

import os
import resource
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

LONGEST = 600.0
"""Seconds; a command that takes longer is killed."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What one process took, with those it waited for."""

    started_at: float  # seconds since the epoch
    seconds: float
    cpu: float  # seconds, user and system
    peak: float  # MiB, of the largest process


def run(command: Sequence[str | Path], environment: Mapping[str, str], output: Path) -> Usage:
    """Run a command to its end, with its output in a file; raises `RuntimeError` if it fails."""
    with output.open("wb") as file:
        started_at, start = time.time(), time.monotonic()
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        usage = _reap(process)
        seconds = time.monotonic() - start
    if process.returncode:
        tail = output.read_text(errors="replace")[-2000:]
        raise RuntimeError(f"{' '.join(map(str, command))}: exit code {process.returncode}\n{tail}")
    return Usage(started_at, seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def _reap(process: "subprocess.Popen[bytes]") -> resource.struct_rusage:
    """Wait for a process as `Popen.wait` does, and get the system's account of it as well."""
    watchdog = threading.Timer(LONGEST, process.kill)
    watchdog.start()
    try:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    except BaseException:
        process.kill()
        raise
    finally:
        watchdog.cancel()
    return usage
