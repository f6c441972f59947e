"""The command line of the comparison."""

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tests.benchmarks.comparison import nginx, tools
from tests.benchmarks.comparison.picture import picture
from tests.benchmarks.comparison.regimes import REGIMES, Regime
from tests.benchmarks.comparison.rounds import Result, compare
from tests.benchmarks.comparison.table import summary, table

_ROUNDS, _QUICK_ROUNDS = 5, 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the regimes that are asked for, print their tables, and write what else is wanted."""
    options = _parser().parse_args(arguments)
    if packages := nginx.missing():
        print(f"install first: apt-get install --no-install-recommends {' '.join(packages)}", file=sys.stderr)
        return 2
    others = tools.prepare(options.cache)
    print(f"{platform.platform()}, {os.cpu_count()} processors, Python {platform.python_version()}\n")
    compared: list[tuple[Regime, list[Result]]] = []
    for regime in REGIMES:
        if options.only and regime.key not in options.only:
            continue
        results = compare(regime, options.rounds or (_QUICK_ROUNDS if options.quick else _ROUNDS), others, options.dir)
        compared.append((regime, results))
        print(table(regime, results), flush=True)
    print(summary(compared))
    if options.json:
        options.json.write_text(json.dumps({regime.key: _plain(results) for regime, results in compared}, indent=1))
    if options.svg:
        options.svg.write_text(picture(compared))
    return 0


def _plain(results: Sequence[Result]) -> list[dict[str, object]]:
    return [asdict(result) | {"ratio": result.ratio} for result in results]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Compare c1-runner with what one would use otherwise, side by side, against a local nginx.",
        epilog="Takes about a quarter of an hour; nothing leaves this machine once the contenders are installed.",
    )
    parser.add_argument("--quick", action="store_true", help="one round only")
    parser.add_argument("--rounds", type=int, help=f"how many rounds; {_ROUNDS} by default")
    parser.add_argument("--only", action="append", choices=[regime.key for regime in REGIMES], help="repeatable")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure of every run")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="draw a picture")
    parser.add_argument("--dir", type=Path, help="where the runs keep state and reports for their time: a real disk")
    parser.add_argument("--cache", type=Path, default=tools.default_cache(), help="where other contenders are kept")
    return parser
