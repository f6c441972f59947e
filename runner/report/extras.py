"""What a report for people can show besides the rows of the store."""

from dataclasses import dataclass

from runner.store.records import PaceSample


@dataclass(frozen=True, slots=True)
class Extras:
    """All optional: without any of it a report is complete."""

    hints: tuple[str, ...] | None = None  # the commands to type next; None: the one that makes a report
    pace: tuple[PaceSample, ...] = ()  # in order of time
