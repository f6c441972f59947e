"""What a reply to a read must hold to be believed: the right connector, the right app, a listing that gets somewhere.

Pure. Whoever acts on what is read, or on what is not there, relies on this.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from runner.base.errors import ApiError
from runner.base.model import AttemptClass, JsonObject, Target, Verdict
from runner.base.policy import BARREN_PAGES

_READS = ("connectorView", "list")
"""What C1's answers to reads hold, and its answers to actions never."""


def strange(words: str, *, retryable: bool = True) -> ApiError:
    """A reply with status 200 that is not believed."""
    return ApiError(Verdict(AttemptClass.AMBIGUOUS, words, 200, retryable=retryable))


def answers_a_read(document: Mapping[str, object] | None) -> bool:
    """Whether this is no answer to an action: one reply too many on a connection shifts all that follow."""
    return document is not None and any(name in document for name in _READS)


def check_connector(document: JsonObject, target: Target) -> None:
    """Raise `ApiError` if the answer to a read of `target` is about another connector, or about none."""
    row = _connector(document.get("connectorView"))
    if row.get("id") is None:
        raise strange("the answer holds no connector")
    if row["id"] != target.connector_id or row.get("appId") not in (None, "", target.app_id):
        raise strange("the answer is about another connector")


def check_page(document: JsonObject, app_id: str | None = None) -> None:
    """Raise `ApiError` if this is no page of a listing, or holds connectors of another app than `app_id`."""
    listed, token = document.get("list"), document.get("nextPageToken")
    if listed is not None and not isinstance(listed, list):
        raise strange("the answer holds no list")
    if not isinstance(token, str | None):
        raise strange("the answer's nextPageToken is no text")
    if listed and not any(isinstance(row, dict) for row in listed):
        raise strange("the list holds no objects")
    objects = [row for row in listed or () if isinstance(row, dict)]
    if app_id is not None and objects and not any("connector" in row for row in objects):
        raise strange("the answer is no listing of connectors")
    for row in listed or ():
        if app_id is None and _connector(row):
            raise strange("the answer is a listing of connectors, and apps were asked for")
        if app_id is not None and _connector(row).get("appId") not in (None, "", app_id):
            raise strange("the answer is about another app")


def _connector(view: object) -> Mapping[str, Any]:
    row = view.get("connector") if isinstance(view, dict) else None
    return row if isinstance(row, dict) else {}


class Progress:
    """Raises `ApiError` when a listing does not come to an end."""

    def __init__(self) -> None:
        self._tokens: set[str] = set()
        self._rows: set[str] = set()
        self._barren = 0  # pages in a row without a new row

    def turn(self, rows: Iterable[Mapping[str, Any]], token: str) -> None:
        """A page has come, and names the next one by `token`."""
        if token in self._tokens:
            raise strange("the listing goes round in circles", retryable=False)
        self._tokens.add(token)
        ids = {str(_connector(row).get("id") or row.get("id")) for row in rows}
        self._barren = self._barren + 1 if ids <= self._rows else 0
        self._rows |= ids
        if self._barren >= BARREN_PAGES:
            raise strange(f"the listing does not end: {self._barren} pages with nothing new", retryable=False)
