"""What the token endpoint is asked, and what its answer means."""

import base64
import json
from email.utils import formatdate
from urllib.parse import parse_qs

import anyio
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from yarl import URL

from runner.api.auth import Token
from runner.api.classify import Reply
from runner.api.mint import Mint
from runner.base.errors import AccessError, ApiError, SettingsError
from runner.base.model import AttemptClass
from runner.base.settings import SECRET_PREFIX, ClientCredentials, Settings
from tests.virtual_clock import wall

pytestmark = pytest.mark.anyio

ID = "brave-1234@acme.conductor.one/pcc"
CANARY = "canary secret/+&=%"
JSON = {"content-type": "application/json"}
FINE = Reply(200, JSON, b'{"access_token": "t1", "token_type": "Bearer", "expires_in": 600}')


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = PRIVATE.public_key()
JWK = {
    "kty": "OKP",
    "crv": "Ed25519",
    "x": encoded(PUBLIC.public_bytes_raw()),
    "d": encoded(PRIVATE.private_bytes_raw()),
}
KEY = SECRET_PREFIX + encoded(json.dumps(JWK).encode())


class Exchange:
    """Answers as it is told, and keeps what was asked."""

    def __init__(self, reply: Reply | None = None) -> None:
        self._reply = reply
        self.url = URL()
        self.headers: dict[str, str] = {}
        self.form: dict[str, str] = {}

    async def __call__(self, method: str, url: URL, headers: dict[str, str], body: bytes | None, limit: int) -> Reply:
        assert (method, limit) == ("POST", 65_536)
        self.url, self.headers = url, headers
        self.form = {name: value for name, (value,) in parse_qs((body or b"").decode(), strict_parsing=True).items()}
        return self._reply or Reply(401, JSON, json.dumps({"error_description": f"bad form {self.form}"}).encode())


async def minted(reply: Reply | None, secret: str = CANARY, clock_ahead: float = 0) -> Token:
    settings = Settings("https://acme.conductor.one", ClientCredentials(ID, secret))
    return await Mint(settings, ClientCredentials(ID, secret), Exchange(reply), lambda: wall() + clock_ahead)()


# What is asked


async def asked(secret: str) -> Exchange:
    exchange = Exchange(FINE)
    settings = Settings("https://acme.conductor.one:8443", ClientCredentials(ID, secret))
    await Mint(settings, ClientCredentials(ID, secret), exchange, wall)()
    return exchange


async def test_a_plain_secret_goes_in_the_body_and_never_in_a_header() -> None:
    exchange = await asked(CANARY)

    assert exchange.form == {"grant_type": "client_credentials", "client_id": ID, "client_secret": CANARY}
    assert exchange.headers == {"Content-Type": "application/x-www-form-urlencoded"}
    assert str(exchange.url) == "https://acme.conductor.one:8443/auth/v1/token"


async def test_a_key_signs_and_stays_here() -> None:
    form = (await asked(KEY)).form
    claims = jwt.decode(
        form["client_assertion"],
        PUBLIC,
        ["EdDSA"],
        audience="acme.conductor.one",  # without the port
        options={"verify_exp": False, "verify_nbf": False, "verify_iat": False},
    )

    assert form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    assert claims["iat"] == int(wall())
    assert set(form) == {"grant_type", "client_id", "client_assertion_type", "client_assertion"}
    assert JWK["d"] not in str(form)


async def test_a_damaged_key_is_found_before_anything_is_asked() -> None:
    with pytest.raises(SettingsError, match="damaged"):
        await minted(FINE, secret=SECRET_PREFIX + "e30")


# How long a token lives


@pytest.mark.parametrize(
    ("expires_in", "used_for"),
    [
        ("600", 540),
        ("3600", 3540),
        ("300", 240),
        ("200", 160),
        ("60", 48),
        ("5", 4),
        ("600.5", 540.5),
        ("31536000", 3540),
        ("1e300", 3540),
        ("0.01", 1),
        ("0", 48),
        ("-5", 48),
        ("null", 48),
        ("true", 48),
        ('"soon"', 48),
        ("[600]", 48),
        ('"3600"', 3540),
        ('"600.5"', 540.5),
        ('"-5"', 48),
        ('"nan"', 48),
        ('"1e400"', 48),
        ("1" + "0" * 400, 48),
        ("1e400", 48),
        ("-1e400", 48),
        ("NaN", 48),
        ("Infinity", 48),
    ],
)
async def test_a_token_is_renewed_early_and_an_odd_life_is_guessed_with_care(expires_in: str, used_for: float) -> None:
    token = await minted(Reply(200, JSON, f'{{"access_token": "t1", "expires_in": {expires_in}}}'.encode()))

    assert token.renew_at - anyio.current_time() == pytest.approx(used_for)
    assert token.renew_at_wall - wall() == pytest.approx(used_for)


async def test_a_token_without_a_life_is_guessed_with_care() -> None:
    token = await minted(Reply(200, JSON, b'{"access_token": "t1"}'))

    assert token.renew_at - anyio.current_time() == pytest.approx(48)


# Answers that are no token


@pytest.mark.parametrize("kind", ["Bearer", "bearer", "BEARER", "", None])
async def test_a_bearer_token_is_taken_however_its_type_is_written(kind: str | None) -> None:
    body = json.dumps({"access_token": "t1", "token_type": kind, "expires_in": 600}).encode()

    assert (await minted(Reply(200, JSON, body))).secret == "t1"


@pytest.mark.parametrize("kind", ["DPoP", "mac", "x" * 5000])
async def test_a_token_of_another_type_is_refused_by_its_name(kind: str) -> None:
    body = json.dumps({"access_token": CANARY, "token_type": kind}).encode()
    with pytest.raises(AccessError, match="Bearer tokens only") as refused:
        await minted(Reply(200, JSON, body))
    assert kind[:20] in str(refused.value)
    assert len(str(refused.value)) < 500
    assert CANARY not in str(refused.value)


@pytest.mark.parametrize("value", [None, "", 5, ["t"], "a b", "a\nb", "a\r\nX-Evil: 1", "ä", "a\x00", " "])
async def test_a_token_that_no_header_could_carry_is_refused(value: object) -> None:
    body = json.dumps({"access_token": value, "expires_in": 600}).encode()
    with pytest.raises(AccessError, match="no usable access_token"):
        await minted(Reply(200, JSON, body))


@pytest.mark.parametrize(
    ("reply", "retryable"),
    [
        (Reply(429, JSON | {"retry-after": "7"}, b"{}"), True),
        (Reply(500, JSON, b"{}"), True),
        (Reply(502, {"content-type": "text/html"}, b"<html>"), True),
        (Reply(503, JSON | {"retry-after": "7"}, b"{}"), True),
        (Reply(200, {"content-type": "text/html"}, b"<html>sign in</html>"), True),
        (Reply(200, JSON, b"[]"), True),
        (Reply(302, {"location": "https://sso.example/"}, b""), False),
        (Reply(404, JSON, b'{"code": 5, "message": "no"}'), False),
        (Reply(404, {"content-type": "text/plain"}, b"default backend - 404"), True),
        (Reply(407, {}, b""), False),
    ],
    ids=lambda value: str(value.status) if isinstance(value, Reply) else "",
)
async def test_an_endpoint_in_trouble_is_no_refusal_of_the_credential(reply: Reply, retryable: bool) -> None:
    with pytest.raises(ApiError) as raised:
        await minted(reply)
    assert raised.value.verdict.retryable is retryable
    assert raised.value.verdict.status == reply.status


async def test_an_answer_that_was_cut_short_can_be_asked_for_again() -> None:
    with pytest.raises(ApiError) as raised:
        await minted(Reply(200, JSON, b'{"access_tok', truncated=True))
    assert raised.value.verdict.retryable
    assert raised.value.verdict.attempt is not AttemptClass.APPLIED


# Refusals


@pytest.mark.parametrize("status", [400, 401, 403])
@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"error": "invalid_client", "error_description": "unknown client"}, "unknown client"),
        ({"error": "invalid_client"}, "invalid_client"),
        ({"code": 16, "message": "unauthenticated (request-id: r1)"}, "unauthenticated"),
        ({}, "HTTP 40"),
    ],
)
async def test_a_refusal_names_the_tenant_and_what_it_said(status: int, body: dict[str, object], says: str) -> None:
    with pytest.raises(AccessError, match=r"acme\.conductor\.one refuses the client credentials") as refused:
        await minted(Reply(status, JSON, json.dumps(body).encode()))
    assert says in str(refused.value)


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_a_refusal_that_is_not_c1s_does_not_blame_the_credentials(status: int) -> None:
    with pytest.raises(AccessError, match="something before C1 answered") as refused:
        await minted(Reply(status, {"content-type": "text/html"}, b"<html>blocked</html>"))
    assert "text/html" in str(refused.value)
    assert "refuses the client credentials" not in str(refused.value)


@pytest.mark.parametrize("secret", [CANARY, KEY], ids=["a plain secret", "a key"])
async def test_a_refusal_that_echoes_the_whole_form_shows_no_secret(secret: str) -> None:
    with pytest.raises(AccessError) as refused:
        await minted(None, secret=secret)
    shown = str(refused.value)

    assert "canary" not in shown
    assert "eyJ" not in shown  # how a JWT begins


@pytest.mark.parametrize("echo", ["x" * 190 + CANARY, "x" * 290 + CANARY, json.dumps(CANARY), f"<b>{CANARY}</b>"])
async def test_a_refusal_that_echoes_the_secret_somewhere_shows_no_part_of_it(echo: str) -> None:
    for body in (json.dumps({"error_description": echo}), json.dumps({"message": echo}), echo):
        with pytest.raises(AccessError) as refused:
            await minted(Reply(401, JSON, body.encode()))
        assert "canary" not in str(refused.value)


@pytest.mark.parametrize(("plain", "escaped"), [("&", "\\u0026"), ("/", "\\/"), ("=", "\\u003d")])
async def test_a_secret_that_is_echoed_in_another_spelling_is_not_shown(plain: str, escaped: str) -> None:
    for field in ("error_description", "message"):
        body = json.dumps({field: f"no such secret: {CANARY}"}).replace(plain, escaped)
        with pytest.raises(AccessError) as refused:
            await minted(Reply(401, JSON, body.encode()))
        assert "canary" not in str(refused.value)


async def test_a_refusal_cannot_play_with_the_terminal() -> None:
    with pytest.raises(AccessError) as refused:
        await minted(Reply(401, JSON, json.dumps({"error_description": "\x1b[2J\nall is well\x07"}).encode()))
    assert str(refused.value).isprintable()


# Clocks


@pytest.mark.parametrize(("ahead", "says"), [(213, "213 s ahead of"), (-213, "213 s behind"), (61, "61 s ahead of")])
async def test_an_assertion_that_is_refused_by_the_tenants_clock_too_says_that_ours_is_wrong(
    ahead: float, says: str
) -> None:
    reply = Reply(401, JSON | {"date": formatdate(wall(), usegmt=True)}, b'{"error": "invalid_client"}')
    with pytest.raises(AccessError, match=f"clock is {says}"):
        await minted(reply, secret=KEY, clock_ahead=ahead)


@pytest.mark.parametrize(
    ("secret", "ahead", "date"),
    [(KEY, 30, True), (CANARY, 213, True), (KEY, 213, False)],
    ids=["a clock that is right", "a secret that needs no clock", "no clock to compare with"],
)
async def test_the_clock_is_not_blamed_without_reason(secret: str, ahead: float, date: bool) -> None:
    headers = JSON | ({"date": formatdate(wall(), usegmt=True)} if date else {"date": "yesterday"})
    with pytest.raises(AccessError) as refused:
        await minted(Reply(401, headers, b"{}"), secret=secret, clock_ahead=ahead)
    assert "clock" not in str(refused.value)
