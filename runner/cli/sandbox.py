"""`c1-runner sandbox`: a simulated tenant for rehearsals, on loopback only."""

import shlex
import signal
import time
from functools import partial
from pathlib import Path

import anyio
import click

from runner.base.errors import UsageError
from runner.cli import options
from runner.cli.tenant import read_faults
from runner.sandbox import (
    Faults,
    Generated,
    Open,
    Oracle,
    Population,
    SandboxServer,
    Tenant,
    demo_population,
    environment,
    serve,
)

CLIENTS = ("signer", "plain", "reader", "blind", "federated")


@click.command()
@click.option("--port", type=click.IntRange(0, 65_535), default=0, show_default=True, help="0: any free port.")
@click.option("--faults", default="", metavar="FAULTS", help="Such as latency=50ms,error=5%,drop=2%,limit=50/s,seed=7.")
@click.option("--apps", type=click.IntRange(1), help="Generate a tenant with so many apps.")
@click.option("--connectors", type=click.IntRange(0), default=20_000, show_default=True, help="With --apps.")
@click.option("--any-id", is_flag=True, help="Every well-formed app and connector id exists.")
@click.option("--client", type=click.Choice(CLIENTS), default=CLIENTS[0], help="Whose credentials are printed.")
@click.option(
    "--log", type=options.GivenPath(path_type=Path, dir_okay=False), help="Append what is applied to this file."
)
def sandbox(
    port: int, faults: str, apps: int | None, connectors: int, any_id: bool, client: str, log: Path | None
) -> int:
    """Serve a simulated tenant on a loopback port until interrupted.

    \b
    It prints the variables to use it:
      c1-runner sandbox > sandbox.env        # in one terminal
      . ./sandbox.env                        # in another
      c1-runner run jobs/demo.yaml
    """
    parsed = read_faults(faults)
    tenant = Tenant(_population(apps, connectors, any_id, parsed), oracle=Oracle(keep_requests=False))

    async def main() -> int:
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: serve(tenant, parsed, port=port, log=log, ready=partial(_announce, client)))
            with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as received:
                number = await anext(received)
            group.cancel_scope.cancel()
        return 128 + number

    try:
        return anyio.run(main)
    except ExceptionGroup as group:
        raise UsageError(f"cannot serve on port {port}: {group.exceptions[0]}") from None


def _population(apps: int | None, connectors: int, any_id: bool, faults: Faults) -> Population:
    if any_id:
        return Open()
    return demo_population(time.time() + (faults.clock or 0.0)) if apps is None else Generated(apps, connectors)


def _announce(client: str, server: SandboxServer) -> None:
    for name, value in environment(server, getattr(server.desk, client)).items():
        print(f"export {name}={shlex.quote(value)}", flush=True)
    click.echo(f"serving a simulated tenant at {server.url}; Ctrl-C ends it", err=True)
