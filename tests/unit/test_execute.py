"""What the state before settles without a request, as one table."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.base.model import ConnectorState, Look, OperationName, Outcome, Planned, Result, Target
from runner.base.operations import OPERATIONS
from runner.engine.decide import Leave, decide

ACTIVE = ConnectorState(None, "SYNC_STATUS_DONE")
NEVER_SYNCED = ConnectorState(None, None)
RUNNING = ConnectorState(None, "SYNC_STATUS_RUNNING", sync_started_at="2026-11-23T16:00:00Z")
BROKEN = ConnectorState(None, "SYNC_STATUS_ERROR", last_error="timeout")
PAUSED = ConnectorState("2026-11-23T16:00:00Z", "SYNC_STATUS_DONE", "SYNC_DISABLED_CATEGORY_USER")
DISABLED = ConnectorState(None, "SYNC_STATUS_DISABLED")
PAUSED_RUNNING = ConnectorState("2026-11-23T16:00:00Z", "SYNC_STATUS_RUNNING", "SYNC_DISABLED_CATEGORY_USER")
ANOMALY = ConnectorState("2026-11-23T16:00:00Z", "SYNC_STATUS_DONE", "SYNC_DISABLED_CATEGORY_ANOMALY", "80 % are gone")
DELETED = ConnectorState(None, "SYNC_STATUS_DONE", deleted=True)
DELETED_PAUSED = ConnectorState("2026-11-23T16:00:00Z", "SYNC_STATUS_DONE", deleted=True)

REQUEST = None
UNCHANGED, SKIPPED, FAILED = Outcome.UNCHANGED, Outcome.SKIPPED, Outcome.FAILED

TABLE = {
    # state before:   pause      resume     force_sync
    "ACTIVE":         (REQUEST,   UNCHANGED, REQUEST),
    "NEVER_SYNCED":   (REQUEST,   UNCHANGED, REQUEST),
    "RUNNING":        (REQUEST,   UNCHANGED, REQUEST),
    "BROKEN":         (REQUEST,   UNCHANGED, REQUEST),
    "PAUSED":         (UNCHANGED, REQUEST,   SKIPPED),
    "DISABLED":       (REQUEST,   REQUEST,   SKIPPED),
    "PAUSED_RUNNING": (UNCHANGED, REQUEST,   SKIPPED),
    "ANOMALY":        (UNCHANGED, SKIPPED,   SKIPPED),
    "DELETED":        (FAILED,    FAILED,    FAILED),
    "DELETED_PAUSED": (FAILED,    FAILED,    FAILED),
}  # fmt: skip


def decided(
    name: str, before: ConnectorState | None, *, unread: str | None = None, anomalies: bool = False
) -> Result | None:
    planned = Planned(0, Target("app1", "con1"), before=before, unread=unread)
    return decide(OPERATIONS[OperationName(name)], planned, Leave(not anomalies))


@pytest.mark.parametrize("state", TABLE)
@pytest.mark.parametrize("column", range(3), ids=list(OperationName))
def test_the_state_before_settles_a_target_or_calls_for_a_request(state: str, column: int) -> None:
    result = decided(list(OperationName)[column], globals()[state])

    assert (result.outcome if result else None) == TABLE[state][column]


@pytest.mark.parametrize("name", OperationName)
def test_nothing_known_calls_for_a_request(name: OperationName) -> None:
    assert decided(name, None) is None


@pytest.mark.parametrize(("name", "outcome"), [("pause", None), ("force_sync", None), ("resume", FAILED)])
def test_what_could_not_be_read_is_paused_blindly_but_never_resumed(name: str, outcome: Outcome | None) -> None:
    result = decided(name, None, unread="HTTP 500")

    assert (result.outcome if result else None) == outcome
    if result is not None:
        assert result.error == "HTTP 500"
        assert "not resumed" in (result.detail or "")


def test_an_anomaly_is_resumed_only_when_asked_to() -> None:
    assert decided("resume", ANOMALY, anomalies=True) is None
    skipped = decided("resume", ANOMALY)
    assert skipped is not None
    assert "80 % are gone" in (skipped.detail or "")
    assert "--include-anomalies" in (skipped.detail or "")


@pytest.mark.parametrize(
    ("named", "looks", "resumed"), [(False, (), False), (True, (), True), (False, ("system",), True)]
)
def test_a_pause_by_the_system_is_resumed_by_name_or_where_our_own_look_like_it(
    named: bool, looks: tuple[str, ...], resumed: bool
) -> None:
    by_system = ConnectorState("2026-11-23T16:00:00Z", "SYNC_STATUS_DONE", None, "system")
    planned = Planned(0, Target("app1", "con1"), before=by_system, named=named)
    leave = Leave(looks=[Look(None, reason) for reason in looks])

    assert (decide(OPERATIONS[OperationName.RESUME], planned, leave) is None) == resumed


def test_asking_for_anomalies_does_not_raise_the_dead() -> None:
    result = decided("resume", DELETED_PAUSED, anomalies=True)

    assert result is not None
    assert result.outcome is FAILED


@given(
    st.sampled_from(list(OperationName)),
    st.sampled_from([globals()[name] for name in TABLE]) | st.none(),
    st.none() | st.text(),
    st.booleans(),
)
def test_a_decision_claims_no_change_and_no_request(
    name: OperationName, before: ConnectorState | None, unread: str | None, anomalies: bool
) -> None:
    result = decided(name, before, unread=unread, anomalies=anomalies)

    if result is not None:
        assert result.outcome in (UNCHANGED, SKIPPED, FAILED)
        assert result.detail
        assert (result.attempts, result.throttled, result.http_status) == (0, 0, None)
        assert (result.outcome is FAILED) == (result.error is not None)
