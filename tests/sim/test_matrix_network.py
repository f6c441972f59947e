"""What the network can do to a run, as a table of faults.

row  fault                               test
 1   the name does not resolve           test_row_01_*
 2   refused, unreachable                test_row_02_*
 3   certificate not valid               test_row_03_*
 4   TLS handshake reset or silent       test_row_04_*
 5   no connection in time               test_row_05_*
13   proxy                               test_row_13_*
14   black hole behind one address       test_row_14_*

What happens to connections that did come about, rows 6 to 12, is in `test_matrix_connection`.
"""

import asyncio
import datetime
import socket
import ssl
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import trustme

from runner.api.transport import Transport
from runner.base.errors import ExitCode
from runner.base.policy import Timeouts
from tests.sim.conftest import OpenBench, counts, free_port, job, pairs
from tests.sim.relay import abort, relay, stall
from tests.unit.wire import reply, wire

pytestmark = pytest.mark.anyio

Address = Any
ONE = pairs(1)


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    """A certificate authority that nobody trusts unless told to."""
    return trustme.CA()


def serving(certificate: trustme.LeafCert) -> ssl.SSLContext:
    """The server's side of TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def trust(ca: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the client trust this authority, as if it were installed."""
    context = ssl.create_default_context()
    ca.configure_trust(context)
    monkeypatch.setattr("runner.api.sender.Transport", partial(Transport, tls=context))


def resolve(monkeypatch: pytest.MonkeyPatch, *answers: list[Address] | OSError) -> list[str]:
    """Have names resolve to these answers, the last one again and again; returns the names as they are asked for."""
    asked: list[str] = []

    async def getaddrinfo(host: str, port: int, **_: object) -> list[Address]:
        answer = answers[min(len(asked), len(answers) - 1)]
        asked.append(host)
        if isinstance(answer, OSError):
            raise answer
        return [(family, socket.SOCK_STREAM, 6, "", (ip, port)) for family, ip in answer]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    return asked


def connect(monkeypatch: pytest.MonkeyPatch, before: Callable[[Address], Any]) -> None:
    """Have `before(address)` awaited ahead of every outgoing connection."""
    loop = asyncio.get_running_loop()
    really = loop.sock_connect

    async def sock_connect(sock: socket.socket, address: Address) -> None:
        await before(address)
        await really(sock, address)

    monkeypatch.setattr(loop, "sock_connect", sock_connect)


NO_NAME = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
LOOPBACK = [(socket.AF_INET, "127.0.0.1")]


async def test_row_01_a_name_that_does_not_resolve_ends_the_run_after_five_tries(
    bench: OpenBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench(ONE) as b:
        b.settings = replace(b.settings, origin="https://acme.example")
        asked = resolve(monkeypatch, NO_NAME)
        result = await b.run(job(ONE))

        assert (result.exit_code, counts(result)) == (ExitCode.STOPPED, {"not_attempted": 1})
        assert result.stopped is not None
        assert "cannot resolve" in result.stopped
        assert "acme.example" in result.stopped
        assert asked == ["acme.example"] * 5
        assert b.server.oracle.requests == []


async def test_row_01_a_name_that_does_not_resolve_for_a_while_costs_no_target(
    bench: OpenBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench(ONE) as b:
        b.settings = replace(b.settings, origin=f"http://localhost:{b.server.url.rpartition(':')[2]}")
        asked = resolve(monkeypatch, NO_NAME, NO_NAME, LOOPBACK)
        result = await b.run(job(ONE))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 1})
        assert len(asked) == 3


async def test_row_02_a_port_where_nobody_listens_ends_the_run_before_it_sent_anything(bench: OpenBench) -> None:
    targets = pairs(30)
    async with bench(targets) as b:
        result = await b.through(free_port()).run(job(targets))

        assert (result.exit_code, counts(result)) == (ExitCode.STOPPED, {"not_attempted": 30})
        assert "cannot connect" in (result.stopped or "")
        assert asyncio.get_running_loop().time() < 60


async def test_row_02_twenty_refused_connections_in_a_row_hold_the_run_until_a_probe_gets_through(
    bench: OpenBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    targets = pairs(50)
    refused: list[float] = []

    async def refuse(address: Address) -> None:
        if (now := asyncio.get_running_loop().time()) < 200:
            refused.append(now)
            raise ConnectionRefusedError(111, "Connection refused")

    async with bench(targets) as b:
        connect(monkeypatch, refuse)
        result = await b.with_access_token().run(job(targets))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 50})
        assert len(refused) <= 20 + 10 + 200 / 30  # the breaker, what was in flight then, one probe each 30 s
        assert len(b.posts()) == 50  # what was not sent is not sent twice


async def assert_refuses_the_certificate(bench: OpenBench, tls: ssl.SSLContext, complaint: str) -> None:
    targets = pairs(20)
    async with bench(targets, tls=tls) as b:
        result = await b.run(job(targets))

        assert (result.exit_code, counts(result)) == (ExitCode.STOPPED, {"not_attempted": 20})
        assert "certificate is not valid" in (result.stopped or "")
        assert complaint in (result.stopped or "")
        assert asyncio.get_running_loop().time() < 1  # at once, no retry
        assert b.server.oracle.requests == []


async def test_row_03_a_certificate_of_an_unknown_authority_ends_the_run_at_once(
    bench: OpenBench, ca: trustme.CA
) -> None:
    await assert_refuses_the_certificate(bench, serving(ca.issue_cert("127.0.0.1")), "certificate verify failed")


async def test_row_03_an_expired_certificate_ends_the_run_at_once(
    bench: OpenBench, ca: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust(ca, monkeypatch)
    ended = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    certificate = ca.issue_cert("127.0.0.1", not_before=ended - datetime.timedelta(days=1), not_after=ended)
    await assert_refuses_the_certificate(bench, serving(certificate), "certificate has expired")


async def test_row_03_a_certificate_for_another_host_ends_the_run_at_once(
    bench: OpenBench, ca: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust(ca, monkeypatch)
    certificate = ca.issue_cert("other.example")
    await assert_refuses_the_certificate(bench, serving(certificate), "certificate is not valid for '127.0.0.1'")


async def test_row_04_a_handshake_that_breaks_or_stalls_is_tried_again(
    bench: OpenBench, ca: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust(ca, monkeypatch)
    async with bench(ONE, tls=serving(ca.issue_cert("127.0.0.1"))) as b:
        port = int(b.server.url.rpartition(":")[2])
        async with relay(port, abort, stall, abort) as net:
            result = await b.through(net.port, "https").run(job(ONE, timeouts=Timeouts(connect=10)))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 1})
        assert net.connections >= 4
        assert b.posts() == ["app0/con0"]
        assert 10 <= asyncio.get_running_loop().time() < 40


async def test_row_04_a_handshake_that_never_succeeds_ends_the_run_before_anything_was_sent(
    bench: OpenBench, ca: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust(ca, monkeypatch)
    async with bench(ONE, tls=serving(ca.issue_cert("127.0.0.1"))) as b:
        async with relay(int(b.server.url.rpartition(":")[2]), *[abort] * 50) as net:
            result = await b.through(net.port, "https").run(job(ONE))

        assert (result.exit_code, counts(result)) == (ExitCode.STOPPED, {"not_attempted": 1})
        assert "no token from" in (result.stopped or "")
        assert "cannot connect" in (result.stopped or "") or "no secure connection" in (result.stopped or "")
        assert b.server.oracle.requests == []


async def test_row_05_a_tenant_behind_a_black_hole_ends_the_run_with_the_reason(
    bench: OpenBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def black_hole(address: Address) -> None:
        await asyncio.Event().wait()

    async with bench(ONE) as b:
        connect(monkeypatch, black_hole)
        result = await b.run(job(ONE))

        assert (result.exit_code, counts(result)) == (ExitCode.STOPPED, {"not_attempted": 1})
        assert "no connection in time" in (result.stopped or "")
        assert 5 * 10 <= asyncio.get_running_loop().time() < 120


async def test_row_05_a_connection_that_does_not_come_about_is_given_ten_seconds_and_tried_again(
    bench: OpenBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[float] = []

    async def black_hole(address: Address) -> None:
        tries.append(asyncio.get_running_loop().time())
        if len(tries) <= 2:
            await asyncio.Event().wait()

    async with bench(ONE) as b:
        connect(monkeypatch, black_hole)
        result = await b.run(job(ONE))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 1})
        assert b.posts() == ["app0/con0"]
        assert tries[1] >= 10
        assert tries[2] >= tries[1] + 10


async def test_row_13_the_environment_leads_to_no_proxy_for_a_loopback_tenant(
    bench: OpenBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{free_port()}")
    async with bench(ONE) as b:
        result = await b.run(job(ONE))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 1})


async def test_row_13_a_proxy_that_wants_credentials_ends_the_run_at_once(bench: OpenBench) -> None:
    targets = pairs(20)
    async with bench(targets) as b, wire(reply(407, b"who are you?", kind="text/plain")) as proxy:
        for origin in ("http://127.0.0.1:9", "https://acme.example"):
            b.settings = replace(b.settings, origin=origin, proxy=proxy.url)
            result = await b.run(job(targets))

            assert (result.exit_code, counts(result)) == (ExitCode.STOPPED, {"not_attempted": 20})
            assert "proxy" in (result.stopped or "")
            assert "407" in (result.stopped or "")
        assert [line.split()[0] for line in proxy.lines()] == ["POST", "CONNECT"]
        assert asyncio.get_running_loop().time() < 1


async def test_row_14_a_black_hole_behind_the_first_address_costs_a_quarter_of_a_second(
    bench: OpenBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def black_hole(address: Address) -> None:
        if ":" in address[0]:
            await asyncio.Event().wait()

    async with bench(ONE) as b:
        b.settings = replace(b.settings, origin=f"http://localhost:{b.server.url.rpartition(':')[2]}")
        resolve(monkeypatch, [(socket.AF_INET6, "::1"), *LOOPBACK])
        connect(monkeypatch, black_hole)
        result = await b.run(job(ONE))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 1})
        assert asyncio.get_running_loop().time() < 1
