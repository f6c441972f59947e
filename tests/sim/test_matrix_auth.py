"""What can be wrong with a credential or its token, as a table of faults.

row  fault                               test
17   401, once                           test_row_17_*
18   401 on fresh tokens                 test_row_18_*
19   403                                 test_row_19_*
41   wrong client id or secret           test_row_41_*
42   the client's clock is wrong         test_row_42_*
43   odd answers with a token in them    test_row_43_*
44   a token that hardly lives           test_row_44_*
45   line ends after a secret            test_row_45_*
46   a secret that others can read       test_row_46_*
47   credential rotated or revoked       test_row_47_*

How many requests a dead credential costs is in `test_credentials`.
"""

import asyncio
import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from runner.base import settings
from runner.base.errors import ExitCode
from runner.base.policy import LimitPolicy
from runner.base.settings import ClientCredentials
from runner.sandbox import Action, Kind, environment
from tests.sim.conftest import OpenBench, counts, job, pairs
from tests.virtual_clock import wall

pytestmark = pytest.mark.anyio

ONE = pairs(1)


async def test_row_17_a_token_that_is_refused_once_is_replaced_and_the_request_repeated(bench: OpenBench) -> None:
    async with bench(ONE) as b:
        b.server.script("app0/con0", ["expire"])
        result = await b.run(job(ONE))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 1})
        assert b.server.desk.mints == 2
        assert [arrival.status for arrival in b.arrivals("pause")] == [401, 200]
        assert b.rows(result)[0].attempts == 1


async def test_row_18_fresh_tokens_that_are_refused_too_end_the_run(bench: OpenBench) -> None:
    targets = pairs(200)
    async with bench(targets) as b:
        b.server.script("pause", ["status=401"] * 1000)
        result = await b.run(job(targets, preflight=False))

        assert result.exit_code == ExitCode.ACCESS
        assert "refuses even fresh tokens" in (result.stopped or "")
        assert counts(result) == {"not_attempted": 200}
        assert b.server.desk.mints <= 3


async def test_row_19_a_single_forbidden_target_fails_alone(bench: OpenBench) -> None:
    targets = pairs(20)
    async with bench(targets) as b:
        b.server.script("app3/con3", ["status=403"])
        result = await b.run(job(targets))

        assert (result.exit_code, counts(result)) == (ExitCode.INCOMPLETE, {"changed": 19, "failed": 1})
        assert b.rows(result)[3].http_status == 403


async def test_row_19_when_the_first_five_are_forbidden_the_run_ends_and_names_the_role(bench: OpenBench) -> None:
    targets = pairs(200)
    async with bench(targets) as b:
        words = b"Permission denied, missing permission/c1.api.app.v1.ConnectorService.PauseSync (request-id: r1)"
        lacking = Action(Kind.STATUS, status=403, body=b'{"code": 7, "message": "%s"}' % words)
        b.server.script("pause", [lacking] * 200)
        result = await b.run(job(targets, limits=LimitPolicy(concurrency=4)))

        assert result.exit_code == ExitCode.ACCESS
        assert "may not pause connectors" in (result.stopped or "")
        assert "Connector Administrator" in (result.stopped or "")
        assert len(b.posts()) <= 5 + 4
        assert counts(result).keys() == {"failed", "not_attempted"}


async def test_row_19_connectors_of_others_that_are_refused_keep_nobody_from_the_own_ones(bench: OpenBench) -> None:
    targets = pairs(20)
    async with bench(targets) as b:
        for app_id, connector_id in targets[:10]:
            b.server.script(f"{app_id}/{connector_id}", ["status=403"])
        result = await b.run(job(targets, limits=LimitPolicy(concurrency=1)))

        assert (result.exit_code, counts(result)) == (ExitCode.INCOMPLETE, {"changed": 10, "failed": 10})
        assert result.stopped is None


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_row_19_a_gateway_that_lets_nothing_through_is_told_from_a_credential_that_may_not(
    bench: OpenBench, status: int
) -> None:
    targets = pairs(200)
    blocked = Action(Kind.STATUS, status=status, body=b"<html>blocked</html>")
    async with bench(targets) as b:
        b.server.script("pause", [blocked] * 2000)
        result = await b.run(job(targets, limits=LimitPolicy(concurrency=4)))

        assert result.exit_code in (ExitCode.STOPPED, ExitCode.ACCESS)
        assert "not C1's API" in (result.stopped or "")
        assert "Administrator" not in (result.stopped or "")
        assert "none of the first" not in (result.stopped or "")
        assert b.applied() == set()


@pytest.mark.parametrize("whose", ["signer", "plain"])
async def test_row_41_a_wrong_secret_ends_the_run_before_any_target_and_is_not_shown(
    bench: OpenBench, whose: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with bench(ONE) as b:
        desk = b.server.desk
        wrong = desk.reader.secret or "" if whose == "signer" else "canary-secret-3141"
        b.settings = replace(b.settings, credential=ClientCredentials(getattr(desk, whose).client_id, wrong))
        result = await b.run(job(ONE))

        assert (result.exit_code, counts(result)) == (ExitCode.ACCESS, {"not_attempted": 1})
        assert "refuses the client credentials" in (result.stopped or "")
        assert len(b.server.oracle.requests) == 1
        assert wrong not in f"{result} {caplog.text} {b.rows(result)}"


async def test_row_41_an_unknown_client_ends_the_run_before_any_target(bench: OpenBench) -> None:
    async with bench(ONE) as b:
        b.settings = replace(b.settings, credential=ClientCredentials("nobody@sandbox.c1.example/pcc", "s"))
        result = await b.run(job(ONE))

        assert (result.exit_code, counts(result)) == (ExitCode.ACCESS, {"not_attempted": 1})
        assert "refuses the client credentials" in (result.stopped or "")


@pytest.mark.parametrize(("ahead", "words"), [(213.2, " s ahead of"), (-900.2, " s behind")])
async def test_row_42_an_assertion_is_signed_by_the_tenants_clock_where_ours_is_wrong(
    bench: OpenBench, ahead: float, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with bench(ONE) as b:
        result = await b.run(job(ONE), wall=lambda: wall() + ahead)

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 1})
        assert len(b.arrivals("token")) == 2
        assert [line for line in caplog.messages if "this machine's clock is" in line and words in line]


async def test_row_42_a_wrong_clock_is_named_beside_a_refusal(bench: OpenBench) -> None:
    async with bench(ONE) as b:
        b.server.script("token", ["status=401"] * 2)
        result = await b.run(job(ONE), wall=lambda: wall() + 213.0)

        assert (result.exit_code, counts(result)) == (ExitCode.ACCESS, {"not_attempted": 1})
        assert "this machine's clock is 213 s ahead of" in (result.stopped or "")


@pytest.mark.parametrize("expires_in", ["absent", None, -1, 0, 1e300, "3600", True, [], float("nan")])
async def test_row_43_a_life_that_makes_no_sense_is_guessed_with_caution(bench: OpenBench, expires_in: object) -> None:
    targets = pairs(5)
    async with bench(targets, "latency=100ms") as b:
        answer: dict[str, object] = {"access_token": b.server.desk.mint(b.server.desk.signer), "token_type": "bearer"}
        if expires_in != "absent":
            answer["expires_in"] = expires_in
        b.server.script("token", [Action(body=json.dumps(answer).encode())])
        result = await b.run(job(targets))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 5})
        assert len(b.arrivals("token")) == 1


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"access_token": "t", "token_type": "DPoP", "expires_in": 60}, "DPoP"),
        ({"access_token": "", "token_type": "Bearer"}, "no usable access_token"),
        ({"access_token": "two words", "token_type": "Bearer"}, "no usable access_token"),
        ({"access_token": "line\nend", "token_type": "Bearer"}, "no usable access_token"),
        ({"token_type": "Bearer"}, "no usable access_token"),
    ],
)
async def test_row_43_an_answer_without_a_bearer_token_ends_the_run(
    bench: OpenBench, answer: dict[str, object], words: str
) -> None:
    async with bench(ONE) as b:
        b.server.script("token", [Action(body=json.dumps(answer).encode())] * 10)
        result = await b.run(job(ONE))

        assert (result.exit_code, counts(result)) == (ExitCode.ACCESS, {"not_attempted": 1})
        assert words in (result.stopped or "")
        assert {request.endpoint for request in b.server.oracle.requests} == {"token"}


async def test_row_44_a_token_that_hardly_lives_is_renewed_but_at_most_once_a_second(bench: OpenBench) -> None:
    targets = pairs(100)
    async with bench(targets, "latency=200ms,token_life=1s") as b:
        result = await b.run(job(targets, preflight=False, verify=False, limits=LimitPolicy(concurrency=2)))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 100})
        tokens = [arrival.at for arrival in b.arrivals("token")]
        assert len(tokens) <= 1 + asyncio.get_running_loop().time() + b.server.oracle.per_status[401]


async def test_row_45_line_ends_after_a_secret_do_no_harm(bench: OpenBench) -> None:
    async with bench(ONE) as b:
        environ = environment(b.server)
        environ["CONDUCTORONE_CLIENT_SECRET"] += "\r\n"
        b.settings = settings.from_environment(environ)
        result = await b.run(job(ONE))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 1})


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that everybody can look into, unlike pytest's own."""
    with TemporaryDirectory() as name:
        path = Path(name)
        path.chmod(0o755)
        yield path


async def test_row_46_a_secret_that_others_can_read_is_used_and_warned_about(
    bench: OpenBench, open_directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    secret = open_directory / "secret"
    async with bench(ONE) as b:
        environ = environment(b.server)
        secret.touch(0o644)
        secret.write_text(environ.pop("CONDUCTORONE_CLIENT_SECRET"))
        b.settings = settings.from_environment(environ | {"CONDUCTORONE_CLIENT_SECRET_FILE": str(secret)})
        result = await b.run(job(ONE))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 1})
        assert "chmod 600" in caplog.text


async def test_row_47_tokens_revoked_by_a_rotation_are_replaced(bench: OpenBench) -> None:
    targets = pairs(100)
    async with bench(targets, "latency=1s") as b:
        asyncio.get_running_loop().call_later(5, b.server.desk.revoke_all)
        result = await b.run(job(targets, preflight=False, verify=False))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 100})
        assert b.server.desk.mints == 2
        assert b.server.oracle.per_status[401] <= 10


async def test_row_47_a_credential_revoked_in_the_middle_ends_the_run(bench: OpenBench) -> None:
    targets = pairs(100)
    async with bench(targets, "latency=1s") as b:
        desk = b.server.desk
        asyncio.get_running_loop().call_later(5, desk.revoke_credential, desk.signer.client_id)
        result = await b.run(job(targets, preflight=False, verify=False))

        assert result.exit_code == ExitCode.ACCESS
        assert counts(result).keys() == {"changed", "not_attempted"}
        assert set(b.applied()) == {target for target, row in b.results(result).items() if row.outcome == "changed"}


async def test_a_token_endpoint_that_answers_502_is_tried_again(bench: OpenBench) -> None:
    async with bench(ONE) as b:
        b.server.script("token", [Action(Kind.STATUS, status=502), Action(Kind.DROP), Action(Kind.HTML)])
        result = await b.run(job(ONE))

        assert (result.exit_code, counts(result)) == (ExitCode.OK, {"changed": 1})
        assert len(b.arrivals("token")) == 4
