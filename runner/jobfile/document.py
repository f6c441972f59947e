"""The format of job files: every key with its kind and its meaning, and the rules that span keys."""

from collections.abc import Callable

from runner.base import policy, units
from runner.base.model import OperationName, Selection, Window
from runner.base.policy import Bounds, LimitPolicy, RetryPolicy, Share, Timeouts
from runner.jobfile import texts
from runner.jobfile.compound import Key, ListOf, Section, Table
from runner.jobfile.pairs import PAIRS
from runner.jobfile.rules import KIND, PATTERNS, RULES
from runner.jobfile.scalars import Scalar, Value, choice, flag, measure, text, whole
from runner.jobfile.waves import Waves


def _version() -> Scalar[int]:
    def convert(written: Value) -> int:
        if written != 1 or isinstance(written, bool | float):
            given = written if isinstance(written, float) else units.shown(written)  # which would show 1.0 as 1
            raise ValueError(f"expected 1, the only version there is, not {given}")
        return 1

    return Scalar(convert, {"const": 1})


def _duration(bounds: Bounds, *examples: str) -> Scalar[float]:
    return measure(
        lambda written: units.duration(written, bounds),
        units.DURATION_PATTERN,
        *examples,
        minimum=bounds.low,
        maximum=bounds.high,
    )


def _rate() -> Scalar[float]:
    return measure(
        lambda written: units.rate(written, policy.RATE),
        units.RATE_PATTERN,
        "20/s",
        "600/m",
        minimum=policy.RATE.low,
        maximum=policy.RATE.high,
    )


def _share(convert: Callable[[units.Written], Share], least: int) -> Scalar[Share]:
    return measure(convert, units.SHARE_PATTERN, "10", "10%", multipleOf=1, minimum=least)


def _some(written: units.Written) -> Share:
    share = units.share(written)
    if share.value == 0:
        raise ValueError(f"must be more than 0, not {units.shown(written)}")
    return share


def _selection(section: Section) -> Selection:
    values = section.values
    if values.get("all") and len(section.places) > 1:
        others = ", ".join(key for key in section.places if key != "all")
        section.problem(f"selects everything already: take out {others}, or all", "all")
    if len(values) == len(section.places) and not any(values.values()):
        section.problem(
            "selects nothing: write `all: true`, or name apps, connectors, catalog_ids, status, owners or kind"
        )
    return Selection(**values)


def _window(section: Section) -> Window | None:
    values = section.values
    if ("for" in section.places) == ("until" in section.places):
        section.problem("say when it ends: `for` a time, or `until` a moment, and not both")
        return None
    if "time_zone" in section.places and "for" in section.places:
        section.problem("goes with `until`", "time_zone")
    window = Window(values.get("for"), values.get("until"), values.get("time_zone"))
    if window.until is not None and ("time_zone" in values or "time_zone" not in section.places):
        try:
            units.window_end(window, 0.0)
        except ValueError as error:
            section.problem(str(error), "until")
    return window


def _document(section: Section) -> Section:
    """The whole file, once the rules that span its keys have been looked at."""
    if "connectors" not in section.places and "select" not in section.places:
        section.problem("nothing is selected: add `connectors:` with a list of pairs, or `select:`")
    select = section.values.get("select")
    if "window" in section.places and section.values.get("operation") not in ("pause", None):
        section.problem("only a pause ends by itself: take it out, or make it `operation: pause`", "window")
    if select is not None and select.all and "reason" not in section.places:
        section.problem('`all: true` needs a reason: add `reason: "why"` to the job', "select")
    return section


_DEFAULT_LIMITS = LimitPolicy()
_DEFAULT_TIMEOUTS = Timeouts()
_DEFAULT_RETRY = RetryPolicy()
_STATUS = ListOf(text(texts.status, minLength=1, examples=["error"]), least=1, lenient=True)

_SELECT = Table(
    {
        "all": Key(flag(), "Every connector of the tenant; needs a reason."),
        "apps": Key(PATTERNS, "Apps: exact ids, or names as globs or /regular expressions/, in any case."),
        "connectors": Key(PATTERNS, "Connectors: exact ids, or names as globs or /regular expressions/, in any case."),
        "catalog_ids": Key(PATTERNS, "Kinds of connector, by the id of their catalog entry."),
        "status": Key(
            _STATUS,
            "Connectors in one of these states: active (not paused), paused or disabled, running, error, done, "
            "or one of C1's own, SYNC_STATUS_...",
        ),
        "owners": Key(PATTERNS, "Connectors that one of these people owns, by their user ids in C1."),
        "kind": Key(KIND, "Connectors of one kind: mcp, the MCP servers of the apps, or connector, all others."),
    },
    _selection,
    {"minProperties": 1},
)

_WINDOW = Table(
    {
        "for": Key(_duration(policy.WINDOW, "2h", "90m"), "How long it lasts, from the start of the run."),
        "until": Key(
            text(texts.line, minLength=1, maxLength=64, examples=["2026-12-01T02:00+01:00", "06:00"]),
            "The moment it ends: with an offset, or in `time_zone`; a time of day is the next one.",
        ),
        "time_zone": Key(
            text(texts.line, minLength=1, maxLength=64, examples=["Europe/Berlin"]),
            "The time zone of `until`, by its IANA name.",
        ),
    },
    _window,
    {"minProperties": 1},
)

_LIMITS = Table(
    {
        "concurrency": Key(
            whole(policy.CONCURRENCY),
            "Requests in flight at once.",
            json={"default": _DEFAULT_LIMITS.concurrency},
        ),
        "rate": Key(_rate(), "Requests per time; without it the tenant's limit is learned."),
        "resume_rate": Key(
            _rate(),
            "Resumes per time, of a resume or an undo: each starts a sync.",
            json={"default": f"{_DEFAULT_LIMITS.resume_rate:g}/s"},
        ),
        "max_targets": Key(
            _share(_some, least=1), "A larger plan is refused before anything is sent: a number, or per cent."
        ),
        "max_failures": Key(
            _share(units.share, least=0),
            "More failed or unknown targets than this stop the run: a number, or per cent.",
        ),
        "deadline": Key(
            _duration(policy.DEADLINE, "30m", "1h30m"), "How long the run may take; a bare number is seconds."
        ),
    },
    lambda section: LimitPolicy(**section.values),
)

_RETRY = Table(
    {
        "attempts": Key(
            whole(policy.ATTEMPTS),
            "Requests per target that may end badly; being told to wait does not count.",
            json={"default": _DEFAULT_RETRY.attempts},
        ),
        "outage": Key(
            _duration(policy.OUTAGE, "10m"),
            "How long the tenant may be out of reach before the run gives up.",
            json={"default": units.duration_text(_DEFAULT_RETRY.outage)},
        ),
    },
    lambda section: RetryPolicy(**section.values),
)

_TIMEOUTS = Table(
    {
        "connect": Key(
            _duration(policy.CONNECT_TIMEOUT, "10s"),
            "DNS, TCP and TLS of one request.",
            json={"default": units.duration_text(_DEFAULT_TIMEOUTS.connect)},
        ),
        "request": Key(
            _duration(policy.REQUEST_TIMEOUT, "30s"),
            "One request from start to end.",
            json={"default": units.duration_text(_DEFAULT_TIMEOUTS.request)},
        ),
    },
    lambda section: Timeouts(**section.values),
)

_PLACEHOLDERS = ", ".join(f"{{{each}}}" for each in texts.REPORT_PLACEHOLDERS)

DOCUMENT = Table(
    {
        "version": Key(_version(), "The version of this format.", required="version: 1"),
        "name": Key(
            text(texts.job_name, pattern=f"^{texts.NAME_PATTERN}$", examples=["hr-freeze"]),
            "What runs and reports are called; without it, the file's name.",
        ),
        "operation": Key(
            choice(*(each.value for each in OperationName)),
            "What is done to each connector.",
            required="operation: pause",
        ),
        "tenant": Key(
            text(texts.tenant, pattern=f"^({texts.TENANT_PATTERN})$", examples=["acme.conductor.one"]),
            "The only tenant this job may touch: its full host name.",
        ),
        "reason": Key(
            text(texts.line, minLength=1, maxLength=texts.LINE_LENGTH, examples=["CHG-1234 HR migration"]),
            "Why, for the reports; required with `select: {all: true}`.",
        ),
        "connectors": Key(PAIRS, "The connectors: pairs of app and connector id."),
        "select": Key(_SELECT, "Which of the tenant's connectors to take."),
        "exclude": Key(RULES, "What to leave alone, whatever selects it."),
        "protected": Key(
            RULES, "What to leave alone even where `connectors` names it, unless --include-protected is given."
        ),
        "allow_empty": Key(flag(), "Whether it is fine that nothing is selected.", json={"default": False}),
        "limits": Key(_LIMITS, "How much at once, how much in all, and how much may go wrong."),
        "waves": Key(
            Waves(_share(_some, least=1)),
            "How much is done after each wave, growing, such as [1, 10%, 100%]; max_failures is judged in between. "
            "After a number, the rest is one more wave.",
        ),
        "window": Key(_WINDOW, "When the pauses end by themselves: `c1-runner expire` resumes what is due."),
        "retry": Key(_RETRY, "When a request is sent again."),
        "timeouts": Key(_TIMEOUTS, "Bounds on one request."),
        "preflight": Key(flag(), "Read each connector before it is touched.", json={"default": True}),
        "verify": Key(flag(), "List the touched apps afterwards and confirm each change.", json={"default": True}),
        "report": Key(
            ListOf(text(texts.report_path, examples=["reports/{name}-{started}.json"]), lenient=True),
            f"Where reports go; the suffix is the format. Placeholders: {_PLACEHOLDERS}.",
        ),
    },
    _document,
    {
        "anyOf": [{"required": ["connectors"]}, {"required": ["select"]}],
        "if": {
            "required": ["select"],
            "properties": {"select": {"required": ["all"], "properties": {"all": {"const": True}}}},
        },
        "then": {"required": ["reason"]},
    },
)
"""The table that reads a whole job file."""
