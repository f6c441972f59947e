"""A server of C1's published contract on plain streams, with a dial for all in which a real tenant may differ.

It shares nothing with the sandbox, and nothing with the client. It runs in any event loop, one with a virtual clock
too; `serving` gives it a thread and a loop of its own. What is so, whatever it shows, is in `truth`.

Facts: C1's OpenAPI document (ConnectorService), its page on client credentials, and what was seen of its API.
"""

import asyncio
import random
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from typing import Any

from tests.worlds import dials as table
from tests.worlds.actors import Actor
from tests.worlds.dials import Dials
from tests.worlds.shown import Showing, Shown, app, page
from tests.worlds.stream import Reply, Request, answer, http_date, problem, read_request
from tests.worlds.truth import ANOMALY, OTHER, OURS, Pair, Truth

MEDDLED_WITH: Pair = ("app1", "con2")
"""The connector that the second actor acts on, and whose first request to pause may be held up."""

PAUSED_BY_A_PERSON: Pair = ("app1", "con3")
PAUSED_BY_THE_CHECK: Pair = ("app2", "con1")
PAIRS = [("app1", "con1"), MEDDLED_WITH, PAUSED_BY_A_PERSON, PAUSED_BY_THE_CHECK, ("app2", "con4")]
"""What jobs are about; an id of a connector is unique in its app alone."""

SPARE: Pair = ("app1", "con5")
"""A connector that is none of any job's business."""

TOO_MANY = 3000
"""Requests after which the world hangs up on everybody: nothing that is asked of five connectors takes so many."""

CLIENT_ID, SECRET = "small-world-12345@acme.conductor.one/spc", "a-plain-secret-of-the-world"


class World:
    """A tenant; `async with World(dials, clock).listening():` runs it in the running loop.

    `phase` is "pause" or "undo": whoever plays with the world turns it over when the time has come.
    """

    def __init__(self, dials: Dials, clock: Callable[[], float] = time.time, *, latency: float = 0.0) -> None:
        self.dials = dials
        self.pairs = [*PAIRS[:2], SPARE, *PAIRS[2:]]
        if dials.listing == "overshoot":
            self.pairs += [("app1", f"more{number}") for number in range(110)]
        self.truth = Truth(self.pairs, dials, clock)
        self.truth.begin_paused(PAUSED_BY_A_PERSON, OTHER, 3600)
        self.truth.begin_paused(PAUSED_BY_THE_CHECK, ANOMALY, 1800)
        self.actor = Actor(dials, self.truth, MEDDLED_WITH)
        self.requests: list[tuple[float, Request, int]] = []  # with the time and the status
        self.arrived = 0
        self.ran_away = False
        self.origin = ""
        self.on_post: Callable[[int], None] = lambda number: None  # told of each post that arrives
        self._latency = latency
        self._phase = "pause"
        self._showing = Showing(dials)
        self._gateway = table.GATEWAYS[dials.gateway]
        self._dice = random.Random(str(dials))
        self._met = 0  # requests that the gateway has answered in this phase
        self._doubled = 0
        self._posts = 0
        self._held_up = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks = set[asyncio.Task[Any]]()

    @property
    def phase(self) -> str:
        """What is under way: "pause" or "undo"."""
        return self._phase

    @phase.setter
    def phase(self, phase: str) -> None:
        self._phase, self._met, self._doubled = phase, 0, 0

    def calm_down(self) -> None:
        """From now on replies, ids, listings and gateways are as they should be."""
        self.ran_away, self.arrived, self._gateway = self.runaway, 0, None
        self.dials = replace(self.dials, gateway="none", ids="right", listing="plain", replies="plain")

    @property
    def runaway(self) -> bool:
        """Whether somebody has asked without an end."""
        return self.ran_away or self.arrived > TOO_MANY

    # Serving

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["World"]:
        """Listen on a loopback port of the system's choice, in the running loop."""
        self._loop = asyncio.get_running_loop()
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    @contextmanager
    def serving(self) -> Iterator["World"]:
        """Serve from a thread of its own, in real time, as long as the block."""
        ready, over = threading.Event(), asyncio.Event()

        async def main() -> None:
            async with self.listening():
                ready.set()
                await over.wait()

        thread = threading.Thread(target=lambda: asyncio.run(main()), daemon=True)
        thread.start()
        assert ready.wait(10)
        try:
            yield self
        finally:
            self.tell(over.set)
            thread.join()

    def tell(self, what: Callable[[], object]) -> None:
        """Do something in the thread that serves, and return when it is done."""
        assert self._loop is not None

        async def do() -> None:
            what()

        asyncio.run_coroutine_threadsafe(do(), self._loop).result(10)

    def environment(self) -> dict[str, str]:
        """The variables that lead a client here."""
        return {
            "CONDUCTORONE_SERVER_URL": self.origin,
            "CONDUCTORONE_CLIENT_ID": CLIENT_ID,
            "CONDUCTORONE_CLIENT_SECRET": SECRET,
        }

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._converse(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while self.arrived <= TOO_MANY and (request := await read_request(reader)) is not None:
            self.arrived += 1
            if self._latency:
                await asyncio.sleep(self._latency)
            reply = await self._reply(request)
            self.requests.append((self.truth.clock(), request, reply.status))
            content = reply.encoded(self._date())
            twice = self._twice(request)
            writer.write(content if twice is None or twice.after else content * 2)
            if twice is not None and twice.after:
                await asyncio.sleep(twice.after)
                writer.write(content)
            await writer.drain()
            if self.dials.replies == "closed soon":
                await asyncio.sleep(table.CLOSES_AFTER)
                return

    def _date(self) -> str | None:
        if self.dials.date == "garbage":
            return "yesterday, about noon"
        ahead = table.DATES[self.dials.date]
        return None if ahead is None else http_date(self.truth.clock() + self._showing.offset + ahead)

    def _twice(self, request: Request) -> table.Twice | None:
        """Whether this reply comes twice: the first two of their kind in each phase do."""
        twice = table.TWICE.get(self.dials.replies)
        if twice is None or not request.parts or (request.method == "POST") != (twice.where == "posts"):
            return None
        self._doubled += 1
        return twice if self._doubled <= 2 else None

    # Answering

    async def _reply(self, request: Request) -> Reply:
        if (request.method, request.path) == ("POST", "/auth/v1/token"):
            return _token(request)
        if not request.parts:
            return Reply(body=b"<!doctype html><title>C1</title>", content_type="text/html")
        if request.headers.get("authorization") != "Bearer a-token-of-the-world":
            return problem(401, 16, "invalid bearer token")
        if (met := self._stopped_by_the_gateway(request)) is not None:
            return met
        return await self._route(request)

    def _stopped_by_the_gateway(self, request: Request) -> Reply | None:
        gateway = self._gateway
        if gateway is None or self._phase not in gateway.phases or not _concerns(gateway.where, request):
            return None
        if (gateway.first is not None and self._met >= gateway.first) or self._dice.random() >= gateway.share:
            return None
        self._met += 1
        status, content_type, body = table.ANSWERS[gateway.kind]
        return Reply(status, body, content_type)

    async def _route(self, request: Request) -> Reply:
        match request.method, request.parts:
            case "GET", ["apps"]:
                return answer(page([app(app_id) for app_id in self._apps()], request.query, "plain"))
            case "GET", ["apps", app_id] if app_id in self._apps():
                return answer({"app": app(app_id), "expanded": None})
            case "GET", ["apps", app_id, "connectors"] if app_id in self._apps():
                return await self._listing(app_id, request.query)
            case "GET", ["apps", app_id, "mcp_servers"] if app_id in self._apps():
                return answer({"list": None, "nextPageToken": ""})
            case "GET", ["apps", app_id, "connectors", connector_id]:
                return await self._one((app_id, connector_id))
            case "POST", ["apps", app_id, "connectors", connector_id, operation]:
                return await self._act((app_id, connector_id), operation)
            case "POST", ["search", "apps"]:
                return answer(page([app(app_id) for app_id in self._apps()], {}, "plain"))
            case "GET", ["auth", "introspect"]:
                return answer(
                    {"userId": "u1", "principleId": "p1", "roles": [_ROLE], "permissions": [], "features": []}
                )
        return problem(404, 5, "not found")

    def _apps(self) -> list[str]:
        return list(dict.fromkeys(app_id for app_id, _ in self.pairs))

    async def _listing(self, app_id: str, query: dict[str, str]) -> Reply:
        own = [pair for pair in self.pairs if pair[0] == app_id]
        if self.dials.ids == "rows of another app":
            own = [pair for pair in self.pairs if pair[0] != app_id] + own
        rows = [view for pair in own if (view := self._view(pair, listed=True)) is not None]
        small = 2 if self.dials.listing in ("null page", "page twice", "endless") else None
        reply = answer(page(rows, query, self.dials.listing, small))
        await self.actor.read(app_id)
        return reply

    async def _one(self, pair: Pair) -> Reply:
        view = self._view(self._answered_with(pair), listed=False)
        reply = problem(404, 5, "connector not found") if view is None else answer({"connectorView": view})
        await self.actor.read(pair[0])
        return reply

    def _answered_with(self, pair: Pair) -> Pair:
        """Which connector a question about one is answered with."""
        ids = self.dials.ids
        if ids == "another's, always" or (ids == "another's, in the undo" and self._phase == "undo"):
            same_app = [each for each in self.pairs if each[0] == pair[0]]
            return same_app[(same_app.index(pair) + 1) % len(same_app)] if pair in same_app else pair
        if ids == "another app's, in the undo" and self._phase == "undo":
            return next((each for each in self.pairs if each[1] == pair[1] and each != pair), PAUSED_BY_A_PERSON)
        return pair

    def _view(self, pair: Pair, *, listed: bool) -> Shown | None:
        lag = table.READ_LAG if self.dials.replies == "read late" else 0.0
        row = self.truth.row(pair, lag)
        if row is None:
            return None
        if row.deleted_at is not None:
            shows = {"deletes softly": not listed, "deletes, still listed": True}.get(self.dials.actor, False)
            if not shows:
                return None
        return self._showing.view(pair, row, self.truth.clock() - lag)

    async def _act(self, pair: Pair, operation: str) -> Reply:
        doing = {"pause": self.truth.pause, "resume": self.truth.resume, "force_sync": self.truth.sync}.get(operation)
        if doing is None:
            return problem(404, 5, "not found")
        self._posts += 1
        self.on_post(self._posts)
        if operation == "pause" and pair == MEDDLED_WITH and not self._held_up:
            self._held_up = True
            await asyncio.sleep(table.HELD_UP.get(self.dials.replies, 0.0))
        if self.truth.row(pair) is None or self.truth.deleted(pair):
            return problem(404, 5, "connector not found")
        if self.dials.replies == "applied later":
            self._later(self._apply(doing, pair, operation))
        else:
            await self._apply(doing, pair, operation, after=0.0)
        return Reply()

    async def _apply(
        self, doing: Callable[[Pair, str], bool], pair: Pair, operation: str, after: float = table.APPLIED_LATER
    ) -> None:
        if after:
            await asyncio.sleep(after)
        doing(pair, OURS)
        self.actor.posted(pair, operation)

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


_ROLE = "role/c1.api.app.v1.Apps:connector-administrator"


def _concerns(where: str, request: Request) -> bool:
    """Whether a request is of the kind that a gateway answers."""
    posts = request.method == "POST"
    match where:
        case "posts":
            return posts
        case "reads":
            return not posts
        case "one":
            return not posts and len(request.parts) == 4
    return True


def _token(request: Request) -> Reply:
    """A token for whoever shows a credential of one of the three forms."""
    with suppress(UnicodeDecodeError):
        form = request.body.decode()
        if "grant_type=client_credentials" in form and ("client_secret=" in form or "client_assertion=" in form):
            return answer({"access_token": "a-token-of-the-world", "token_type": "Bearer", "expires_in": 3600})
        if "token-exchange" in form and "subject_token=" in form:
            return answer({"access_token": "a-token-of-the-world", "token_type": "Bearer", "expires_in": 1800})
    return Reply(401, b'{"error":"invalid_client","error_description":"client authentication failed"}')
