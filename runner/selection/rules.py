"""Several patterns at once, and the rules that leave connectors alone."""

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from runner.base.model import ConnectorKind, Exclusion, Target
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


class _Several(NamedTuple):
    """A rule of several parts, each of which has to fit: app and connector, or a kind with or without them."""

    app: Pattern | None
    connector: Pattern | None
    rule: Exclusion

    def kind_fits(self, kind: ConnectorKind | None) -> bool | None:
        """Whether a connector is of the kind that the rule names; None where its kind is not known."""
        if self.rule.kind is None:
            return True
        return None if kind is None else kind is self.rule.kind


class Rules:
    """What leaves connectors alone: by pair, by app, by connector, by kind, or by several of these together."""

    def __init__(self, exclusions: Iterable[Exclusion]) -> None:
        self._pairs: dict[tuple[str, str], Exclusion] = {}
        self._several: list[_Several] = []
        apps: dict[str, Exclusion] = {}
        connectors: dict[str, Exclusion] = {}
        for rule in exclusions:
            if rule.target is not None:
                self._pairs[rule.target[:2]] = rule
            elif rule.kind is not None or (rule.app is not None and rule.connector is not None):
                self._several.append(_Several(_compiled(rule.app), _compiled(rule.connector), rule))
            elif rule.app is not None:
                apps[compile_pattern(rule.app).text] = rule
            elif rule.connector is not None:
                connectors[compile_pattern(rule.connector).text] = rule
        self._app_rules, self._connector_rules = apps, connectors
        self._apps, self._connectors = Patterns(apps), Patterns(connectors)
        self._first_for_app = lru_cache(maxsize=256)(self._apps.first)  # asked again for each of its connectors

    def __bool__(self) -> bool:
        return bool(self._pairs) or self.by_name or self.by_kind

    @property
    def app_patterns(self) -> Patterns:
        """Those that name apps, alone or with a connector."""
        return Patterns([*self._app_rules, *(each.app.text for each in self._several if each.app)])

    @property
    def connector_patterns(self) -> Patterns:
        """Those that name connectors, alone or with an app."""
        more = (each.connector.text for each in self._several if each.connector)
        return Patterns([*self._connector_rules, *more])

    @property
    def pairs(self) -> list[Target]:
        """Those that are one connector each."""
        return [rule.target for rule in self._pairs.values() if rule.target is not None]

    @property
    def by_name(self) -> bool:
        """Whether any of them may go by name."""
        return bool(self._apps or self._connectors or any(each.app or each.connector for each in self._several))

    @property
    def by_kind(self) -> bool:
        """Whether any of them goes by kind."""
        return any(each.rule.kind is not None for each in self._several)

    def for_app(self, app: Named) -> Exclusion | None:
        """The rule that leaves all of an app alone."""
        found = self._first_for_app(app)
        return None if found is None else self._app_rules[found.text]

    def for_connector(
        self, app: Named, connector: Named, kind: ConnectorKind | None = None
    ) -> tuple[Exclusion | None, bool]:
        """The rule that leaves a connector of an app alone, and whether that is certain: its kind may be unknown."""
        rule = self._pairs.get((app.id, connector.id)) or self.for_app(app)
        if rule is not None:
            return rule, True
        if found := self._connectors.first(connector):
            return self._connector_rules[found.text], True
        return _first(self._several, app, connector, kind)

    def possibly(
        self, app: Named | str, connector: Named | str, kind: ConnectorKind | None = None
    ) -> tuple[Exclusion | None, bool]:
        """The same where only the id of one or the other may be known: a rule, and whether it is certain."""
        if not isinstance(app, str) and not isinstance(connector, str):
            return self.for_connector(app, connector, kind)
        pair = tuple(each if isinstance(each, str) else each.id for each in (app, connector))
        if rule := self._pairs.get((pair[0], pair[1])):
            return rule, True
        return _first(self._all_but_pairs(), app, connector, kind)

    def _all_but_pairs(self) -> Iterable[_Several]:
        for each in (*self._apps.exact, *self._apps.open):
            yield _Several(each, None, self._app_rules[each.text])
        for each in (*self._connectors.exact, *self._connectors.open):
            yield _Several(None, each, self._connector_rules[each.text])
        yield from self._several


def _compiled(text: str | None) -> Pattern | None:
    return None if text is None else compile_pattern(text)


def _first(
    rules: Iterable[_Several], app: Named | str, connector: Named | str, kind: ConnectorKind | None
) -> tuple[Exclusion | None, bool]:
    """The first rule that certainly fits, and True; else one that may fit, or None, and False."""
    doubtful = None
    for each in rules:
        answers = _may_match(each.app, app), _may_match(each.connector, connector), each.kind_fits(kind)
        if all(answers):
            return each.rule, True
        if False not in answers:
            doubtful = doubtful or each.rule
    return doubtful, False


def _may_match(pattern: Pattern | None, subject: Named | str) -> bool | None:
    """Whether a pattern fits; None where that is for a name to say which is not known."""
    if pattern is None:
        return True
    if isinstance(subject, str):
        return True if pattern.text == subject else None
    return pattern.matches(subject)
