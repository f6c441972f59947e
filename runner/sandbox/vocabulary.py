"""The words that stand beside a pause. C1 publishes none of them, so a client must live with any of these."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

ANOMALY_REASON = "Sync paused due to significant drop in sync data"  # C1's own reason begins like this
SYSTEM_REASON = "system"
OPT_OUT_REASON = "system-customer-opt-out"
_PREFIX = "SYNC_DISABLED_CATEGORY_"


class Cause(Enum):
    """Who a pause comes from."""

    CUSTOMER = "customer"  # a person or an API client: any deliberate pause
    ANOMALY = "anomaly"  # C1's own check of a sync, until a person confirms
    SYSTEM = "system"  # C1 itself, for reasons of its own


class Words(NamedTuple):
    """`syncDisabledCategory` and `syncDisabledReason` as sent; None is JSON's null."""

    category: str | None
    reason: str | None


class _Dialect(NamedTuple):
    category: str | None  # of a deliberate pause
    reason: str | None  # of a deliberate pause
    anomaly: str | None  # category of a pause by C1's own check
    system: str | None  # category of any other pause by C1 itself


class Vocabulary(Enum):
    """One tenant's words. In some, the category does not tell a deliberate pause from C1's own."""

    USER = _Dialect(f"{_PREFIX}USER", "", f"{_PREFIX}ANOMALY", f"{_PREFIX}SYSTEM")
    OPT_OUT = _Dialect("", OPT_OUT_REASON, "", "")
    PAUSED = _Dialect("PAUSED", "", "PAUSED", "PAUSED")
    CUSTOMER = _Dialect(f"{_PREFIX}CUSTOMER", "", f"{_PREFIX}SYSTEM", f"{_PREFIX}SYSTEM")
    REQUESTED = _Dialect("REQUESTED", "", "DETECTED", "")
    SYSTEM = _Dialect("", SYSTEM_REASON, "", "")
    ODD = _Dialect(OPT_OUT_REASON, OPT_OUT_REASON, OPT_OUT_REASON, SYSTEM_REASON)
    BLANK = _Dialect(None, None, None, None)

    @property
    def word(self) -> str:
        """The name as written in a fault string."""
        return self.name.lower().replace("_", "-")

    def words(self, cause: Cause) -> Words:
        """Return what stands beside a pause of this cause."""
        match cause:
            case Cause.CUSTOMER:
                return Words(self.value.category, self.value.reason)
            case Cause.ANOMALY:
                return Words(self.value.anomaly, f"{ANOMALY_REASON}: 84% of the users are gone")
        return Words(self.value.system, SYSTEM_REASON)
