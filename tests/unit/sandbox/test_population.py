from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.sandbox import Generated, demo_population
from runner.sandbox.records import WELL_FORMED_ID
from tests.unit.sandbox.support import EPOCH


@given(apps=st.integers(1, 60), connectors=st.integers(0, 400), seed=st.integers(0, 9))
def test_a_generated_tenant_has_every_connector_exactly_once(apps: int, connectors: int, seed: int) -> None:
    population = Generated(apps, connectors, seed=seed)
    pairs = list(population.pairs())
    listed = [(app.id, connector.id) for app in population.apps() for connector in population.connectors(app.id)]
    assert listed == pairs
    assert len(set(pairs)) == connectors
    assert len(population.apps()) == apps


def test_generated_ids_are_well_formed_and_lead_back_to_their_rows() -> None:
    population = Generated(50, 300, seed=3)
    for app_id, connector_id in population.pairs():
        assert WELL_FORMED_ID.fullmatch(app_id)
        assert WELL_FORMED_ID.fullmatch(connector_id)
        connector = population.connector(app_id, connector_id)
        assert connector is not None
        assert (connector.app_id, connector.id) == (app_id, connector_id)


def test_a_generated_connector_exists_only_under_its_own_app() -> None:
    population = Generated(50, 300, seed=3)
    pairs = list(population.pairs())
    foreign = next(app_id for app_id, _ in pairs if app_id != pairs[0][0])
    assert population.connector(foreign, pairs[0][1]) is None
    assert population.connector(pairs[0][0], pairs[0][1][:-1] + "9") is None
    assert population.app("no-such-app") is None
    assert list(population.connectors("no-such-app")) == []


def test_the_same_seed_gives_the_same_tenant_and_another_seed_another() -> None:
    assert list(Generated(5, 20, seed=1).pairs()) == list(Generated(5, 20, seed=1).pairs())
    assert list(Generated(5, 20, seed=1).pairs()) != list(Generated(5, 20, seed=2).pairs())


def test_some_generated_apps_are_empty_and_one_needs_several_pages() -> None:
    population = Generated(500, 2000)
    sizes = [len(population.connectors(app.id)) for app in population.apps()]
    assert min(sizes) == 0
    assert max(sizes) > 100


def test_the_share_of_paused_connectors_is_roughly_as_asked() -> None:
    population = Generated(10, 2000, paused=0.1)
    paused = [
        connector
        for app in population.apps()
        for connector in population.connectors(app.id)
        if connector.initial.pause is not None
    ]
    assert 120 < len(paused) < 280


def test_a_generated_tenant_takes_no_memory_for_rows_nobody_asked_for() -> None:
    tracemalloc.start()
    try:
        population = Generated(5000, 100_000)
        last_app = population.apps()[-1]
        assert population.connectors(last_app.id)[0:100]
        assert tracemalloc.get_traced_memory()[1] < 500_000
    finally:
        tracemalloc.stop()


def test_the_demo_holds_one_of_everything() -> None:
    demo = demo_population(EPOCH)
    rows = [connector for app in demo.apps() for connector in demo.connectors(app.id)]
    names = [app.name for app in demo.apps()]
    statuses = {row.initial.status_at(EPOCH) for row in rows}
    assert len(rows) == 25
    assert len(set(names)) < len(names)
    assert any(not demo.connectors(app.id) for app in demo.apps())
    assert len({row.id for row in rows}) < len(rows)
    assert any(row.initial.deleted_at for row in rows)
    assert any(row.initial.pause and not row.initial.pause.can_resume for row in rows)
    assert statuses == {
        "SYNC_STATUS_RUNNING",
        "SYNC_STATUS_DONE",
        "SYNC_STATUS_ERROR",
        "SYNC_STATUS_DISABLED",
        "SYNC_STATUS_UNSPECIFIED",
    }
    assert all(WELL_FORMED_ID.fullmatch(row.id) and WELL_FORMED_ID.fullmatch(row.app_id) for row in rows)


@pytest.mark.parametrize(("apps", "connectors"), [(0, 5), (1, -1)])
def test_a_generated_tenant_of_no_size_is_refused(apps: int, connectors: int) -> None:
    with pytest.raises(ValueError, match="at least one app"):
        Generated(apps, connectors)
