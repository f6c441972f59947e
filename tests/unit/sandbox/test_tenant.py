from __future__ import annotations

import re
from dataclasses import replace

import pytest

from runner.sandbox import (
    Behaviour,
    Cause,
    Connector,
    Ending,
    Listed,
    NotFound,
    Open,
    Pause,
    State,
    Sync,
    Tenant,
    of_pairs,
)
from runner.sandbox.records import timestamp
from tests.unit.sandbox.support import EPOCH, PAIR, FakeClock, small_tenant

RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z")


def test_pausing_sets_a_mark_with_nanoseconds() -> None:
    clock = FakeClock()
    state = small_tenant(clock).pause(*PAIR)
    assert state.pause is not None
    assert RFC_3339.fullmatch(state.pause.mark)
    assert state.pause.can_resume


@pytest.mark.parametrize(
    ("last", "status"),
    [
        (None, "SYNC_STATUS_UNSPECIFIED"),
        (Sync(EPOCH - 9, EPOCH + 9), "SYNC_STATUS_RUNNING"),
        (Sync(EPOCH - 9, EPOCH - 8), "SYNC_STATUS_DONE"),
        (Sync(EPOCH - 9, EPOCH - 8, Ending.ERROR), "SYNC_STATUS_DISABLED"),
    ],
)
def test_a_pause_leaves_the_status_as_the_last_sync_left_it_unless_that_failed(last: Sync | None, status: str) -> None:
    assert State(Pause("mark"), last).status_at(EPOCH) == status


def test_pausing_a_paused_connector_keeps_its_mark() -> None:
    clock = FakeClock()
    tenant = small_tenant(clock)
    first = tenant.pause(*PAIR)
    clock.now += 60
    assert tenant.pause(*PAIR).pause == first.pause
    assert [event.changed for event in tenant.oracle.events] == [True, False]


def test_pausing_a_paused_connector_renews_the_mark_where_that_is_asked_for() -> None:
    tenant = small_tenant(FakeClock(), renew_mark=True)
    assert tenant.pause(*PAIR).pause != tenant.pause(*PAIR).pause


def test_two_pauses_in_the_same_instant_have_different_marks() -> None:
    tenant = small_tenant(FakeClock())
    first = tenant.pause(*PAIR)
    second = tenant.pause(PAIR[0], "connector-2")
    assert first.pause != second.pause


def test_a_running_sync_goes_on_after_a_pause_until_it_ends() -> None:
    clock = FakeClock()
    tenant = small_tenant(clock, sync_seconds=30)
    tenant.force_sync(*PAIR)
    clock.now += 10
    tenant.pause(*PAIR)
    assert tenant.state(*PAIR).status_at(clock.now) == "SYNC_STATUS_RUNNING"
    clock.now += 20
    assert tenant.state(*PAIR).status_at(clock.now) == "SYNC_STATUS_DONE"


def test_a_pause_removes_a_sync_that_was_only_queued() -> None:
    clock = FakeClock()
    tenant = small_tenant(clock, queue_seconds=5)
    tenant.force_sync(*PAIR)
    tenant.pause(*PAIR)
    clock.now += 6
    assert tenant.state(*PAIR).status_at(clock.now) == "SYNC_STATUS_UNSPECIFIED"


def test_resuming_clears_the_mark_and_runs_a_sync_that_ends() -> None:
    clock = FakeClock()
    tenant = small_tenant(clock, sync_seconds=30)
    mark = tenant.pause(*PAIR).pause
    tenant.resume(*PAIR)
    state = tenant.state(*PAIR)
    assert state.pause is None
    assert state.status_at(clock.now) == "SYNC_STATUS_RUNNING"
    clock.now += 30
    assert tenant.state(*PAIR).status_at(clock.now) == "SYNC_STATUS_DONE"
    assert mark is not None
    assert tenant.oracle.events[-1].mark == mark.mark


def test_a_planned_sync_can_end_in_an_error() -> None:
    clock = FakeClock()
    tenant = small_tenant(clock)
    tenant.plan_sync(*PAIR, seconds=5, ending=Ending.ERROR)
    tenant.force_sync(*PAIR)
    clock.now += 5
    assert tenant.state(*PAIR).status_at(clock.now) == "SYNC_STATUS_ERROR"


def test_a_planned_sync_can_end_in_an_anomaly_that_pauses() -> None:
    clock = FakeClock()
    tenant = small_tenant(clock, queue_seconds=1)
    tenant.plan_sync(*PAIR, seconds=5, ending=Ending.ANOMALY)
    tenant.resume(*PAIR)
    assert tenant.state(*PAIR).pause is None
    clock.now += 6
    pause = tenant.state(*PAIR).pause
    assert pause is not None
    assert not pause.can_resume
    tenant.resume(*PAIR)
    assert tenant.state(*PAIR).pause is None  # the alarm rings once


def test_forcing_a_sync_of_a_paused_connector_is_accepted_without_effect() -> None:
    clock = FakeClock()
    tenant = small_tenant(clock)
    before = tenant.pause(*PAIR)
    assert tenant.force_sync(*PAIR) == before
    assert not tenant.oracle.events[-1].changed


def test_a_second_forced_sync_does_not_queue_a_third() -> None:
    clock = FakeClock()
    tenant = small_tenant(clock, sync_seconds=30)
    tenant.force_sync(*PAIR)
    tenant.force_sync(*PAIR)
    queued = tenant.force_sync(*PAIR).queued
    assert queued == Sync(EPOCH + 30, EPOCH + 60)


def test_a_pause_knows_whether_c1_itself_made_it() -> None:
    tenant = small_tenant(FakeClock())
    states = [tenant.pause(*PAIR), tenant.anomaly(*PAIR), tenant.pause_by_system(*PAIR)]
    pauses = [state.pause for state in states if state.pause is not None]
    assert [pause.cause for pause in pauses] == [Cause.CUSTOMER, Cause.ANOMALY, Cause.SYSTEM]
    assert [pause.can_resume for pause in pauses] == [True, False, False]
    assert len({pause.mark for pause in pauses}) == 3


def test_the_oracle_says_who_acted() -> None:
    tenant = small_tenant(FakeClock())
    tenant.pause(*PAIR)
    tenant.resume_by_other(*PAIR)
    tenant.pause_by_other(*PAIR)
    tenant.anomaly(*PAIR)
    tenant.pause_by_system(*PAIR)
    assert [(event.kind, event.actor) for event in tenant.oracle.applied_to(*PAIR)] == [
        ("pause", "api"),
        ("resume", "other"),
        ("pause", "other"),
        ("anomaly", "tenant"),
        ("pause", "tenant"),
    ]


def test_reads_lag_behind_writes_by_the_configured_time() -> None:
    clock = FakeClock()
    tenant = small_tenant(clock, lag=2.0)
    tenant.pause(*PAIR)
    clock.now += 1.9
    assert tenant.look(*PAIR)[1].pause is None
    tenant.resume(*PAIR)
    clock.now += 0.2
    assert tenant.look(*PAIR)[1].pause is not None
    clock.now += 2
    assert tenant.look(*PAIR)[1].pause is None


def test_lagging_reads_keep_no_more_history_than_the_lag() -> None:
    clock = FakeClock()
    tenant = small_tenant(clock, lag=2.0)
    for _ in range(50):
        clock.now += 1
        tenant.pause(*PAIR)
        tenant.resume(*PAIR)
    assert len(tenant._older[PAIR]) <= 6


def test_a_deleted_connector_can_be_read_but_not_changed() -> None:
    tenant = small_tenant(FakeClock())
    tenant.delete(*PAIR)
    assert tenant.look(*PAIR)[1].deleted_at == EPOCH
    for ask in (tenant.pause, tenant.resume, tenant.force_sync, tenant.anomaly, tenant.delete):
        with pytest.raises(NotFound):
            ask(*PAIR)


@pytest.mark.parametrize(
    ("deleted", "listed", "found"), [("left_out", 1, True), ("listed", 2, True), ("gone", 1, False)]
)
def test_what_shows_a_deleted_connector_can_be_chosen(deleted: str, listed: int, found: bool) -> None:
    tenant = small_tenant(FakeClock(), deleted=deleted)
    tenant.delete(*PAIR)
    assert sum(tenant.is_listed(each, tenant.seen(each)) for each in tenant.connectors("app-1")) == listed
    if not found:
        with pytest.raises(NotFound):
            tenant.look(*PAIR)


def test_the_tenants_clock_can_be_ahead_and_be_set_meanwhile() -> None:
    tenant = Tenant(of_pairs([PAIR]), clock=FakeClock(), behaviour=Behaviour(clock=130.0))
    assert tenant.pause(*PAIR).pause == Pause(timestamp(EPOCH + 130, 1))
    tenant.behaviour = replace(tenant.behaviour, clock=-86_400.0)
    assert tenant.clock() == EPOCH - 86_400


def test_the_pair_is_the_key_not_the_connector_id() -> None:
    population = Listed(connectors=[Connector("a", "same", "A"), Connector("b", "same", "B")])
    tenant = small_tenant(FakeClock())
    tenant.population = population
    tenant.pause("a", "same")
    assert tenant.state("b", "same").pause is None
    with pytest.raises(NotFound):
        tenant.pause("c", "same")


def test_a_connector_starts_in_its_initial_state_and_only_changes_take_memory() -> None:
    tenant = small_tenant(FakeClock())
    population = Listed(connectors=[Connector("a", "c", "C", initial=State(Pause("mark")))])
    tenant.population = population
    assert tenant.state("a", "c").pause == Pause("mark")
    assert list(tenant.changed()) == []
    tenant.resume("a", "c")
    assert [pair for pair, _ in tenant.changed()] == [("a", "c")]


def test_in_an_open_population_every_well_formed_pair_exists_once_it_is_touched() -> None:
    tenant = small_tenant(FakeClock())
    tenant.population = Open()
    assert list(tenant.connectors("fresh")) == []
    tenant.pause("fresh", "one")
    assert [connector.id for connector in tenant.connectors("fresh")] == ["one"]
    for app_id, connector_id in (("bad id", "one"), ("fresh", "two/three"), ("fresh", "x" * 65)):
        with pytest.raises(NotFound):
            tenant.pause(app_id, connector_id)
