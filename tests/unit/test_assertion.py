"""The signed client assertion, checked as the tenant checks it."""

import base64
import json

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from runner.api import assertion
from runner.base.errors import SettingsError
from runner.base.settings import SECRET_PREFIX, ClientCredentials

ID = "brave-1234@acme.conductor.one/pcc"
NOW = 1_790_000_000.75


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
JWK = {
    "kty": "OKP",
    "crv": "Ed25519",
    "x": encoded(PRIVATE.public_key().public_bytes_raw()),
    "d": encoded(PRIVATE.private_bytes_raw()),
}


def credentials(document: object = JWK) -> ClientCredentials:
    return ClientCredentials(ID, SECRET_PREFIX + encoded(json.dumps(document).encode()))


def signed(now: float = NOW) -> str:
    return assertion.sign(assertion.load_key(credentials()), ID, "acme.conductor.one", now)


def test_the_tenant_can_verify_it_with_the_public_key() -> None:
    claims = jwt.decode(
        signed(),
        PRIVATE.public_key(),
        ["EdDSA"],
        audience="acme.conductor.one",
        options={"verify_exp": False, "verify_nbf": False, "verify_iat": False},
    )

    assert claims["iss"] == claims["sub"] == ID
    assert claims["aud"] == "acme.conductor.one"


def test_it_is_valid_for_a_while_before_and_after_now_within_what_c1_takes() -> None:
    claims = jwt.decode(signed(), options={"verify_signature": False})

    assert claims["iat"] == int(NOW)
    assert claims["nbf"] == int(NOW) - 120
    assert 0 < claims["exp"] - NOW <= 300


def test_no_two_are_alike() -> None:
    nonces = {jwt.get_unverified_header(signed())["nonce"] for _ in range(20)}

    assert len(nonces) == 20
    assert jwt.get_unverified_header(signed())["alg"] == "EdDSA"


def test_it_does_not_hold_the_key() -> None:
    assert JWK["d"] not in signed()


@pytest.mark.parametrize("padding", ["", "=", "=="])
def test_a_key_is_read_with_or_without_padding(padding: str) -> None:
    found = credentials()

    assertion.load_key(ClientCredentials(ID, found.secret + padding))


@pytest.mark.parametrize(
    "document",
    [
        {key: value for key, value in JWK.items() if key != "d"},
        JWK | {"crv": "Ed448"},
        JWK | {"kty": "RSA"},
        JWK | {"d": ""},
        JWK | {"d": "AAAA"},
        JWK | {"d": 5},
        {"kty": "oct", "k": "c2VjcmV0"},
        {"kty": "EC", "crv": "P-256", "x": "", "y": "", "d": ""},
        {},
        [],
        None,
        "text",
    ],
    ids=repr,
)
def test_what_is_no_private_ed25519_key_is_refused(document: object) -> None:
    with pytest.raises(SettingsError, match="Copy it again, whole"):
        assertion.load_key(credentials(document))


@pytest.mark.parametrize("rest", ["", "!!!", "e30", "bm90IGpzb24", encoded(b"\xff\xfe"), encoded(b"[" * 100_000), "A"])
def test_a_damaged_secret_is_refused_without_showing_it(rest: str) -> None:
    with pytest.raises(SettingsError) as refused:
        assertion.load_key(ClientCredentials(ID, SECRET_PREFIX + rest))
    assert not rest or rest not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_secret_that_was_cut_off_is_refused_without_showing_it() -> None:
    whole = credentials().secret
    for length in range(len(SECRET_PREFIX), len(whole) - 1):
        with pytest.raises(SettingsError) as refused:
            assertion.load_key(ClientCredentials(ID, whole[:length]))
        assert JWK["d"] not in str(refused.value)
