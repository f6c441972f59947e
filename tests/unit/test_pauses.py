"""What a connector's state says, whose doing a pause looks like, and how a pause of ours is known again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.base.pauses import ConnectorState, Look, Mark, Marks, PauseKind, Span, epoch, looks_deliberate

PAUSED_AT = "2026-11-23T16:00:00Z"
AT = epoch(PAUSED_AT) or 0.0
C1S_CHECK = "Sync paused due to significant drop in sync data: 84 % of the users would go"
DELIBERATE = [
    ("SYNC_DISABLED_CATEGORY_USER", None),
    ("SYNC_DISABLED_CATEGORY_CUSTOMER", None),
    ("PAUSED", None),
    ("REQUESTED", None),
    ("system-customer-opt-out", None),
    ("SYNC_DISABLED_CATEGORY_SOMETHING_NEW", None),
    (None, "system-customer-opt-out"),
    ("SYNC_DISABLED_CATEGORY_ANOMALY", "system-customer-opt-out"),
    (None, None),
    (None, "CHG-1234 HR migration"),
    ("SYNC_DISABLED_CATEGORY_UNSPECIFIED", "HR migration"),
]
ANOMALIES = [
    ("SYNC_DISABLED_CATEGORY_ANOMALY", None),
    ("RAPID_DATA_DROP", None),
    (None, C1S_CHECK),
    ("PAUSED", C1S_CHECK),
    ("SYNC_DISABLED_CATEGORY_USER", C1S_CHECK),
    ("SYNC_DISABLED_CATEGORY_UNSPECIFIED", "suspicious drop: 80 % of the users are gone"),
]
SYSTEM = [(None, "system"), ("SYNC_DISABLED_CATEGORY_SYSTEM", None), ("PAUSED", "system"), ("SYSTEM", "system")]
texts = st.none() | st.sampled_from([text for pair in (*DELIBERATE, *ANOMALIES, *SYSTEM) for text in pair]) | st.text()


def paused(category: str | None = None, reason: str | None = None, at: str = PAUSED_AT) -> ConnectorState:
    return ConnectorState(at, "SYNC_STATUS_DONE", category, reason)


@pytest.mark.parametrize(
    ("paused_at", "status", "maybe", "certain"),
    [
        (None, None, False, False),
        (None, "SYNC_STATUS_DONE", False, False),
        (None, "SYNC_STATUS_SOMETHING_NEW", False, False),
        (None, "SYNC_STATUS_DISABLED", True, False),
        (PAUSED_AT, None, True, True),
        (PAUSED_AT, "SYNC_STATUS_RUNNING", True, True),
    ],
)
def test_a_mark_proves_a_pause_and_the_status_alone_does_not(
    paused_at: str | None, status: str | None, maybe: bool, certain: bool
) -> None:
    state = ConnectorState(paused_at, status)
    assert (state.paused, state.marked) == (maybe, certain)


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        *((words, PauseKind.DELIBERATE) for words in DELIBERATE),
        *((words, PauseKind.ANOMALY) for words in ANOMALIES),
        *((words, PauseKind.SYSTEM) for words in SYSTEM),
    ],
)
def test_whose_doing_a_pause_looks_like(words: tuple[str | None, str | None], kind: PauseKind) -> None:
    assert paused(*words).kind is kind


def test_an_active_connector_is_paused_by_nobody_whatever_its_old_reason_says() -> None:
    assert ConnectorState(None, "SYNC_STATUS_DONE", "SYNC_DISABLED_CATEGORY_ANOMALY", C1S_CHECK).kind is None


def test_what_our_own_pauses_look_like_is_deliberate_whatever_it_says_but_c1s_check_never_is() -> None:
    assert not looks_deliberate(paused(None, "system"))
    assert looks_deliberate(paused(None, "system"), {Look(None, "system")})
    assert not looks_deliberate(paused(None, C1S_CHECK), {Look(None, C1S_CHECK)})


@given(texts, texts)
def test_our_mark_is_ours_whatever_stands_beside_it(category: str | None, reason: str | None) -> None:
    state = paused(category, reason)
    mark = Mark.of(state)
    assert mark is not None
    assert Marks((mark,)).cover(state)


@given(texts, texts, texts, texts)
def test_our_mark_with_other_words_beside_it_is_a_strangers(
    category: str | None, reason: str | None, new_category: str | None, new_reason: str | None
) -> None:
    mark = Mark.of(paused(category, reason))
    assert mark is not None
    same = (category, reason) == (new_category, new_reason)
    assert Marks((mark,), (Span(AT - 1, AT + 1, accepted=True),)).cover(paused(new_category, new_reason)) is same


@pytest.mark.parametrize(
    ("ours", "read", "same"),
    [
        ("2026-11-23T16:00:00.5Z", "2026-11-23T16:00:00.500Z", True),
        ("2026-11-23T16:00:00.123456Z", "2026-11-23T16:00:00.123456789Z", True),
        ("2026-11-23T16:00:00.123456788Z", "2026-11-23T16:00:00.123456789Z", False),
        ("2026-11-23T16:00:00Z", "2026-11-23T16:00:01Z", False),
        ("2026-11-23T16:00:00Z", "yesterday", False),
    ],
)
def test_a_mark_may_be_spelled_with_more_digits(ours: str, read: str, same: bool) -> None:
    assert Marks((Mark(ours, Look(None, None)),)).cover(paused(at=read)) is same


@pytest.mark.parametrize(
    ("span", "words", "looks", "ours"),
    [
        (Span(AT - 1, AT + 1, accepted=True), (None, "system"), (), True),
        (Span(AT - 1, AT + 1, accepted=True), (None, C1S_CHECK), (), False),
        (Span(AT - 1, AT + 1), ("PAUSED", None), (), True),
        (Span(AT - 1, AT + 1), (None, "system"), (), False),
        (Span(AT - 1, AT + 1), (None, "system"), (Look(None, "system"),), True),
        (Span(AT - 1, AT + 1), ("PAUSED", None), (Look(None, "system"),), False),
        (Span(AT + 0.1, AT + 1, accepted=True), ("PAUSED", None), (), False),
        (Span(AT - 9, AT - 0.1, accepted=True), ("PAUSED", None), (), False),
    ],
)
def test_a_pause_without_a_known_mark_is_ours_by_its_time_and_its_look(
    span: Span, words: tuple[str | None, str | None], looks: tuple[Look, ...], ours: bool
) -> None:
    assert Marks((), (span,), frozenset(looks)).cover(paused(*words)) is ours


@pytest.mark.parametrize(
    ("began", "since"), [("2026-11-23T16:00:01Z", True), ("2026-11-23T15:59:59Z", False), (None, False), ("x", False)]
)
def test_a_sync_that_began_after_a_pause_proves_its_end(began: str | None, since: bool) -> None:
    assert ConnectorState(None, None, sync_started_at=began).synced_since(PAUSED_AT) is since
