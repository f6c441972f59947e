"""The durable account of every run: SQLite, in the platform's state directory.

`database` opens and migrates the file, `journal` writes one run as it happens, `records` reads runs back.
"""

from runner.store.database import Store
from runner.store.journal import Journal
from runner.store.records import Receipt, RunRecord, TargetRecord

__all__ = ["Journal", "Receipt", "RunRecord", "Store", "TargetRecord"]
