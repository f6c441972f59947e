"""Several patterns at once, and the rules that leave connectors alone."""

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from runner.model import Exclusion, Target
from runner.selection.pattern import Named, Pattern, compile_pattern


class Patterns:
    """Alternatives. Exact ones are looked up, so that a long list of names costs no more than a short one."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._ids: dict[str, Pattern] = {}
        self._names: dict[str, list[Pattern]] = {}
        self.open: list[Pattern] = []
        for text in dict.fromkeys(texts):
            self._add(compile_pattern(text))

    def __bool__(self) -> bool:
        return bool(self._ids or self.open)

    @property
    def exact(self) -> list[Pattern]:
        """Those that stand for one id or name."""
        return list(self._ids.values())

    def exactly(self, subject: Named) -> list[Pattern]:
        """Those that are the id or the name of `subject`."""
        found = list(self._names.get(subject.folded, ()))
        by_id = self._ids.get(subject.id)
        return found if by_id is None or by_id in found else [by_id, *found]

    def first(self, subject: Named) -> Pattern | None:
        """One that fits `subject`, if any does."""
        found = self.exactly(subject)
        return found[0] if found else next((each for each in self.open if each.matches(subject)), None)

    def fit(self, subject: Named) -> bool:
        """Whether one of them fits `subject`."""
        return self.first(subject) is not None

    def _add(self, pattern: Pattern) -> None:
        if pattern.is_exact:
            self._ids[pattern.text] = pattern
            self._names.setdefault(pattern.folded, []).append(pattern)
        else:
            self.open.append(pattern)


class _Both(NamedTuple):
    app: Pattern
    connector: Pattern
    rule: Exclusion


class Rules:
    """What leaves connectors alone: by pair, by app, by connector, or by both of them."""

    def __init__(self, exclusions: Iterable[Exclusion]) -> None:
        self._pairs: dict[tuple[str, str], Exclusion] = {}
        self._both: list[_Both] = []
        apps: dict[str, Exclusion] = {}
        connectors: dict[str, Exclusion] = {}
        for rule in exclusions:
            if rule.target is not None:
                self._pairs[rule.target[:2]] = rule
            elif rule.app is not None and rule.connector is not None:
                self._both.append(_Both(compile_pattern(rule.app), compile_pattern(rule.connector), rule))
            elif rule.app is not None:
                apps[compile_pattern(rule.app).text] = rule
            elif rule.connector is not None:
                connectors[compile_pattern(rule.connector).text] = rule
        self._app_rules, self._connector_rules = apps, connectors
        self._apps, self._connectors = Patterns(apps), Patterns(connectors)
        self._first_for_app = lru_cache(maxsize=256)(self._apps.first)  # asked again for each of its connectors

    def __bool__(self) -> bool:
        return bool(self._pairs) or self.by_name

    @property
    def app_patterns(self) -> Patterns:
        """Those that name apps, alone or with a connector."""
        return Patterns([*self._app_rules, *(each.app.text for each in self._both)])

    @property
    def connector_patterns(self) -> Patterns:
        """Those that name connectors, alone or with an app."""
        return Patterns([*self._connector_rules, *(each.connector.text for each in self._both)])

    @property
    def pairs(self) -> list[Target]:
        """Those that are one connector each."""
        return [rule.target for rule in self._pairs.values() if rule.target is not None]

    @property
    def by_name(self) -> bool:
        """Whether any of them may go by name."""
        return bool(self._apps or self._connectors or self._both)

    def for_app(self, app: Named) -> Exclusion | None:
        """The rule that leaves all of an app alone."""
        found = self._first_for_app(app)
        return None if found is None else self._app_rules[found.text]

    def for_connector(self, app: Named, connector: Named) -> Exclusion | None:
        """The rule that leaves a connector of an app alone."""
        rule = self._pairs.get((app.id, connector.id)) or self.for_app(app)
        if rule is not None:
            return rule
        if found := self._connectors.first(connector):
            return self._connector_rules[found.text]
        both = (each for each in self._both if each.app.matches(app) and each.connector.matches(connector))
        return next((each.rule for each in both), None)

    def possibly(self, app: Named | str, connector: Named | str) -> tuple[Exclusion | None, bool]:
        """The same where only the id of one or the other may be known: a rule, and whether it is certain."""
        if not isinstance(app, str) and not isinstance(connector, str):
            return self.for_connector(app, connector), True
        pair = tuple(each if isinstance(each, str) else each.id for each in (app, connector))
        if rule := self._pairs.get((pair[0], pair[1])):
            return rule, True
        doubtful = None
        for app_pattern, connector_pattern, rule in self._all_by_name():
            answers = _may_match(app_pattern, app), _may_match(connector_pattern, connector)
            if all(answers):
                return rule, True
            if False not in answers:
                doubtful = doubtful or rule
        return doubtful, False

    def _all_by_name(self) -> Iterable[tuple[Pattern | None, Pattern | None, Exclusion]]:
        yield from ((each, None, self._app_rules[each.text]) for each in (*self._apps.exact, *self._apps.open))
        for each in (*self._connectors.exact, *self._connectors.open):
            yield None, each, self._connector_rules[each.text]
        yield from self._both


def _may_match(pattern: Pattern | None, subject: Named | str) -> bool | None:
    """Whether a pattern fits; None where that is for a name to say which is not known."""
    if pattern is None:
        return True
    if isinstance(subject, str):
        return True if pattern.text == subject else None
    return pattern.matches(subject)
