"""The short notation that says which population a tenant has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runner.sandbox import units
from runner.sandbox.demo import demo_population
from runner.sandbox.generated import Generated
from runner.sandbox.population import Open, Population

_SETTINGS: dict[str, Callable[[str], Any]] = {
    "apps": units.count,
    "connectors": units.count,
    "seed": units.count,
    "paused": units.share,
}


def parse_population(text: str, now: float) -> Population:
    """Read `demo`, `open` (any id exists) or `apps=5000,connectors=20000,seed=7,paused=2%`.

    `now` (epoch seconds) dates the demo's last syncs. ValueError says what is wrong.
    """
    if text == "demo":
        return demo_population(now)
    if text == "open":
        return Open()
    settings: dict[str, Any] = {}
    for part in text.split(","):
        name, _, value = part.strip().partition("=")
        if name not in _SETTINGS:
            raise ValueError(f"{name!r} is neither demo, open nor one of {', '.join(_SETTINGS)}")
        settings[name] = _SETTINGS[name](value)
    return Generated(**settings)
