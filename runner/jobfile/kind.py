"""What every kind of value in a job file can do."""

from typing import Any, Protocol, TypeVar

from yaml.events import AliasEvent, Event

from runner.jobfile.source import Source

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Schema = dict[str, Any]
"""A piece of JSON Schema."""


class Kind(Protocol[T_co]):
    """One kind of value: reads it, and describes it as JSON Schema.

    Reading takes the event that begins the value and consumes it to its end. What cannot be used leaves a
    problem at its place and reads as None, so that one pass finds everything that is wrong.
    """

    def read(self, source: Source, event: Event, at: str) -> T_co | None:
        """The value that `event` begins; `at` is the setting's name for messages."""

    def schema(self) -> Schema:
        """The value as JSON Schema."""


def read_value(kind: Kind[T], source: Source, event: Event, at: str) -> T | None:
    """Read a value of a kind. An alias stands for nothing; it is among the problems already."""
    return None if isinstance(event, AliasEvent) else kind.read(source, event, at)
