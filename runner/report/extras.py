"""What a report for people can show besides the rows of the store."""

from typing import NamedTuple

from runner.store.records import PaceSample


class Extras(NamedTuple):
    """All optional: without any of it a report is complete."""

    hints: tuple[str, ...] | None = None  # the commands to type next; None: the one that makes a report
    pace: tuple[PaceSample, ...] = ()  # in order of time
