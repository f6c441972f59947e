"""What others do while a client works: a second person, or C1 itself."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from hashlib import blake2b
from itertools import accumulate, chain

from runner.sandbox.faults import Faults
from runner.sandbox.routes import Endpoint, Route
from runner.sandbox.tenant import NotFound, Pair, Tenant

_UNIT = 2.0**64
_HERE = 0.5  # share of acts on the very connector that was asked about
_OUTSIDE = frozenset({Endpoint.TOKEN, Endpoint.PAGE, Endpoint.MOVED, Endpoint.UNKNOWN})


class Others:
    """Acts of somebody else, each right after a request, as often as `faults` says.

    What is done, and to which connector, follows from the seed, the request and how often that was seen.
    """

    def __init__(self, tenant: Tenant, faults: Faults) -> None:
        shares = faults.others()
        self._tenant = tenant
        self._seed = faults.seed
        self._names = tuple(shares)
        self._bounds = tuple(accumulate(shares.values()))
        self._seen: Counter[str] = Counter()
        self._acts: dict[str, Callable[[str, str], object]] = {
            "other": self._turn,
            "other_pause": tenant.pause_by_other,
            "other_resume": tenant.resume_by_other,
            "other_delete": tenant.delete,
            "anomaly": tenant.anomaly,
            "system": tenant.pause_by_system,
        }

    def after(self, method: str, path: str, route: Route) -> None:
        """Do what follows this request, if anything."""
        if not self._names or route.endpoint in _OUTSIDE:
            return
        act, here, which = self._draws(f"{method} {path}")
        chosen = bisect_right(self._bounds, act)
        if chosen < len(self._names):
            pair = (route.app_id, route.connector_id)
            self._act(self._names[chosen], pair if route.connector_id and here < _HERE else self._pick(which))

    def _act(self, name: str, pair: Pair | None) -> None:
        if pair is None:
            return
        try:
            self._acts[name](*pair)
        except NotFound:
            return  # it is deleted, or never was

    def _turn(self, app_id: str, connector_id: str) -> None:
        """Resume what is paused, pause what is not."""
        paused = self._tenant.state(app_id, connector_id).pause is not None
        act = self._tenant.resume_by_other if paused else self._tenant.pause_by_other
        act(app_id, connector_id)

    def _pick(self, which: float) -> Pair | None:
        """Return a connector of the tenant, None if the app that the draw falls on has none."""
        apps = self._tenant.apps()
        if not apps:
            return None
        place = which * len(apps)
        connectors = self._tenant.connectors(apps[int(place)].id)
        if not connectors:
            return None
        chosen = connectors[int(place % 1 * len(connectors))]
        return chosen.app_id, chosen.id

    def _draws(self, key: str) -> tuple[float, float, float]:
        attempt = self._seen[key]
        self._seen[key] = attempt + 1
        digest = blake2b(f"others/{self._seed}/{key}/{attempt}".encode(), digest_size=24).digest()
        first, second, third = (int.from_bytes(digest[start : start + 8], "big") / _UNIT for start in (0, 8, 16))
        return first, second, third


def neighbour(tenant: Tenant, route: Route) -> Route:
    """Return a route to another connector than the one asked for: of the same app if it has one.

    The route itself, where the tenant has no other connector.
    """
    app = tenant.population.app(route.app_id)
    own = tenant.connectors(app.id) if app else ()
    for connectors in chain([own], map(tenant.connectors, (each.id for each in tenant.apps()))):
        for connector in connectors:
            if (connector.app_id, connector.id) != (route.app_id, route.connector_id):
                return replace(route, app_id=connector.app_id, connector_id=connector.id)
    return route
