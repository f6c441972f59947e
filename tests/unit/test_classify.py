"""What one reply means: the whole table, and the wait that a reply asks for."""

import json
from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.api.classify import EXCERPT, Reply, classify_reply, json_object
from runner.base.model import AttemptClass

NOT_SENT, REFUSED = AttemptClass.NOT_SENT, AttemptClass.REFUSED
APPLIED, AMBIGUOUS = AttemptClass.APPLIED, AttemptClass.AMBIGUOUS

JSON = {"content-type": "application/json"}
HTML = {"content-type": "text/html; charset=utf-8"}
PLAIN = {"content-type": "text/plain"}
RETRYABLE, FINAL = True, False


def said(message: str = "no", code: int = 5) -> bytes:
    """A refusal as C1 words it."""
    return json.dumps({"code": code, "message": message, "details": []}).encode()


def body_of(status: int) -> bytes:
    """What C1 itself says with this status."""
    return said() if status >= 400 else b"{}"


def expected(status: int) -> tuple[AttemptClass, bool]:
    """The class of a status of C1's own, and whether sending again may help."""
    match status:
        case 202:
            return AMBIGUOUS, RETRYABLE
        case _ if 200 <= status < 300:
            return APPLIED, FINAL
        case _ if 300 <= status < 400:
            return AMBIGUOUS, FINAL
        case 408 | 499:
            return AMBIGUOUS, RETRYABLE
        case 409 | 425 | 429:
            return REFUSED, RETRYABLE
        case 407:
            return NOT_SENT, FINAL
        case 501:
            return REFUSED, FINAL
        case _ if 400 <= status < 500:
            return REFUSED, FINAL
        case _:
            return AMBIGUOUS, RETRYABLE


each_hundred = pytest.mark.parametrize("first", range(100, 600, 100))


@each_hundred
def test_every_status_has_exactly_one_class(first: int) -> None:
    for status in range(first, first + 100):
        verdict = classify_reply(Reply(status, JSON, body_of(status)))

        assert (status, verdict.attempt, verdict.retryable) == (status, *expected(status))
        assert verdict.status == status
        assert verdict.message, status


@each_hundred
def test_what_is_final_or_fatal_is_never_sent_again(first: int) -> None:
    for status in range(first, first + 100):
        verdict = classify_reply(Reply(status, JSON, body_of(status)))

        assert verdict.fatal is (status in {405, 407, 411, 415, 501}), status
        assert verdict.token_rejected is (status == 401), status
        assert verdict.forbidden is (status == 403), status
        assert verdict.throttled is (status == 429), status
        assert not (verdict.retryable and (verdict.fatal or verdict.token_rejected or verdict.forbidden)), status


@pytest.mark.parametrize("status", [408, 499, 500, 502, 503, 504, 520, 521, 522, 523, 524])
def test_an_error_behind_which_the_request_may_have_been_handled_is_ambiguous(status: int) -> None:
    assert classify_reply(Reply(status, HTML, b"<html>oops</html>")).attempt is AMBIGUOUS


# What is not C1's

GATEWAYS = {
    "HTML": Reply(0, HTML, b"<html>blocked</html>"),
    "plain text": Reply(0, PLAIN, b"default backend - 404"),
    "nothing": Reply(0, {}, b""),
    "JSON of somebody else's": Reply(0, JSON, b'{"error": "forbidden"}'),
    "a code without a message": Reply(0, JSON, b'{"code": 7}'),
    "a message that is no text": Reply(0, JSON, b'{"code": 7, "message": {}}'),
    "a message without a code": Reply(0, JSON, b'{"message": "Forbidden"}'),
    "a list": Reply(0, JSON, b"[]"),
    "C1's, cut short": Reply(0, JSON, b'{"code": 5, "mess', truncated=True),
}
ABOUT_THE_REQUEST = [s for s in range(400, 500) if s not in (407, 408, 429, 499)]


@pytest.mark.parametrize("reply", GATEWAYS.values(), ids=GATEWAYS)
def test_a_refusal_in_other_words_than_c1s_is_told_as_a_gateways(reply: Reply) -> None:
    for status in ABOUT_THE_REQUEST:
        verdict = classify_reply(reply._replace(status=status))

        assert verdict.alien, status
        assert verdict.attempt is REFUSED, status
        assert "gateway, WAF or proxy" in verdict.message
        assert (reply.headers or {"content-type": "no content type"})["content-type"] in verdict.message
        assert not any((verdict.forbidden, verdict.lacks_permission, verdict.missing, verdict.fatal)), status
        assert verdict.token_rejected is (status == 401), status
        assert verdict.retryable is (status in (404, 409, 425)), status


@pytest.mark.parametrize("status", [*ABOUT_THE_REQUEST, 408, 429, 499])
def test_a_refusal_in_c1s_own_words_is_c1s(status: int) -> None:
    verdict = classify_reply(Reply(status, JSON, said("no such thing")))

    assert not verdict.alien
    assert verdict.message == f"HTTP {status}: no such thing"
    assert verdict.forbidden is (status == 403)
    assert verdict.missing is (status == 404)


def test_a_permission_that_is_missing_is_told_from_a_refusal_of_one_connector() -> None:
    lacking = "Permission denied, missing permission/c1.api.app.v1.ConnectorService.PauseSync (request-id: r1)"
    never = classify_reply(Reply(403, JSON, said(lacking, code=7)))
    this = classify_reply(Reply(403, JSON, said("Permission denied (request-id: r1)", code=7)))
    page = classify_reply(Reply(403, HTML, b"<html>missing permission/x</html>"))

    assert (never.forbidden, never.lacks_permission) == (True, True)
    assert (this.forbidden, this.lacks_permission) == (True, False)
    assert (page.forbidden, page.lacks_permission) == (False, False)


@pytest.mark.parametrize("status", [200, 403, 404])
def test_a_reply_that_is_still_compressed_names_the_compression(status: int) -> None:
    verdict = classify_reply(Reply(status, JSON, b"\x1b\x03\x00", packed="br"))

    assert verdict.alien
    assert "compressed as br" in verdict.message
    assert "\x1b" not in verdict.message


# Success must read like C1's

SUCCESSES = {
    "an empty object": Reply(200, JSON, b"{}"),
    "an object with unknown fields": Reply(200, JSON, b'{"somethingNew": {"a": [1]}}'),
    "an object without a content type": Reply(200, {}, b"{}"),
    "an object after white space": Reply(200, JSON, b" \n{}\n"),
    "an empty body that is said to be JSON": Reply(200, JSON, b""),
    "no content": Reply(204, {}, b""),
    "created": Reply(201, JSON, b"{}"),
    "a code of zero": Reply(200, JSON, b'{"code": 0, "message": ""}'),
    "a connector with a message of its own": Reply(200, JSON, b'{"message": "fine"}'),
}
NO_SUCCESSES = {
    "a captive portal": Reply(200, HTML, b"<html>Please sign in</html>"),
    "a portal that says it is JSON": Reply(200, JSON, b"<html>Please sign in</html>"),
    "an empty page": Reply(200, HTML, b""),
    "an empty body of no type": Reply(200, {}, b""),
    "a list": Reply(200, JSON, b"[]"),
    "null": Reply(200, JSON, b"null"),
    "a string": Reply(200, JSON, b'"ok"'),
    "broken JSON": Reply(200, JSON, b'{"list": ['),
    "JSON in UTF-16 without a mark": Reply(200, JSON, "{}".encode("utf-16-le")[:3]),
    "bytes": Reply(200, JSON, b"\xff\xfe\xfd"),
    "a compressed body": Reply(200, JSON | {"content-encoding": "gzip"}, b"\x1f\x8b\x08\x00"),
    "a bottomless body": Reply(200, JSON, b"[" * 100_000),
    "an error of the gateway": Reply(200, JSON, b'{"code": 5, "message": "not found", "details": []}'),
    "an error of OAuth's kind": Reply(200, JSON, b'{"error": "server_error"}'),
    "an error in an envelope": Reply(200, JSON, b'{"error": {"code": 13, "message": "internal"}}'),
    "accepted": Reply(202, JSON, b"{}"),
    "too large": Reply(200, JSON, b"{}", too_large=True),
}


@pytest.mark.parametrize("reply", SUCCESSES.values(), ids=SUCCESSES)
def test_a_success_reads_like_one(reply: Reply) -> None:
    verdict = classify_reply(reply)

    assert verdict.attempt is APPLIED
    assert not verdict.retryable
    assert not verdict.truncated


@pytest.mark.parametrize("reply", NO_SUCCESSES.values(), ids=NO_SUCCESSES)
def test_a_2xx_that_is_not_c1s_is_no_success(reply: Reply) -> None:
    verdict = classify_reply(reply)

    assert verdict.attempt is AMBIGUOUS
    assert verdict.retryable


@pytest.mark.parametrize("body", [b"", b"{", b'{"somethin'])
def test_a_success_that_was_cut_short_is_applied_but_marked(body: bytes) -> None:
    verdict = classify_reply(Reply(200, JSON, body, truncated=True))

    assert verdict.attempt is APPLIED
    assert verdict.truncated


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, HTML, b"<html>Please si", truncated=True),
        Reply(202, JSON, b"", truncated=True),
        Reply(200, JSON, b"<html>Please si", truncated=True),
    ],
    ids=["HTML", "202", "HTML that says it is JSON"],
)
def test_being_cut_short_makes_no_success_of_what_was_none(reply: Reply) -> None:
    verdict = classify_reply(reply)

    assert verdict.attempt is AMBIGUOUS
    assert verdict.retryable


@pytest.mark.parametrize("status", [404, 429, 500])
def test_an_error_that_was_cut_short_is_still_that_error(status: int) -> None:
    whole = classify_reply(Reply(status, JSON, b""))

    assert classify_reply(Reply(status, JSON, b"", truncated=True)) == whole


# What it says


def test_the_message_and_the_request_id_of_the_gateway_are_kept() -> None:
    body = {"code": 5, "message": "connector not found (request-id: 2bYm-Q)", "details": []}
    verdict = classify_reply(Reply(404, JSON, json.dumps(body).encode()))

    assert verdict.message == "HTTP 404: connector not found"
    assert verdict.request_id == "2bYm-Q"


def test_a_request_id_in_a_header_goes_before_one_in_the_text() -> None:
    body = b'{"code": 5, "message": "no (request-id: text)"}'

    assert classify_reply(Reply(404, JSON | {"x-request-id": "header"}, body)).request_id == "header"
    assert classify_reply(Reply(200, JSON | {"x-request-id": "header"}, b"{}")).request_id == "header"
    assert classify_reply(Reply(404, JSON, b"{}")).request_id is None


def test_a_redirect_says_where_to_and_that_it_was_not_followed() -> None:
    verdict = classify_reply(Reply(301, {"location": "https://evil.example/login\x1b[2J"}))

    assert "https://evil.example/login" in verdict.message
    assert "not followed" in verdict.message
    assert verdict.message.isprintable()


@given(
    st.integers(100, 599),
    st.dictionaries(st.sampled_from(["location", "content-type", "retry-after", "x-request-id", "date"]), st.text()),
    st.one_of(
        st.binary(max_size=3000),
        st.text().map(lambda text: json.dumps({"code": 1, "message": text}).encode()),
    ),
    st.booleans(),
    st.booleans(),
)
def test_no_reply_breaks_the_table_or_the_terminal(
    status: int, headers: dict[str, str], body: bytes, truncated: bool, too_large: bool
) -> None:
    verdict = classify_reply(Reply(status, headers, body, truncated, too_large))

    for text in (verdict.message, verdict.request_id or ""):
        text.encode("utf-8")
        assert "\n" not in text
        assert "\x1b" not in text
        assert len(text) <= EXCERPT + 100
    assert verdict.retry_after is None or 0 < verdict.retry_after < float("inf")


@pytest.mark.parametrize("status", [s for s in HTTPStatus if s >= 400])
def test_an_error_quotes_no_more_than_an_excerpt(status: HTTPStatus) -> None:
    message = classify_reply(Reply(status, HTML, b"x" * 60_000)).message

    assert message.startswith(("HTTP", "the proxy"))
    assert len(message) < 2 * EXCERPT


SECRET = "s3cr/t+" + "A-long_token/" * 15
SPELLINGS = {
    "as it is": SECRET,
    "as JSON": SECRET.replace("/", "\\/"),
    "as JSON in full": "".join(f"\\u{ord(character):04X}" for character in SECRET),
    "as a URL": "".join(f"%{ord(character):02x}" for character in SECRET),
    "in part as a URL": SECRET[:40] + SECRET[40:].replace("/", "%2F"),
}


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_a_long_secret_is_not_quoted_however_it_is_spelled_and_what_only_begins_like_it_is(spelling: str) -> None:
    reply = Reply(400, JSON, secrets=("another" * 50, SECRET))

    assert reply.quote(f"no: {spelling}!") == "no: [redacted]!"
    assert reply.quote(f"no: {SECRET[:-1]}") == f"no: {SECRET[:-1]}"


# How long to wait: what is read of it is in `test_waits`

DATE = "Mon, 23 Nov 2026 17:00:00 GMT"


@pytest.mark.parametrize("wait", ["30", "Mon, 23 Nov 2026 17:00:30 GMT"])
def test_a_429_is_throttled_and_carries_its_wait(wait: str) -> None:
    verdict = classify_reply(Reply(429, JSON | {"retry-after": wait, "date": DATE}, b"{}"))

    assert (verdict.attempt, verdict.throttled, verdict.retry_after) == (REFUSED, True, 30)


@pytest.mark.parametrize("wait", [None, "garbage", "-5", "0", "nan"])
def test_a_429_without_a_usable_wait_is_throttled_all_the_same(wait: str | None) -> None:
    verdict = classify_reply(Reply(429, JSON | ({"retry-after": wait} if wait else {}), b"{}"))

    assert (verdict.throttled, verdict.retry_after) == (True, None)


def test_a_503_slows_down_only_when_it_says_how_long_and_stays_ambiguous() -> None:
    plain = classify_reply(Reply(503, JSON, b"{}"))
    asking = classify_reply(Reply(503, JSON | {"retry-after": "12"}, b"{}"))

    assert (plain.attempt, plain.throttled) == (AMBIGUOUS, False)
    assert (asking.attempt, asking.throttled, asking.retry_after) == (AMBIGUOUS, True, 12)
    assert asking._replace(throttled=False, retry_after=None) == plain


# JSON


@pytest.mark.parametrize("body", [b"{}", b'{"a": 1}', b" {} ", '{"a": "é"}'.encode(), b"\xef\xbb\xbf{}"])
def test_an_object_is_read(body: bytes) -> None:
    assert json_object(body) is not None


@pytest.mark.parametrize("body", [b"", b"[]", b"1", b"null", b"{", b"\xff", b"[" * 100_000, b'{"a":' * 100_000])
def test_anything_else_is_no_object(body: bytes) -> None:
    assert json_object(body) is None
