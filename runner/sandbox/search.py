"""The body of `POST /api/v1/search/apps`, held against the published contract: wrong types are refused."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from runner.sandbox import replies
from runner.sandbox.records import App
from runner.sandbox.replies import GatewayError

_TEXTS = ("displayName", "query", "pageToken")
_LISTS = ("appIds", "excludeAppIds")
_OBJECTS = ("policyRefs",)  # no app of the sandbox has a policy, so it only has to be well formed


@dataclass(frozen=True, slots=True)
class Search:
    """Which apps are asked for, and which page of them. Fields that the contract does not have are ignored."""

    name: str
    app_ids: frozenset[str]
    exclude: frozenset[str]
    only_directories: bool
    size: int
    token: str

    @property
    def listing(self) -> str:
        """What page tokens are bound to."""
        terms = [self.name, sorted(self.app_ids), sorted(self.exclude), self.only_directories]
        return f"search {json.dumps(terms)}"

    def find(self, apps: Sequence[App]) -> Sequence[App]:
        """Return the apps that are asked for; all of them, still unmade, if nothing is."""
        if self.only_directories:
            return []
        if not (self.name or self.app_ids or self.exclude):
            return apps
        return [app for app in apps if self._matches(app)]

    def _matches(self, app: App) -> bool:
        wanted = not self.app_ids or app.id in self.app_ids
        return wanted and app.id not in self.exclude and self.name in app.name.casefold()


def read(body: dict[str, Any]) -> Search:
    """Read the body; GatewayError names the first field of a wrong type."""
    texts = {name: _field(body, name, str, "") for name in _TEXTS}
    lists = {name: _list(body, name, str) for name in _LISTS}
    for name in _OBJECTS:
        _list(body, name, dict)
    return Search(
        name=(texts["displayName"] or texts["query"]).casefold(),
        app_ids=frozenset(lists["appIds"]),
        exclude=frozenset(lists["excludeAppIds"]),
        only_directories=_field(body, "onlyDirectories", bool, False),
        size=_whole(body, "pageSize"),
        token=texts["pageToken"],
    )


def _field(body: dict[str, Any], name: str, kind: type, default: Any) -> Any:
    value = body.get(name)
    if value is None:  # as protobuf's JSON has it: null is the field's default
        return default
    if not isinstance(value, kind):
        raise _wrong(name, kind.__name__)
    return value


def _list(body: dict[str, Any], name: str, kind: type) -> list[Any]:
    values: list[Any] = _field(body, name, list, [])
    if not all(isinstance(value, kind) for value in values):
        raise _wrong(name, f"list of {kind.__name__}")
    return values


def _whole(body: dict[str, Any], name: str) -> int:
    value = body.get(name)
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int | float) or value % 1 != 0:
        raise _wrong(name, "whole number")
    return int(value)


def _wrong(name: str, expected: str) -> GatewayError:
    return GatewayError(replies.INVALID_ARGUMENT, f"{name}: not a {expected}")
