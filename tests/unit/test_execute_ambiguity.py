"""What is said of a target is true, whatever became of the requests that were sent for it.

A tenant of one connector keeps to a script for every request that would change it, and knows the truth.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.base.model import Job, OperationName, Outcome, Target
from runner.base.policy import LimitPolicy, RetryPolicy
from runner.base.settings import AccessToken, Settings
from runner.engine.session import Context
from runner.runs import run
from runner.store import Store, TargetRecord
from tests.unit.wire import Answer, Wire, hang_up, never, refusal, reply, reset, then_hang_up, wire
from tests.virtual_clock import VirtualClockLoop, wall

HTML = reply(200, b"<html>sign in</html>", kind="text/html")
CUT = then_hang_up(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 40\r\n\r\n{")

UNCLEAR: dict[str, Answer] = {
    "hung up": hang_up,
    "reset": reset,
    "never": never,
    "500": reply(500),
    "502": reply(502, b"<html>", kind="text/html"),
    "503": reply(503, b"{}", "Retry-After: 2"),
    "408": reply(408),
    "302": reply(302, b"", "Location: https://sso.example/"),
    "HTML": HTML,
    "an error in a 200": reply(200, b'{"code": 13, "message": "internal"}'),
    "202": reply(202),
    "garbled": b"HTTP/1.1 abc\r\n\r\n",
    "cut": CUT,
}
REFUSED: dict[str, Answer] = {
    "400": refusal(400),
    "403": refusal(403),
    "404": refusal(404),
    "409": refusal(409),
    "422": refusal(422),
    "425": refusal(425),
    "429": reply(429, b"{}", "Retry-After: 1"),
    "501": reply(501),
    "404 of a gateway": reply(404, b"default backend - 404", kind="text/plain"),
    "403 of a WAF": reply(403, b"<html>blocked</html>", kind="text/html"),
}
ANSWERS = UNCLEAR | REFUSED | {"200": reply()}


@dataclass(frozen=True)
class Step:
    """What the tenant does with one request that would change the connector: apply it or not, and answer."""

    answer: str
    applies: bool

    def __str__(self) -> str:
        return f"{self.answer} ({'applied' if self.applies else 'not applied'})"


STEPS = [
    *(Step(name, applies) for name in UNCLEAR for applies in (False, True)),
    *(Step(name, applies=False) for name in REFUSED),
    Step("200", applies=True),
]

# Of replies that mean the same to a run, one stands for all: a whole row of the table stays quick.
KINDS = [
    step for step in STEPS if step.answer in {"hung up", "302", "HTML", "202", "cut"} or step.answer not in UNCLEAR
]
FIRST = [step for step in KINDS if step.answer in UNCLEAR]


@dataclass
class Connector:
    """The truth about the one connector, and the script for what comes."""

    script: list[Step]
    readable: bool = True  # whether it can be read once something has been sent for it
    paused_at: str | None = None
    syncs: int = 0
    posts: list[Step] = field(default_factory=list)
    before_post: Callable[["Connector"], None] | None = None

    async def act(self, tenant: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the latest request."""
        line = tenant.requests[-1].split(b" HTTP/1.1\r\n", 1)[0].decode()
        answer = self._change(line) if line.startswith("POST") else self._read(line)
        if callable(answer):
            await answer(reader, writer)
        else:
            writer.write(answer)

    def _change(self, line: str) -> Answer:
        if self.before_post:
            self.before_post(self)
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        self.posts.append(step)
        if step.applies and line.endswith("/pause"):
            self.paused_at = self.paused_at or mark()
        elif step.applies and line.endswith("/resume"):
            self.paused_at = None
        elif step.applies:
            self.syncs += 1
        return ANSWERS[step.answer]

    def _read(self, line: str) -> bytes:
        if self.posts and not self.readable:
            return reply(500)
        row: dict[str, object] = {
            "connector": {"id": "con1", "appId": "app1", "syncDisabledAt": self.paused_at, "status": {}}
        }
        listing = line.split("?")[0].endswith("/connectors")
        return reply(200, json.dumps({"list": [row]} if listing else {"connectorView": row}).encode())


def mark() -> str:
    """Now, as the tenant writes it."""
    return datetime.fromtimestamp(wall(), UTC).isoformat().replace("+00:00", "Z")


@asynccontextmanager
async def serving(connector: Connector) -> AsyncIterator[Wire]:
    async def act(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await connector.act(tenant, reader, writer)

    async with wire(act) as tenant:
        yield tenant


async def account(connector: Connector, store: Store, operation: OperationName, **fields: Any) -> TargetRecord:
    """Run a job over the connector; what the account says of it. A port may come again: earlier runs are forgotten."""
    for table in ("targets", "runs"):
        store.connection.execute(f"DELETE FROM {table}")
    async with serving(connector) as tenant:
        job = Job(
            operation,
            "test",
            targets=(Target("app1", "con1"),),
            retry=RetryPolicy(attempts=3),
            limits=LimitPolicy(concurrency=1, deadline=120),
            **fields,
        )
        context = Context(Settings(tenant.url, AccessToken("t1")), store, signals=False, wall=wall)
        result = await run(job, context)
    (row,) = store.targets(store.run(result.run_id))
    assert result.counts[row.outcome] == 1
    assert (result.exit_code == 0) == (row.outcome in (Outcome.CHANGED, Outcome.UNCHANGED))
    return row


def on_virtual_time(work: Coroutine[Any, Any, TargetRecord]) -> TargetRecord:
    with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
        return runner.run(work)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with Store(tmp_path_factory.mktemp("state")) as opened:
        opened.connection.execute("PRAGMA synchronous = OFF")  # what is durable when is tested elsewhere
        yield opened


def check_pause(connector: Connector, row: TargetRecord) -> None:
    """A pause that the tenant made is never lost from the account, and none is made up."""
    story = f"{[str(step) for step in connector.posts]}, readable: {connector.readable} -> {row}"
    if connector.paused_at:
        assert row.outcome in (Outcome.CHANGED, Outcome.UNKNOWN), story
    else:
        assert row.outcome in (Outcome.FAILED, Outcome.UNKNOWN, Outcome.NOT_ATTEMPTED), story
    if connector.readable and row.outcome is Outcome.UNKNOWN:
        assert not connector.paused_at or row.before is None, story  # a read would have shown it
    unclear = [step for step in connector.posts if step.answer in UNCLEAR]
    if unclear and not connector.readable:
        assert row.outcome not in (Outcome.FAILED, Outcome.NOT_ATTEMPTED), story


@pytest.mark.parametrize("first", FIRST, ids=str)
def test_after_one_unclear_reply_a_pause_is_never_called_failed_unless_a_read_proves_it(
    store: Store, first: Step
) -> None:
    for second in KINDS:
        for readable in (True, False):
            connector = Connector([first, second], readable)
            check_pause(connector, on_virtual_time(account(connector, store, OperationName.PAUSE)))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(STEPS), min_size=1, max_size=5), st.booleans(), st.booleans(), st.booleans())
def test_whatever_a_tenant_does_the_account_of_a_pause_is_true(
    store: Store, script: list[Step], readable: bool, preflight: bool, verify: bool
) -> None:
    connector = Connector(list(script), readable)
    row = on_virtual_time(account(connector, store, OperationName.PAUSE, preflight=preflight, verify=verify))

    check_pause(connector, row)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(STEPS), min_size=1, max_size=5), st.booleans())
def test_whatever_a_tenant_does_the_account_of_a_resume_is_true(
    store: Store, script: list[Step], readable: bool
) -> None:
    connector = Connector(list(script), readable, paused_at="2026-09-21T10:00:00Z")
    row = on_virtual_time(account(connector, store, OperationName.RESUME))

    if connector.paused_at is None:
        assert row.outcome in (Outcome.CHANGED, Outcome.UNKNOWN)
    else:
        assert row.outcome in (Outcome.FAILED, Outcome.UNKNOWN, Outcome.NOT_ATTEMPTED)


@pytest.mark.parametrize("second", ["400", "404", "501"])
@pytest.mark.parametrize("first", ["hung up", "502", "HTML", "302"])
def test_a_sync_that_may_have_begun_and_ended_is_never_called_failed(store: Store, first: str, second: str) -> None:
    connector = Connector([Step(first, applies=True), Step(second, applies=False)])
    row = on_virtual_time(account(connector, store, OperationName.FORCE_SYNC))

    assert connector.syncs == 1
    assert row.outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("answer", sorted(REFUSED))
def test_a_refusal_alone_is_a_failure_and_costs_no_more_requests_than_it_is_worth(store: Store, answer: str) -> None:
    connector = Connector([Step(answer, applies=False)] * (3 if answer == "429" else 1) + [Step("400", applies=False)])
    again = ("429", "409", "425", "404 of a gateway")
    if answer not in again:
        connector.script = [Step(answer, applies=False)]
    row = on_virtual_time(account(connector, store, OperationName.PAUSE))

    assert row.outcome is Outcome.FAILED
    assert row.error
    if answer not in again:
        assert len(connector.posts) == row.attempts == 1


def test_what_somebody_else_did_meanwhile_is_not_claimed(store: Store) -> None:
    def somebody_pauses(connector: Connector) -> None:
        connector.paused_at = mark()

    connector = Connector([Step("409", applies=False)], before_post=somebody_pauses)
    row = on_virtual_time(account(connector, store, OperationName.PAUSE))

    assert row.outcome is Outcome.UNCHANGED


def test_a_pause_from_long_before_our_request_is_not_claimed(store: Store) -> None:
    connector = Connector([Step("hung up", applies=False)], paused_at="2026-09-21T10:00:00Z")
    row = on_virtual_time(account(connector, store, OperationName.PAUSE, preflight=False))

    assert row.outcome is Outcome.UNKNOWN  # the tenant's time is not known, and neither is the state before


def test_the_receipt_of_a_pause_whose_reply_was_lost_is_kept(store: Store) -> None:
    connector = Connector([Step("hung up", applies=True)])
    row = on_virtual_time(account(connector, store, OperationName.PAUSE))

    assert row.outcome is Outcome.CHANGED
    assert row.after is not None
    assert row.after.paused_at == connector.paused_at
    assert len(connector.posts) == 1  # a read spared the second request
