"""A whole tenant paused fast: time of `pause --all` against the time that its requests take on the wire.

    python tests/benchmarks/whole_tenant.py                 # 1,000 apps with 1,500 connectors, 50 ms, 10 at once

The tenant is the sandbox in a process of its own, which works on the same cores. The ratio is the run's own
duration (list, pause, verify, account) to requests / concurrency * latency; the bound to keep is 1.15.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

COMMAND = str(Path(sys.executable).with_name("c1-runner"))


def main() -> None:
    """Measure, and print one line for each round and the median."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--apps", type=int, default=1_000)
    parser.add_argument("--connectors", type=int, default=1_500)
    parser.add_argument("--latency", type=float, default=0.05, help="seconds")
    parser.add_argument("--concurrency", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    ratios = [measure(asked.apps, asked.connectors, asked.latency, asked.concurrency) for _ in range(asked.rounds)]
    print(f"median {statistics.median(ratios):.3f}")


def measure(apps: int, connectors: int, latency: float, concurrency: int) -> float:
    """One run against a fresh tenant; returns the ratio."""
    size = ["--apps", str(apps), "--connectors", str(connectors), "--faults", f"latency={latency}s"]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            [COMMAND, "sandbox", *size], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as it,
    ):
        try:
            assert it.stdout is not None
            lines = [it.stdout.readline().removeprefix("export ").strip().partition("=") for _ in range(3)]
            tenant = {name: value.strip("'") for name, _, value in lines}
            report = Path(folder) / "report.json"
            command = [COMMAND, "pause", "--all", "--reason", "benchmark", "--yes", "--quiet", "--report", str(report)]
            environment = os.environ | tenant | {"C1_RUNNER_STATE_DIR": folder}
            subprocess.run([*command, "--concurrency", str(concurrency)], env=environment, check=True)
            run = json.loads(report.read_text(encoding="utf-8"))
        finally:
            it.terminate()
    ideal = run["requests"]["total"] / concurrency * latency
    ratio: float = run["duration_s"] / ideal
    print(f"{run['requests']['total']} requests, {run['duration_s']:.2f} s, ideal {ideal:.2f} s: {ratio:.3f}")
    return ratio


if __name__ == "__main__":
    main()
