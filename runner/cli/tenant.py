"""The tenant a command works on: the real one of the environment, or the embedded sandbox."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import click

from runner.base import settings
from runner.base.errors import UsageError
from runner.base.model import Job
from runner.base.settings import Settings

if TYPE_CHECKING:
    from runner.sandbox import Faults


@asynccontextmanager
async def connected(job: Job, *, sandbox: bool, faults: str | None) -> AsyncIterator[Settings]:
    """Settings for the job's tenant; a sandbox lives as long as the block.

    Raises `SettingsError` when credentials are missing or the job's pin names another tenant, before
    anything is sent. A rehearsal in the sandbox does not mind the pin: nothing leaves this machine.
    """
    if sandbox:
        async with _sandbox(faults or "") as environment:
            yield settings.from_environment(environment)
        return
    if faults:
        raise click.UsageError("--faults goes with --sandbox")
    found = settings.from_environment(os.environ)
    settings.check_pin(job.tenant, found)
    yield found


def read_faults(text: str) -> "Faults":
    """Read the value of `--faults`. Raises `UsageError` that names all that is wrong with it."""
    from runner.sandbox import Faults, FaultsError

    try:
        return Faults.parse(text)
    except FaultsError as error:
        raise UsageError(f"--faults: {error}") from None


@asynccontextmanager
async def _sandbox(text: str) -> AsyncIterator[dict[str, str]]:
    import time

    from runner.sandbox import SandboxServer, Tenant, demo_population, environment

    faults = read_faults(text)
    tenant = Tenant(demo_population(time.time() + (faults.clock or 0.0)))
    async with SandboxServer(tenant, faults) as server:
        yield environment(server)
