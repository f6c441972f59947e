"""What whoever touches a tenant has to know of earlier runs."""

from runner.cli.counting import Silent
from runner.store import RunRecord, Store


def say_what_ended_abruptly(store: Store, tenant: str, *, but: RunRecord | None = None) -> None:
    """Name the runs on a tenant that ended without an account, and what to type, on stderr; `but` needs no word."""
    for record in store.abrupt_runs(tenant):
        if but is None or record.run != but.run:
            Silent().abrupt(record)
