"""The table of operations: what each one calls, what it wants, and what undoes it."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from runner.base.model import ConnectorState, OperationName


class Operation(NamedTuple):
    """One thing that can be done to a connector."""

    name: OperationName
    segment: str  # the last segment of the endpoint's path
    reached: Callable[[ConnectorState], bool]  # the wanted state; never, for an operation that only triggers
    lasting: bool  # whether a later read can show that it took effect
    inverse: OperationName | None
    would_be: str  # "3 connectors would be ..."
    changed: str  # words for the outcomes, as the recap and the reports say them
    unchanged: str


OPERATIONS: Mapping[OperationName, Operation] = MappingProxyType(
    {
        operation.name: operation
        for operation in (
            Operation(
                OperationName.PAUSE,
                segment="pause",
                reached=lambda state: state.marked,
                lasting=True,
                inverse=OperationName.RESUME,
                would_be="paused",
                changed="paused",
                unchanged="already paused",
            ),
            Operation(
                OperationName.RESUME,
                segment="resume",
                reached=lambda state: not state.paused,
                lasting=True,
                inverse=OperationName.PAUSE,
                would_be="resumed",
                changed="resumed",
                unchanged="already active",
            ),
            Operation(
                OperationName.FORCE_SYNC,
                segment="force_sync",
                reached=lambda _: False,
                lasting=False,
                inverse=None,
                would_be="synced",
                changed="sync queued",
                unchanged="already syncing",
            ),
        )
    }
)
