"""A connection that never came about: nothing was sent, so sending again can do no harm."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable

import anyio
import pytest
import trustme

from runner.base.model import AttemptClass
from tests.unit.exchanges import SECONDS, TOKEN, resolving, verdict_of
from tests.unit.wire import Wire, hang_up, never, reply, reset, wire

pytestmark = pytest.mark.anyio

NOT_SENT, APPLIED = AttemptClass.NOT_SENT, AttemptClass.APPLIED

# A certificate authority takes a moment to make.
AUTHORITY = trustme.CA()
STRANGER = trustme.CA()


def serving(authority: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


async def test_a_closed_port_means_nothing_was_sent() -> None:
    verdict = await verdict_of(f"http://127.0.0.1:{free_port()}")

    assert (verdict.attempt, verdict.retryable) == (NOT_SENT, True)
    assert "cannot connect" in verdict.message


async def test_a_name_that_does_not_resolve_means_nothing_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail() -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    resolving(monkeypatch, fail)
    verdict = await verdict_of("http://acme.conductor.invalid")

    assert (verdict.attempt, verdict.retryable) == (NOT_SENT, True)
    assert "acme.conductor.invalid" in verdict.message


async def test_a_resolver_that_hangs_is_given_up_as_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, anyio.sleep_forever)
    verdict = await verdict_of("http://acme.conductor.invalid")

    assert (verdict.attempt, verdict.retryable) == (NOT_SENT, True)
    assert anyio.current_time() == pytest.approx(SECONDS.connect)


async def test_a_valid_certificate_lets_the_request_through() -> None:
    async with wire(reply(), tls=serving(AUTHORITY)) as tenant:
        verdict = await verdict_of(tenant.url, tls=trusting(AUTHORITY))
    assert verdict.attempt is APPLIED


@pytest.mark.parametrize(
    ("served", "trusted", "says"),
    [
        (serving(AUTHORITY), trusting(STRANGER), "certificate verify failed"),
        (serving(AUTHORITY, "other.example"), trusting(AUTHORITY), "127.0.0.1"),
        (serving(AUTHORITY), None, "certificate verify failed"),
    ],
    ids=["an unknown authority", "another name", "the system's authorities"],
)
async def test_a_certificate_that_is_not_valid_ends_the_run_before_anything_is_sent(
    served: ssl.SSLContext, trusted: ssl.SSLContext | None, says: str
) -> None:
    async with wire(reply(), tls=served) as tenant:
        verdict = await verdict_of(tenant.url, tls=trusted)
        assert tenant.requests == []
    assert (verdict.attempt, verdict.retryable, verdict.fatal) == (NOT_SENT, False, True)
    assert says in verdict.message


async def plain_tcp(act: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> asyncio.Server:
    return await asyncio.start_server(act, "127.0.0.1", 0)


async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


async def answer_in_clear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    writer.close()


@pytest.mark.parametrize("act", [hang_up, reset, hold, answer_in_clear], ids=lambda act: act.__name__)
async def test_a_handshake_that_fails_means_nothing_was_sent(
    act: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> None:
    async with await plain_tcp(act) as server:
        port = server.sockets[0].getsockname()[1]
        verdict = await verdict_of(f"https://127.0.0.1:{port}", tls=trusting(AUTHORITY))
    assert (verdict.attempt, verdict.retryable, verdict.fatal) == (NOT_SENT, True, False)


# Proxies

PASSWORD = "canary-proxy"


def through(proxy: Wire) -> str:
    return f"http://user:{PASSWORD}@127.0.0.1:{proxy.port}"


@pytest.mark.parametrize(
    ("status", "retryable", "fatal"),
    [
        (407, False, True),
        (403, False, True),
        (405, False, True),
        (502, True, False),
        (503, True, False),
        (504, True, False),
    ],
)
async def test_a_proxy_that_does_not_connect_means_nothing_was_sent(status: int, retryable: bool, fatal: bool) -> None:
    async with wire(reply(status, b"no")) as proxy:
        verdict = await verdict_of("https://acme.conductor.invalid", proxy=through(proxy))
        assert proxy.lines() == ["CONNECT acme.conductor.invalid:443"]
        assert TOKEN.encode() not in proxy.requests[0]
    assert (verdict.attempt, verdict.retryable, verdict.fatal) == (NOT_SENT, retryable, fatal)
    assert PASSWORD not in verdict.message


async def test_a_proxy_that_is_not_there_means_nothing_was_sent() -> None:
    proxy = Wire([], port=free_port())
    verdict = await verdict_of("https://acme.conductor.invalid", proxy=through(proxy))

    assert (verdict.attempt, verdict.retryable) == (NOT_SENT, True)
    assert PASSWORD not in verdict.message


async def test_a_proxy_that_goes_silent_before_it_connects_means_nothing_was_sent() -> None:
    async with wire(never) as proxy:
        verdict = await verdict_of("https://acme.conductor.invalid", proxy=through(proxy))
    assert (verdict.attempt, verdict.retryable) == (NOT_SENT, True)
    assert anyio.current_time() == pytest.approx(SECONDS.connect)


async def test_a_proxy_that_hangs_up_is_sent_to_again() -> None:
    async with wire(hang_up) as proxy:
        verdict = await verdict_of("https://acme.conductor.invalid", proxy=through(proxy))
    assert verdict.retryable  # it cannot be told from a tenant that hangs up, so it may be called ambiguous
    assert PASSWORD not in verdict.message
