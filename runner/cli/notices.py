"""What whoever touches a tenant has to know of earlier runs."""

from pathlib import Path

from runner.cli.counting import Silent
from runner.store import RunRecord, Store


def say_what_ended_abruptly(
    store: Store, tenant: str, state_dir: Path | None, *, but: RunRecord | None = None
) -> set[str]:
    """Name the runs on a tenant that ended without an account, and what to type, on stderr; returns their ids.

    `but` needs no word.
    """
    shown = Silent()
    shown.state_dir, shown.holding = state_dir, store.holding
    abrupt = [record for record in store.abrupt_runs(tenant) if but is None or record.run != but.run]
    for record in abrupt:
        shown.abrupt(record)
    return {record.run_id for record in abrupt}
