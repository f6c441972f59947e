"""A whole listing as a selection's patterns met it: names that are unclear, and names that nobody has."""

import re
from collections.abc import Collection, Iterator

from runner.base.model import Connector
from runner.base.units import shown
from runner.selection.pattern import Named, named
from runner.selection.rules import Patterns
from runner.selection.selector import Judgement, Selector

_SHOWN = 5
"""So many ids are named in one message."""

_REMEMBERED = 20_000
"""So many names and ids of each kind are kept for suggestions."""

_SUGGESTIONS = 3
"""For so many unknown names something nearer is looked for."""


class Census:
    """Judges a listing as it comes in, and remembers what its patterns met.

    Give it every app that is not deleted, and every connector of the apps that the selection wants.
    """

    def __init__(self, selector: Selector) -> None:
        self._selector = selector
        listed = "connector of the selected apps" if selector.apps else "connector"
        self._apps = _Roll("select.apps", "app", "id or name", selector.apps)
        self._connectors = _Roll("select.connectors", listed, "id or name", selector.connectors)
        self._kinds = _Roll("select.catalog_ids", listed, "catalog id", selector.catalog_ids)
        self._owners = _Roll("select.owners", listed, "owner", selector.owners)
        self._excluded_apps = _Roll("exclude", "app", "id or name", selector.excluded.app_patterns)
        self._excluded = _Roll("exclude", listed, "id or name", selector.excluded.connector_patterns)
        self._pairs = {str(pair): pair for pair in selector.excluded.pairs}  # that were not met yet
        self._spared: set[str] = set()  # apps whose connectors nobody needs to list

    def app(self, app_id: str, app_name: str | None) -> Judgement:
        """Take note of an app, and judge it."""
        app, judgement = named(app_id, app_name), self._selector.judge_app(app_id, app_name)
        self._apps.meet(app, app_id if judgement.selected else None)
        self._excluded_apps.meet(app)
        if not judgement.selected:
            self._spared.add(app_id)
        return judgement

    def connector(self, app_id: str, app_name: str | None, connector: Connector) -> Judgement:
        """Take note of a connector, and judge it."""
        judgement = self._selector.judge(app_id, app_name, connector)
        if connector.state.deleted:
            return judgement
        own, pair = named(connector.connector_id, connector.name), f"{app_id}/{connector.connector_id}"
        self._connectors.meet(own, pair if judgement.selected else None)
        self._excluded.meet(own)
        self._pairs.pop(pair, None)
        if connector.catalog_id is not None:
            self._kinds.meet(named(connector.catalog_id, connector.catalog_id))
        for owner in connector.owners:
            self._owners.meet(named(owner, owner))
        return judgement

    def problems(self) -> list[str]:
        """Why nothing may be sent: exact names of `select` that fit more than one, or nothing at all."""
        apps, connectors = self._apps, self._connectors
        return [
            *apps.unclear("apps", "write the id of the one you mean"),
            *apps.unknown(),
            *connectors.unclear("connectors", "write the one you mean as APP/CONNECTOR under `connectors:` of the job"),
            *connectors.unknown(),
        ]

    def unknown(self) -> list[str]:
        """Exact names of `select` that nobody has: those among the problems that are none for whoever only looks."""
        return [*self._apps.unknown(), *self._connectors.unknown()]

    def warnings(self) -> list[str]:
        """What is probably a slip: other patterns that fit nothing, those of `exclude` among them."""
        return [
            *self._apps.unmet(),
            *self._connectors.unmet(),
            *(line for roll in (self._kinds, self._owners) for line in (*roll.unknown(), *roll.unmet())),
            *self._useless_exclusions(),
        ]

    def _useless_exclusions(self) -> Iterator[str]:
        """What `exclude` names and nobody is: what was to be left alone may be called otherwise, and be in the plan."""
        apps, connectors = self._excluded_apps, self._excluded
        either = apps.texts & connectors.texts  # an `--exclude` may mean the one or the other
        for roll in (apps, connectors):
            yield from roll.unknown(but=either)
            yield from roll.unmet(but=either)
        for text in sorted(apps.missing & connectors.missing):
            near = apps.suggestion(text) or connectors.suggestion(text)
            yield f"exclude: {shown(text)} fits no app and no {connectors.noun}{near}"
        for pair, target in self._pairs.items():
            if target.app_id not in self._spared:
                yield f"exclude: no app lists a connector {pair}"


class _Roll:
    """What the patterns of one list have met."""

    def __init__(self, setting: str, noun: str, feature: str, patterns: Patterns) -> None:
        self._setting, self.noun, self._feature, self._patterns = setting, noun, feature, patterns
        self.texts = {pattern.text for pattern in (*patterns.exact, *patterns.open)}
        self.missing = set(self.texts)  # those that have met nothing yet
        self._exact: dict[str, dict[str, None]] = {}  # by text, once met: what it selects, each once
        self._open = {pattern.text: pattern for pattern in patterns.open}  # not met yet
        self._names: dict[str, str] = {}  # folded -> as it is written

    def meet(self, subject: Named, selected: str | None = None) -> None:
        """Take note of `subject`; `selected` is its id if the job takes it."""
        if not self._patterns:
            return
        for pattern in self._patterns.exactly(subject):
            self.missing.discard(pattern.text)
            found = self._exact.setdefault(pattern.text, {})
            if selected is not None:
                found[selected] = None
        for text in [text for text, pattern in self._open.items() if pattern.matches(subject)]:
            del self._open[text]
            self.missing.discard(text)
        if self._patterns.exact and len(self._names) < _REMEMBERED:
            self._names.setdefault(subject.folded, subject.text)
            self._names.setdefault(subject.id.casefold(), subject.id)

    def unclear(self, nouns: str, remedy: str) -> list[str]:
        """A line for each exact pattern that selects more than one."""
        return [
            f"{self._setting}: {shown(text)} fits {len(found)} {nouns}, {_listed(list(found))}: "
            f"{remedy}, exclude the others, or write {_as_regex(text)} to take them all"
            for text, found in self._exact.items()
            if len(found) > 1
        ]

    def unknown(self, but: Collection[str] = ()) -> list[str]:
        """A line for each exact pattern that met nothing."""
        missing = self.missing.difference(but)
        texts = [each.text for each in self._patterns.exact if each.text in missing]
        return [
            f"{self._setting}: no {self.noun} has the {self._feature} {shown(text)}"
            + (self.suggestion(text) if index < _SUGGESTIONS else "")
            for index, text in enumerate(texts)
        ]

    def unmet(self, but: Collection[str] = ()) -> list[str]:
        """A line for each other pattern that met nothing."""
        return [f"{self._setting}: {shown(text)} fits no {self.noun}" for text in self._open if text not in but]

    def suggestion(self, text: str) -> str:
        """The nearest name that there is, as a question; empty without one."""
        import difflib  # takes a while to load, and only mistakes need it

        folded = named("", text).folded
        near = difflib.get_close_matches(folded[:100], self._names, n=1)
        near = near or [name for name in self._names if name.startswith(folded)][:1]
        return f": did you mean {shown(self._names[near[0]])}?" if near else ""


def _listed(ids: list[str]) -> str:
    if len(ids) > _SHOWN:
        return f"{', '.join(ids[:_SHOWN])} and {len(ids) - _SHOWN} more"
    return f"{', '.join(ids[:-1])} and {ids[-1]}"


def _as_regex(text: str) -> str:
    if not text.isprintable():
        return "a /regular expression/"
    return "/^" + re.sub(r"([\\.^$*+?{}\[\]|()])", r"\\\1", text) + "$/"
