"""The credential: what its variables and files may hold, and when a token ends."""

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.base.credential import AccessToken, ClientCredentials
from runner.base.errors import SettingsError
from runner.base.settings import from_environment
from tests.unit.keys import DAMAGED, JWK, KEY

ID, SECRET, TOKEN = "CONDUCTORONE_CLIENT_ID", "CONDUCTORONE_CLIENT_SECRET", "CONDUCTORONE_ACCESS_TOKEN"
CLIENT = "brave-1234@acme.conductor.one/pcc"
NOW = 1_790_000_000.0


def refusal(environ: dict[str, str]) -> str:
    """What is said of settings that are refused, once it has been seen to show nothing of a key."""
    with pytest.raises(SettingsError) as refused:
        from_environment(environ, NOW)
    assert JWK["d"] not in str(refused.value)
    assert KEY[40:60] not in str(refused.value)
    return str(refused.value)


def jwt(claims: object, header: object = {"alg": "EdDSA"}) -> str:
    parts = (json.dumps(header), claims if isinstance(claims, str) else json.dumps(claims), "signature")
    return ".".join(base64.urlsafe_b64encode(part.encode()).rstrip(b"=").decode() for part in parts)


# Keys


def test_a_good_key_is_one() -> None:
    credential = from_environment({ID: CLIENT, SECRET: KEY}).credential

    assert isinstance(credential, ClientCredentials)
    assert credential.is_key


@pytest.mark.parametrize(("value", "words"), DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_key_is_no_plain_secret_wherever_it_stands(tmp_path: Path, value: str, words: str) -> None:
    (tmp_path / "secret").write_text(value, encoding="utf-8")

    said = refusal({ID: CLIENT, SECRET: value})
    assert said.startswith(f"{SECRET}: this looks like a signing key, but ")
    assert words in said
    assert f"{SECRET}_FILE" in refusal({ID: CLIENT, f"{SECRET}_FILE": str(tmp_path / "secret")})


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_a_key_that_an_editor_saved_as_utf_16_is_said_to_be_that(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "secret").write_bytes(KEY.encode(encoding))

    assert "not plain text but UTF-16" in refusal({ID: CLIENT, f"{SECRET}_FILE": str(tmp_path / "secret")})


def test_a_key_after_a_byte_order_mark_is_said_to_be_that(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(KEY, encoding="utf-8-sig")

    assert "a byte order mark stands before it" in refusal({ID: CLIENT, f"{SECRET}_FILE": str(tmp_path / "secret")})


@pytest.mark.parametrize("value", [KEY, f"'{KEY}'", KEY[:-5], json.dumps(JWK, separators=(",", ":"))])
@pytest.mark.parametrize("name", [ID, TOKEN])
def test_a_key_in_the_variable_of_something_else_is_not_sent(name: str, value: str) -> None:
    environ = {ID: CLIENT, SECRET: "x", name: value}

    assert f"{name}: this looks like a signing key, but it stands in the wrong place" in refusal(environ)


def test_a_token_may_hold_the_public_key_that_it_is_bound_to() -> None:
    public = {name: JWK[name] for name in ("kty", "crv", "x")}
    token = jwt({"cnf": {"jwk": public}, "exp": NOW + 60}, {"alg": "EdDSA", "jwk": public})

    assert from_environment({ID: CLIENT, TOKEN: token}, NOW).credential == AccessToken(token)


@pytest.mark.parametrize("name", [SECRET, TOKEN])
@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("'s3cret'", "quotes around the value"),
        ('"s3cret"', "quotes around the value"),
        ("{}=s3cret", "variable's name"),
    ],
)
def test_a_plain_secret_in_quotes_or_assigned_is_refused_too(name: str, value: str, words: str) -> None:
    assert words in refusal({ID: CLIENT, name: value.format(name)})


@pytest.mark.parametrize("value", ["s3cret", "a=b", "it's", '"', "x'", "secret:token", "eyJhIjoxfQ", "v1:AAAABBBBCCCC"])
def test_a_plain_secret_stays_possible(value: str) -> None:
    assert from_environment({ID: CLIENT, SECRET: value}).credential == ClientCredentials(CLIENT, value)


# Files


def test_a_tilde_in_the_path_of_a_secret_is_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "secret").write_text("s3cret\n")

    assert from_environment({ID: CLIENT, f"{SECRET}_FILE": "~/secret"}).credential == ClientCredentials(
        CLIENT, "s3cret"
    )


def test_a_variable_in_the_path_of_a_secret_is_refused_with_the_reason() -> None:
    said = refusal({ID: CLIENT, f"{SECRET}_FILE": "$HOME/secret"})

    assert f"{SECRET}_FILE ($HOME/secret): '$HOME/secret': nothing fills in $HOME here" in said


# Ends


def test_a_token_says_when_it_ends_and_whose_it_is() -> None:
    token = AccessToken(jwt({"exp": NOW + 600.5, "sub": "user-1"}))

    assert (token.expires_at, token.subject, token.identity) == (NOW + 600.5, "user-1", "user-1")


NO_ENDS: tuple[object, ...] = (None, True, "1790000000", [], 0, -1, 253402300800, 10**400, 10**17)
ABSURD = [
    *("", "t0ken", "a.b", "a.b.c", "a.b.c.d", "..", "é.é.é", jwt([1]), jwt("{"), jwt("["), jwt('"x"')),
    *(jwt({"exp": value}) for value in NO_ENDS),
    *(jwt(text) for text in ('{"exp": 1e999}', '{"exp": NaN}', '{"exp": -Infinity}', '{"exp": ' + "9" * 5000 + "}")),
    *(jwt("[" * 50_000), jwt({})),
]


@pytest.mark.parametrize("value", ABSURD, ids=lambda value: value[:24])
def test_a_token_that_says_no_sensible_end_has_none_that_is_known(value: str) -> None:
    token = AccessToken(value)

    assert token.expires_at is None
    assert token.subject is None
    assert token.identity.startswith("sha256:")
    assert len(token.identity) == 19
    if value:
        assert value not in token.identity


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists))
def test_whatever_a_token_says_its_end_is_none_or_a_moment(claim: object) -> None:
    token = AccessToken(jwt({"exp": claim, "sub": claim}))

    assert token.expires_at is None or 0 < token.expires_at < 253_402_300_800
    assert token.identity.isprintable()


def test_client_credentials_renew_themselves_and_are_known_by_their_id() -> None:
    settings = from_environment({ID: CLIENT, SECRET: "s3cret"})

    assert settings.credential.expires_at is None
    assert settings.identity == CLIENT


def test_two_tokens_without_a_subject_are_told_apart_without_showing_them() -> None:
    first, second = (from_environment({TOKEN: token, ID: CLIENT}).identity for token in ("one-token", "two-token"))

    assert first != second
    assert "one-token" not in first


def test_a_token_that_ended_days_ago_is_refused_with_both_moments() -> None:
    said = refusal({TOKEN: jwt({"exp": NOW - 2 * 86_400}), ID: CLIENT})

    assert "it was good until 2026-09-19 14:13 UTC, and by this machine's clock it is 2026-09-21 14:13 UTC" in said


@pytest.mark.parametrize("end", [NOW - 86_000, NOW - 1, NOW + 600])
def test_a_token_that_ended_lately_is_left_to_the_tenant_for_this_clock_may_be_wrong(end: float) -> None:
    assert from_environment({TOKEN: jwt({"exp": end}), ID: CLIENT}, NOW).credential.expires_at == end
