"""What all tests share: a virtual clock for async tests, and an environment without anybody's settings."""

import os
import random

import hypothesis
import pytest

from tests.virtual_clock import VirtualClockLoop

EXAMPLES = int(os.environ.get("C1_RUNNER_TEST_EXAMPLES", "50"))
"""Examples of each property that names no number of its own."""

# How long an example takes says more of the machine than of the code; the same examples every time.
hypothesis.settings.register_profile("suite", deadline=None, derandomize=True, print_blob=True, max_examples=EXAMPLES)
hypothesis.settings.load_profile("suite")


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    """Async tests run on a clock that jumps from timer to timer."""
    return "asyncio", {"loop_factory": VirtualClockLoop}


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No credentials, proxies or settings of whoever runs the tests get in."""
    for name in os.environ:
        if name.startswith(("CONDUCTORONE_", "C1_RUNNER_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _same_jitter_every_time() -> None:
    """Back-off jitter comes from the global generator (tenacity's)."""
    random.seed(20261123)
