"""Who lives in a tenant before anything happens: a fixed list, or any id that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar, overload

from runner.sandbox.records import WELL_FORMED_ID, App, Connector

Item = TypeVar("Item", covariant=True)


class Population(Protocol):
    """The apps and connectors of a tenant, in listing order. Sequences may make their items on access."""

    def apps(self) -> Sequence[App]: ...

    def app(self, app_id: str) -> App | None: ...

    def connectors(self, app_id: str) -> Sequence[Connector]: ...

    def connector(self, app_id: str, connector_id: str) -> Connector | None: ...


class Lazy(Sequence[Item]):
    """A sequence over a range of indices whose items are made when they are asked for."""

    def __init__(self, make: Callable[[int], Item], indices: range) -> None:
        self._make = make
        self._indices = indices

    def __len__(self) -> int:
        return len(self._indices)

    @overload
    def __getitem__(self, index: int) -> Item: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Item]: ...

    def __getitem__(self, index: int | slice) -> Item | Sequence[Item]:
        if isinstance(index, slice):
            return [self._make(each) for each in self._indices[index]]
        return self._make(self._indices[index])


class Listed:
    """A population that is written down. It can grow while the tenant is in use."""

    def __init__(self, apps: Iterable[App] = (), connectors: Iterable[Connector] = ()) -> None:
        self._apps: list[App] = []
        self._by_id: dict[str, App] = {}
        self._rows: dict[str, dict[str, Connector]] = {}
        self._ordered: dict[str, list[Connector]] = {}
        for app in apps:
            self.add_app(app)
        for connector in connectors:
            self.add(connector)

    def add_app(self, app: App) -> None:
        self._apps.append(app)
        self._by_id[app.id] = app
        self._rows[app.id] = {}
        self._ordered[app.id] = []

    def add(self, connector: Connector) -> None:
        """Add a connector, and its app when that is new."""
        if connector.app_id not in self._by_id:
            self.add_app(App(connector.app_id, f"App {connector.app_id}"))
        self._rows[connector.app_id][connector.id] = connector
        self._ordered[connector.app_id].append(connector)

    def apps(self) -> Sequence[App]:
        return self._apps

    def app(self, app_id: str) -> App | None:
        return self._by_id.get(app_id)

    def connectors(self, app_id: str) -> Sequence[Connector]:
        return self._ordered[app_id]

    def connector(self, app_id: str, connector_id: str) -> Connector | None:
        return self._rows.get(app_id, {}).get(connector_id)


class Open(Listed):
    """Any well-formed pair springs into being when it is first touched; listings show what was touched."""

    def app(self, app_id: str) -> App | None:
        if app_id not in self._by_id and WELL_FORMED_ID.fullmatch(app_id):
            self.add_app(App(app_id, f"App {app_id}"))
        return super().app(app_id)

    def connector(self, app_id: str, connector_id: str) -> Connector | None:
        known = super().connector(app_id, connector_id)
        if known is None and self.app(app_id) is not None and WELL_FORMED_ID.fullmatch(connector_id):
            known = Connector(app_id, connector_id, f"Connector {connector_id}")
            self.add(known)
        return known


def of_pairs(pairs: Iterable[tuple[str, str]]) -> Listed:
    """Return a population of exactly these (app id, connector id) pairs."""
    return Listed(connectors=(Connector(app, each, f"Connector {each}") for app, each in pairs))
