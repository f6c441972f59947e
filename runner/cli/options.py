"""Options that several commands share, and how they bear on a job. Each has a C1_RUNNER_* variable."""

import functools
import itertools
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click

from runner import report
from runner.base import paths, policy, units
from runner.base.model import ConnectorKind, Exclusion, Job, Outcome, Target, Window, is_id
from runner.jobfile import texts

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

_option = functools.partial(click.option, show_envvar=True)


class Unit(click.ParamType[object]):
    """A value with a unit, read by one of the functions of `runner.base.units`."""

    def __init__(self, name: str, parse: Callable[[str], object]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> object:
        """The parsed value; a value that was parsed already stays as it is."""
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class GivenPath(click.Path):
    """A path as a person writes it: `~` is expanded here, since behind `=` and in a variable no shell does it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path that is meant."""
        try:
            return super().convert(paths.expanded(os.fspath(value)), param, ctx)
        except ValueError as error:
            self.fail(str(error), param, ctx)


GIVEN_FILE = Unit("path", paths.expanded_text)
"""The same for what is opened later, or is a template: text again."""

PATTERN = Unit("pattern", texts.pattern)
"""An id, a name, a glob or a /regular expression/, as in a job file."""


KIND = click.Choice([kind.value for kind in ConnectorKind])
"""What a connector is."""


class Outcomes(click.ParamType[tuple[Outcome, ...]]):
    """A list of outcomes, separated by commas."""

    name = "outcomes"

    def __init__(self, choice: Sequence[Outcome]) -> None:
        self._choice = choice

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Outcome, ...]:
        """The outcomes; anything else is refused with the list of words."""
        if isinstance(value, tuple):
            return value
        words = [word.strip() for word in str(value).split(",")]
        for word in words:
            if word not in self._choice:
                self.fail(f"{word!r}: choose from {', '.join(self._choice)}", param, ctx)
        return tuple(Outcome(word) for word in words)


REPEATABLE = (Outcome.FAILED, Outcome.UNKNOWN, Outcome.NOT_ATTEMPTED, Outcome.SKIPPED)


def _whole(bounds: policy.Bounds) -> click.IntRange:
    return click.IntRange(int(bounds.low), int(bounds.high))


state_dir = _option(
    "--state-dir",
    type=GivenPath(path_type=Path, file_okay=False),
    envvar="C1_RUNNER_STATE_DIR",
    help="Where runs are recorded. Default: the platform's directory for state.",
)
reports = _option(
    "--report",
    "reports",
    type=GIVEN_FILE,
    multiple=True,
    metavar="PATH",
    help="Write a report; the format follows the suffix (.json .ndjson .csv ...). Repeatable. "
    "{name}, {started}, {run_id}, {operation} and {tenant} are filled in.",
)
output_format = _option(
    "--format",
    "output_format",
    type=click.Choice(["text", *report.FORMATS.values()]),
    default="text",
    show_default=True,
    envvar="C1_RUNNER_FORMAT",
    help="What goes to stdout: text (the recap), or a report format such as json.",
)
sandbox = _option(
    "--sandbox",
    is_flag=True,
    help="Use the embedded simulated tenant: no credentials, nothing leaves this machine.",
)
faults = _option(
    "--faults",
    metavar="FAULTS",
    help="With --sandbox: how the tenant misbehaves, such as latency=50ms,error=5%,limit=50/s.",
)
include_anomalies = _option(
    "--include-anomalies", is_flag=True, help="Resume also what C1 paused itself on a data anomaly."
)

include_anomalies_too = _option(
    "--include-anomalies",
    is_flag=True,
    help="Of what was paused, resume also what C1 itself has paused since, on an anomaly or otherwise.",
)

lock_wait = _option(
    "--lock-wait",
    type=Unit("duration", units.duration),
    default="0",
    envvar="C1_RUNNER_LOCK_WAIT",
    help="Wait so long for another run of the same job to end, such as 10m. Default: leave with code 75.",
)
include_protected = _option("--include-protected", is_flag=True, help="Touch also what a `protected` list names.")

partial = _option(
    "--partial",
    is_flag=True,
    help="Do without what the tenant cannot list, and say what that is. By default it ends with code 5.",
)

_PACE = (
    _option("--concurrency", type=_whole(policy.CONCURRENCY), envvar="C1_RUNNER_CONCURRENCY",
                 help="Requests in flight at once."),
    _option("--rate", type=Unit("rate", lambda text: units.rate(text, policy.RATE)), envvar="C1_RUNNER_RATE",
                 help="Never send faster than this, such as 20/s. Default: learn the tenant's limit."),
    _option("--deadline", type=Unit("duration", lambda text: units.duration(text, policy.DEADLINE)),
                 envvar="C1_RUNNER_DEADLINE", help="Start nothing new after this long, such as 30m."),
    _option("--attempts", type=_whole(policy.ATTEMPTS), envvar="C1_RUNNER_ATTEMPTS",
                 help="Attempts per target; throttling uses up none."),
    _option("--reason", type=Unit("reason", texts.line), metavar="TEXT", envvar="C1_RUNNER_REASON",
                 help="Why; kept with the run and shown in reports."),
)  # fmt: skip

_CHOICE = (
    _option("--no-preflight", is_flag=True, envvar="C1_RUNNER_NO_PREFLIGHT",
                 help="Do not read the state before: every target gets a request, also what is paused already."),
    _option("--no-verify", is_flag=True, envvar="C1_RUNNER_NO_VERIFY",
                 help="Do not read the state afterwards: a change rests on the tenant's word."),
    _option("--exclude", multiple=True, metavar="PATTERN", type=PATTERN,
                 help="Leave alone: a glob on app or connector names, an id, or APP/CONNECTOR. Repeatable."),
    _option("--exclude-kind", type=KIND,
                 help="Leave alone what is of this kind: mcp, the MCP servers, or connector, all others."),
    partial,
)  # fmt: skip


class Overrides(NamedTuple):
    """What the command line says about a job; None and False leave the job as it is."""

    concurrency: int | None = None
    rate: float | None = None
    deadline: float | None = None
    attempts: int | None = None
    no_preflight: bool = False
    no_verify: bool = False
    reason: str | None = None
    reports: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    exclude_kind: str | None = None
    partial: bool = False

    def apply(self, job: Job) -> Job:
        """The job with these in place of its own."""
        limits = {
            name: value for name in ("concurrency", "rate", "deadline") if (value := getattr(self, name)) is not None
        }
        return replace(
            job,
            limits=replace(job.limits, **limits),
            retry=replace(job.retry, attempts=self.attempts) if self.attempts else job.retry,
            preflight=job.preflight and not self.no_preflight,
            verify=job.verify and not self.no_verify,
            partial=job.partial or self.partial,
            reason=self.reason or job.reason,
            reports=self.reports or job.reports,
            exclude=(*job.exclude, *itertools.chain.from_iterable(map(_exclusions, self.exclude)), *self._kinds),
        )

    @property
    def _kinds(self) -> tuple[Exclusion, ...]:
        """An option of its own: any text of `--exclude` could be a name."""
        return () if self.exclude_kind is None else (Exclusion(kind=ConnectorKind(self.exclude_kind)),)


def _exclusions(text: str) -> tuple[Exclusion, ...]:
    """What an `--exclude` leaves alone: one pair, or every app and every connector that fits the pattern."""
    app_id, slash, connector_id = text.partition("/")
    if slash and is_id(app_id) and is_id(connector_id):
        return (Exclusion(target=Target(app_id, connector_id)),)
    return (Exclusion(app=text), Exclusion(connector=text))


class Manner(NamedTuple):
    """How a job is carried out and accounted for, apart from the job itself."""

    output_format: str
    state_dir: Path | None
    lock_wait: float
    quiet: bool
    verbose: int
    log_format: str
    progress: str
    include_anomalies: bool = False
    include_protected: bool = False


def manner(command: Callable[..., int]) -> Callable[..., int]:
    """The options of `Overrides` and of `Manner`; the command takes them as these two values."""
    return _with_manner(command, (reports, *_PACE, *_CHOICE, *_ACCOUNT, include_anomalies, include_protected))


def manner_of_undo(command: Callable[..., int]) -> Callable[..., int]:
    """The same, without what would have an undo touch other connectors than what was paused."""
    return _with_manner(command, (reports, *_PACE, *_ACCOUNT, include_anomalies_too))


def _with_manner(command: Callable[..., int], options: Sequence[Callable[..., Any]]) -> Callable[..., int]:
    @functools.wraps(command)
    def with_values(**given: Any) -> int:
        groups = [
            kind(**{name: given.pop(name) for name in kind._fields if name in given}) for kind in (Overrides, Manner)
        ]
        return command(*groups, **given)

    for option in reversed(options):
        with_values = option(with_values)
    return with_values


def ending(command: Callable[..., int]) -> Callable[..., int]:
    """--for and --until: when the pauses end by themselves; the command takes them as one `window`, or None."""

    @functools.wraps(command)
    def with_window(*args: Any, **given: Any) -> int:
        seconds, until = given.pop("window_for"), given.pop("window_until")
        if seconds is not None and until is not None:
            raise click.UsageError("--for and --until exclude each other")
        window = None if seconds is None and until is None else Window(seconds, until)
        return command(*args, window=window, **given)

    decorated: Callable[..., int] = with_window
    for option in reversed(_ENDING):
        decorated = option(decorated)
    return decorated


def _moment(text: str) -> str:
    units.moment(text, None, 0.0)
    return text


_ENDING = (
    click.option("--for", "window_for", type=Unit("duration", lambda text: units.duration(text, policy.WINDOW)),
                 help="How long the pauses last, such as 2h; `c1-runner expire` then ends them."),
    click.option("--until", "window_until", type=Unit("moment", _moment),
                 help="When the pauses end, such as 2026-12-01T02:00+01:00."),
)  # fmt: skip

sync_wait = _option(
    "--wait",
    "wait_for",
    type=click.Choice(["sync"]),
    help="Follow each sync that a resume starts until it is done, failed or anomalous.",
)
wait_timeout = _option(
    "--wait-timeout",
    type=Unit("duration", lambda text: units.duration(text, policy.DRAIN)),
    default="1h",
    show_default=True,
    help="With --wait: how long at most.",
)
resume_rate = _option(
    "--resume-rate",
    type=Unit("rate", lambda text: units.rate(text, policy.RATE)),
    envvar="C1_RUNNER_RESUME_RATE",
    help="Resumes per time, such as 2/s: each starts a sync. Default: 5/s.",
)


def verbosity(command: Decorated) -> Decorated:
    """How much is said on stderr."""
    for option in reversed(_VERBOSITY):
        command = option(command)
    return command


_VERBOSITY = (
    _option("-q", "--quiet", is_flag=True, envvar="C1_RUNNER_QUIET",
                 help="Print nothing unless something is wrong."),
    _option("-v", "--verbose", count=True, help="Log more on stderr; twice for each request."),
    _option("--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True,
                 envvar="C1_RUNNER_LOG_FORMAT", help="Log lines for people or for machines."),
    _option("--progress", type=click.Choice(["auto", "bar", "text", "json", "none"]), default="auto", show_default=True,
                 envvar="C1_RUNNER_PROGRESS",
                 help="auto: two lines that change on a terminal; else a line at the start, each minute, at the end."),
)  # fmt: skip

_ACCOUNT = (output_format, state_dir, lock_wait, *_VERBOSITY)
