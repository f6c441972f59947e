"""What the values of job files may not be: each refusal with its exact place and words."""

import pytest
import yaml

from runner import jobfile
from runner.base.errors import JobFileError
from runner.jobfile import source

HEAD = "version: 1\noperation: pause\n"
JOB = HEAD + "connectors: [a/b]\n"
A_HOST = "expected a full host name such as acme.conductor.one, not"
A_DURATION = "expected a duration such as 90s, 30m, 1h30m or 500ms, not"
A_NAME = (
    'expected at most 100 characters that can stand in a file name, without / \\ : * ? " < > | '
    "and without a dot at either end, not"
)
EMPTY = "is empty: give a value, or take the line out"
SUFFIXES = "must end in one of .json .ndjson .csv .xml .md .html: the suffix is the format"
Case = tuple[str, list[str]]

VALUES: dict[str, Case] = {
    "another version": (
        JOB.replace("1", "2", 1),
        ["1:10: version: expected 1, the only version there is, not 2"],
    ),
    "a version in quotes": (
        JOB.replace("1", "'1'", 1),
        ["1:10: version: expected 1, the only version there is, not '1'"],
    ),
    "a flag for a version": (
        JOB.replace("1", "true", 1),
        ["1:10: version: expected 1, the only version there is, not true"],
    ),
    "an unknown operation": (
        JOB.replace("pause", "puase"),
        ["2:12: operation: expected pause, resume or force_sync, not 'puase': did you mean 'pause'?"],
    ),
    "an operation that is a flag": (
        JOB.replace("pause", "true"),
        ['2:12: operation: expected text: quote it: "true"'],
    ),
    "a tenant that is an address": (
        JOB + "tenant: https://acme.conductor.one/\n",
        [f"4:9: tenant: {A_HOST} 'https://acme.conductor.one/': write acme.conductor.one"],
    ),
    "a tenant with a path": (
        JOB + "tenant: acme.conductor.one/x\n",
        [f"4:9: tenant: {A_HOST} 'acme.conductor.one/x': write acme.conductor.one"],
    ),
    "a bare tenant": (
        JOB + "tenant: acme\n",
        [f"4:9: tenant: {A_HOST} 'acme': write acme.conductor.one, or the host that your browser shows"],
    ),
    "a tenant with a port": (
        JOB + "tenant: acme.conductor.one:443\n",
        [f"4:9: tenant: {A_HOST} 'acme.conductor.one:443'"],
    ),
    "a tenant that is a number": (JOB + "tenant: 10.1\n", ['4:9: tenant: expected text: quote it: "10.1"']),
    "an empty tenant": (JOB + "tenant:\n", [f"4:8: tenant: {EMPTY}"]),
    "a name with a slash": (JOB + "name: hr/freeze\n", [f"4:7: name: {A_NAME} 'hr/freeze'"]),
    "a name that climbs": (JOB + "name: ..\n", [f"4:7: name: {A_NAME} '..'"]),
    "an empty name": (JOB + 'name: " "\n', ["4:7: name: must not be empty"]),
    "a name that is too long": (
        JOB + f"name: {'n' * 101}\n",
        [f"4:7: name: {A_NAME} {'n' * 57 + '...'!r}"],
    ),
    "a name with an escaped NUL": (
        JOB + 'name: "a\\0"\n',
        ["4:7: name: must be one line without control characters, found U+0000"],
    ),
    "a reason without end": (
        JOB + f"reason: {'r' * 501}\n",
        ["4:9: reason: must have at most 500 characters, not 501"],
    ),
    "a value without end": (
        JOB + f"tenant: {'a.' * 501}\n",
        ["4:9: tenant: must have at most 1000 characters, not 1002"],
    ),
    "a variable": (
        JOB + "reason: Change ${CHANGE}\n",
        ["4:9: reason: variables (${...}) are not filled in: write the value, or fill the file in beforehand"],
    ),
    "yes for a flag": (JOB + "verify: yes\n", ["4:9: verify: expected true or false, not 'yes'"]),
    "a number for a flag": (JOB + "preflight: 0\n", ["4:12: preflight: expected true or false, not 0"]),
    "a value for a section": (JOB + "limits: 10\n", ["4:9: limits: expected `key: value` lines, not '10'"]),
    "a window without an end": (
        JOB + "window: {}\n",
        ["4:9: window: say when it ends: `for` a time, or `until` a moment, and not both"],
    ),
    "a window with two ends": (
        JOB + "window: {for: 2h, until: 2026-12-01T02:00Z}\n",
        ["4:9: window: say when it ends: `for` a time, or `until` a moment, and not both"],
    ),
    "a window until a time nobody knows": (
        JOB + "window: {until: tomorrow}\n",
        ["4:10: window.until: expected a moment such as 2026-12-01T02:00+01:00, not 'tomorrow'"],
    ),
    "a window without a time zone": (
        JOB + "window: {until: 2026-12-01T02:00}\n",
        ["4:10: window.until: '2026-12-01T02:00' says no time zone: add an offset, such as +01:00 or Z"],
    ),
    "a window in no time zone": (
        JOB + 'window: {until: "05:00", time_zone: Berlin}\n',
        ["4:10: window.until: 'Berlin' is no time zone known here: expected one such as Europe/Berlin or UTC"],
    ),
    "a time zone for a duration": (
        JOB + "window: {for: 2h, time_zone: UTC}\n",
        ["4:19: window.time_zone: goes with `until`"],
    ),
    "a window that is too long": (
        JOB + "window: {for: 91d}\n",
        ["4:15: window.for: must be from 1s to 90d, not '91d'"],
    ),
    "a window for a resume": (
        "version: 1\noperation: resume\nconnectors: [a/b]\nwindow: {for: 2h}\n",
        ["4:1: window: only a pause ends by itself: take it out, or make it `operation: pause`"],
    ),
    "an empty section": (JOB + "limits:\n", ["4:8: limits: expected `key: value` lines, not nothing"]),
}

LIMITS: dict[str, Case] = {
    f"{key}: {written}": (JOB + f"{section}:\n  {key}: {written}\n", [f"5:{len(key) + 5}: {section}.{key}: {message}"])
    for section, key, written, message in [
        ("limits", "concurrency", "0", "must be from 1 to 200, not 0"),
        ("limits", "concurrency", "-1", "must be from 1 to 200, not -1"),
        ("limits", "concurrency", "10000", "must be from 1 to 200, not 10000"),
        ("limits", "concurrency", "ten", "expected a whole number from 1 to 200, not 'ten'"),
        ("limits", "concurrency", '"10"', "expected a whole number from 1 to 200, not '10'"),
        ("limits", "concurrency", "1.5", "expected a whole number from 1 to 200, not 1.5"),
        ("limits", "concurrency", "true", "expected a whole number from 1 to 200, not true"),
        ("limits", "concurrency", ".nan", "expected a whole number from 1 to 200, not '.nan'"),
        ("limits", "concurrency", "[1]", "expected one value, not a list"),
        ("limits", "concurrency", "9" * 400, "expected a whole number from 1 to 200, not inf"),
        ("limits", "rate", ".nan", "expected a rate such as 20/s, 600/m or 1000/h, not '.nan'"),
        ("limits", "rate", "-5", "expected a rate such as 20/s, 600/m or 1000/h, not -5"),
        ("limits", "rate", "0", "must be more than 0: nothing would ever be sent"),
        ("limits", "rate", "20000/s", "must be from 0.01/s to 10000/s, not '20000/s'"),
        ("limits", "max_targets", "0", "must be more than 0, not 0"),
        ("limits", "max_targets", "0%", "must be more than 0, not '0%'"),
        ("limits", "max_targets", "2.5", "expected a whole number or per cent, such as 10 or 10%, not 2.5"),
        ("limits", "max_failures", "101%", "must be at most 100%, not '101%'"),
        ("limits", "max_failures", "few", "expected a whole number or per cent, such as 10 or 10%, not 'few'"),
        ("limits", "deadline", "0", "must be from 1s to 7d, not 0"),
        ("limits", "deadline", "8d", "must be from 1s to 7d, not '8d'"),
        ("limits", "deadline", "1:30", f"{A_DURATION} '1:30'"),
        ("limits", "deadline", "true", f"{A_DURATION} true"),
        ("retry", "attempts", "21", "must be from 1 to 20, not 21"),
        ("retry", "outage", "29s", "must be from 30s to 1d, not '29s'"),
        ("retry", "outage", "25h", "must be from 30s to 1d, not '25h'"),
        ("retry", "outage", "long", f"{A_DURATION} 'long'"),
        ("timeouts", "connect", "3m", "must be from 0.1s to 2m, not '3m'"),
        ("timeouts", "request", "1ms", "must be from 0.1s to 10m, not '1ms'"),
        ("timeouts", "request", "-30s", f"{A_DURATION} '-30s'"),
    ]
}

SELECTIONS: dict[str, Case] = {
    "all without a reason": (
        HEAD + "select: {all: true}\n",
        ['3:1: select: `all: true` needs a reason: add `reason: "why"` to the job'],
    ),
    "all and more": (
        HEAD + "reason: why\nselect: {all: true, apps: [HR]}\n",
        ["4:10: select.all: selects everything already: take out apps, or all"],
    ),
    **{
        f"select: {written}": (
            HEAD + f"select: {written}\n",
            [
                "3:9: select: selects nothing: "
                "write `all: true`, or name apps, connectors, catalog_ids, status, owners or kind"
            ],
        )
        for written in ("{}", "{all: false}")
    },
    "an empty list of apps": (HEAD + "select: {apps: []}\n", ["3:16: select.apps: the list is empty"]),
    "a number for an app": (
        HEAD + "select: {apps: [12]}\n",
        ['3:17: select.apps: expected text: quote it: "12"'],
    ),
    "a broken regular expression": (
        HEAD + "select: {connectors: ['/(/']}\n",
        ["3:23: select.connectors: '/(/' is not a regular expression: missing ): ("],
    ),
    "a regular expression that is too long": (
        HEAD + f"select:\n  apps:\n  - /{'x' * 201}/\n",
        ["5:5: select.apps: a regular expression must have at most 200 characters, not 201"],
    ),
    "a regular expression that looks ahead": (
        HEAD + "select: {apps: [HR, '/^(?!prod)/']}\n",
        ["3:21: select.apps: '/^(?!prod)/' is not a regular expression: invalid perl operator: (?!"],
    ),
    "an empty regular expression": (
        JOB + "exclude: [{app: //}]\n",
        ["4:17: exclude.app: the regular expression is empty: write * for everything"],
    ),
    "a regular expression with flags": (
        JOB + "exclude: [{app: /prod/i}]\n",
        ["4:17: exclude.app: '/prod/i' begins like a regular expression and must end with / (case never matters)"],
    ),
    "an unknown status": (
        HEAD + "select: {status: [error, pausd]}\n",
        [
            "3:26: select.status: expected active, running, paused, error, done, disabled, or one of C1's own "
            "such as SYNC_STATUS_ERROR, not 'pausd': did you mean 'paused'?"
        ],
    ),
    "a protected bare name": (
        JOB + "protected: [Payroll]\n",
        [
            "4:13: protected: expected APP/CONNECTOR, or {app: NAME}, {connector: NAME}, {kind: mcp} "
            "or several in one, not 'Payroll'"
        ],
    ),
    "a broken regular expression under protected": (
        JOB + "protected:\n- {connector: '/[/'}\n",
        ["5:15: protected.connector: '/[/' is not a regular expression: missing ]: ["],
    ),
    "a word for allow_empty": (
        JOB + "allow_empty: yes\n",
        ["4:14: allow_empty: expected true or false, not 'yes'"],
    ),
    "an exclusion that is a bare name": (
        JOB + "exclude: [Payroll]\n",
        [
            "4:11: exclude: expected APP/CONNECTOR, or {app: NAME}, {connector: NAME}, {kind: mcp} "
            "or several in one, not 'Payroll'"
        ],
    ),
    "an empty exclusion": (JOB + "exclude: [{}]\n", ["4:11: exclude: give app, connector, kind or several of them"]),
    "an exclusion twice": (
        JOB + "exclude:\n- {app: HR}\n- a/b\n- {app: HR}\n",
        ["7:3: exclude: the same as on line 5: keep one"],
    ),
    "an unknown key in an exclusion": (
        JOB + "exclude: [{apps: HR}]\n",
        [
            "4:11: exclude: give app, connector, kind or several of them",
            "4:12: exclude: unknown key 'apps': did you mean 'app'?",
        ],
    ),
}

REPORTS: dict[str, Case] = {
    "an unknown suffix": (JOB + "report: out.pdf\n", [f"4:9: report: 'out.pdf' {SUFFIXES}"]),
    "no suffix": (JOB + 'report: "reports/{name}"\n', [f"4:9: report: 'reports/{{name}}' {SUFFIXES}"]),
    "an unknown placeholder": (
        JOB + 'report: "{start}.json"\n',
        ["4:9: report: unknown placeholder {start}: did you mean 'started'?"],
    ),
    "a placeholder unlike any other": (
        JOB + 'report: "{}.json"\n',
        ["4:9: report: unknown placeholder {}: known are {name}, {started}, {run_id}, {operation}, {tenant}"],
    ),
    "a placeholder with a format": (
        JOB + 'report: "{name!r:>8}.json"\n',
        ["4:9: report: unknown placeholder {name!r:>8}: did you mean 'name'?"],
    ),
    "half a placeholder": (
        JOB + "report: ['x.json', 'a{.csv']\n",
        ["4:20: report: 'a{.csv' has a brace without its partner"],
    ),
    "doubled braces": (
        JOB + "report: '{{name}}.json'\n",
        ["4:9: report: '{{name}}.json' has a brace without its partner"],
    ),
    "a report twice": (
        JOB + "report: [a.csv, a.csv]\n",
        ["4:17: report: the same as on line 4: keep one"],
    ),
}

WAVES: dict[str, Case] = {
    f"waves: {written}": (JOB + f"waves: {written}\n", [f"4:{column}: waves: {message}"])
    for written, column, message in [
        ("100%", 8, "expected a list such as [1, 10%, 100%], not '100%'"),
        ("[]", 8, "the list is empty"),
        ("[1, 50%]", 12, "the last wave must be 100% or a number, not '50%'"),
        ("[5, 10%, 5, 100%]", 17, "must grow: 5 comes after 5"),
        ("[20%, 10%, 100%]", 14, "must grow: 10% comes after 20%"),
        ("[100%, 500]", 15, "500 cannot follow 100%, which is everything"),
        ("[0, 100%]", 9, "must be more than 0, not 0"),
        ("[1, few]", 12, "expected a whole number or per cent, such as 10 or 10%, not 'few'"),
        ("[101%]", 9, "must be at most 100%, not '101%'"),
        ("[[1], 2]", 9, "expected one value, not a list"),
        (f"[{', '.join(map(str, range(1, 22)))}]", 80, "expected at most 20 entries"),
    ]
}

CASES = {**VALUES, **LIMITS, **SELECTIONS, **REPORTS, **WAVES}


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES.keys())
@pytest.mark.parametrize("parser", [yaml.CSafeLoader, yaml.SafeLoader])
def test_what_a_value_may_not_be(
    text: str, expected: list[str], parser: type[yaml.SafeLoader], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "_Parser", parser)
    with pytest.raises(JobFileError) as caught:
        jobfile.loads(text.encode(), "job.yaml")
    assert str(caught.value).splitlines() == [f"job.yaml:{line}" for line in expected]
