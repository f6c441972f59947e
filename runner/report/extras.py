"""What a report for people can show besides the rows of the store."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PaceSample:
    """The rate limit at one moment of a run."""

    at: float  # seconds since the epoch
    rate: float | None  # requests per second allowed from now on; None: no limit known
    refused: int = 0  # requests answered with 429 since the sample before


@dataclass(frozen=True, slots=True)
class Extras:
    """All optional: without any of it a report is complete."""

    hints: tuple[str, ...] | None = None  # the commands to type next; None: the one that makes a report
    pace: tuple[PaceSample, ...] = ()  # in order of time
