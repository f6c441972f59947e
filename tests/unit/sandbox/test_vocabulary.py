"""The words beside a pause, and who may see them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runner.sandbox import Vocabulary
from runner.sandbox.vocabulary import ANOMALY_REASON, Cause
from tests.unit.sandbox.support import PAIR, PAUSE, Client, serving

pytestmark = pytest.mark.anyio

CONNECTOR = PAUSE.removesuffix("/pause")
ALL = pytest.mark.parametrize("vocabulary", list(Vocabulary), ids=lambda each: str(each.word))


async def row(client: Client) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((await client.send("GET", CONNECTOR))[2])["connectorView"]["connector"]
    return found


@pytest.mark.parametrize(
    ("word", "category", "reason"),
    [
        ("user", "SYNC_DISABLED_CATEGORY_USER", ""),
        ("opt-out", "", "system-customer-opt-out"),
        ("paused", "PAUSED", ""),
        ("customer", "SYNC_DISABLED_CATEGORY_CUSTOMER", ""),
        ("requested", "REQUESTED", ""),
        ("system", "", "system"),
        ("odd", "system-customer-opt-out", "system-customer-opt-out"),
        ("blank", None, None),
    ],
)
async def test_a_deliberate_pause_shows_the_words_of_the_vocabulary(
    word: str, category: str | None, reason: str | None
) -> None:
    async with serving(f"vocabulary={word}") as client:
        await client.send("POST", PAUSE)
        shown = await row(client)
        assert shown["syncDisabledAt"] == client.server.oracle.events[0].mark
        assert (shown["syncDisabledCategory"], shown["syncDisabledReason"]) == (category, reason)


@ALL
async def test_an_anomaly_is_told_by_its_reason_in_every_vocabulary(vocabulary: Vocabulary) -> None:
    async with serving(vocabulary=vocabulary) as client:
        client.server.tenant.anomaly(*PAIR)
        assert (await row(client))["syncDisabledReason"].startswith(ANOMALY_REASON)


@ALL
async def test_a_pause_by_the_system_gives_that_as_its_reason(vocabulary: Vocabulary) -> None:
    async with serving(vocabulary=vocabulary) as client:
        client.server.tenant.pause_by_system(*PAIR)
        assert (await row(client))["syncDisabledReason"] == "system"


def test_some_vocabularies_have_one_category_for_every_cause() -> None:
    same = {each.word for each in Vocabulary if len({each.words(cause).category for cause in Cause}) == 1}
    assert same == {"opt-out", "paused", "system", "blank"}


@ALL
async def test_what_is_not_paused_shows_no_words(vocabulary: Vocabulary) -> None:
    async with serving(vocabulary=vocabulary) as client:
        shown = await row(client)
        assert [shown[name] for name in ("syncDisabledAt", "syncDisabledCategory", "syncDisabledReason")] == [
            None,
            "",
            "",
        ]


async def test_the_blind_client_may_pause_but_the_fields_come_back_blank_to_it_alone() -> None:
    async with serving() as client:
        seeing, client.token = client.token, client.server.desk.mint(client.server.desk.blind)
        assert (await client.send("POST", PAUSE))[0] == 200
        shown = await row(client)
        assert [shown[name] for name in ("syncDisabledAt", "syncDisabledCategory", "syncDisabledReason")] == [
            None,
            "",
            "",
        ]
        listed = json.loads((await client.send("GET", CONNECTOR.rpartition("/")[0]))[2])["list"]
        assert {each["connector"]["syncDisabledAt"] for each in listed} == {None}
        client.token = seeing
        assert (await row(client))["syncDisabledAt"] == client.server.oracle.events[0].mark
