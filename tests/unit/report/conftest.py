"""Samples of runs for the tests of the report."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.report.samples import Sample, of_every_outcome, recorded


@pytest.fixture
def mixed(tmp_path: Path) -> Iterator[Sample]:
    """A finished run with one target of every outcome."""
    with recorded(tmp_path / "state", of_every_outcome()) as sample:
        yield sample
