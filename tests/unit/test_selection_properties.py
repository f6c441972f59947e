"""What holds for every selection and every tenant, however hostile its names."""

from hypothesis import given, settings
from hypothesis import strategies as st

from runner.base.model import Connector, ConnectorState, Exclusion, Selection, Target
from runner.selection import Census, Pattern, Ruling, Selector, compile_pattern, named

LEFT_ALONE = (Ruling.EXCLUDED, Ruling.PROTECTED, Ruling.NOT_SELECTED, Ruling.DELETED, Ruling.UNDECIDED)

ids = st.sampled_from(["2aX", "2ax", "HR", "2bY", "okta"])
hostile = st.text("aA.*?[]()/\\^$ \n\x1b\u202eßİé\u0301", max_size=12)
names = st.none() | st.sampled_from(["HR", "hr ", "Okta", "OKTA [eu]", "Payroll"]) | hostile | st.text(max_size=12)
literal = st.text("aAoOkKtT019 .-ß", min_size=1, max_size=8).filter(str.strip)
patterns = (
    ids
    | literal
    | st.sampled_from(["*", "h?", "[HO]*", "OKTA [eu]", "/o/", "/^h|y$/", "/(a|b)+/", "/\\[/"])
    | hostile.filter(lambda text: text.strip() and not text.strip().startswith("/"))
)
lists = st.lists(patterns, max_size=2).map(tuple)
states = st.builds(
    ConnectorState,
    st.sampled_from([None, "2026"]),
    st.sampled_from([None, "SYNC_STATUS_DONE", "SYNC_STATUS_ERROR", "odd"]),
    deleted=st.booleans(),
)
connectors = st.builds(Connector, ids, ids, names, states, st.none() | ids, st.lists(ids, max_size=2).map(tuple))
selections = st.just(Selection(all=True)) | st.builds(
    Selection,
    apps=lists,
    connectors=lists,
    catalog_ids=lists,
    status=st.lists(st.sampled_from(["active", "paused", "error"]), max_size=2).map(tuple),
    owners=lists,
)
rules = st.lists(
    st.builds(Exclusion, app=patterns)
    | st.builds(Exclusion, connector=patterns)
    | st.builds(Exclusion, app=patterns, connector=patterns)
    | st.builds(Exclusion, target=st.builds(Target, ids, ids)),
    max_size=3,
)


def fits(rule: Exclusion, connector: Connector, app_name: str | None) -> bool | None:
    """What a rule means, spelled out; None where it is for a name to say that is not known."""
    if rule.target is not None:
        return rule.target[:2] == (connector.app_id, connector.connector_id)
    parts = (
        part_fits(rule.app, connector.app_id, app_name),
        part_fits(rule.connector, connector.connector_id, connector.name),
    )
    return False if False in parts else None if None in parts else True


def part_fits(pattern: str | None, identifier: str, name: str | None) -> bool | None:
    """Whether one part of a rule fits; None where nobody knows."""
    if pattern is None:
        return True
    subject = named(identifier, name)
    if not subject.text:  # a role may see names blank
        return True if named("", pattern).text == identifier else None
    return compile_pattern(pattern).matches(subject)


def pattern_or_refusal(text: str) -> Pattern | ValueError:
    """What becomes of a text that is meant to be a pattern."""
    try:
        return compile_pattern(text)
    except ValueError as error:
        return error


@settings(deadline=None)
@given(selections, rules, rules, connectors, names, st.booleans())
def test_what_is_excluded_or_protected_or_deleted_is_never_selected(
    select: Selection,
    exclude: list[Exclusion],
    protected: list[Exclusion],
    connector: Connector,
    app_name: str | None,
    include_protected: bool,
) -> None:
    selector = Selector(select, exclude, protected, include_protected=include_protected)
    judgement = selector.judge(connector.app_id, app_name, connector)
    bare = Selector(select).judge(connector.app_id, app_name, connector)
    rules_that_count = [*exclude, *([] if include_protected else protected)]
    out = connector.state.deleted or any(fits(rule, connector, app_name) is not False for rule in rules_that_count)
    assert judgement.selected is (bare.selected and not out)
    assert judgement.selected or judgement.ruling in LEFT_ALONE
    assert judgement.rule is None or fits(judgement.rule, connector, app_name) is not False


@settings(deadline=None)
@given(selections, rules, rules, connectors, names)
def test_an_app_with_a_selected_connector_is_always_wanted(
    select: Selection, exclude: list[Exclusion], protected: list[Exclusion], connector: Connector, app_name: str | None
) -> None:
    selector = Selector(select, exclude, protected)
    if selector.judge(connector.app_id, app_name, connector).selected:
        assert selector.wants_app(connector.app_id, app_name)


@settings(deadline=None)
@given(rules, rules, connectors, names)
def test_knowing_less_never_sends_more(
    exclude: list[Exclusion], protected: list[Exclusion], connector: Connector, app_name: str | None
) -> None:
    selector, pair = Selector(None, exclude, protected), Target(connector.app_id, connector.connector_id)
    known = selector.for_pair(pair, app_name, connector)
    for less in (selector.for_pair(pair, None, connector), selector.for_pair(pair, None, None)):
        assert known.selected or connector.state.deleted or not less.selected


@given(literal | literal.map(lambda text: f"*{text}") | literal.map(lambda text: f"/{text}/"), literal)
def test_case_never_matters_in_names(text: str, name: str) -> None:
    def fit(pattern: str, to: str) -> bool:
        return compile_pattern(pattern).matches(named("2aX", to))

    expected = fit(text.replace("ß", "s"), name.replace("ß", "s"))
    for change in (str.upper, str.lower, str.swapcase):
        assert fit(text.replace("ß", "s"), change(name.replace("ß", "s"))) is expected
        assert fit(change(text.replace("ß", "s")), name.replace("ß", "s")) is expected


@given(st.text(min_size=1, max_size=30).filter(lambda text: text.strip() and not text.strip().startswith("/")))
def test_a_name_always_fits_itself(name: str) -> None:
    assert compile_pattern(name).matches(named("2aX", name))


@given(st.text(max_size=220))
def test_any_text_is_a_pattern_or_refused_in_one_harmless_line(text: str) -> None:
    for written in (text, f"/{text}/"):
        assert isinstance(pattern_or_refusal(written), Pattern) or str(pattern_or_refusal(written)).isprintable()


@settings(deadline=None)
@given(selections, st.lists(st.tuples(connectors, names), max_size=6))
def test_a_census_of_anything_reports_in_single_harmless_lines(
    select: Selection, rows: list[tuple[Connector, str | None]]
) -> None:
    census = Census(Selector(select))
    for connector, app_name in rows:
        if census.app(connector.app_id, app_name).selected:
            census.connector(connector.app_id, app_name, connector)
    assert all(line.isprintable() for line in census.problems() + census.warnings())
