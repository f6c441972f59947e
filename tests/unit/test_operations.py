"""The table of operations."""

import pytest

from runner.base.model import ConnectorState, OperationName
from runner.base.operations import OPERATIONS

ACTIVE = ConnectorState(None, "SYNC_STATUS_DONE")
PAUSED = ConnectorState("2026-11-23T16:00:00Z", "SYNC_STATUS_DONE")


def test_there_is_one_operation_for_each_name() -> None:
    assert set(OPERATIONS) == set(OperationName)
    assert all(operation.name is name for name, operation in OPERATIONS.items())


def test_the_endpoint_is_called_as_the_job_file_calls_the_operation() -> None:
    assert {name: operation.segment for name, operation in OPERATIONS.items()} == {
        OperationName.PAUSE: "pause",
        OperationName.RESUME: "resume",
        OperationName.FORCE_SYNC: "force_sync",
    }


@pytest.mark.parametrize(
    ("name", "state", "reached"),
    [
        ("pause", ACTIVE, False),
        ("pause", PAUSED, True),
        ("resume", ACTIVE, True),
        ("resume", PAUSED, False),
        ("force_sync", ACTIVE, False),
        ("force_sync", PAUSED, False),
    ],
)
def test_the_wanted_state(name: str, state: ConnectorState, reached: bool) -> None:
    assert OPERATIONS[OperationName(name)].reached(state) is reached


def test_what_one_operation_does_its_inverse_undoes() -> None:
    for operation in OPERATIONS.values():
        if operation.inverse is not None:
            inverse = OPERATIONS[operation.inverse]
            assert inverse.inverse is operation.name
            assert inverse.reached(ACTIVE) is not operation.reached(ACTIVE)
            assert inverse.reached(PAUSED) is not operation.reached(PAUSED)


def test_a_read_can_prove_only_what_lasts() -> None:
    lasting = {name for name, operation in OPERATIONS.items() if operation.lasting}

    assert lasting == {OperationName.PAUSE, OperationName.RESUME}
    assert OPERATIONS[OperationName.FORCE_SYNC].inverse is None


def test_nobody_can_change_the_table() -> None:
    with pytest.raises(TypeError):
        OPERATIONS[OperationName.PAUSE] = OPERATIONS[OperationName.RESUME]  # type: ignore[index]
