"""One exchange against a tenant that misbehaves at every stage: what it means, and what it never does."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import pytest
import trustme
from yarl import URL

from runner.api.classify import Reply, classify_failure, classify_reply
from runner.api.transport import Transport
from runner.errors import ApiError
from runner.model import AttemptClass, Verdict
from runner.policy import Timeouts
from tests.unit.wire import Answer, Wire, hang_up, never, reply, reset, then_hang_up, then_silence, wire

pytestmark = pytest.mark.anyio

NOT_SENT, REFUSED = AttemptClass.NOT_SENT, AttemptClass.REFUSED
APPLIED, AMBIGUOUS = AttemptClass.APPLIED, AttemptClass.AMBIGUOUS

TOKEN = "canary-4f9a.c2ln_bmF0-dXJl"
SECONDS = Timeouts(connect=10, request=30)
PATH = "/api/v1/apps/app1/connectors/con1/pause"

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


async def exchange(
    url: str, *, proxy: str | None = None, tls: ssl.SSLContext | None = None, limit: int = 65_536, method: str = "POST"
) -> Reply:
    """One request in a transport of its own."""
    async with Transport(SECONDS, proxy=proxy, tls=tls) as transport:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        return await transport.exchange(method, URL(url + PATH), headers, b"{}", limit)


async def verdict_of(url: str, **options: Any) -> Verdict:
    """What one request comes to."""
    raised: ApiError | None = None
    try:
        return classify_reply(await exchange(url, **options))
    except ApiError as error:
        raised = error
    assert raised.__cause__ is None
    assert raised.__context__ is None  # the repr of what aiohttp raised may hold the token
    assert TOKEN not in f"{raised} {raised!r}"
    return raised.verdict


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


# What is sent


async def test_a_request_carries_what_it_should_and_nothing_else() -> None:
    async with wire(reply()) as tenant:
        await exchange(tenant.url)
    head, _, body = tenant.requests[0].partition(b"\r\n\r\n")
    request, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)

    assert request == f"POST {PATH} HTTP/1.1"
    assert body == b"{}"
    assert headers.pop("user-agent").startswith("c1-runner/")
    assert headers.pop("host") == f"127.0.0.1:{tenant.port}"
    assert headers.pop("content-type", "application/octet-stream") == "application/octet-stream"
    assert headers == {
        "accept": "application/json",
        "accept-encoding": "identity",
        "authorization": f"bearer {TOKEN}".lower(),
        "content-length": "2",
    }


async def test_connections_are_used_again() -> None:
    async with wire(reply()) as tenant, Transport(SECONDS) as transport:
        for _ in range(5):
            await transport.exchange("POST", URL(tenant.url + PATH), {}, b"{}", 1024)
    assert tenant.connections == 1


async def test_cookies_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    async with wire(reply(200, b"{}", "Set-Cookie: session=1; Path=/")) as tenant, Transport(SECONDS) as transport:
        resolving(monkeypatch, anyio.lowlevel.checkpoint)  # a name: no cookie is ever kept for an address
        for _ in range(2):
            await transport.exchange("POST", URL(f"http://acme.conductor.invalid:{tenant.port}"), {}, b"{}", 1024)
    assert len(tenant.requests) == 2
    assert b"cookie" not in tenant.requests[1].lower()


async def test_neither_netrc_nor_proxy_variables_take_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password canary-netrc\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    async with wire(reply()) as tenant, wire(reply(502)) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        await exchange(tenant.url)
    assert f"Bearer {TOKEN}".encode() in tenant.requests[0]
    assert b"canary-netrc" not in tenant.requests[0]
    assert proxy.requests == []


async def test_a_transport_that_is_not_open_says_so() -> None:
    with pytest.raises(RuntimeError, match="not open"):
        await Transport(SECONDS).exchange("GET", URL("http://127.0.0.1:1"), {}, None, 1)


# Redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed_and_nobody_else_hears_the_token(status: int) -> None:
    async with wire(reply()) as other, wire(reply(status, b"", f"Location: {other.url}/login")) as tenant:
        verdict = await verdict_of(tenant.url)
    assert (verdict.attempt, verdict.status, verdict.retryable) == (AMBIGUOUS, status, False)
    assert tenant.lines() == [f"POST {PATH}"]
    assert other.connections == 0


# Replies that end early, or never


@pytest.mark.parametrize(
    ("answer", "attempt", "retryable"),
    [
        (hang_up, AMBIGUOUS, True),
        (reset, AMBIGUOUS, True),
        (never, AMBIGUOUS, True),
        (then_hang_up(b"HTTP/1.1 200 OK\r\nContent-"), AMBIGUOUS, True),
        (then_silence(b"HTTP/1.1 200 OK\r\nContent-"), AMBIGUOUS, True),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 40_000 + b"\r\n\r\n{}", AMBIGUOUS, False),
        (b"HTTP/1.1 abc OK\r\n\r\n", AMBIGUOUS, False),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", AMBIGUOUS, False),
        (b"SSH-2.0-OpenSSH_9.6\r\n", AMBIGUOUS, False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", AMBIGUOUS, False),
    ],
    ids=[
        "hung up", "reset", "never", "hung up in the head", "silent in the head", "a head of 40 kB", "a garbled status",
        "TLS", "another protocol", "two lengths",
    ],
)  # fmt: skip
async def test_no_reply_to_what_was_sent_is_ambiguous(answer: Answer, attempt: AttemptClass, retryable: bool) -> None:
    async with wire(answer) as tenant:
        verdict = await verdict_of(tenant.url)
    assert (verdict.attempt, verdict.retryable, verdict.fatal) == (attempt, retryable, False)
    assert verdict.status is None
    assert len(tenant.requests) == 1  # nothing is sent again behind our back


async def test_a_reply_that_does_not_come_is_given_up_in_time() -> None:
    async with wire(never) as tenant:
        before = anyio.current_time()
        await verdict_of(tenant.url)
        assert anyio.current_time() - before == pytest.approx(SECONDS.request)


@pytest.mark.parametrize("cut", [then_hang_up, then_silence], ids=["hung up", "silent"])
@pytest.mark.parametrize(
    "part",
    [
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 40\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 40\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
    ],
    ids=["a part", "nothing", "a chunk"],
)
async def test_a_success_whose_body_does_not_arrive_is_applied_but_marked(
    cut: Callable[[bytes], Answer], part: bytes
) -> None:
    async with wire(cut(part)) as tenant:
        verdict = await verdict_of(tenant.url)
    assert (verdict.attempt, verdict.truncated, verdict.status) == (APPLIED, True, 200)


async def test_a_drip_of_bytes_cannot_hold_a_request_up() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n")
        while not reader.at_eof():
            writer.write(b" ")
            await asyncio.sleep(1)

    async with wire(drip) as tenant:
        before = anyio.current_time()
        verdict = await verdict_of(tenant.url)
        assert anyio.current_time() - before == pytest.approx(SECONDS.request)
    assert verdict.truncated


# Bounded bodies


@pytest.mark.parametrize(("size", "too_large"), [(1023, False), (1024, False), (1025, True), (5_000_000, True)])
async def test_a_body_is_read_up_to_its_bound(size: int, too_large: bool) -> None:
    async with wire(reply(200, b"x" * size)) as tenant:
        found = await exchange(tenant.url, limit=1024)
    assert found.too_large is too_large
    assert len(found.body) == min(size, 1024)


async def test_a_small_reply_is_not_blown_up() -> None:
    bomb = b"\x1f\x8b\x08\x00" + b"\x00" * 100
    async with wire(reply(200, bomb, "Content-Encoding: gzip")) as tenant:
        found = await exchange(tenant.url)
    assert found.body == bomb
    assert classify_reply(found).attempt is AMBIGUOUS


async def test_of_a_header_that_comes_twice_the_first_counts() -> None:
    async with wire(reply(429, b"{}", "Retry-After: 7", "retry-after: 900")) as tenant:
        verdict = await verdict_of(tenant.url)
    assert verdict.retry_after == 7


# Nothing was sent


async def test_a_closed_port_means_nothing_was_sent() -> None:
    verdict = await verdict_of(f"http://127.0.0.1:{free_port()}")

    assert (verdict.attempt, verdict.retryable) == (NOT_SENT, True)
    assert "cannot connect" in verdict.message


def resolving(monkeypatch: pytest.MonkeyPatch, answer: Callable[[], Awaitable[None]]) -> None:
    """Let every name be this machine's, once `answer` has returned."""

    async def getaddrinfo(host: str, port: int, **options: object) -> list[Any]:
        await answer()
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo, raising=False)


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


# What else aiohttp can raise


def every_error(root: type[BaseException]) -> Iterator[BaseException]:
    """One of each class that can be made without arguments."""
    error = root.__new__(root)
    with suppress(AttributeError):
        str(error)
        yield error
    for child in root.__subclasses__():
        yield from every_error(child)


@pytest.mark.parametrize("error", list(every_error(aiohttp.ClientError)), ids=lambda error: type(error).__name__)
def test_every_error_of_aiohttp_has_a_class(error: BaseException) -> None:
    assert classify_failure(error).attempt in (NOT_SENT, AMBIGUOUS)


@pytest.mark.parametrize(
    "error",
    [OSError(24, "Too many open files"), TimeoutError(), ConnectionResetError(), aiohttp.ClientError()],
    ids=repr,
)
def test_what_says_nothing_about_what_was_sent_is_ambiguous(error: BaseException) -> None:
    verdict = classify_failure(error)

    assert (verdict.attempt, verdict.retryable) == (AMBIGUOUS, True)
    assert verdict.message.isprintable()
