from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from typing import Any
from urllib.parse import urlencode

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from runner.sandbox import Credential, TokenDesk
from runner.sandbox.grants import ASSERTION_TYPE, EXCHANGE, JWT_TYPE, grant
from runner.sandbox.replies import Call
from tests.unit.sandbox.support import EPOCH, FakeClock

FORM = "application/x-www-form-urlencoded"
PREFIX = "secret-token:conductorone.com:v1:"


def ask(desk: TokenDesk, form: dict[str, str] | str, **headers: str) -> tuple[int, dict[str, Any]]:
    body = form if isinstance(form, str) else urlencode(form)
    sent = {"Content-Type": FORM, "Host": "127.0.0.1:8080"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    reply = grant(desk, Call("POST", "/auth/v1/token", "", sent, body.encode()))
    return reply.status, json.loads(reply.body)


def private_key(credential: Credential) -> Ed25519PrivateKey:
    assert credential.secret is not None
    raw = credential.secret.removeprefix(PREFIX)
    jwk = json.loads(urlsafe_b64decode(raw + "=" * (-len(raw) % 4)))
    assert (jwk["kty"], jwk["crv"]) == ("OKP", "Ed25519")
    return Ed25519PrivateKey.from_private_bytes(urlsafe_b64decode(jwk["d"] + "="))


def assertion(desk: TokenDesk, key: Any = None, algorithm: str = "EdDSA", **changes: Any) -> dict[str, str]:
    """Return the form a correct client sends, with claims replaced, or removed where None."""
    client_id = desk.signer.client_id
    claims: dict[str, Any] = {
        "iss": client_id,
        "sub": client_id,
        "aud": desk.host,
        "exp": EPOCH + 120,
        "iat": EPOCH,
        "nbf": EPOCH - 120,
    }
    claims = {name: value for name, value in (claims | changes).items() if value is not None}
    token = jwt.encode(claims, key or private_key(desk.signer), algorithm, headers={"nonce": "n-1"})
    return {
        "grant_type": "client_credentials",
        "client_id": client_id,
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": token,
    }


@pytest.fixture
def desk() -> TokenDesk:
    return TokenDesk(clock=FakeClock(), life=600)


def test_a_signed_assertion_gets_a_bearer_token(desk: TokenDesk) -> None:
    status, body = ask(desk, assertion(desk))
    assert status == 200
    assert body["token_type"] == "Bearer"
    assert body["expires_in"] == 600
    assert desk.check(body["access_token"]) is desk.signer
    assert desk.mints == 1


@pytest.mark.parametrize("audience", ["127.0.0.1", "sandbox.c1.example", ["elsewhere", "127.0.0.1"]])
def test_the_audience_may_be_the_tenant_or_the_host_that_was_asked(desk: TokenDesk, audience: Any) -> None:
    assert ask(desk, assertion(desk, aud=audience))[0] == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "127.0.0.1:8080"},
        {"aud": "other.example"},
        {"aud": None},
        {"iss": "somebody"},
        {"sub": "somebody"},
        {"exp": EPOCH - 61},
        {"exp": EPOCH + 361},
        {"exp": None},
        {"nbf": EPOCH + 61},
        {"iat": EPOCH + 61},
    ],
    ids=str,
)
def test_an_assertion_with_a_wrong_claim_is_an_invalid_client(desk: TokenDesk, changes: dict[str, Any]) -> None:
    status, body = ask(desk, assertion(desk, **changes))
    assert (status, body["error"]) == (401, "invalid_client")
    assert desk.mints == 0


def test_an_assertion_signed_by_another_key_is_an_invalid_client(desk: TokenDesk) -> None:
    forged = assertion(desk, key=Ed25519PrivateKey.generate())
    assert ask(desk, forged) == (401, {"error": "invalid_client", **_description(desk, forged)})


def _description(desk: TokenDesk, form: dict[str, str]) -> dict[str, str]:
    return {"error_description": ask(desk, form)[1]["error_description"]}


def test_an_assertion_with_a_shared_secret_algorithm_is_an_invalid_client(desk: TokenDesk) -> None:
    form = assertion(desk, key="0" * 64, algorithm="HS256")
    assert ask(desk, form)[1]["error"] == "invalid_client"


@pytest.mark.parametrize("name", ["signer", "plain", "reader", "blind"])
def test_the_secret_itself_may_be_sent_in_the_body(desk: TokenDesk, name: str) -> None:
    credential: Credential = getattr(desk, name)
    form = {"grant_type": "client_credentials", "client_id": credential.client_id}
    assert ask(desk, form | {"client_secret": credential.secret or ""})[0] == 200
    assert ask(desk, form | {"client_secret": "wrong"})[0] == 401


def test_credentials_in_a_header_are_refused(desk: TokenDesk) -> None:
    form = assertion(desk)
    status, body = ask(desk, form, Authorization="Basic dXNlcjpwYXNz")
    assert (status, body["error"]) == (401, "invalid_client")


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"client_id": "x"}, "invalid_request"),
        ({"grant_type": "client_credentials"}, "invalid_request"),
        ("grant_type=client_credentials&grant_type=client_credentials", "invalid_request"),
        ("{}", "invalid_request"),
    ],
)
def test_a_malformed_request_is_told_what_is_wrong(desk: TokenDesk, form: dict[str, str] | str, error: str) -> None:
    status, body = ask(desk, form)
    assert (status, body["error"]) == (400, error)


def test_a_json_body_is_no_token_request(desk: TokenDesk) -> None:
    assert ask(desk, assertion(desk), Content_Type="application/json")[1]["error"] == "invalid_request"


def test_an_unknown_client_is_an_invalid_client(desk: TokenDesk) -> None:
    form = {"grant_type": "client_credentials", "client_id": "nobody", "client_secret": "x"}
    assert ask(desk, form)[0] == 401


def exchange(client_id: str, subject: str) -> dict[str, str]:
    return {
        "grant_type": EXCHANGE,
        "client_id": client_id,
        "subject_token": subject,
        "subject_token_type": JWT_TYPE,
    }


def test_a_workload_token_is_exchanged_for_a_federated_client_only(desk: TokenDesk) -> None:
    subject = jwt.encode({"sub": "job"}, "k" * 32, "HS256")
    assert ask(desk, exchange(desk.federated.client_id, subject))[0] == 200
    assert ask(desk, exchange(desk.plain.client_id, subject))[1]["error"] == "unauthorized_client"
    assert ask(desk, exchange(desk.federated.client_id, "no jwt"))[1]["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("issued", "status"),
    [(EPOCH, 200), (EPOCH - 599, 200), (EPOCH - 661, 400), ("now", 400), (True, 400)],
)
def test_a_workload_token_is_accepted_for_ten_minutes(desk: TokenDesk, issued: Any, status: int) -> None:
    subject = jwt.encode({"sub": "job", "iat": issued}, "k" * 32, "HS256")
    assert ask(desk, exchange(desk.federated.client_id, subject))[0] == status


def test_the_desk_has_a_workload_token_ready(desk: TokenDesk) -> None:
    assert ask(desk, exchange(desk.federated.client_id, desk.subject_token()))[0] == 200


def test_a_token_says_whose_it_is_and_until_when(desk: TokenDesk) -> None:
    claims = jwt.decode(desk.mint(desk.plain), options={"verify_signature": False})
    assert (claims["sub"], claims["iat"], claims["exp"]) == (desk.plain.client_id, EPOCH, EPOCH + 600)


def test_an_exchange_must_say_what_kind_of_token_it_brings(desk: TokenDesk) -> None:
    form = exchange(desk.federated.client_id, "x") | {"subject_token_type": "saml2"}
    assert ask(desk, form)[1]["error"] == "invalid_request"


def test_an_assertion_must_be_declared_as_a_jwt(desk: TokenDesk) -> None:
    form = assertion(desk) | {"client_assertion_type": "saml2"}
    assert ask(desk, form)[1]["error"] == "invalid_request"


def test_a_client_without_a_key_cannot_sign(desk: TokenDesk) -> None:
    form = assertion(desk) | {"client_id": desk.plain.client_id}
    assert ask(desk, form)[1]["error"] == "invalid_client"


@pytest.mark.parametrize("claim", ["iat", "nbf"])
def test_an_assertion_whose_times_are_no_numbers_is_an_invalid_client(desk: TokenDesk, claim: str) -> None:
    assert ask(desk, assertion(desk, **{claim: "now"}))[1]["error"] == "invalid_client"


def test_the_announced_life_may_differ_from_the_real_one(desk: TokenDesk) -> None:
    desk.announced_life = -5
    assert ask(desk, assertion(desk))[1]["expires_in"] == -5


def test_tokens_expire_and_can_be_revoked_one_by_one_or_all_together() -> None:
    clock = FakeClock()
    desk = TokenDesk(clock=clock, life=5)
    first, second, third = (desk.mint(desk.plain) for _ in range(3))
    assert len({first, second, third}) == 3
    desk.revoke(first)
    assert desk.check(first) is None
    assert desk.check(second) is desk.plain
    desk.revoke_all()
    assert desk.check(second) is None
    fourth = desk.mint(desk.plain)
    clock.now += 5
    assert desk.check(fourth) is None


def test_a_revoked_credential_loses_its_tokens_and_gets_no_new_one(desk: TokenDesk) -> None:
    token, other = desk.mint(desk.signer), desk.mint(desk.plain)
    desk.revoke_credential(desk.signer.client_id)
    assert desk.check(token) is None
    assert desk.check(other) is desk.plain
    assert ask(desk, assertion(desk))[1]["error"] == "invalid_client"
    desk.register(desk.signer)
    assert ask(desk, assertion(desk))[0] == 200


def test_expired_tokens_take_no_memory() -> None:
    clock = FakeClock()
    desk = TokenDesk(clock=clock, life=5)
    for _ in range(100):
        desk.mint(desk.plain)
        clock.now += 1
    assert len(desk._tokens) <= 6


def test_the_same_seed_gives_the_same_credentials() -> None:
    assert TokenDesk(seed=1).signer.secret == TokenDesk(seed=1).signer.secret
    assert TokenDesk(seed=1).signer.secret != TokenDesk(seed=2).signer.secret
