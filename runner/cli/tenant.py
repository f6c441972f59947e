"""The tenant a command works on: the real one of the environment, or the embedded sandbox."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import click

from runner import settings
from runner.errors import UsageError
from runner.model import Job
from runner.settings import Settings


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


@asynccontextmanager
async def _sandbox(faults: str) -> AsyncIterator[dict[str, str]]:
    import time

    from runner.sandbox import Faults, FaultsError, SandboxServer, Tenant, demo_population, environment

    try:
        parsed = Faults.parse(faults) if faults else Faults()
    except FaultsError as error:
        raise UsageError(f"--faults: {error}") from None
    async with SandboxServer(Tenant(demo_population(time.time())), parsed) as server:
        yield environment(server)
