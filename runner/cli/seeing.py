"""A look at the tenant's connectors, beside what the state directory has of them; and `connectors`, which shows it."""

import logging
import time
from collections.abc import Callable, Container, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import anyio
import click

from runner.api.client import Client
from runner.api.rows import App
from runner.base.errors import ApiError, ExitCode, NothingSelectedError, OutageError, RunnerError
from runner.base.model import Connector, ConnectorKind, ConnectorState, Job, OperationName, Planned, Selection
from runner.base.pauses import Moment
from runner.base.settings import Settings
from runner.base.stop import Stop, now
from runner.base.units import shown
from runner.cli import logs, options, state
from runner.cli.listing import Listing
from runner.cli.mcp_text import mcp_lines
from runner.cli.notices import say_what_ended_abruptly
from runner.cli.seen import FORMATS, Seen, Source, print_seen
from runner.cli.tenant import connected
from runner.jobfile import load_config
from runner.planning.discover import Discovery, Told
from runner.planning.kinds import McpServers
from runner.selection import Judgement, Selector
from runner.store import Hold, Lease, ReadOnlyStore, Store

log = logging.getLogger(__name__)


class View(NamedTuple):
    """What a look at the tenant has shown."""

    settings: Settings
    seen: list[Seen]  # by app and name
    sighted: bool  # this credential was shown the mark of a pause, now or in an earlier run
    whole: bool  # nothing is missing that could not be listed


_selection = click.option("--select", "patterns", multiple=True, metavar="PATTERN", type=options.PATTERN,
                          help="Only connectors whose name fits: a glob, /regex/ or an id. Repeatable.")  # fmt: skip


@click.command()
@_selection
@click.option("--kind", type=options.KIND, help="Only MCP servers (mcp), or only what is none (connector).")
@click.option("--format", "output_format", type=FORMATS, default="text", show_default=True)
@options.partial
@options.state_dir
@options.sandbox
@options.faults
def connectors(
    patterns: tuple[str, ...],
    kind: str | None,
    output_format: str,
    partial: bool,
    state_dir: Path | None,
    sandbox: bool,
    faults: str | None,
) -> int:
    """List the tenant's connectors with their state, from live reads.

    \b
    Examples:
      c1-runner connectors
      c1-runner connectors --select "Okta*" --format csv > okta.csv
      c1-runner connectors --kind mcp
    """
    of_kind = None if kind is None else ConnectorKind(kind)
    select = Selection(all=not patterns and of_kind is None, connectors=patterns, kind=of_kind)
    mcp = McpServers()
    seen = look(select, state_dir, sandbox=sandbox, faults=faults, partial=partial, mcp=mcp).seen
    print_seen(seen, output_format, kinds=True)
    _print_mcp(mcp, output_format)
    if patterns and not seen:
        raise NothingSelectedError(f"no connector fits --select {' '.join(map(shown, patterns))}")
    return ExitCode.OK


def _print_mcp(mcp: McpServers, output_format: str) -> None:
    """How many MCP servers there are, below the table; for machines only what the listing does not show, on stderr."""
    if output_format == "text":
        click.echo()
        for line in mcp_lines(mcp):
            click.echo(line)
    elif mcp.hidden:
        for line in mcp_lines(mcp):
            click.echo(f"c1-runner: {line}", err=True)


def look(
    select: Selection,
    state_dir: Path | None,
    *,
    sandbox: bool,
    faults: str | None,
    partial: bool = False,
    mcp: McpServers | None = None,
    instead: Callable[[list[Seen]], None] | None = None,
) -> View:
    """The tenant's selected connectors; `mcp`, if given, takes in its MCP servers.

    Raises when the tenant cannot be listed whole; if `partial` will do, what is missing is said on stderr. `instead`,
    if given, gets what is recorded here before that. A configuration that is named and not there is refused, as by the
    commands that heed what it protects.
    """
    logs.configure(verbose=0, quiet=False, log_format="text")
    load_config(state.config_file())
    job = Job(OperationName.PAUSE, "look", select=select)

    async def main() -> View:
        async with connected(job, sandbox=sandbox, faults=faults) as settings:
            with ReadOnlyStore(state.directory(state_dir)) as store:
                gone = say_what_ended_abruptly(store, settings.tenant, state_dir)
                known = _recorded(store, settings, gone)
            try:
                return await _listed(select, settings, known, told=listing, partial=partial, mcp=mcp)
            except RunnerError:
                if instead is not None:
                    instead(sorted(known.held.values(), key=_place))
                raise

    try:
        with Listing() as listing:
            return anyio.run(main)
    except ApiError as error:
        raise OutageError(str(error)) from None


class _Known(NamedTuple):
    """What the state directory has of a tenant, by (app id, connector id)."""

    holds: Mapping[tuple[str, str], Hold]
    held: Mapping[tuple[str, str], Seen]  # what runs known here want kept paused, from the record alone
    sighted: bool  # this credential was shown the mark of a pause in an earlier run


def _recorded(store: Store, settings: Settings, gone: Container[str]) -> _Known:
    """What the state directory has of a tenant; `gone` are the ids of the windows whose process is."""
    tenant = settings.tenant
    holds = store.holds(tenant)
    wanted = (planned for run in store.pausing_runs(tenant) for planned, _ in store.held(run))
    names = {planned.target[:2]: (planned.app_name, planned.connector_name) for planned in wanted}
    held = {}
    for pair, hold in holds.items():
        if hold.leases:
            app_name, name = names.get(pair, (None, None))
            leases = tuple(_told(lease, gone) for lease in hold.leases)
            connector = Connector(*pair, name, ConnectorState(None, None))
            held[pair] = Seen(App(pair[0], app_name, deleted=False), connector, leases=leases, source=Source.RECORD)
    return _Known(holds, held, store.sees_marks(tenant, settings.identity))


async def _listed(
    select: Selection, settings: Settings, known: _Known, *, told: Told, partial: bool, mcp: McpServers | None
) -> View:
    """The tenant's selected connectors from live reads; raises when that is not all of them, and not to be partial."""
    stop, seen, found = Stop(), list[Seen](), set[tuple[str, str]]()

    def keep(app: App, connector: Connector, judgement: Judgement) -> None:
        pair = (connector.app_id, connector.connector_id)
        found.add(pair)
        if judgement.selected:
            hold, held = known.holds.get(pair), known.held.get(pair)
            ours = hold is not None and hold.marks.cover(connector.state)
            seen.append(Seen(app, connector, ours, () if held is None else held.leases))

    async with Client(settings, stop=stop) as client:
        await client.sign_in()
        discovery = Discovery(Selector(select), client, stop, concurrency=10, told=told, mcp=mcp)
        await discovery.feed(keep, alone=True)(_nowhere)
    _check(stop, discovery, partial=partial)
    sighted = known.sighted or client.sees_marks
    moment = Moment(time.time(), client.tenant_time.earliest(now()))
    seen = [_as_proven(one, moment, sees_pauses=sighted) for one in seen]
    if select.all:  # what an incomplete listing does not have may be missing in it, or may be gone
        source = Source.RECORD if discovery.unlisted else Source.MISSING
        seen += [replace(one, source=source) for pair, one in known.held.items() if pair not in found]
    return View(settings, sorted(seen, key=_place), sighted, whole=not discovery.unlisted)


def _as_proven(seen: Seen, moment: Moment, *, sees_pauses: bool) -> Seen:
    """Without the leases on a pause that has ended for certain: a read says so, by a credential that sees pauses."""
    state = seen.connector.state
    if state.paused or not seen.leases:
        return seen
    return replace(
        seen, leases=tuple(one for one in seen.leases if not one.is_over(state, moment, sighted=sees_pauses))
    )


def _told(lease: Lease, gone: Container[str]) -> Lease:
    """The lease as it is now: at the end of a window that is gone nobody resumes anything."""
    return lease._replace(windowed=lease.windowed and lease.run_id not in gone)


def _place(seen: Seen) -> tuple[str, str, str, str]:
    """Where it stands in a list: apps of one name apart."""
    return seen.app.name or "", seen.app.app_id, seen.connector.name or "", seen.connector.connector_id


def _check(stop: Stop, discovery: Discovery, *, partial: bool) -> None:
    if stop.reason is not None:
        error = RunnerError(stop.reason)
        error.exit_code = ExitCode(stop.exit_code)
        raise error
    if discovery.unlisted and not partial:
        words = f"the tenant could not be listed whole: {discovery.unlisted}"
        raise OutageError(f"{words}\nwith --partial the rest is shown without it")
    if discovery.unlisted:
        click.echo(f"c1-runner: partial: not everything could be listed: {discovery.unlisted}", err=True)
    if not discovery.apps:
        click.echo("c1-runner: the tenant lists no apps: does this credential see any?", err=True)
    for line in discovery.unknown():
        log.warning("%s", line)


async def _nowhere(planned: Planned) -> None:
    raise AssertionError(f"nothing is to be done with {planned.target}")
