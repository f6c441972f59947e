"""A user at a shell in an empty directory, and a tenant on a loopback port."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.contract_server import ContractServer
from tests.e2e.shell import Shell


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """The command line of a user in an empty directory."""
    opened = Shell(tmp_path)
    yield opened
    opened.end()


@pytest.fixture
def server() -> Iterator[ContractServer]:
    """A tenant by the published contract, with three connectors in two apps."""
    with ContractServer([("app1", "con1"), ("app1", "con2"), ("app2", "con3")]).serving() as serving:
        yield serving
