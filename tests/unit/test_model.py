"""What a connector's state says, and what an id may be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.model import ConnectorState, is_id

PAUSED_AT = "2026-11-23T16:00:00Z"


@given(st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True))
def test_an_id_is_letters_digits_underscore_and_dash(text: str) -> None:
    assert is_id(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a" * 65,
        "a/b",
        "..",
        "a.b",
        "a%2e",
        "a?x",
        "a#f",
        "a b",
        "a\n",
        "\n",
        "ä",
        "a\u202e",
        "a\x00",
        "a:b",
        "\uff11",
    ],
)
def test_what_could_bend_a_path_is_no_id(text: str) -> None:
    assert not is_id(text)


@given(st.text(max_size=80))
def test_an_id_never_holds_anything_a_path_would_quote(text: str) -> None:
    if is_id(text):
        assert text.isascii()
        assert not set(text) & set("/.%?#:@ \t\r\n\\")


@pytest.mark.parametrize(
    ("paused_at", "status", "paused"),
    [
        (None, None, False),
        (None, "SYNC_STATUS_DONE", False),
        (None, "SYNC_STATUS_RUNNING", False),
        (None, "SYNC_STATUS_SOMETHING_NEW", False),
        (None, "SYNC_STATUS_DISABLED", True),
        (PAUSED_AT, None, True),
        (PAUSED_AT, "SYNC_STATUS_RUNNING", True),
    ],
)
def test_a_connector_is_paused_by_its_mark_or_by_its_status(
    paused_at: str | None, status: str | None, paused: bool
) -> None:
    assert ConnectorState(paused_at, status).paused is paused


@pytest.mark.parametrize(
    ("category", "reason"),
    [
        ("SYNC_DISABLED_CATEGORY_USER", None),
        ("SYNC_DISABLED_CATEGORY_MANUAL", "look at this drop tomorrow"),
        ("ADMIN", None),
        ("API", None),
        ("SYNC_DISABLED_CATEGORY_UNSPECIFIED", None),
        ("SYNC_DISABLED_CATEGORY_UNSPECIFIED", "HR migration"),
        (None, None),
        (None, "CHG-1234 HR migration"),
    ],
)
def test_a_pause_by_a_person_or_a_client_is_no_anomaly(category: str | None, reason: str | None) -> None:
    assert not ConnectorState(PAUSED_AT, None, category, reason).anomaly


@pytest.mark.parametrize(
    ("category", "reason"),
    [
        ("SYNC_DISABLED_CATEGORY_ANOMALY", None),
        ("SYNC_DISABLED_CATEGORY_SOMETHING_NEW", None),
        ("RAPID_DATA_DROP", None),
        ("USER_COUNT_DROP", None),
        (None, "large drop in data"),
        ("SYNC_DISABLED_CATEGORY_UNSPECIFIED", "suspicious drop: 80 % of the users are gone"),
    ],
)
def test_whatever_else_paused_it_is_taken_for_c1s_own_check(category: str | None, reason: str | None) -> None:
    assert ConnectorState(PAUSED_AT, None, category, reason).anomaly


def test_an_active_connector_is_no_anomaly_whatever_its_old_reason_says() -> None:
    assert not ConnectorState(None, "SYNC_STATUS_DONE", "SYNC_DISABLED_CATEGORY_ANOMALY", "a drop").anomaly
