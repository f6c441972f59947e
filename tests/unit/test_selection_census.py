"""What a listing shows of a selection's patterns: unclear names, unknown names, slips."""

import pytest

from runner.base.model import Connector, ConnectorState, Exclusion, Selection, Target
from runner.selection import Census, Selector
from runner.selection.selector import Judgement

STATE = ConnectorState(None, "SYNC_STATUS_DONE")
TENANT: dict[tuple[str, str | None], dict[str, str | None]] = {
    ("2aOkta", "Okta"): {"2bMain": "Okta production", "2bOld": "Old"},
    ("2aSlackUS", "Slack"): {"2bSlack": "Slack workspace"},
    ("2aSlackEU", "slack "): {"2bSlack": "Slack workspace"},
    ("2aEmpty", "Empty"): {},
    ("2aNameless", None): {"2bNameless": None},
}


def census(select: Selection | None, *exclude: Exclusion, protected: tuple[Exclusion, ...] = ()) -> Census:
    """The census of the whole tenant, taken as a run takes it."""
    selector = Selector(select, exclude, protected)
    result = Census(selector)
    for (app_id, app_name), connectors in TENANT.items():
        if result.app(app_id, app_name).selected:
            for connector_id, name in connectors.items():
                kind = Connector(app_id, connector_id, name, STATE, "catalog-x", ("user1",))
                result.connector(app_id, app_name, kind)
    return result


def problems(select: Selection, *exclude: Exclusion) -> list[str]:
    return census(select, *exclude).problems()


def test_a_name_of_two_apps_is_a_problem_that_shows_both_ids() -> None:
    assert problems(Selection(apps=("SLACK",))) == [
        "select.apps: 'SLACK' fits 2 apps, 2aSlackUS and 2aSlackEU: write the id of the one you mean, "
        "exclude the others, or write /^SLACK$/ to take them all"
    ]


def test_a_name_of_two_connectors_is_a_problem_that_shows_both_pairs() -> None:
    assert problems(Selection(connectors=("Slack workspace",))) == [
        "select.connectors: 'Slack workspace' fits 2 connectors, 2aSlackUS/2bSlack and 2aSlackEU/2bSlack: write the "
        "one you mean as APP/CONNECTOR under `connectors:` of the job, exclude the others, "
        "or write /^Slack workspace$/ to take them all"
    ]


def test_a_connector_id_that_two_apps_share_is_unclear_too() -> None:
    assert "2aSlackUS/2bSlack and 2aSlackEU/2bSlack" in problems(Selection(connectors=("2bSlack",)))[0]


def test_the_pattern_that_is_suggested_takes_them_all() -> None:
    assert problems(Selection(apps=("/^SLACK$/",))) == []


def test_a_name_is_clear_once_the_others_are_out() -> None:
    assert problems(Selection(apps=("Slack",)), Exclusion(app="2aSlackEU")) == []
    assert problems(Selection(connectors=("2bSlack",), apps=("2aSlackUS",))) == []
    assert problems(Selection(connectors=("2bSlack",)), Exclusion(target=Target("2aSlackUS", "2bSlack"))) == []


def test_globs_and_other_lists_are_never_unclear() -> None:
    assert problems(Selection(apps=("Sl*",), catalog_ids=("catalog-x",), owners=("user1",))) == []


def test_a_row_that_the_listing_repeats_is_one_app() -> None:
    roll = Census(Selector(Selection(apps=("Okta",))))
    for app_id, name in (("2aOkta", "Okta"), ("2aX", "X"), ("2aOkta", "Okta")):
        roll.app(app_id, name)
    assert roll.problems() == []


def test_many_ids_are_counted_rather_than_listed() -> None:
    roll = Census(Selector(Selection(apps=("Okta (old)",))))
    for number in range(8):
        roll.app(f"2a{number}", "Okta (old)")
    assert roll.problems() == [
        "select.apps: 'Okta (old)' fits 8 apps, 2a0, 2a1, 2a2, 2a3, 2a4 and 3 more: write the id of the one you "
        r"mean, exclude the others, or write /^Okta \(old\)$/ to take them all"
    ]


def test_a_name_that_nothing_bears_is_a_problem_with_the_nearest_name() -> None:
    assert problems(Selection(apps=("Otka", "2aokta", "Zzz"))) == [
        "select.apps: no app has the id or name 'Otka': did you mean 'Okta'?",
        "select.apps: no app has the id or name '2aokta': did you mean '2aOkta'?",
        "select.apps: no app has the id or name 'Zzz'",
    ]
    assert problems(Selection(apps=("Okta",), connectors=("okta",))) == [
        "select.connectors: no connector of the selected apps has the id or name 'okta': "
        "did you mean 'Okta production'?"
    ]


def test_a_name_that_is_there_but_left_alone_is_known() -> None:
    assert problems(Selection(apps=("Okta",)), Exclusion(app="Okta")) == []
    assert problems(Selection(connectors=("Old",), status=("error",))) == []


def test_the_same_name_written_twice_is_known_twice() -> None:
    assert problems(Selection(apps=("Okta", "OKTA", "okta"))) == []


def test_other_patterns_that_fit_nothing_are_worth_a_warning() -> None:
    select = Selection(apps=("Ok*", "Zz*"), connectors=("/nope/",), catalog_ids=("catalog-y",), owners=("ann@x",))
    assert census(select).problems() == []
    assert census(select).warnings() == [
        "select.apps: 'Zz*' fits no app",
        "select.connectors: '/nope/' fits no connector of the selected apps",
        "select.catalog_ids: no connector of the selected apps has the catalog id 'catalog-y': "
        "did you mean 'catalog-x'?",
        "select.owners: no connector of the selected apps has the owner 'ann@x'",
    ]


def test_an_excluded_app_that_does_not_exist_is_worth_a_warning() -> None:
    exclude = [Exclusion(app="Slakc"), Exclusion(app="Pay*"), Exclusion(app="Empty"), Exclusion(connector="Old")]
    assert census(Selection(all=True), *exclude, Exclusion(app="Okat", connector="*")).warnings() == [
        "exclude: no app has the id or name 'Slakc': did you mean 'Slack'?",
        "exclude: no app has the id or name 'Okat': did you mean 'Okta'?",
        "exclude: 'Pay*' fits no app",
    ]


def test_an_excluded_connector_that_does_not_exist_is_worth_a_warning() -> None:
    exclude = [
        *(Exclusion(connector="Odl"), Exclusion(connector="/okta prod/"), Exclusion(connector="old*", app="Okta")),
        *(Exclusion(target=Target("2aOkta", "2bOld")), Exclusion(target=Target("2aOkta", "2bOdl"))),
    ]
    assert census(Selection(all=True), *exclude).warnings() == [
        "exclude: no connector has the id or name 'Odl': did you mean 'Old'?",
        "exclude: no app lists a connector 2aOkta/2bOdl",
    ]


def test_an_excluded_pair_of_an_app_that_nobody_lists_is_no_slip() -> None:
    exclude = (Exclusion(target=Target("2aOkta", "2bOld")), Exclusion(target=Target("2aOkta", "what?")))
    assert census(Selection(apps=("Sl*",)), *exclude).warnings() == []
    assert census(Selection(all=True), Exclusion(app="Okta"), *exclude).warnings() == []


@pytest.mark.parametrize("text", ["Okta", "Old", "2bOld", "*production", "/^ol/"])
def test_what_may_mean_an_app_or_a_connector_is_fine_when_it_means_either(text: str) -> None:
    assert census(Selection(all=True), Exclusion(app=text), Exclusion(connector=text)).warnings() == []


def test_what_means_neither_an_app_nor_a_connector_is_told_once() -> None:
    texts = ("Slack wrkspace", "Pay*")
    either = [rule for text in texts for rule in (Exclusion(app=text), Exclusion(connector=text))]
    assert census(Selection(all=True), *either).warnings() == [
        "exclude: 'Pay*' fits no app and no connector",
        "exclude: 'Slack wrkspace' fits no app and no connector: did you mean 'Slack workspace'?",
    ]


def test_what_is_protected_may_be_elsewhere() -> None:
    assert census(Selection(all=True), protected=(Exclusion(app="Payroll"),)).warnings() == []


def test_a_deleted_connector_makes_no_name_known() -> None:
    roll = Census(Selector(Selection(connectors=("Old",))))
    deleted = Connector("2aX", "2bOld", "Old", ConnectorState(None, None, deleted=True))
    assert str(roll.connector("2aX", "X", deleted)) == "deleted"
    assert roll.problems() == ["select.connectors: no connector has the id or name 'Old'"]


def test_a_census_judges_as_its_selector_does() -> None:
    selector = Selector(Selection(connectors=("Old",)))
    connector = Connector("2aX", "2bOld", "Old", STATE)
    judged: Judgement = Census(selector).connector("2aX", "X", connector)
    assert judged == selector.judge("2aX", "X", connector)


def test_names_in_messages_are_harmless() -> None:
    roll = Census(Selector(Selection(apps=("Okta\x1b[31m\u202e",))))
    roll.app("2aX", "Okta\x1b[31n\u202e")
    assert all(line.isprintable() for line in roll.problems() + roll.warnings())
