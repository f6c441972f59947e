"""`connectors` and `status`: what the tenant shows, and whose doing it is."""

import csv
import json
import logging
import math
import sys
import time
from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import click

from runner.api.client import Client
from runner.api.rows import App
from runner.cli import logs, options, state
from runner.cli.listing import Listing
from runner.cli.mcp_text import mcp_lines
from runner.cli.notices import say_what_ended_abruptly
from runner.cli.plan_text import credential_lines
from runner.cli.table import print_table
from runner.cli.tenant import connected
from runner.discover import Discovery
from runner.errors import ApiError, ExitCode, NothingSelectedError, OutageError, RunnerError
from runner.kinds import McpServers
from runner.model import Connector, ConnectorKind, ConnectorState, Job, OperationName, PauseKind, Planned, Selection
from runner.pauses import Moment
from runner.report.document import state_word
from runner.report.text import json_safe, plain, shortened
from runner.report.words import moment_text
from runner.selection import Judgement, Selector
from runner.settings import Settings
from runner.stop import Stop, now
from runner.store import Hold, Lease, ReadOnlyStore
from runner.units import shown

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Seen:
    """One connector of the tenant, and whose wish it is that it is paused, if a run of ours has paused it."""

    app: App
    connector: Connector
    ours: bool = False  # paused, by a pause that a run known here has made
    leases: tuple[Lease, ...] = ()  # of the runs that still want it so
    listed: bool = True  # False: only our own records name it

    @property
    def lease(self) -> Lease | None:
        """The lease that lasts longest."""
        return max(self.leases, key=lambda lease: math.inf if lease.until is None else lease.until, default=None)

    def overdue(self, now: float) -> bool:
        """Whether it ought to have been resumed by now."""
        lease = self.lease
        return lease is not None and lease.until is not None and lease.until <= now

    @property
    def state(self) -> str:
        """One word for the state, and whose doing a pause is."""
        now = self.connector.state
        if not self.listed:
            return "not listed"
        if self.leases and not now.paused:
            return "not shown as paused"  # although a run here has paused it, and no read proves the end of that
        if not now.paused:
            return state_word(now)
        if self.ours:
            return "paused by us"
        return "paused by C1" if now.kind is not PauseKind.DELIBERATE else "paused by others"


_FIELDS = (
    *("app_id", "app_name", "connector_id", "connector_name", "state", "paused_at", "run_id", "by", "reason"),
    *("until", "overdue"),
)
_FORMATS = click.Choice(["text", "json", "csv", "yaml"])

_format = click.option("--format", "output_format", type=_FORMATS, default="text", show_default=True)
_selection = click.option("--select", "patterns", multiple=True, metavar="PATTERN", type=options.PATTERN,
                          help="Only connectors whose name fits: a glob, /regex/ or an id. Repeatable.")  # fmt: skip


@click.command()
@_selection
@click.option("--kind", type=options.KIND, help="Only MCP servers (mcp), or only what is none (connector).")
@_format
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
    _, seen = look(select, state_dir, sandbox=sandbox, faults=faults, partial=partial, mcp=mcp)
    _print(seen, output_format, kinds=True)
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


@click.command()
@_format
@options.state_dir
@options.sandbox
@options.faults
def status(output_format: str, state_dir: Path | None, sandbox: bool, faults: str | None) -> int:
    """Say what is paused, since when, by whom, why and until when; exit code 4 when something is overdue.

    What a run known to this state directory has paused is told by the tenant's own mark of that pause.

    \b
    Examples:
      c1-runner status
      c1-runner status --format json | jq '.[] | select(.overdue)'
    """
    settings, everything = look(Selection(all=True), state_dir, sandbox=sandbox, faults=faults)
    seen = [one for one in everything if one.connector.state.paused or one.leases]
    now = time.time()
    if output_format == "text" and not seen:
        click.echo("nothing is paused")
    else:
        _print(seen, output_format)
    if output_format == "text":
        _print_runs(seen, now)
        for line in credential_lines(settings.credential.expires_at):
            click.echo(f"\n{line}")
    overdue = sum(one.overdue(now) for one in seen)
    if overdue:
        click.echo(f"c1-runner: {overdue} overdue: `c1-runner expire` resumes what is due", err=True)
    return ExitCode.INCOMPLETE if overdue else ExitCode.OK


def _print_runs(seen: Sequence[Seen], now: float) -> None:
    """The runs that keep something paused, with who, why and until when."""
    kept: dict[str, list[Lease]] = {}
    for one in seen:
        for lease in one.leases:
            kept.setdefault(lease.run_id, []).append(lease)
    rows = [(*_run_cells(leases[0], now), str(len(leases))) for _, leases in sorted(kept.items())]
    if rows:
        click.echo()
        print_table(_RUNS_HEADER, rows)


def _run_cells(lease: Lease, now: float) -> tuple[str, ...]:
    if lease.until is None:
        until = "its command ends" if lease.windowed else "it is undone"
    else:
        until = moment_text(lease.until) + (" OVERDUE" if lease.until <= now else "")
    cells = (lease.job_name, f"{lease.user}@{lease.host}", lease.reason or "")
    return (lease.run_id, *(shortened(cell, 50) for cell in cells), until)


def look(
    select: Selection,
    state_dir: Path | None,
    *,
    sandbox: bool,
    faults: str | None,
    partial: bool = False,
    mcp: McpServers | None = None,
) -> tuple[Settings, list[Seen]]:
    """The tenant and its selected connectors, by app and name; `mcp`, if given, takes in its MCP servers.

    Raises when the tenant cannot be listed whole; if `partial` will do, what is missing is said on stderr.
    """
    logs.configure(verbose=0, quiet=False, log_format="text")
    job = Job(OperationName.PAUSE, "look", select=select)

    async def main() -> tuple[Settings, list[Seen]]:
        async with connected(job, sandbox=sandbox, faults=faults) as settings:
            with ReadOnlyStore(state.directory(state_dir)) as store:
                holds = store.holds(settings.tenant)
                sees_pauses = store.sees_marks(settings.tenant, settings.identity)
                gone = say_what_ended_abruptly(store, settings.tenant, state_dir)
            stop, seen = Stop(), list[Seen]()

            def keep(app: App, connector: Connector, judgement: Judgement) -> None:
                hold = holds.pop((connector.app_id, connector.connector_id), None)
                if judgement.selected:
                    ours = hold is not None and hold.marks.cover(connector.state)
                    leases = () if hold is None else tuple(_told(lease, gone) for lease in hold.leases)
                    seen.append(Seen(app, connector, ours, leases))

            async with Client(settings, stop=stop) as client:
                await client.sign_in()
                discovery = Discovery(Selector(select), client, stop, concurrency=10, told=listing, mcp=mcp)
                await discovery.feed(keep, alone=True)(_nowhere)
            _check(stop, discovery, partial=partial)
            known = sees_pauses or client.sees_marks
            moment = Moment(time.time(), client.tenant_time.earliest(now()))
            seen = [_as_proven(one, moment, sees_pauses=known) for one in seen]
            if select.all:
                seen += [_unlisted(pair, hold, gone) for pair, hold in holds.items() if hold.leases]
            return settings, sorted(seen, key=_place)

    try:
        with Listing() as listing:
            return anyio.run(main)
    except ApiError as error:
        raise OutageError(str(error)) from None


def _as_proven(seen: Seen, moment: Moment, *, sees_pauses: bool) -> Seen:
    """Without the leases on a pause that has ended for certain: a read says so, by a credential that sees pauses."""
    state = seen.connector.state
    if state.paused or not seen.leases:
        return seen
    return replace(
        seen, leases=tuple(one for one in seen.leases if not one.is_over(state, moment, sighted=sees_pauses))
    )


def _unlisted(pair: tuple[str, str], hold: Hold, gone: Container[str]) -> Seen:
    """What our own records want paused, and the tenant does not list."""
    app_id, connector_id = pair
    connector = Connector(app_id, connector_id, None, ConnectorState(None, None))
    leases = tuple(_told(lease, gone) for lease in hold.leases)
    return Seen(App(app_id, None, deleted=False), connector, leases=leases, listed=False)


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


def _row(seen: Seen) -> dict[str, Any]:
    lease, connector = seen.lease, seen.connector
    until = None if lease is None or lease.until is None else datetime.fromtimestamp(lease.until, UTC)
    theirs = connector.state.paused and not seen.ours  # whatever a run here still wants of it
    by = None if lease is None or theirs else f"{lease.user}@{lease.host}"
    values = (
        *(seen.app.app_id, seen.app.name, connector.connector_id, connector.name, seen.state),
        *(connector.state.paused_at, lease and lease.run_id, by),
        lease.reason if lease and by else connector.state.reason,
        *(until and f"{until:%Y-%m-%dT%H:%M:%SZ}", seen.overdue(time.time())),
    )
    return dict(zip(_FIELDS, values, strict=True))


def _print(seen: Sequence[Seen], output_format: str, *, kinds: bool = False) -> None:
    rows = [_row(one) | (_kind(one.connector) if kinds else {}) for one in seen]
    if output_format == "json":
        click.echo(json_safe(json.dumps(rows, indent=1, ensure_ascii=False)))
    elif output_format == "yaml":
        _print_yaml(rows)
    elif output_format == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\r\n")
        writer.writerow((*_FIELDS, "kind") if kinds else _FIELDS)
        writer.writerows([_guarded(value) for value in row.values()] for row in rows)
    else:
        print_table((*_HEADER, "KIND") if kinds else _HEADER, [_cells(row) for row in rows])


def _print_yaml(rows: Sequence[dict[str, Any]]) -> None:
    """A row at a time: PyYAML holds the events of a whole document in memory."""
    import yaml

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    for row in rows:
        text = yaml.dump([row], Dumper=dumper, sort_keys=False, allow_unicode=True)
        if any(plain(line) != line for line in text.split("\n")):  # what does not show as itself is escaped
            text = yaml.dump([row], Dumper=dumper, sort_keys=False, allow_unicode=False)
        click.echo(text, nl=False)
    if not rows:
        click.echo("[]")


def _guarded(value: object) -> str:
    """A cell that no spreadsheet takes for a formula."""
    text = "" if value is None else plain(str(value))
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


_RUNS_HEADER = ("KEPT PAUSED BY", "JOB", "WHO", "WHY", "UNTIL", "CONNECTORS")
_HEADER = ("APP", "CONNECTOR", "STATE", "SINCE", "BY", "WHY", "ID")


def _kind(connector: Connector) -> dict[str, str | None]:
    """The field that a listing with kinds has more; null where the tenant does not tell."""
    return {"kind": None if connector.kind is None else connector.kind.value}


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    by = ", ".join(filter(None, (row["by"] or "", f"run {row['run_id']}" if row["run_id"] else "")))
    by = by if row["by"] or not by else f"not {by}, which wanted it"
    cells = (row["app_name"], row["connector_name"], row["state"], row["paused_at"], by, row["reason"])
    kind = (row["kind"] or "not told",) if "kind" in row else ()
    return (*(shortened(cell or "", 50) for cell in cells), f"{row['app_id']}/{row['connector_id']}", *kind)
