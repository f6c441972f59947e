"""No secret gets out, however the tenant behaves: not to a terminal, a log, a report or the disk."""

import base64
import json
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

import pytest

from runner.report import FORMATS
from tests.e2e.contract_server import ContractServer, Hook, Request, Response
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
    found = {start.encode(), quote(start, safe="").encode(), quote_plus(start).encode(), json.dumps(start).encode()[1:-1]}
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


def run(shell: Shell, server: ContractServer, *options: str, plain: bool = True) -> Finished:
    """A run that says and writes all it can."""
    command = ["run", shell.job(THREE), "-vv", "--attempts", "2", *REPORTS, *options]
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


@pytest.mark.parametrize("plain", [True, False], ids=["secret", "assertion"])
@pytest.mark.parametrize(("status", "field"), [(401, "error_description"), (400, "error"), (500, "message")])
def test_a_token_endpoint_that_repeats_the_credentials(
    shell: Shell, server: ContractServer, status: int, field: str, plain: bool
) -> None:
    server.hook = echoing_token_endpoint(status, field)

    done = run(shell, server, plain=plain)

    assert done.code in (3, 5)
    secrets = [asked.form.get("client_secret") or asked.form["client_assertion"] for asked in server.token_requests()]
    assert_kept(shell, done, *secrets)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500, 200])
def test_an_api_that_repeats_the_token_in_its_message(shell: Shell, server: ContractServer, status: int) -> None:
    def hook(request: Request) -> Response | None:
        document = {"code": 13, "message": echo(request), "details": []}
        return None if request.is_token else Response(status, json.dumps(document).encode())

    server.hook = hook

    done = run(shell, server, "--no-verify")

    assert done.code in (3, 4)
    assert_kept(shell, done, TOKEN)


@pytest.mark.parametrize("place", ["at the end of a long message", "a request id", "a redirect", "a plain text"])
def test_an_api_that_repeats_the_token_elsewhere(shell: Shell, server: ContractServer, place: str) -> None:
    long = json.dumps({"code": 13, "message": "x" * 270 + " " + TOKEN}).encode()
    replies = {
        "at the end of a long message": Response(400, long),
        "a request id": Response(400, b'{"code":3,"message":"no"}', {"X-Request-Id": TOKEN}),
        "a redirect": Response(302, b"", {"Location": f"https://login.example/?token={TOKEN}"}),
        "a plain text": Response(400, f"no: Bearer {TOKEN}".encode(), {"Content-Type": "text/plain"}),
    }
    server.hook = lambda request: replies[place] if request.path.endswith("/pause") else None

    done = run(shell, server, "--no-verify")

    assert done.code == (5 if place == "a redirect" else 4)  # whoever redirects is not C1's API
    assert_kept(shell, done, TOKEN)


def test_a_proxys_password_is_not_shown(shell: Shell, server: ContractServer) -> None:
    proxy = server.url.replace("://", "://user:canary-proxy-password@")  # it knows no CONNECT and refuses it
    env = {"CONDUCTORONE_SERVER_URL": "https://acme.conductor.one", "HTTPS_PROXY": proxy}

    done = shell.run("run", shell.job(THREE), "-vv", "--attempts", "1", *REPORTS, env=server.environment() | env)

    assert done.code == 5
    assert "the proxy refuses the connection" in done.stderr
    assert_kept(shell, done, "canary-proxy-password", base64.b64encode(b"user:canary-proxy-password").decode())
