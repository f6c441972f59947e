"""How long a long job file takes to load, against PyYAML alone, and how much memory it needs.

    python tests/benchmarks/jobfile_load.py

Prints a table and exits 1 when 10,000 pairs take more than twice the time of `yaml.load(..., CSafeLoader)`, or
100,000 pairs more than 60 MiB over the imports.
"""

import multiprocessing
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from runner import jobfile

MOST_TIME = 2.0  # times plain PyYAML
MOST_MEMORY = 60.0  # MiB over the imports
ROUNDS = 5

_HEAD = "version: 1\noperation: pause\nconnectors:\n"


def short_form(count: int) -> bytes:
    """A job of `count` pairs as APP/CONNECTOR, with ids as long as C1's."""
    return (_HEAD + "".join(f"  - 2aXkP{n:022}/2bYmQ{n:022}\n" for n in range(count))).encode()


def mappings(count: int) -> bytes:
    """A job of `count` pairs as labelled mappings."""
    entry = "  - {{app_id: 2aXkP{0:022}, connector_id: 2bYmQ{0:022}, name: Okta {0}}}\n"
    return (_HEAD + "".join(entry.format(n) for n in range(count))).encode()


def seconds(work: Callable[[], object]) -> float:
    """The best time of a few rounds."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def peak_memory(path: Path) -> float:
    """MiB that loading a file adds to a fresh process at its peak."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_grown, (path,))


def _grown(path: Path) -> float:
    before = _status("VmRSS")
    jobfile.load(path)
    return (_status("VmHWM") - before) / 1024


def _status(field: str) -> int:
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1])  # KiB


def main() -> int:
    """Measure both forms; the exit code."""
    worst = 0
    print(f"{'':12} {'PyYAML':>9} {'load':>9} {'ratio':>6}   {'peak':>8}")
    with TemporaryDirectory() as folder:
        for form in (short_form, mappings):
            text = form(10_000)
            plain = seconds(lambda text=text: yaml.load(text, Loader=yaml.CSafeLoader))  # type: ignore[misc]
            ours = seconds(lambda text=text: jobfile.loads(text, "job.yaml"))  # type: ignore[misc]
            path = Path(folder) / f"{form.__name__}.yaml"
            path.write_bytes(form(100_000))
            memory = peak_memory(path)
            print(f"{form.__name__:12} {plain:8.3f}s {ours:8.3f}s {ours / plain:6.2f} {memory:8.1f} MiB")
            worst |= ours / plain > MOST_TIME or memory > MOST_MEMORY
    return int(worst)


if __name__ == "__main__":
    sys.exit(main())
