"""Tenant, credentials and proxies, as a table of environments."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.base.errors import SettingsError
from runner.base.settings import AccessToken, Settings, check_pin, from_environment

ID = "CONDUCTORONE_CLIENT_ID"
SECRET = "CONDUCTORONE_CLIENT_SECRET"
TOKEN = "CONDUCTORONE_ACCESS_TOKEN"
DOMAIN = "CONDUCTORONE_TENANT_DOMAIN"
URL = "CONDUCTORONE_SERVER_URL"

CANARY = "canary-8c1f"
CLIENT = {ID: "brave-1234@acme.conductor.one/pcc", SECRET: CANARY}


def origin(**environ: str) -> str:
    return from_environment(CLIENT | environ).origin


# Where the tenant is


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "https://acme.conductor.one"),
        ({ID: "x@acme.c1eu.ai/spc"}, "https://acme.c1eu.ai"),
        ({ID: "x@ACME.Conductor.One/wfe"}, "https://acme.conductor.one"),
        ({ID: "x@acme.conductor.one"}, "https://acme.conductor.one"),
        ({DOMAIN: "other.conductor.one"}, "https://other.conductor.one"),
        ({DOMAIN: " other.conductor.one "}, "https://other.conductor.one"),
        ({DOMAIN: "https://other.conductor.one/"}, "https://other.conductor.one"),
        ({DOMAIN: "http://127.0.0.1:8080"}, "http://127.0.0.1:8080"),
        ({DOMAIN: "other.conductor.one", URL: "https://other.conductor.one:8443"}, "https://other.conductor.one:8443"),
        ({DOMAIN: "https://OTHER.conductor.one", URL: "other.conductor.one"}, "https://other.conductor.one"),
        ({URL: "acme.conductor.one"}, "https://acme.conductor.one"),
        ({URL: "ACME.conductor.one/"}, "https://acme.conductor.one"),
        ({URL: "acme.conductor.one:8443"}, "https://acme.conductor.one:8443"),
        ({URL: "https://acme.conductor.one/"}, "https://acme.conductor.one"),
        ({URL: "HTTPS://ACME.conductor.one"}, "https://acme.conductor.one"),
        ({URL: "https://acme.conductor.one:8443"}, "https://acme.conductor.one:8443"),
        ({URL: "https://acme.conductor.one:443"}, "https://acme.conductor.one"),
        ({URL: "http://127.0.0.1:8080"}, "http://127.0.0.1:8080"),
        ({URL: "http://127.8.9.10:8080/"}, "http://127.8.9.10:8080"),
        ({URL: "http://localhost:8080"}, "http://localhost:8080"),
        ({URL: "http://[::1]:8080"}, "http://[::1]:8080"),
        ({URL: "https://localhost"}, "https://localhost"),
    ],
)
def test_the_tenant_is_found(environ: dict[str, str], expected: str) -> None:
    assert origin(**environ) == expected


@pytest.mark.parametrize(
    ("environ", "named", "remedy"),
    [
        ({ID: "brave-1234"}, ID, DOMAIN),
        ({ID: "x@acme/pcc"}, ID, "acme.conductor.one, or acme.c1eu.ai"),
        ({ID: "x@/pcc"}, ID, "acme.conductor.one"),
        ({ID: "x@acme.conductor.one:8443/pcc"}, ID, "acme.conductor.one"),
        ({DOMAIN: "acme"}, DOMAIN, "acme.conductor.one, or acme.c1eu.ai"),
        ({DOMAIN: "https://acme.conductor.one/path"}, DOMAIN, "scheme and host only"),
        ({DOMAIN: "http://acme.conductor.one"}, DOMAIN, "https://acme.conductor.one"),
        ({DOMAIN: "acme.conductor.one/path"}, DOMAIN, "such as acme.conductor.one"),
        ({DOMAIN: "acme..one"}, DOMAIN, "such as acme.conductor.one"),
        ({DOMAIN: "-acme.one"}, DOMAIN, "such as acme.conductor.one"),
        ({DOMAIN: "a" * 64 + ".one"}, DOMAIN, "such as acme.conductor.one"),
        ({DOMAIN: ".".join(["abcdefgh"] * 40)}, DOMAIN, "such as acme.conductor.one"),
        ({DOMAIN: "аcme.conductor.one"}, DOMAIN, "such as acme.conductor.one"),  # noqa: RUF001 (a Cyrillic a)
        ({DOMAIN: "   "}, DOMAIN, "such as acme.conductor.one"),
        ({URL: "acme"}, URL, "acme.conductor.one, or acme.c1eu.ai"),
        ({URL: "ftp://acme.conductor.one"}, URL, "https://acme.conductor.one"),
        ({URL: "https://"}, URL, "https://acme.conductor.one"),
        ({URL: "https://acme.conductor.one/api/v1"}, URL, "scheme and host only"),
        ({URL: "https://acme.conductor.one?x=1"}, URL, "scheme and host only"),
        ({URL: "https://acme.conductor.one#x"}, URL, "scheme and host only"),
        ({URL: "https://user:pw@acme.conductor.one"}, URL, "scheme and host only"),
        ({URL: "https://acme.conductor.one:99999"}, URL, "https://"),
        ({URL: "https://acme.conductor.one:port"}, URL, "https://"),
        ({URL: "https://[::1"}, URL, "https://"),
        ({URL: "http://acme.conductor.one"}, URL, "https://acme.conductor.one"),
        ({URL: "http://10.0.0.1"}, URL, "https://10.0.0.1"),
        ({URL: "http://0.0.0.0:80"}, URL, "https://0.0.0.0"),
        ({URL: "http://localhost.example.com"}, URL, "https://localhost.example.com"),
        ({URL: "http://127.0.0.1.example.com"}, URL, "https://"),
        ({URL: "http://169.254.169.254"}, URL, "https://"),
    ],
)
def test_a_tenant_that_is_not_plain_is_refused_with_a_remedy(environ: dict[str, str], named: str, remedy: str) -> None:
    with pytest.raises(SettingsError) as refused:
        from_environment(CLIENT | environ)
    assert named in str(refused.value)
    assert remedy in str(refused.value)
    assert CANARY not in str(refused.value)
    assert refused.value.exit_code == 2


@pytest.mark.parametrize(
    ("url", "domain"),
    [
        ("https://third.c1eu.ai", "other.conductor.one"),
        ("http://127.0.0.1:8080", "acme.conductor.one"),
        ("acme.conductor.one", "https://acme.c1eu.ai"),
    ],
)
def test_two_variables_that_name_different_hosts_are_refused_with_both_names(url: str, domain: str) -> None:
    with pytest.raises(SettingsError) as refused:
        from_environment(CLIENT | {URL: url, DOMAIN: domain})
    assert re.match(f"{URL} names .* and {DOMAIN} names .* unset one of them", str(refused.value))


@pytest.mark.parametrize("secret", [{}, {SECRET: CANARY}])
def test_the_client_id_beside_an_access_token_says_where_the_tenant_is(secret: dict[str, str]) -> None:
    settings = from_environment({TOKEN: CANARY, ID: CLIENT[ID], **secret})

    assert (settings.origin, settings.credential) == ("https://acme.conductor.one", AccessToken(CANARY))


def test_the_client_id_beside_an_access_token_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "id").write_text(CLIENT[ID] + "\n")

    assert from_environment({TOKEN: "t", f"{ID}_FILE": str(tmp_path / "id")}).host == "acme.conductor.one"


def test_a_host_variable_goes_before_the_client_id() -> None:
    environ = {TOKEN: "t", ID: CLIENT[ID], DOMAIN: "other.conductor.one"}

    assert from_environment(environ).host == "other.conductor.one"
    assert from_environment(environ | {DOMAIN: "", URL: "third.c1eu.ai"}).host == "third.c1eu.ai"


def test_an_access_token_alone_does_not_say_where_the_tenant_is() -> None:
    with pytest.raises(SettingsError, match=f"set {DOMAIN} to its full host name, such as acme.conductor.one"):
        from_environment({TOKEN: CANARY})


@given(st.text(max_size=40))
def test_whatever_a_server_url_says_the_token_never_goes_in_clear_to_another_machine(url: str) -> None:
    try:
        found = origin(**{URL: "http://" + url})
    except SettingsError:
        return
    assert found.startswith(("https://", "http://127.", "http://localhost", "http://[::1]"))


def test_the_endpoints_follow_from_the_origin() -> None:
    settings = from_environment(CLIENT | {URL: "http://127.0.0.1:8080"})

    assert settings.token_url == "http://127.0.0.1:8080/auth/v1/token"
    assert settings.api_url == "http://127.0.0.1:8080/api/v1"
    assert settings.tenant == "127.0.0.1:8080"
    assert settings.host == "127.0.0.1"


# What nobody may see


@pytest.mark.parametrize(
    "environ",
    [
        CLIENT,
        {TOKEN: CANARY, DOMAIN: "acme.conductor.one"},
        CLIENT | {"https_proxy": f"http://user:{CANARY}@proxy.example:3128"},
    ],
)
def test_no_repr_shows_a_secret(environ: dict[str, str]) -> None:
    settings = from_environment(environ)

    for shown in (repr(settings), str(settings), f"{settings}", repr(settings.credential), str(settings.credential)):
        assert CANARY not in shown


# The pin


@pytest.mark.parametrize("pin", [None, "acme.conductor.one", "ACME.conductor.one"])
def test_a_pin_that_fits_or_is_missing_lets_the_job_through(pin: str | None) -> None:
    check_pin(pin, from_environment(CLIENT))


@pytest.mark.parametrize("pin", ["other.conductor.one", "acme.c1eu.ai", "acme", "acme.conductor.one.example", ""])
def test_any_other_pin_is_refused_by_both_names(pin: str) -> None:
    with pytest.raises(SettingsError, match=rf"{pin}.*acme\.conductor\.one.*nothing was sent"):
        check_pin(pin, from_environment(CLIENT))


def test_the_pin_of_a_tenant_with_a_port_names_the_port() -> None:
    settings = Settings("http://127.0.0.1:8080", AccessToken("x"))

    check_pin("127.0.0.1:8080", settings)
    with pytest.raises(SettingsError):
        check_pin("127.0.0.1", settings)


# Proxies

PROXY = "http://proxy.example:3128"


@pytest.mark.parametrize(
    ("environ", "proxy"),
    [
        ({}, None),
        ({"https_proxy": PROXY}, PROXY),
        ({"HTTPS_PROXY": PROXY}, PROXY),
        ({"https_proxy": PROXY, "HTTPS_PROXY": "http://other:1"}, PROXY),
        ({"https_proxy": "proxy.example:3128"}, PROXY),
        ({"all_proxy": PROXY}, PROXY),
        ({"ALL_PROXY": PROXY}, PROXY),
        ({"https_proxy": PROXY, "all_proxy": "http://other:1"}, PROXY),
        ({"http_proxy": PROXY}, None),
        ({"https_proxy": ""}, None),
        ({"https_proxy": PROXY, "no_proxy": "*"}, None),
        ({"https_proxy": PROXY, "no_proxy": "acme.conductor.one"}, None),
        ({"https_proxy": PROXY, "NO_PROXY": "example.com, .conductor.one"}, None),
        ({"https_proxy": PROXY, "no_proxy": "*.Conductor.One"}, None),
        ({"https_proxy": PROXY, "no_proxy": "conductor.one"}, None),
        ({"https_proxy": PROXY, "no_proxy": "uctor.one"}, PROXY),
        ({"https_proxy": PROXY, "no_proxy": "other.conductor.one,,"}, PROXY),
        ({"https_proxy": PROXY, "no_proxy": "acme.conductor.one.example"}, PROXY),
    ],
)
def test_the_usual_variables_say_whether_a_proxy_is_used(environ: dict[str, str], proxy: str | None) -> None:
    assert from_environment(CLIENT | environ).proxy == proxy


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080", "http://localhost:8080", "http://[::1]:8080"])
def test_a_loopback_address_is_never_proxied(url: str) -> None:
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), PROXY)

    assert from_environment(CLIENT | proxies | {URL: url}).proxy is None


@pytest.mark.parametrize(
    "proxy",
    [
        f"socks5://user:{CANARY}@proxy.example:1080",
        f"http://user:{CANARY}@[::1",
        f"http://user:{CANARY}@:3128",
        f"http://user:{CANARY}@proxy.example:99999",
    ],
)
def test_a_proxy_that_cannot_be_used_is_refused_without_showing_its_password(proxy: str) -> None:
    with pytest.raises(SettingsError, match=r"(?i)https_proxy") as refused:
        from_environment(CLIENT | {"HTTPS_PROXY": proxy})
    assert CANARY not in str(refused.value)


@pytest.mark.parametrize("directory", ["missing", "empty"])
def test_without_certificate_authorities_the_places_to_put_them_are_named(tmp_path: Path, directory: str) -> None:
    (tmp_path / "empty").mkdir()
    places = {"SSL_CERT_FILE": str(tmp_path / "ca.pem"), "SSL_CERT_DIR": str(tmp_path / directory)}
    environ = {"CONDUCTORONE_ACCESS_TOKEN": "t", **places}

    with pytest.raises(SettingsError, match=r"no certificate authorities: .*ca\.pem or .*SSL_CERT_FILE"):
        from_environment(environ | {"CONDUCTORONE_SERVER_URL": "https://acme.conductor.one"})
    from_environment(environ | {"CONDUCTORONE_SERVER_URL": "http://127.0.0.1:8080"})
    (tmp_path / "ca.pem").write_text("some")
    from_environment(environ | {"CONDUCTORONE_SERVER_URL": "https://acme.conductor.one"})
