"""What all tests share: a virtual clock for async tests, and an environment without anybody's settings."""

import os
import random

import pytest

from tests.virtual_clock import VirtualClockLoop


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
