"""One connector as `connectors` and `status` show it, and the tables, JSON, CSV and YAML that they print."""

import csv
import json
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import click

from runner.api.rows import App
from runner.base.model import Connector, PauseKind
from runner.cli.table import print_table
from runner.report.document import state_word
from runner.report.text import json_safe, plain, shortened
from runner.store import Lease

FORMATS = click.Choice(["text", "json", "csv", "yaml"])
"""How a list of connectors can be printed."""


class Source(Enum):
    """Where it is known from what is shown of a connector."""

    TENANT = "tenant"  # the tenant has listed it
    MISSING = "missing"  # our own records name it, and a whole listing does not
    RECORD = "record"  # our own records alone: the tenant was not heard of it


@dataclass(frozen=True, slots=True)
class Seen:
    """One connector of the tenant, and whose wish it is that it is paused, if a run of ours has paused it."""

    app: App
    connector: Connector
    ours: bool = False  # paused, by a pause that a run known here has made
    leases: tuple[Lease, ...] = ()  # of the runs that still want it so
    source: Source = Source.TENANT

    @property
    def lease(self) -> Lease | None:
        """The lease that lasts longest."""
        return max(self.leases, key=lambda lease: math.inf if lease.until is None else lease.until, default=None)

    def overdue(self, now: float) -> bool:
        """Whether it ought to have been resumed by now (epoch seconds)."""
        lease = self.lease
        return lease is not None and lease.until is not None and lease.until <= now

    @property
    def hidden(self) -> bool:
        """Whether the tenant lists it as active, although a run here has paused it, and nothing proves its end."""
        return self.source is Source.TENANT and bool(self.leases) and not self.connector.state.paused

    @property
    def state(self) -> str:
        """One word for the state, and whose doing a pause is."""
        now = self.connector.state
        if self.source is Source.MISSING:
            return "not listed"
        if self.source is Source.RECORD:
            return "recorded, not checked"
        if self.hidden:
            return "not shown as paused"
        if not now.paused:
            return state_word(now)
        if self.ours:
            return "paused by us"
        return "paused by C1" if now.kind is not PauseKind.DELIBERATE else "paused by others"


_FIELDS = (
    *("app_id", "app_name", "connector_id", "connector_name", "state", "paused_at", "run_id", "by", "reason"),
    *("until", "overdue"),
)
_HEADER = ("APP", "CONNECTOR", "STATE", "SINCE", "BY", "WHY", "ID")


def print_seen(seen: Sequence[Seen], output_format: str, *, kinds: bool = False) -> None:
    """Print connectors on standard output; with `kinds` also what each of them is."""
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


def _kind(connector: Connector) -> dict[str, str | None]:
    """The field that a listing with kinds has more; null where the tenant does not tell."""
    return {"kind": None if connector.kind is None else connector.kind.value}


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    by = ", ".join(filter(None, (row["by"] or "", f"run {row['run_id']}" if row["run_id"] else "")))
    by = by if row["by"] or not by else f"not {by}, which wanted it"
    cells = (row["app_name"], row["connector_name"], row["state"], row["paused_at"], by, row["reason"])
    kind = (row["kind"] or "not told",) if "kind" in row else ()
    return (*(shortened(cell or "", 50) for cell in cells), f"{row['app_id']}/{row['connector_id']}", *kind)
