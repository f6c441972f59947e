"""What the network can do to a run, as a table of faults.

row  fault                               test
 1   the name does not resolve           test_row_01_*
 2   refused, unreachable                test_row_02_*
 3   certificate not valid               test_row_03_*
 4   TLS handshake reset or silent       test_row_04_*
 5   no connection in time               test_row_05_*
 6   reset or closed after sending       test_row_06_*
 7   idle connection closed meanwhile    test_row_07_*
 8   no reply in time                    test_row_08_*
 9   one byte a second                   test_row_09_*
10   reply cut short                     test_row_10_*
11   link half open for minutes          test_row_11_*
12   machine asleep                      test_row_12_*
13   proxy                               test_row_13_*
14   black hole behind one address       test_row_14_*
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
from runner.errors import ExitCode
from runner.model import Outcome
from runner.policy import LimitPolicy, RetryPolicy, Timeouts
from runner.sandbox import Faults, TokenDesk
from tests.sim.conftest import OpenBench, counts, free_port, job, pairs
from tests.sim.relay import abort, relay, stall
from tests.unit.wire import reply, wire
from tests.virtual_clock import wall

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
    monkeypatch.setattr("runner.api.client.Transport", partial(Transport, tls=context))


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


@pytest.mark.parametrize("fault", ["drop", "reset"])
async def test_row_06_a_connection_that_breaks_after_sending_is_read_before_it_is_sent_again(
    bench: OpenBench, fault: str
) -> None:
    targets = pairs(2)
    async with bench(targets) as b:
        b.server.script("app0/con0", [fault])
        b.server.script("app1/con1", [f"{fault}_after"])
        result = await b.run(job(targets, verify=False))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 2})
        assert sorted(b.posts()) == ["app0/con0", "app0/con0", "app1/con1"]  # the second was seen to be paused
        assert len(b.arrivals("connector")) == 2
        assert "a read shows that it took effect" in (b.rows(result)[1].detail or "")


async def test_row_07_a_connection_closed_while_idle_is_replaced_at_once_and_costs_no_try(bench: OpenBench) -> None:
    async with bench(ONE) as b:
        b.server.script("app0/con0", ["drop", "status=503"])
        result = await b.run(job(ONE, retry=RetryPolicy(attempts=2)))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 1})
        first, second, _ = b.arrivals("pause")
        assert 0 < second.at - first.at <= 0.25  # all workers see an outage before any of them sends again
        assert b.rows(result)[0].attempts == 3


async def test_row_07_only_one_closed_connection_is_forgiven(bench: OpenBench) -> None:
    async with bench(ONE) as b:
        b.server.script("app0/con0", ["drop"] * 9)
        result = await b.run(job(ONE, retry=RetryPolicy(attempts=2)))

        assert (result.exit_code, counts(result)) == (ExitCode.INCOMPLETE, {"failed": 1})
        assert len(b.posts()) == 3


async def test_row_08_a_reply_that_does_not_come_is_waited_for_thirty_seconds(bench: OpenBench) -> None:
    async with bench(ONE) as b:
        b.server.script("app0/con0", ["silence"])
        result = await b.run(job(ONE))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 1})
        first, second = b.arrivals("pause")
        assert 30 <= second.at - first.at < 32
        (read,) = b.arrivals("connector")
        assert first.at < read.at <= second.at


async def test_row_08_a_reply_that_comes_late_is_not_taken_for_the_next_one(bench: OpenBench) -> None:
    targets = pairs(3)
    async with bench(targets) as b:
        b.server.script("app0/con0", ["hold=31,applied=no", "status=400"])
        result = await b.run(job(targets, limits=LimitPolicy(concurrency=1), verify=False))

        rows = b.rows(result)
        assert [row.outcome for row in rows] == [Outcome.FAILED, Outcome.CHANGED, Outcome.CHANGED]
        assert "HTTP 400" in (rows[0].error or "")


async def test_row_09_a_reply_of_one_byte_a_second_is_cut_off_after_thirty_seconds(bench: OpenBench) -> None:
    targets = pairs(10)
    async with bench(targets, "tarpit=100%") as b:
        result = await b.run(job(targets, retry=RetryPolicy(attempts=1), verify=False))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 10})  # a read says so
        assert asyncio.get_running_loop().time() < 40
        assert all("the reply was lost" in (row.detail or "") for row in b.rows(result))


async def test_row_10_a_success_cut_short_is_confirmed_by_a_read(bench: OpenBench) -> None:
    async with bench(ONE) as b:
        b.server.script("app0/con0", ["truncate"])
        result = await b.run(job(ONE, verify=False))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 1})
        assert b.posts() == ["app0/con0"]
        assert len(b.arrivals("connector")) == 1
        assert b.rows(result)[0].http_status == 200


async def test_row_11_a_link_that_is_half_open_for_ten_minutes_loses_no_target(bench: OpenBench) -> None:
    targets = pairs(100)
    async with bench(targets, "latency=1s") as b:
        async with relay(int(b.server.url.rpartition(":")[2])) as net:
            loop = asyncio.get_running_loop()
            loop.call_later(6, net.hold)
            loop.call_later(606, net.let_go)
            result = await b.through(net.port).run(job(targets))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 100})
        assert 606 < loop.time() < 606 + 60


async def test_row_11_a_link_that_stays_half_open_ends_with_the_deadline(bench: OpenBench) -> None:
    targets = pairs(100)
    async with bench(targets, "latency=1s") as b:
        async with relay(int(b.server.url.rpartition(":")[2])) as net:
            loop = asyncio.get_running_loop()
            loop.call_later(6, net.hold)
            result = await b.through(net.port).run(job(targets, limits=LimitPolicy(deadline=120)))
            ended = loop.time()

        assert result.exit_code == ExitCode.STOPPED
        assert "deadline" in (result.stopped or "")
        assert set(counts(result)) <= {"changed", "unknown", "not_attempted"}
        assert sum(counts(result).values()) == 100
        assert ended <= 120 + 30


async def test_row_12_a_token_that_aged_while_the_machine_slept_is_renewed_before_it_is_used(bench: OpenBench) -> None:
    targets = pairs(40)
    asleep = 0.0

    def clock() -> float:
        return wall() + asleep

    def sleep() -> None:
        nonlocal asleep
        asleep = 7200.0

    async with bench(targets, "latency=1s", desk=TokenDesk(clock=clock)) as b:
        asyncio.get_running_loop().call_later(2.5, sleep)
        result = await b.run(job(targets, preflight=False, verify=False), wall=clock)

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 40})
        assert b.server.desk.mints == 2
        assert b.server.oracle.per_status[401] <= 10  # what was on its way when the machine fell asleep


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


async def test_faults_of_every_kind_at_once_lose_no_target(bench: OpenBench) -> None:
    targets = pairs(80, per_app=4)
    faults = Faults.parse("drop=3%,drop_after=3%,truncate=3%,error=3%,error_after=3%,html=2%,accepted=2%,on=post+read")
    async with bench(targets, "latency=20ms") as b:
        b.server.change_faults(faults)
        result = await b.run(job(targets))

        assert counts(result).keys() <= {"changed", "unchanged", "unknown"}
        assert sum(counts(result).values()) == 80
