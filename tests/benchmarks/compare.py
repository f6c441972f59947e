"""Compare c1-runner with bare loops, curl, xargs and the official SDK, against nginx.

python tests/benchmarks/compare.py [--quick] [--only REGIME] [--json FILE] [--svg FILE]
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the tests are no installed package

    from tests.benchmarks.comparison.command import main

    sys.exit(main())
