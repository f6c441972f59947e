"""What somebody else, or C1 itself, does between a client's requests."""

from __future__ import annotations

import asyncio

import pytest

from runner.sandbox import Event, Faults, Listed, Tenant, demo_population, of_pairs
from runner.sandbox.others import Others, neighbour
from runner.sandbox.routes import Route, find
from tests.unit.sandbox.support import EPOCH, PAIR, PAUSE, FakeClock, serving

READ = PAUSE.removesuffix("/pause")


def acts(faults: str, requests: int = 400, path: str = PAUSE, population: Listed | None = None) -> list[Event]:
    tenant = Tenant(population or demo_population(EPOCH), clock=FakeClock())
    others = Others(tenant, Faults.parse(faults))
    for _ in range(requests):
        others.after("POST", path, find(path))
    return tenant.oracle.events


@pytest.mark.parametrize(
    ("share", "kind", "actor"),
    [
        ("other_pause", "pause", "other"),
        ("other_resume", "resume", "other"),
        ("other_delete", "delete", "other"),
        ("anomaly", "anomaly", "tenant"),
        ("system", "pause", "tenant"),
    ],
)
def test_each_share_is_an_act_of_its_own(share: str, kind: str, actor: str) -> None:
    assert {(event.kind, event.actor) for event in acts(f"{share}=100%")} == {(kind, actor)}


def test_the_general_share_resumes_what_is_paused_and_pauses_what_is_not() -> None:
    assert [event.kind for event in acts("other=100%", 4, population=of_pairs([PAIR]))] == ["pause", "resume"] * 2
    assert all(event.changed or event.kind == "resume" for event in acts("other=100%"))


def test_acts_come_about_as_often_as_asked() -> None:
    kinds = [event.kind for event in acts("other_pause=10%,other_resume=30%", 2000, "/api/v1/apps")]
    assert 120 < kinds.count("pause") < 240  # some fall on the app that has no connector, or on what is deleted
    assert 400 < kinds.count("resume") < 700


def test_about_half_of_the_acts_hit_the_connector_that_was_asked_about() -> None:
    path = "/api/v1/apps/2aOktaProd/connectors/2bOktaMain/pause"
    events = acts("other_resume=100%", 400, path)
    here = [event for event in events if event.connector_id == "2bOktaMain"]
    assert 0.4 < len(here) / 400 < 0.65
    assert len({(event.app_id, event.connector_id) for event in events}) > 15


def test_the_seed_decides_what_is_done_and_where() -> None:
    def plan(seed: int) -> list[tuple[str, str]]:
        return [(event.kind, event.connector_id) for event in acts(f"other_pause=20%,anomaly=20%,seed={seed}")]

    assert plan(1) == plan(1)
    assert plan(1) != plan(2)


@pytest.mark.parametrize("path", ["/auth/v1/token", "/", "/api/v1/nothing", "/api/v1/apps//connectors"])
def test_nothing_follows_a_request_that_is_none_of_the_apis(path: str) -> None:
    assert acts("other_pause=100%", 9, path) == []


def test_in_an_empty_tenant_nobody_acts() -> None:
    assert acts("other_pause=100%", 9, "/api/v1/apps", Listed()) == []


def test_an_act_follows_the_request_that_it_belongs_to() -> None:
    async def told() -> list[tuple[str, str]]:
        async with serving("other_resume=100%") as client:
            await client.send("POST", PAUSE)
            return [(event.kind, event.actor) for event in client.server.oracle.events]

    assert asyncio.run(told()) == [("pause", "api"), ("resume", "other")]


@pytest.mark.parametrize(
    ("path", "other"),
    [
        ("/api/v1/apps/a/connectors/1", ("a", "2")),
        ("/api/v1/apps/a/connectors/2", ("a", "1")),
        ("/api/v1/apps/b/connectors/1", ("a", "1")),  # the app has no other
        ("/api/v1/apps/none/connectors/1", ("a", "1")),
    ],
)
def test_another_connector_is_one_of_the_same_app_if_there_is_one(path: str, other: tuple[str, str]) -> None:
    tenant = Tenant(of_pairs([("a", "1"), ("a", "2"), ("b", "1")]))
    route = neighbour(tenant, find(path))
    assert (route.app_id, route.connector_id) == other


def test_the_only_connector_has_no_other() -> None:
    route: Route = find(READ)
    assert neighbour(Tenant(of_pairs([("app-1", "connector-1")])), route) == route
