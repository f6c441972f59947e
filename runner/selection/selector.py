"""Who is in and who is out: the selection of a job, less what it excludes, less what is protected."""

from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple

from runner.base.model import Connector, ConnectorKind, Exclusion, Selection, Target
from runner.selection.pattern import Named, named, status_words
from runner.selection.rules import Patterns, Rules


class Ruling(Enum):
    """What is decided of an app or a connector."""

    SELECTED = "selected"
    NOT_SELECTED = "not selected"
    EXCLUDED = "excluded"  # selected, were it not for a rule of the job
    PROTECTED = "protected"  # selected, were it not for a rule that only --include-protected lifts
    DELETED = "deleted"
    UNDECIDED = "undecided"  # the job goes by a name or a kind that is not known: leave it alone


class Judgement(NamedTuple):
    """What is decided of an app or a connector, and the rule that decided it where one did."""

    ruling: Ruling
    rule: Exclusion | None = None

    @property
    def selected(self) -> bool:
        """Whether the job takes it."""
        return self.ruling is Ruling.SELECTED

    def __str__(self) -> str:
        if self.ruling is Ruling.UNDECIDED:
            return _undecided(self.rule)
        if self.rule is None:
            return str(self.ruling.value)
        return f"{self.ruling.value}: {rule_text(self.rule)}"


SELECTED = Judgement(Ruling.SELECTED)
NOT_SELECTED = Judgement(Ruling.NOT_SELECTED)
DELETED = Judgement(Ruling.DELETED)


def rule_text(rule: Exclusion) -> str:
    """A rule in words: `app Payroll*`, `connector /old/ of app HR`, `kind mcp of app HR`, `2aXkP/2cZnR`."""
    if rule.target is not None:
        return str(rule.target)
    given = (("connector", rule.connector), ("kind", rule.kind), ("app", rule.app))
    return " of ".join(f"{word} {value}" for word, value in given if value is not None)


def _undecided(rule: Exclusion | None) -> str:
    unknown = "its name could not be read"
    if rule is None or rule.kind is not None:
        unknown = "the tenant does not tell whether it is an MCP server"
        if rule is not None and (rule.app or rule.connector):
            unknown = f"its name could not be read, or {unknown}"
    return unknown if rule is None else f"{unknown}, and a rule may leave it alone: {rule_text(rule)}"


class Selector:
    """Judges what a tenant lists.

    A connector is selected when each list that `select` gives has a pattern that fits it, or when `select` is
    all. `exclude` wins over that, `protected` over everything, explicit pairs included. ValueError for patterns
    that `compile_pattern` refuses.
    """

    def __init__(
        self,
        select: Selection | None,
        exclude: Iterable[Exclusion] = (),
        protected: Iterable[Exclusion] = (),
        *,
        include_protected: bool = False,
    ) -> None:
        select = select or Selection()
        self.apps, self.connectors = Patterns(select.apps), Patterns(select.connectors)
        self.catalog_ids, self.status = Patterns(select.catalog_ids), Patterns(select.status)
        self.owners, self.kind = Patterns(select.owners), select.kind
        lists = (self.apps, self.connectors, self.catalog_ids, self.status, self.owners)
        self._selects = select.all or any(lists) or select.kind is not None
        self.excluded = Rules(exclude)
        self._protected = Rules(() if include_protected else protected)

    @property
    def needs_whole_listing(self) -> bool:
        """Whether `select` has an app's or connector's exact name: two might share it, so look before any write."""
        return bool(self.apps.exact or self.connectors.exact)

    @property
    def has_rules(self) -> bool:
        """Whether anything could be left alone, so that `for_pair` is worth asking."""
        return bool(self.excluded) or bool(self._protected)

    @property
    def needs_names(self) -> bool:
        """Whether `for_pair` has to know names to decide."""
        return self.excluded.by_name or self._protected.by_name

    @property
    def rules_by_kind(self) -> bool:
        """Whether `for_pair` has to know kinds to decide."""
        return self.excluded.by_kind or self._protected.by_kind

    @property
    def needs_kinds(self) -> bool:
        """Whether `judge` has to know which connectors are MCP servers; what nobody tells is left alone."""
        return self.kind is not None or self.rules_by_kind

    def wants_app(self, app_id: str, app_name: str | None) -> bool:
        """Whether a connector of this app could be selected; if not, its listing can be spared."""
        return self.judge_app(app_id, app_name).selected

    def judge_app(self, app_id: str, app_name: str | None) -> Judgement:
        """The same with the reason: which rule leaves all of the app alone."""
        app = named(app_id, app_name)
        if not self._takes_app(app):
            return NOT_SELECTED
        return _judged((self._protected.for_app(app), True), (self.excluded.for_app(app), True))

    def judge(self, app_id: str, app_name: str | None, connector: Connector) -> Judgement:
        """What becomes of a connector that the tenant lists. A rule is named only where it makes the difference."""
        if connector.state.deleted:
            return DELETED
        own = named(connector.connector_id, connector.name)
        if not (self._takes_app(named(app_id, app_name)) and self._takes(own, connector)):
            return NOT_SELECTED
        known = _known(app_id, app_name), _known(connector.connector_id, connector.name), connector.kind
        protected, excluded = self._protected.possibly(*known), self.excluded.possibly(*known)
        if self.kind is not None and connector.kind is None:
            return _judged(protected, excluded, otherwise=Judgement(Ruling.UNDECIDED))
        return _judged(protected, excluded)

    def for_pair(
        self,
        target: Target,
        app_name: str | None,
        connector: Connector | None,
        kind: ConnectorKind | None = None,
    ) -> Judgement:
        """What becomes of an explicit pair, which `select` has no say in.

        None stands for what is not known: the app's name, the connector with its name, and its kind.
        """
        if connector is not None and connector.state.deleted:
            return DELETED
        app = _known(target.app_id, app_name)
        own = _known(target.connector_id, None if connector is None else connector.name)
        return _judged(self._protected.possibly(app, own, kind), self.excluded.possibly(app, own, kind))

    def _takes_app(self, app: Named) -> bool:
        return self._selects and (not self.apps or self.apps.fit(app))

    def _takes(self, own: Named, connector: Connector) -> bool:
        if self.kind is not None and connector.kind not in (self.kind, None):
            return False
        kind = () if connector.catalog_id is None else (named(connector.catalog_id, connector.catalog_id),)
        return (
            (not self.connectors or self.connectors.fit(own))
            and (not self.catalog_ids or any(map(self.catalog_ids.fit, kind)))
            and (not self.status or any(map(self.status.fit, status_words(connector.state))))
            and (not self.owners or any(self.owners.fit(named(owner, owner)) for owner in connector.owners))
        )


def _known(identifier: str, name: str | None) -> Named | str:
    """What rules can go by: the id alone where there is no name. A role may see names blank, so that proves nothing."""
    own = named(identifier, name)
    return own if own.text else identifier


def _judged(
    protected: tuple[Exclusion | None, bool], excluded: tuple[Exclusion | None, bool], otherwise: Judgement = SELECTED
) -> Judgement:
    """What the rules say, each with whether it is certain: a certain one decides, a doubtful one does not."""
    if protected[0] is not None and protected[1]:
        return Judgement(Ruling.PROTECTED, protected[0])
    if excluded[0] is not None and excluded[1]:
        return Judgement(Ruling.EXCLUDED, excluded[0])
    doubt = protected[0] or excluded[0]
    return otherwise if doubt is None else Judgement(Ruling.UNDECIDED, doubt)
