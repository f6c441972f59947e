"""How a world shows what is so: rows as C1's contract has them, by the setting of its dials."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from tests.worlds.dials import CLOCKS, Dials
from tests.worlds.truth import Pair, Row

Shown = dict[str, Any]


def timestamp(moment: float) -> str:
    """Epoch seconds as the API writes them."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


class Showing:
    """Shows rows; `now` is the world's time of what is shown."""

    def __init__(self, dials: Dials) -> None:
        self._dials = dials
        self.offset = CLOCKS[dials.clock].offset

    def view(self, pair: Pair, row: Row, now: float) -> Shown:
        """One `ConnectorView`."""
        return {"connector": self._connector(pair, row, now), "appPath": "", "capabilitiesPath": "", "usersPath": ""}

    def _connector(self, pair: Pair, row: Row, now: float) -> Shown:
        pause = row.pause if self._dials.fields == "shown" else None
        return {
            "id": pair[1],
            "appId": pair[0],
            "displayName": f"Connector {pair[1]} of {pair[0]}",
            "catalogId": "2AbcCatalog",
            "deletedAt": None if row.deleted_at is None else self._time(row.deleted_at),
            "status": self._status(row, now),
            "syncDisabledAt": self._time(pause.at) if pause else None,
            "syncDisabledCategory": pause.words.category if pause else "",
            "syncDisabledReason": pause.words.reason if pause else "",
            "canResumeSync": pause is not None,
            "userIds": None,
            "config": None,
        }

    def _status(self, row: Row, now: float) -> Shown | None:
        running = now < row.sync_ended
        word = "RUNNING" if running else "DONE"
        if row.pause is not None and self._dials.status != "DONE":
            if self._dials.status == "null":
                return None
            word = self._dials.status
        return {
            "status": f"SYNC_STATUS_{word}",
            "startedAt": self._time(row.sync_started),
            "completedAt": None if running else self._time(row.sync_ended),
            "updatedAt": self._time(min(now, row.sync_ended)),
            "lastError": "",
        }

    def _time(self, moment: float) -> str:
        return timestamp(moment + self.offset)


def app(app_id: str) -> Shown:
    """One row of the listing of apps."""
    return {"id": app_id, "displayName": f"App {app_id}", "deletedAt": None, "appOwners": None}


def page(rows: Sequence[Shown], query: dict[str, str], listing: str, size: int | None = None) -> Shown:
    """One page of a listing, with the oddity that the dial `listing` names."""
    asked = int(query.get("page_size") or "25")
    size = size or max(asked, 10)
    token = query.get("page_token", "")
    start, again = (int(token.rstrip("a")), token.endswith("a")) if token else (0, False)
    shown, following = list(rows[start : start + size]), start + size
    if listing == "overshoot":
        shown, following = list(rows[start : start + size + 15]), start + size + 15
    more = str(following) if following < len(rows) else ""
    if listing == "null page" and not more and shown:
        more = str(following)
    if listing == "page twice" and not again:
        more = f"{start}a"  # the token of the next page leads to this one once more
    if listing == "endless":
        more = str(following)
    return {"list": shown or None, "nextPageToken": more, "notificationToken": "", "expanded": None}
