"""Patterns, and what a selection makes of apps, connectors and pairs."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.base.model import Connector, ConnectorKind, ConnectorState, Exclusion, Selection, Target
from runner.selection import Judgement, Ruling, Selector, compile_pattern, named

IDLE = ConnectorState(paused_at=None, status="SYNC_STATUS_DONE")
PAUSED = ConnectorState(paused_at="2026-11-23T02:00:00Z", status="SYNC_STATUS_DISABLED")
OKTA = Connector("2aApp", "2bOkta", "Okta production", IDLE, "catalog-okta", ("user1", "user2"))
EVERYTHING = Selection(all=True)


def matches(pattern: str, name: str | None, identifier: str = "2aX") -> bool:
    return compile_pattern(pattern).matches(named(identifier, name))


def ruling(selector: Selector, connector: Connector = OKTA, app_name: str | None = "Identity") -> Ruling:
    return selector.judge(connector.app_id, app_name, connector).ruling


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("2aX", "whatever"),
        ("okta", "Okta"),
        ("STRASSE", "Straße"),
        ("Z\u00fcrich", "Zu\u0308rich"),  # composed, and in two characters
        ("Payroll", " Payroll\n"),
        ("pay*", "Payroll US"),
        ("*", None),
        ("?kta", "Okta"),
        ("[op]kta", "Okta"),
        ("AWS [prod]", "aws [PROD]"),  # a name before it is a glob
        ("*[31m*", "a\x1b[31mb"),
        ("line one*two", "line one\nline two"),
        ("/kt/", "Okta"),
        ("/^okta$/", "OKTA"),
        ("/[[]x/", "[x"),
        ("/^z.rich$/", "Zu\u0308rich"),
        ("/^$/", None),
        ("/x$/", "a" * 1000 + "x"),
        ("/", "/"),
    ],
)
def test_a_pattern_fits_an_id_or_a_name_in_any_case(pattern: str, name: str | None) -> None:
    assert matches(pattern, name)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("2ax", "whatever"),  # ids have their case
        ("Okta", "Okta EU"),
        ("Okta", None),
        ("2a*", "whatever"),  # a glob is for names
        ("AWS [prod]", "AWS [test]"),
        ("/^okta$/", "Okta\nPayroll"),
        ("a.c", "abc"),
    ],
)
def test_a_pattern_does_not_fit(pattern: str, name: str | None) -> None:
    assert not matches(pattern, name)


@pytest.mark.parametrize(("text", "exact"), [("Okta", True), ("/", True), ("Ok*", False), ("/ok/", False)])
def test_a_pattern_knows_whether_it_stands_for_one_name(text: str, exact: bool) -> None:
    assert compile_pattern(text).is_exact is exact


@pytest.mark.parametrize(
    "body",
    [
        *("(a+)+$", "(a|aa)+$", "(aa?)+$", "(x?){20}y", ".*a.*b.*c.*d.*e.*f", "^(a|b|ab)*c$", r"(\w+\s?)*!"),
        *("^[A-Z]{2,4}-[0-9]+(-[a-z]+)*$", "(?:aws|gcp)+( prod)?", "(?P<a>x)+", "a{,3}b", "(^|-)prod($|-)", ".*"),
    ],
)
def test_no_name_can_keep_a_regular_expression_busy(body: str) -> None:
    pattern = compile_pattern(f"/{body}/")
    assert not pattern.is_exact
    for letters in ("a", "ab", "x", "AB-1-a"):
        pattern.matches(named("2aX", letters * 50_000 + "\U0001f40c"))  # backtracking would not come back


@given(st.text("ab(){}|*+?\\[],1:.^$=<!\ud800é", max_size=30), st.text("abé\ud800\n", max_size=30))
def test_whatever_compiles_can_be_matched(body: str, name: str) -> None:
    try:
        pattern = compile_pattern(f"/{body}/")
    except ValueError:
        return
    pattern.matches(named("2aX", name))


@pytest.mark.parametrize("body", ["(?=x)", "(?<!x)okta", r"(a)\1", "((((a{99}){99}){99}){99})", "(?P<a>x)(?P=a)"])
def test_what_re2_does_not_understand_is_refused_in_its_words(body: str) -> None:
    with pytest.raises(ValueError, match=r"not a regular expression: (invalid|bad) "):
        compile_pattern(f"/{body}/")


@pytest.mark.parametrize("text", ["", " ", "//", "/x", "/(/", "/a{1001}/", "/" + "x" * 201 + "/"])
def test_a_text_that_is_no_pattern_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        compile_pattern(text)


def test_a_refusal_does_not_repeat_what_could_harm_a_terminal() -> None:
    with pytest.raises(ValueError, match="not a regular expression") as caught:
        compile_pattern("/(?<\x1b[31m)/")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "select",
    [
        EVERYTHING,
        Selection(apps=("hr", "ident*")),
        Selection(apps=("2aApp",)),
        Selection(connectors=("/prod/",)),
        Selection(catalog_ids=("catalog-okta",)),
        Selection(owners=("user2",)),
        Selection(status=("active",)),
        Selection(apps=("*",), connectors=("okta*",), catalog_ids=("*okta",), status=("DONE",), owners=("user*",)),
    ],
)
def test_a_connector_that_fits_every_list_is_selected(select: Selection) -> None:
    assert ruling(Selector(select)) is Ruling.SELECTED


@pytest.mark.parametrize(
    "select",
    [
        None,
        Selection(),
        Selection(apps=("hr",)),
        Selection(apps=("Identity",), connectors=("workday",)),
        Selection(connectors=("okta*",), catalog_ids=("catalog-aws",)),
        Selection(status=("paused",)),
        Selection(owners=("user3",)),
    ],
)
def test_a_connector_that_fits_one_list_too_few_is_not_selected(select: Selection | None) -> None:
    assert ruling(Selector(select)) is Ruling.NOT_SELECTED


def test_a_connector_without_kind_or_owner_fits_no_list_of_them() -> None:
    bare = OKTA._replace(catalog_id=None, owners=())
    assert ruling(Selector(Selection(catalog_ids=("*",))), bare) is Ruling.NOT_SELECTED
    assert ruling(Selector(Selection(owners=("*",))), bare) is Ruling.NOT_SELECTED


WORDS = "active running paused error done disabled sync_status_done SYNC_STATUS_DISABLED sync_status_new PAUS* /^run/"


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (IDLE, "active done sync_status_done"),
        (PAUSED, "paused disabled SYNC_STATUS_DISABLED PAUS*"),
        (replace(IDLE, paused_at="2026"), "paused done disabled sync_status_done PAUS*"),
        (replace(IDLE, status="SYNC_STATUS_RUNNING"), "active running /^run/"),
        (replace(IDLE, status="SYNC_STATUS_ERROR"), "active error"),
        (replace(IDLE, status="SYNC_STATUS_NEW"), "active sync_status_new"),
        (replace(IDLE, status=None), "active"),
    ],
)
def test_a_state_goes_by_these_words_and_no_others(state: ConnectorState, words: str) -> None:
    connector = OKTA._replace(state=state)
    fitting = [
        word for word in WORDS.split() if ruling(Selector(Selection(status=(word,))), connector) is Ruling.SELECTED
    ]
    assert fitting == words.split()


def test_a_deleted_connector_is_never_selected() -> None:
    deleted = OKTA._replace(state=replace(IDLE, deleted=True))
    assert ruling(Selector(EVERYTHING), deleted) is Ruling.DELETED
    assert Selector(None).for_pair(Target("2aApp", "2bOkta"), "x", deleted).ruling is Ruling.DELETED


RULES = [
    Exclusion(app="2aApp"),
    Exclusion(app="ident*"),
    Exclusion(connector="/okta/"),
    Exclusion(connector="Okta production", app="Identity"),
    Exclusion(target=Target("2aApp", "2bOkta")),
]


@pytest.mark.parametrize("rule", RULES)
def test_what_a_rule_fits_is_left_alone_and_the_rule_is_named(rule: Exclusion) -> None:
    judge = Selector(EVERYTHING, [Exclusion(app="HR"), rule]).judge("2aApp", "Identity", OKTA)
    assert judge == Judgement(Ruling.EXCLUDED, rule)
    assert Selector(EVERYTHING, [rule], [rule]).judge("2aApp", "Identity", OKTA).ruling is Ruling.PROTECTED
    lifted = Selector(EVERYTHING, (), [rule], include_protected=True)
    assert lifted.judge("2aApp", "Identity", OKTA).selected


@pytest.mark.parametrize(
    "rule",
    [
        Exclusion(app="Identity", connector="Workday"),
        Exclusion(app="HR", connector="Okta*"),
        Exclusion(target=Target("2aOther", "2bOkta")),
        Exclusion(),
    ],
)
def test_a_rule_leaves_alone_only_what_all_of_it_fits(rule: Exclusion) -> None:
    assert Selector(EVERYTHING, [rule], [rule]).judge("2aApp", "Identity", OKTA).selected


def test_a_rule_is_not_blamed_for_what_is_not_selected_anyway() -> None:
    selector = Selector(Selection(apps=("HR",)), [Exclusion(app="*")], [Exclusion(app="*")])
    assert selector.judge("2aApp", "Identity", OKTA).ruling is Ruling.NOT_SELECTED


def test_an_app_is_wanted_unless_it_is_out_altogether() -> None:
    rules = [Exclusion(app="Pay*"), Exclusion(app="HR", connector="*"), Exclusion(target=Target("2aX", "2bX"))]
    for selector in (Selector(EVERYTHING, rules), Selector(EVERYTHING, (), rules)):
        assert [name for name in ("HR", "payroll", None) if selector.wants_app("2aX", name)] == ["HR", None]
    assert not Selector(None).wants_app("2aX", "HR")
    assert not Selector(Selection(apps=("HR",))).wants_app("2aX", "Payroll")
    assert str(Selector(EVERYTHING, rules).judge_app("2aX", "Payroll")) == "excluded: app Pay*"


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_holds_for_an_explicit_pair(rule: Exclusion) -> None:
    pair = Target("2aApp", "2bOkta", "a label")
    assert Selector(None, [rule]).for_pair(pair, "Identity", OKTA) == Judgement(Ruling.EXCLUDED, rule)
    assert Selector(None, [rule], [rule]).for_pair(pair, "Identity", OKTA) == Judgement(Ruling.PROTECTED, rule)
    assert Selector(None, (), [rule], include_protected=True).for_pair(pair, "Identity", OKTA).selected


@pytest.mark.parametrize(
    ("rule", "app_name", "connector", "expected"),
    [
        (Exclusion(app="2aApp"), None, None, Ruling.EXCLUDED),
        (Exclusion(connector="2bOkta"), None, None, Ruling.EXCLUDED),
        (Exclusion(target=Target("2aApp", "2bOkta")), None, None, Ruling.EXCLUDED),
        (Exclusion(target=Target("2aApp", "2bElse")), None, None, Ruling.SELECTED),
        (Exclusion(app="Pay*"), None, None, Ruling.UNDECIDED),
        (Exclusion(app="Pay*"), None, OKTA, Ruling.UNDECIDED),
        (Exclusion(app="Pay*"), "", OKTA, Ruling.UNDECIDED),  # a role may see names blank
        (Exclusion(app="Pay*"), "Payroll", None, Ruling.EXCLUDED),
        (Exclusion(connector="Okta*"), "Payroll", None, Ruling.UNDECIDED),
        (Exclusion(connector="Okta*"), None, OKTA, Ruling.EXCLUDED),
        (Exclusion(connector="Workday*"), None, OKTA, Ruling.SELECTED),
        (Exclusion(app="Pay*", connector="Workday*"), None, OKTA, Ruling.SELECTED),
        (Exclusion(app="Pay*", connector="2bOkta"), "Payroll", None, Ruling.EXCLUDED),
    ],
)
def test_a_pair_whose_name_is_not_known_is_left_alone_where_a_rule_might_fit_it(
    rule: Exclusion, app_name: str | None, connector: Connector | None, expected: Ruling
) -> None:
    pair = Target("2aApp", "2bOkta")
    assert Selector(None, [rule]).for_pair(pair, app_name, connector).ruling is expected
    protected = {Ruling.EXCLUDED: Ruling.PROTECTED}.get(expected, expected)
    assert Selector(None, (), [rule]).for_pair(pair, app_name, connector).ruling is protected


@pytest.mark.parametrize(("app_name", "name"), [("", "Okta"), (None, "Okta"), ("Identity", None), ("Identity", " ")])
def test_a_listed_connector_without_a_name_is_left_alone_where_a_rule_by_name_might_mean_it(
    app_name: str | None, name: str | None
) -> None:
    connector = OKTA._replace(name=name)
    rule = Exclusion(app="Payroll*") if name == "Okta" else Exclusion(connector="Payroll*")
    assert Selector(EVERYTHING, [rule]).judge("2aApp", app_name, connector).ruling is Ruling.UNDECIDED
    assert Selector(EVERYTHING, (), [rule]).judge("2aApp", app_name, connector).ruling is Ruling.UNDECIDED
    assert Selector(EVERYTHING, [Exclusion(target=Target("2aX", "2bX"))]).judge("2aApp", app_name, connector).selected


def test_only_exact_names_of_the_selection_need_the_whole_listing() -> None:
    name = [Exclusion(app="Payroll")]
    assert Selector(Selection(apps=("Okta",))).needs_whole_listing
    assert Selector(Selection(connectors=("x*", "Okta"))).needs_whole_listing
    assert not Selector(Selection(all=True), name, name).needs_whole_listing
    assert not Selector(Selection(apps=("Ok*",), catalog_ids=("c",), status=("done",))).needs_whole_listing


def test_only_rules_by_name_need_names() -> None:
    assert not Selector(None, [Exclusion(target=Target("a", "b"))]).needs_names
    assert Selector(None, [Exclusion(connector="x")]).needs_names
    assert Selector(None, (), [Exclusion(app="x", connector="y")]).needs_names
    assert not Selector(None, (), [Exclusion(app="x")], include_protected=True).needs_names


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (Exclusion(app="Pay*"), "protected: app Pay*"),
        (Exclusion(connector="/x/"), "protected: connector /x/"),
        (Exclusion(app="HR", connector="/x/"), "protected: connector /x/ of app HR"),
        (Exclusion(target=Target("a", "b")), "protected: a/b"),
        (None, "protected"),
    ],
)
def test_a_judgement_says_why(rule: Exclusion | None, text: str) -> None:
    assert str(Judgement(Ruling.PROTECTED, rule)) == text


MCP, PLAIN = ConnectorKind.MCP, ConnectorKind.CONNECTOR


@pytest.mark.parametrize(
    ("kind", "expected"),
    [(MCP, Ruling.SELECTED), (PLAIN, Ruling.NOT_SELECTED), (None, Ruling.UNDECIDED)],
)
def test_a_selection_by_kind_takes_only_what_is_known_to_be_of_it(kind: ConnectorKind | None, expected: Ruling) -> None:
    connector = OKTA._replace(kind=kind)

    assert ruling(Selector(Selection(kind=MCP)), connector) is expected
    assert ruling(Selector(Selection(kind=MCP, connectors=("Okta*",))), connector) is expected
    assert ruling(Selector(Selection(kind=MCP, connectors=("GitHub*",))), connector) is Ruling.NOT_SELECTED


@pytest.mark.parametrize(
    ("rule", "kind", "expected"),
    [
        (Exclusion(kind=MCP), MCP, Ruling.EXCLUDED),
        (Exclusion(kind=MCP), PLAIN, Ruling.SELECTED),
        (Exclusion(kind=MCP), None, Ruling.UNDECIDED),
        (Exclusion(kind=PLAIN), PLAIN, Ruling.EXCLUDED),
        (Exclusion(kind=MCP, app="Ident*"), None, Ruling.UNDECIDED),
        (Exclusion(kind=MCP, app="Payroll"), None, Ruling.SELECTED),
        (Exclusion(kind=MCP, connector="Okta*"), MCP, Ruling.EXCLUDED),
        (Exclusion(kind=MCP, connector="GitHub*"), None, Ruling.SELECTED),
        (Exclusion(kind=MCP, app="Identity", connector="Okta*"), MCP, Ruling.EXCLUDED),
    ],
)
def test_a_rule_by_kind_leaves_alone_also_what_may_be_of_it(
    rule: Exclusion, kind: ConnectorKind | None, expected: Ruling
) -> None:
    connector = OKTA._replace(kind=kind)
    protected = {Ruling.EXCLUDED: Ruling.PROTECTED}.get(expected, expected)
    pair = Target(OKTA.app_id, OKTA.connector_id)

    assert ruling(Selector(EVERYTHING, [rule]), connector) is expected
    assert ruling(Selector(EVERYTHING, (), [rule]), connector) is protected
    assert ruling(Selector(EVERYTHING, (), [rule], include_protected=True), connector) is Ruling.SELECTED
    assert Selector(None, [rule]).for_pair(pair, "Identity", OKTA, kind).ruling is expected


def test_a_certain_rule_is_named_where_another_is_in_doubt() -> None:
    doubtful, certain = Exclusion(kind=MCP), Exclusion(connector="Okta*")

    assert Selector(EVERYTHING, [certain], [doubtful]).judge("2aApp", "Identity", OKTA).rule is certain
    assert ruling(Selector(EVERYTHING, [certain], [doubtful])) is Ruling.EXCLUDED


def test_only_what_goes_by_kind_needs_kinds() -> None:
    by_kind = [Exclusion(kind=MCP)]

    assert Selector(Selection(kind=MCP)).needs_kinds
    assert not Selector(Selection(kind=MCP)).rules_by_kind
    assert Selector(EVERYTHING, by_kind).rules_by_kind
    assert Selector(None, (), by_kind).needs_kinds
    assert not Selector(None, (), by_kind, include_protected=True).needs_kinds
    assert not Selector(EVERYTHING, [Exclusion(app="x")]).needs_kinds
    assert not Selector(None, by_kind).needs_names
    assert Selector(None, [Exclusion(app="x", kind=MCP)]).needs_names


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (None, "the tenant does not tell whether it is an MCP server"),
        (
            Exclusion(kind=MCP),
            "the tenant does not tell whether it is an MCP server, and a rule may leave it alone: kind mcp",
        ),
        (
            Exclusion(kind=MCP, app="HR"),
            "its name could not be read, or the tenant does not tell whether it is an MCP server, "
            "and a rule may leave it alone: kind mcp of app HR",
        ),
        (Exclusion(app="HR"), "its name could not be read, and a rule may leave it alone: app HR"),
    ],
)
def test_a_judgement_in_doubt_says_what_is_not_known(rule: Exclusion | None, text: str) -> None:
    assert str(Judgement(Ruling.UNDECIDED, rule)) == text
