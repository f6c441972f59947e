"""One exchange against a tenant that misbehaves at every stage: what it means, and what it never does."""

import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import aiohttp
import anyio
import pytest
from yarl import URL

from runner.api.classify import classify_failure, classify_reply
from runner.api.transport import Transport
from runner.base.model import AttemptClass
from tests.unit.exchanges import PATH, SECONDS, TOKEN, exchange, resolving, verdict_of
from tests.unit.wire import Answer, hang_up, never, reply, reset, then_hang_up, then_silence, wire

pytestmark = pytest.mark.anyio

NOT_SENT, REFUSED = AttemptClass.NOT_SENT, AttemptClass.REFUSED
APPLIED, AMBIGUOUS = AttemptClass.APPLIED, AttemptClass.AMBIGUOUS

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
    assert headers.pop("content-type") == "application/json"
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


# Compressed replies, though none was asked for

PLAIN = b'{"list": [' + b'{"a": 1},' * 100 + b'{"a": 1}]}'
PACKED = {
    "gzip": gzip.compress(PLAIN),
    "x-gzip": gzip.compress(PLAIN),
    "GZip ": gzip.compress(PLAIN),
    "deflate": zlib.compress(PLAIN),
    " deflate": zlib.compress(PLAIN)[2:-4],  # without a header, as some servers have it
    "identity": PLAIN,
}


@pytest.mark.parametrize("encoding", PACKED)
async def test_a_compressed_reply_is_unpacked(encoding: str) -> None:
    async with wire(reply(200, PACKED[encoding], f"Content-Encoding: {encoding}")) as tenant:
        found = await exchange(tenant.url)
    assert (found.body, found.packed, found.truncated, found.too_large) == (PLAIN, "", False, False)


@pytest.mark.parametrize(("limit", "too_large"), [(len(PLAIN), False), (len(PLAIN) - 1, True)])
async def test_a_compressed_reply_is_unpacked_up_to_the_bound(limit: int, too_large: bool) -> None:
    async with wire(reply(200, PACKED["gzip"], "Content-Encoding: gzip")) as tenant:
        found = await exchange(tenant.url, limit=limit)
    assert (found.body, found.too_large) == (PLAIN[:limit], too_large)


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress], ids=["gzip", "deflate"])
async def test_a_small_reply_cannot_become_a_large_one(pack: Callable[[bytes], bytes]) -> None:
    bomb = pack(bytes(50_000_000))
    name = "gzip" if pack is gzip.compress else "deflate"
    async with wire(reply(200, bomb, f"Content-Encoding: {name}")) as tenant:
        tracemalloc.start()
        try:
            found = await exchange(tenant.url, limit=100_000)
            most = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert (len(found.body), found.too_large) == (100_000, True)
    assert most < 5_000_000
    assert classify_reply(found).attempt is AMBIGUOUS


async def test_a_compressed_reply_that_was_cut_short_is_marked() -> None:
    async with wire(reply(200, PACKED["gzip"][:-12], "Content-Encoding: gzip")) as tenant:
        found = await exchange(tenant.url)
    assert found.truncated
    assert classify_reply(found).truncated


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "gzip"])
async def test_a_compression_that_cannot_be_undone_is_named(encoding: str) -> None:
    async with wire(reply(200, b"\x1b\x03\x00\xf8", f"Content-Encoding: {encoding}")) as tenant:
        verdict = await verdict_of(tenant.url)
    assert (verdict.attempt, verdict.alien) == (AMBIGUOUS, True)
    assert f"compressed as {encoding} unasked" in verdict.message


async def test_of_a_header_that_comes_twice_the_first_counts() -> None:
    async with wire(reply(429, b"{}", "Retry-After: 7", "retry-after: 900")) as tenant:
        verdict = await verdict_of(tenant.url)
    assert verdict.retry_after == 7


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
