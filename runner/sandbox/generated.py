"""A tenant of any size from a seed. Nothing is stored: an id carries its index, all else is computed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b

from runner.sandbox.population import Lazy
from runner.sandbox.records import App, Connector, Pause, State, Sync, timestamp

BEGINNING = 1_790_000_000.0  # epoch seconds, September 2026: when generated connectors last changed
INDEX_DIGITS = 7
LARGE_APP_SHARE = 0.1  # the last app owns this much of all connectors, so that its listing has pages

_VENDORS = (
    "Okta",
    "GitHub",
    "Google Workspace",
    "AWS",
    "Slack",
    "Salesforce",
    "Snowflake",
    "Jira",
    "Datadog",
)
_PLACES = (
    "Production",
    "Staging",
    "Corporate",
    "EMEA",
    "APAC",
    "Finance",
    "Engineering",
    "Sandbox",
    "Legacy",
)


class Generated:
    """`apps` apps that own `connectors` connectors: many apps with none or few, one with very many.

    `paused` is the share of connectors that are paused from the start.
    """

    def __init__(self, apps: int = 5000, connectors: int = 20_000, *, seed: int = 0, paused: float = 0.0) -> None:
        if apps < 1 or connectors < 0:
            raise ValueError(f"a generated tenant needs at least one app, not {apps} apps, {connectors} connectors")
        self._apps = apps
        self._connectors = connectors
        self._seed = seed
        self._paused = paused

    def apps(self) -> Sequence[App]:
        return Lazy(self._app, range(self._apps))

    def app(self, app_id: str) -> App | None:
        index = self._index("app", app_id, self._apps)
        return None if index is None else self._app(index)

    def connectors(self, app_id: str) -> Sequence[Connector]:
        index = self._index("app", app_id, self._apps)
        owned = range(0) if index is None else self._owned(index)
        return Lazy(lambda each: self._connector(app_id, each), owned)

    def connector(self, app_id: str, connector_id: str) -> Connector | None:
        app = self._index("app", app_id, self._apps)
        index = self._index("connector", connector_id, self._connectors)
        if app is None or index is None or index not in self._owned(app):
            return None
        return self._connector(app_id, index)

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Yield every (app id, connector id), in listing order."""
        for index in range(self._apps):
            app_id = self._id("app", index)
            for each in self._owned(index):
                yield app_id, self._id("connector", each)

    def _owned(self, app: int) -> range:
        return range(self._first(app), self._first(app + 1))

    def _first(self, app: int) -> int:
        if app >= self._apps:
            return self._connectors
        return int(self._connectors * (1 - LARGE_APP_SHARE) * (app / self._apps) ** 1.5)

    def _digest(self, kind: str, index: int) -> bytes:
        return blake2b(f"{self._seed}/{kind}/{index}".encode(), digest_size=16).digest()

    def _id(self, kind: str, index: int) -> str:
        return f"2{self._digest(kind, index).hex()[:19]}{index:0{INDEX_DIGITS}d}"

    def _index(self, kind: str, text: str, count: int) -> int | None:
        digits = text[-INDEX_DIGITS:]
        if not (digits.isascii() and digits.isdecimal()):
            return None
        index = int(digits)
        return index if index < count and self._id(kind, index) == text else None

    def _app(self, index: int) -> App:
        return App(self._id("app", index), _name(self._digest("app", index)))

    def _connector(self, app_id: str, index: int) -> Connector:
        digest = self._digest("connector", index)
        catalog = f"catalog-{_VENDORS[digest[0] % len(_VENDORS)].split()[0].lower()}"
        pause = None
        if int.from_bytes(digest[8:12]) < self._paused * 2**32:
            pause = Pause(timestamp(BEGINNING + index, index))
        last = Sync(BEGINNING - 3600 - index % 3000, BEGINNING - 60)
        return Connector(app_id, self._id("connector", index), _name(digest), catalog, State(pause, last))


def _name(digest: bytes) -> str:
    return f"{_VENDORS[digest[0] % len(_VENDORS)]} {_PLACES[digest[1] % len(_PLACES)]} {digest[2:4].hex()}"
