"""No secret gets out, however the tenant behaves: not to a terminal, a log, a report or the disk."""

import base64
import json
from collections.abc import Iterator, Sequence
from urllib.parse import quote, quote_plus

import pytest

from runner.report import FORMATS
from tests.e2e.contract_messages import Hook, Request, Response
from tests.e2e.contract_server import ContractServer, Pair, Row
from tests.e2e.shell import Finished, Shell

THREE = [("app1", "con1"), ("app1", "con2"), ("app2", "con3")]
PLAIN_SECRET = "canary+secret/with=signs&more"
TOKEN = "canary.token-" + "Zq8vB3nM" * 8

REPORTS = [word for suffix in FORMATS for word in ("--report", f"out{suffix}")]


@pytest.fixture
def server() -> Iterator[ContractServer]:
    """A tenant whose credentials are canaries."""
    tenant = ContractServer(THREE)
    tenant.client.plain_secret = PLAIN_SECRET
    tenant.access_token = TOKEN
    with tenant.serving() as serving:
        yield serving


def needles(secret: str) -> set[bytes]:
    """The beginning of a secret in every spelling it could get out in."""
    start = secret[:24]
    found = {
        start.encode(),
        quote(start, safe="").encode(),
        quote_plus(start).encode(),
        json.dumps(start).encode()[1:-1],
    }
    for shift in range(3):  # base64 of a text that holds the secret depends on where in it the secret stands
        encoded = base64.b64encode(b"\0" * shift + start.encode())[4:-4]
        found |= {encoded, encoded.replace(b"+", b"-").replace(b"/", b"_")}
    return found


def assert_kept(shell: Shell, done: Finished, *secrets: str) -> None:
    """Neither the output nor any file below the working directory holds a secret."""
    places = {"stdout": done.stdout.encode(), "stderr": done.stderr.encode()}
    files = [path for path in shell.directory.rglob("*") if path.is_file()]
    places |= {str(path.relative_to(shell.directory)): path.read_bytes() for path in files}
    spellings = {needle for secret in secrets for needle in needles(secret)}
    leaks = [(place, needle) for place, content in places.items() for needle in spellings if needle in content]
    assert leaks == []
    assert "state/state.db" in places


def run(
    shell: Shell, server: ContractServer, *options: str, plain: bool = True, pairs: Sequence[Pair] = THREE
) -> Finished:
    """A run that says and writes all it can."""
    command = ["run", shell.job(pairs), "-vv", "--attempts", "2", *REPORTS, *options]
    done = shell.run(*command, env=server.environment(plain=plain))
    assert server.requests
    return done


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_healthy_run_keeps_its_secrets(shell: Shell, server: ContractServer, log_format: str) -> None:
    done = run(shell, server, "--log-format", log_format)

    assert done.code == 0
    assert_kept(shell, done, PLAIN_SECRET, TOKEN)


def test_a_signing_key_and_what_it_signed_stay_here(shell: Shell, server: ContractServer) -> None:
    done = run(shell, server, plain=False)

    assert done.code == 0
    [asked] = server.token_requests()
    key = server.client.secret.rpartition(":")[2]
    private = json.loads(base64.urlsafe_b64decode(key + "=="))["d"]
    assert_kept(shell, done, server.client.secret, key, private, asked.form["client_assertion"], TOKEN)


def echo(request: Request) -> str:
    """What a careless gateway puts into its error message."""
    return f"no: {request.body.decode()} with {request.headers.get('authorization')}"


def echoing_token_endpoint(status: int, field: str) -> Hook:
    """A token endpoint that repeats what it got."""

    def hook(request: Request) -> Response | None:
        if not request.is_token:
            return None
        document = {"error": "invalid_client", "code": 16, "message": "no"} | {field: echo(request)}
        return Response(status, json.dumps(document).encode())

    return hook


@pytest.mark.parametrize(
    ("status", "field", "plain"),
    [
        pytest.param(401, "error_description", True, id="401 and the secret"),
        pytest.param(400, "error", False, id="400 and the assertion"),
        pytest.param(500, "message", True, id="500 and the secret"),
        pytest.param(500, "message", False, id="500 and the assertion"),
    ],
)
def test_a_token_endpoint_that_repeats_the_credentials(
    shell: Shell, server: ContractServer, status: int, field: str, plain: bool
) -> None:
    server.hook = echoing_token_endpoint(status, field)

    done = run(shell, server, plain=plain)

    assert done.code == (5 if status == 500 else 3)
    secrets = [asked.form.get("client_secret") or asked.form["client_assertion"] for asked in server.token_requests()]
    assert_kept(shell, done, *secrets)


def answering(server: ContractServer, replies: list[Response]) -> list[Pair]:
    """Give each of as many connectors its own reply to a pause, all at once; returns the connectors."""
    pairs = [("app", f"con{number}") for number in range(len(replies))]
    by_path = {
        f"/api/v1/apps/{app}/connectors/{connector}/pause": r
        for (app, connector), r in zip(pairs, replies, strict=True)
    }
    server.rows = {pair: Row() for pair in pairs}
    server.hook = lambda request: by_path.get(request.path)
    server.gather(len(replies))
    return pairs


@pytest.mark.parametrize("statuses", [[400, 403, 404, 409, 422], [500, 503], [200, 202], [401]], ids=str)
def test_an_api_that_repeats_the_token_in_its_message(
    shell: Shell, server: ContractServer, statuses: list[int]
) -> None:
    document = {"code": 13, "message": f"no: Bearer {TOKEN}", "details": []}
    pairs = answering(server, [Response(status, json.dumps(document).encode()) for status in statuses])

    done = run(shell, server, "--no-verify", "--attempts", "1", pairs=pairs)

    assert done.code == (3 if 401 in statuses else 4)
    assert_kept(shell, done, TOKEN)


def test_an_api_that_repeats_the_token_where_nobody_looks(shell: Shell, server: ContractServer) -> None:
    at_the_cut = json.dumps({"code": 13, "message": "x" * 270 + " " + TOKEN}).encode()
    replies = [
        Response(400, at_the_cut),
        Response(400, b'{"code":3,"message":"no"}', {"X-Request-Id": TOKEN}),
        Response(400, f"no: Bearer {TOKEN}".encode(), {"Content-Type": "text/plain"}),
        Response(400, f"no: {TOKEN}".encode(), {"Content-Type": "text/plain"}),
        Response(302, b"", {"Location": f"https://login.example/?token={TOKEN}"}),
    ]

    done = run(shell, server, "--no-verify", pairs=answering(server, replies))

    assert done.code in (4, 5)  # 5 if the redirect is seen first: whoever redirects is not C1's API
    assert_kept(shell, done, TOKEN)


def test_a_proxys_password_is_not_shown(shell: Shell, server: ContractServer) -> None:
    proxy = server.url.replace("://", "://user:canary-proxy-password@")  # it knows no CONNECT and refuses it
    env = {"CONDUCTORONE_SERVER_URL": "https://acme.conductor.one", "HTTPS_PROXY": proxy}

    done = shell.run("run", shell.job(THREE), "-vv", "--attempts", "1", *REPORTS, env=server.environment() | env)

    assert done.code == 5
    assert "the proxy refuses the connection" in done.stderr
    assert_kept(shell, done, "canary-proxy-password", base64.b64encode(b"user:canary-proxy-password").decode())
