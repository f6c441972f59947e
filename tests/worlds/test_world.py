"""The server of the worlds itself: plain, it keeps the contract; turned, each dial does what its name says."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import pytest

from tests.virtual_clock import EPOCH, wall
from tests.worlds.dials import DELIBERATE, DROP, SETTINGS, Dials, pairs, singles, undecidable
from tests.worlds.truth import OTHER, OURS
from tests.worlds.world import MEDDLED_WITH, PAUSED_BY_A_PERSON, PAUSED_BY_THE_CHECK, World

pytestmark = pytest.mark.anyio

ONE = "/api/v1/apps/app1/connectors/con1"
MEDDLED = "/api/v1/apps/app1/connectors/con2"
LISTING = "/api/v1/apps/app1/connectors"


class Got(NamedTuple):
    """A reply as it came, and whatever came after it on the same connection."""

    status: int
    headers: dict[str, str]
    body: bytes
    rest: bytes

    @property
    def connector(self) -> Any:
        """The connector of a read."""
        return json.loads(self.body)["connectorView"]["connector"]


async def ask(world: World, request: str, wait: float = 0.1, body: str = "") -> Got:
    """Send one request on a connection of its own."""
    reader, writer = await asyncio.open_connection(*world.origin.removeprefix("http://").split(":"))
    token = "Authorization: Bearer a-token-of-the-world\r\n"
    writer.write(f"{request} HTTP/1.1\r\nHost: world\r\n{token}Content-Length: {len(body)}\r\n\r\n{body}".encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.rstrip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    content = await reader.readexactly(int(headers["content-length"]))
    await asyncio.sleep(wait)
    writer.write_eof()
    rest = await reader.read()
    writer.close()
    return Got(int(first.split()[1]), headers, content, rest)


@asynccontextmanager
async def world(**dials: str) -> AsyncIterator[World]:
    """A world in the running loop."""
    async with World(Dials(**dials), wall).listening() as opened:
        yield opened


async def test_a_plain_world_keeps_the_contract() -> None:
    async with world() as w:
        assert (await ask(w, f"GET {ONE}")).connector["syncDisabledAt"] is None
        assert (await ask(w, f"POST {ONE}/pause", body="{}")).body == b"{}"

        shown = (await ask(w, f"GET {ONE}")).connector
        assert (shown["syncDisabledAt"] or "").startswith("2026-09-21T")
        assert shown["status"]["status"] == "SYNC_STATUS_DONE"
        assert w.truth.paused_by(("app1", "con1")) == OURS
        assert (await ask(w, f"POST {ONE}/resume")).status == 200
        assert (await ask(w, f"GET {ONE}")).connector["status"]["status"] == "SYNC_STATUS_RUNNING"
        assert [event.what for event in w.truth.events] == ["pause", "resume"]


async def test_a_token_is_given_for_each_form_of_credential_and_asked_for() -> None:
    forms = (
        "grant_type=client_credentials&client_id=a&client_secret=b",
        "grant_type=client_credentials&client_id=a&client_assertion=c",
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&subject_token=d",
    )
    async with world() as w:
        for form in forms:
            assert json.loads((await ask(w, "POST /auth/v1/token", body=form)).body)["token_type"] == "Bearer"
        assert (await ask(w, "POST /auth/v1/token", body="grant_type=client_credentials")).status == 401


async def test_what_is_not_there_is_a_404_of_c1s() -> None:
    async with world() as w:
        for path in (f"{LISTING}/none", "/api/v1/apps/none/connectors", f"{ONE}/explode"):
            got = await ask(w, f"{'POST' if 'explode' in path else 'GET'} {path}")
            assert (got.status, json.loads(got.body)["code"]) == (404, 5)


async def test_listings_show_all_of_an_app_and_who_has_paused_before() -> None:
    async with world() as w:
        rows = json.loads((await ask(w, f"GET {LISTING}?page_size=100")).body)["list"]
        assert [row["connector"]["id"] for row in rows] == ["con1", "con2", "con5", "con3"]
        assert w.truth.paused_by(PAUSED_BY_A_PERSON) == OTHER
        checked = (await ask(w, f"GET /api/v1/apps/app2/connectors/{PAUSED_BY_THE_CHECK[1]}")).connector
        assert checked["syncDisabledReason"] == DROP
        assert json.loads((await ask(w, "GET /api/v1/apps/app1/mcp_servers")).body)["list"] is None


@pytest.mark.parametrize("name", SETTINGS["words"])
async def test_words_stand_beside_a_pause(name: str) -> None:
    async with world(words=name) as w:
        await ask(w, f"POST {ONE}/pause")
        shown = (await ask(w, f"GET {ONE}")).connector
        assert (shown["syncDisabledCategory"], shown["syncDisabledReason"]) == DELIBERATE[name]


@pytest.mark.parametrize(("name", "ahead"), [("present", 86_400), ("3 s behind", 86_397)])
async def test_the_date_goes_with_the_tenants_clock(name: str, ahead: float) -> None:
    async with world(clock="a day ahead", date=name) as w:
        got = await ask(w, f"GET {ONE}")
        assert parsedate_to_datetime(got.headers["date"]).timestamp() == EPOCH + ahead


async def test_a_mark_is_kept_or_renewed() -> None:
    for mark, same in (("kept", True), ("renewed", False)):
        async with world(mark=mark) as w:
            marks = set()
            for _ in range(2):
                await ask(w, f"POST {ONE}/pause")
                marks.add((await ask(w, f"GET {ONE}")).connector["syncDisabledAt"])
            assert (len(marks) == 1) is same


async def test_hidden_fields_are_blank() -> None:
    async with world(fields="hidden") as w:
        await ask(w, f"POST {ONE}/pause")
        shown = (await ask(w, f"GET {ONE}")).connector
        assert (shown["syncDisabledAt"], shown["syncDisabledCategory"]) == (None, "")
        assert w.truth.paused(("app1", "con1"))


async def test_a_gateway_answers_in_its_phase_and_so_often() -> None:
    async with world(gateway="404 plain to 3 reads of the undo") as w:
        assert (await ask(w, f"GET {ONE}")).status == 200
        w.phase = "undo"
        assert [(await ask(w, f"GET {ONE}")).status for _ in range(4)] == [404, 404, 404, 200]
        assert (await ask(w, f"POST {ONE}/resume")).status == 200


@pytest.mark.parametrize(
    ("ids", "shown"), [("another's, in the undo", ("app1", "con2")), ("another app's, in the undo", ("app2", "con1"))]
)
async def test_a_question_about_one_is_answered_with_another(ids: str, shown: tuple[str, str]) -> None:
    async with world(ids=ids) as w:
        w.phase = "undo"
        connector = (await ask(w, f"GET {ONE}")).connector
        assert (connector["appId"], connector["id"]) == shown


@pytest.mark.parametrize(("listing", "pages"), [("null page", 3), ("page twice", 4), ("endless", 9)])
async def test_pages_are_odd(listing: str, pages: int) -> None:
    async with world(listing=listing) as w:
        token = ""
        seen: list[Any] = []
        while len(seen) < 9:
            document = json.loads((await ask(w, f"GET {LISTING}?page_token={token}")).body)
            seen.append(document["list"])
            token = document["nextPageToken"]
            if not token:
                break
        assert len(seen) == pages


async def test_a_page_holds_more_than_was_asked_for() -> None:
    async with world(listing="overshoot") as w:
        assert len(json.loads((await ask(w, f"GET {LISTING}?page_size=50")).body)["list"]) == 65


@pytest.mark.parametrize("replies", ["a post's twice", "a post's twice, late"])
async def test_a_reply_comes_twice(replies: str) -> None:
    async with world(replies=replies) as w:
        assert (await ask(w, f"POST {ONE}/pause")).rest.startswith(b"HTTP/1.1 200")
        assert (await ask(w, f"GET {ONE}")).rest == b""


async def test_a_request_is_held_up_and_arrives_all_the_same() -> None:
    async with world(replies="held up 45 s") as w:
        asked = asyncio.create_task(ask(w, f"POST {MEDDLED}/pause"))
        await asyncio.sleep(44)
        assert not w.truth.paused(MEDDLED_WITH)
        await asked
        assert w.truth.paused(MEDDLED_WITH)


async def test_effects_and_reads_come_late() -> None:
    async with world(replies="applied later") as w:
        await ask(w, f"POST {ONE}/pause")
        assert not w.truth.paused(("app1", "con1"))
        await asyncio.sleep(5)
        assert w.truth.paused(("app1", "con1"))
    async with world(replies="read late") as w:
        await ask(w, f"POST {ONE}/pause")
        assert (await ask(w, f"GET {ONE}", wait=20)).connector["syncDisabledAt"] is None
        assert (await ask(w, f"GET {ONE}")).connector["syncDisabledAt"] is not None


async def test_somebody_pauses_between_a_read_and_the_request_it_leads_to() -> None:
    async with world(actor="pauses before our post") as w:
        assert (await ask(w, f"GET {MEDDLED}", wait=0)).connector["syncDisabledAt"] is None
        await ask(w, f"POST {MEDDLED}/pause")
        [theirs, ours] = w.truth.events
        assert (theirs.who, ours.changed, w.truth.paused_by(MEDDLED_WITH)) == (OTHER, False, OTHER)
        assert ours.at - theirs.at == pytest.approx(5.0)


async def test_every_setting_is_played_alone_and_in_a_pair() -> None:
    every = {(name, setting) for name, settings in SETTINGS.items() for setting in settings[1:]}
    assert {each for dials in singles() for each in dials.turned().items()} == every
    assert {each for dials in pairs() for each in dials.turned().items()} <= every
    assert len(list(pairs())) >= 60
    assert all(undecidable(dials) is None for dials in pairs(every=True))
