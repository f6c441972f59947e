"""Where requests go, and what counts as an answer: redirects, other pages, certificates, proxies."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.e2e.contract_messages import Request, Response
from tests.e2e.contract_server import ContractServer
from tests.e2e.shell import Shell, outcomes

THREE = [("app1", "con1"), ("app1", "con2"), ("app2", "con3")]
PAGE = Response(200, b"<!doctype html><title>Sign in</title>", {"Content-Type": "text/html"})


@pytest.fixture
def elsewhere() -> Iterator[ContractServer]:
    """Another server, which must never hear from us; it would take any request."""
    with ContractServer(THREE).serving() as serving:
        serving.hook = lambda _: Response()
        yield serving


def redirect(status: int, request: Request, elsewhere: ContractServer) -> Response:
    """The same path on the other server."""
    return Response(status, b"", {"Location": f"{elsewhere.url}{request.path}"})


def test_a_redirected_request_is_neither_followed_nor_a_success(shell: Shell, elsewhere: ContractServer) -> None:
    statuses = (301, 302, 303, 307, 308)
    pairs = [("app", f"con{status}") for status in statuses]

    def hook(request: Request) -> Response | None:
        is_pause = request.path.endswith("/pause")
        return redirect(int(request.path.split("/")[-2][3:]), request, elsewhere) if is_pause else None

    with ContractServer(pairs).serving() as server:
        server.hook = hook
        server.gather(len(statuses))  # the first one would end the run

        done = shell.run("run", shell.job(pairs), "--report", "out.json", env=server.environment())

        assert done.code == 5
        assert f"redirected to {elsewhere.url}" in done.stderr
        assert elsewhere.requests == []
        assert len(server.posts()) == len(statuses)
        assert set(outcomes(shell.report()).values()) <= {"failed", "unknown"}
        assert sorted(row["http_status"] for row in shell.report()["results"]) == list(statuses)


def test_a_redirected_token_request_takes_no_credentials_along(
    shell: Shell, server: ContractServer, elsewhere: ContractServer
) -> None:
    server.hook = lambda request: redirect(307, request, elsewhere)

    done = shell.run("run", shell.job(THREE), env=server.environment(plain=True))

    assert done.code == 5
    assert f"redirected to {elsewhere.url}" in done.stderr
    assert elsewhere.requests == []
    assert len(server.requests) == 1


def test_a_redirected_read_takes_no_token_along(
    shell: Shell, server: ContractServer, elsewhere: ContractServer
) -> None:
    server.hook = lambda request: redirect(302, request, elsewhere) if request.method == "GET" else None

    done = shell.run("plan", shell.job(THREE), "--format", "json", env=server.environment())

    assert done.code == 4
    assert elsewhere.requests == []
    assert set(outcomes(done.document).values()) == {"unknown"}


def test_a_page_in_place_of_a_reply_is_no_success(shell: Shell, server: ContractServer) -> None:
    server.hook = lambda request: PAGE if request.path.endswith("/pause") else None

    done = shell.run("run", shell.job(THREE), "--attempts", "2", "--report", "out.json", env=server.environment())

    assert done.code == 4
    assert "not an answer of C1's API (text/html)" in done.stdout
    assert set(outcomes(shell.report()).values()) == {"failed"}
    assert server.paused() == set()


@pytest.mark.parametrize("command", ["run", "plan"])
def test_a_server_of_pages_is_no_tenant(shell: Shell, server: ContractServer, command: str) -> None:
    server.hook = lambda _: PAGE

    done = shell.run(command, shell.job(THREE), "--attempts", "2", env=server.environment())

    assert done.code == 5
    assert "not an answer of C1's API (text/html)" in done.stderr
    assert "Traceback" not in done.stderr
    assert server.api() == []


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """A certificate authority that nobody knows."""
    return trustme.CA()


def tls(authority: trustme.CA, name: str) -> ssl.SSLContext:
    """A server's context with a certificate for `name`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def trusting(shell: Shell, authority: trustme.CA) -> dict[str, str]:
    """The environment of a user who knows the authority."""
    path: Path = shell.path("ca.pem")
    authority.cert_pem.write_to_path(str(path))
    return {"SSL_CERT_FILE": str(path)}


def test_a_certificate_of_a_known_authority_is_all_it_takes(shell: Shell, authority: trustme.CA) -> None:
    with ContractServer(THREE).serving(tls(authority, "127.0.0.1")) as server:
        done = shell.run("run", shell.job(THREE), env=server.environment() | trusting(shell, authority))

        assert (done.code, done.stderr) == (0, "")
        assert server.url.startswith("https://")
        assert len(server.paused()) == 3


@pytest.mark.parametrize(
    ("name", "known"), [("127.0.0.1", False), ("tenant.example", True)], ids=["unknown authority", "another's name"]
)
def test_a_certificate_that_proves_nothing_ends_the_run_with_its_reason(
    shell: Shell, authority: trustme.CA, name: str, known: bool
) -> None:
    with ContractServer(THREE).serving(tls(authority, name)) as server:
        env = server.environment() | (trusting(shell, authority) if known else {})

        done = shell.run("run", shell.job(THREE), "--report", "out.json", env=env)

        assert done.code == 5
        assert "the tenant's certificate is not valid" in done.stderr
        assert "certificate verify failed" in done.stderr
        assert "Traceback" not in done.stderr
        assert server.requests == []
        assert set(outcomes(shell.report()).values()) == {"not_attempted"}


def test_a_loopback_tenant_is_never_reached_through_a_proxy(
    shell: Shell, server: ContractServer, elsewhere: ContractServer
) -> None:
    proxies = dict.fromkeys(["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"], elsewhere.url)

    done = shell.run("run", shell.job(THREE), env=server.environment() | proxies)

    assert (done.code, done.stderr) == (0, "")
    assert elsewhere.requests == []


def test_a_netrc_file_lends_nobody_its_password(shell: Shell, server: ContractServer) -> None:
    shell.write(".netrc", "machine 127.0.0.1 login somebody password else\n")
    shell.path(".netrc").chmod(0o600)

    done = shell.run("run", shell.job(THREE), env=server.environment())

    assert (done.code, done.stderr) == (0, "")
    assert "authorization" not in server.token_requests()[0].headers
    assert {request.headers["authorization"] for request in server.api()} == {f"Bearer {server.access_token}"}
