"""The durable account of every run: SQLite, in the platform's state directory.

`database` opens and migrates the file, `reading` opens it for who may not write, `journal` writes one run as it
happens, `pacelog` thins what it writes of the pace, `records` reads runs back, `lease` says what a target's row means
for its pause, `leases` which runs want a connector paused, `holding` how much a run keeps so, `pruning` removes old
runs.
"""

from runner.store.database import Store
from runner.store.holding import Holding
from runner.store.journal import Journal
from runner.store.lease import Lease
from runner.store.leases import Ending, Hold, Leases, Standing
from runner.store.pacelog import PaceLog
from runner.store.reading import ReadOnlyStore
from runner.store.records import PaceSample, RunRecord, TargetRecord

__all__ = [
    "Ending",
    "Hold",
    "Holding",
    "Journal",
    "Lease",
    "Leases",
    "PaceLog",
    "PaceSample",
    "ReadOnlyStore",
    "RunRecord",
    "Standing",
    "Store",
    "TargetRecord",
]
