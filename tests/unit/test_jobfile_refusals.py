"""What job files may not say: files, keys and pairs, each refusal with its exact place and words."""

import pytest
import yaml

from runner import jobfile
from runner.base.errors import ExitCode, JobFileError
from runner.jobfile import source

HEAD = "version: 1\noperation: pause\n"
JOB = HEAD + "connectors: [a/b]\n"
AN_ID = "expected an id of 1 to 64 letters, digits, - and _, not"
A_PAIR = "expected APP/CONNECTOR, two ids of letters, digits, - and _, not"
EMPTY = "is empty: give a value, or take the line out"
NO_CREDENTIALS = (
    "credentials never stand in a job file: set CONDUCTORONE_CLIENT_ID and CONDUCTORONE_CLIENT_SECRET "
    "(or CONDUCTORONE_CLIENT_SECRET_FILE), or CONDUCTORONE_ACCESS_TOKEN, in the environment"
)
NOT_TEXT = "not every reader of YAML takes this for text: quote it:"
Case = tuple[str | bytes, list[str]]

FILES: dict[str, Case] = {
    "an empty file": ("", ["1:1: the file is empty: `c1-runner init` writes one to begin with"]),
    "comments alone": ("# soon\n", ["2:1: the file is empty: `c1-runner init` writes one to begin with"]),
    "null": ("null\n", ["1:1: a job file: expected `key: value` lines, not 'null'"]),
    "an empty document": ("---\n", ["2:1: a job file: expected `key: value` lines, not nothing"]),
    "a list at the top": ("- a/b\n", ["1:1: a job file: expected `key: value` lines, not a list"]),
    "two documents": (JOB + "---\n" + JOB, ["4:1: a second document begins here: one file holds one job"]),
    "an anchor": (
        HEAD + "connectors: &all [a/b]\n",
        ["3:13: anchors such as '&all' are not supported: take it out"],
    ),
    "an alias": (
        JOB + "exclude: *all\n",
        ["4:10: aliases such as '*all' are not supported: write the value"],
    ),
    "an alias as a key": (JOB + "*all : x\n", ["4:1: aliases such as '*all' are not supported: write the value"]),
    "a tag": (
        JOB + "name: !!python/object/apply:os.system [id]\n",
        [
            "4:7: name: expected one value, not a list",
            "4:7: tags such as 'tag:yaml.org,2002:python/object/apply:os.system' are not supported: take it out",
        ],
    ),
    "a merge key": (
        JOB + "<<: {name: x}\n",
        ["4:1: merge keys (<<) are not supported: write the keys out"],
    ),
    "a list as a key": (JOB + "[a, b]: x\n", ["4:1: a key must be one word, not a list"]),
    "a mapping as a key": (JOB + "? {a: b}\n: x\n", ["4:3: a key must be one word, not `key: value` lines"]),
    "UTF-16": (JOB.encode("utf-16"), ["1:1: the file is UTF-16 or UTF-32: save it as UTF-8"]),
    "UTF-16 without its mark": (
        JOB.encode("utf-16-le"),
        ["1:1: the file is UTF-16 or UTF-32: save it as UTF-8"],
    ),
    "Latin-1": (
        JOB.encode() + "# ok\nname: Zürich\n".encode("latin-1"),
        ["5:8: byte 0xfc is not UTF-8: save the file as UTF-8"],
    ),
    "a control character": (
        JOB + "name: a\x07b\n",
        ["4:8: the character U+0007 cannot stand in YAML: take it out"],
    ),
    "a control character after a byte order mark": (
        b"\xef\xbb\xbf# \x07\n" + JOB.encode(),
        ["1:3: the character U+0007 cannot stand in YAML: take it out"],
    ),
    "a NUL": (JOB + "name: a\x00b\n", ["4:8: the character U+0000 cannot stand in YAML: take it out"]),
}

SYNTAX: dict[str, Case] = {
    "a tab": (HEAD + "connectors:\n\t- a/b\n", ["4:1: a tab cannot indent YAML: use spaces"]),
    "a tab after spaces": (HEAD + "connectors:\n  \t- a/b\n", ["4:3: a tab cannot indent YAML: use spaces"]),
    "a tab behind a hyphen": (HEAD + "connectors:\n-\ta/b\n", ["4:2: a tab cannot stand here in YAML: use a space"]),
    "a tab behind a hyphen and a space": (
        HEAD + "connectors:\n  - \ta/b\n",
        ["4:5: a tab cannot stand here in YAML: use a space"],
    ),
    "a colon in a value": (
        JOB + "reason: CHG: why\n",
        [
            "4:12: not valid YAML: mapping values are not allowed in this context: "
            "check the indentation, or put a value that holds `: ` in quotes"
        ],
    ),
    "a value that begins with a sign": (
        JOB + "name: @home\n",
        [
            "4:7: not valid YAML: while scanning for the next token found character that cannot start any token: "
            "put the value in quotes"
        ],
    ),
    "braces without quotes in a list": (
        JOB + "report: [{name}.csv]\n",
        [
            "4:10: report: expected one value, not `key: value` lines",
            "4:16: not valid YAML: while parsing a flow sequence did not find expected ',' or ']': "
            "put values that hold brackets, braces or commas in quotes",
        ],
    ),
    "a list without an end": (
        HEAD + "connectors: [a/b",
        [
            "4:1: not valid YAML: while parsing a flow sequence did not find expected ',' or ']': "
            "put values that hold brackets, braces or commas in quotes"
        ],
    ),
}

KEYS: dict[str, Case] = {
    "an unknown key": (
        JOB + "conectors: [c/d]\n",
        ["4:1: unknown key 'conectors': did you mean 'connectors'?"],
    ),
    "a key unlike any other": (
        JOB + "retry: {zzz: 1}\n",
        ["4:9: retry: unknown key 'zzz': known here are attempts, outage"],
    ),
    "a key in the wrong place": (
        JOB + "concurrency: 5\n",
        ["4:1: unknown key 'concurrency': did you mean limits.concurrency?"],
    ),
    "a key in capitals": (JOB + "Name: x\n", ["4:1: unknown key 'Name': did you mean 'name'?"]),
    "a credential": (JOB + "client_secret: hush\n", [f"4:1: 'client_secret': {NO_CREDENTIALS}"]),
    "a token in a section": (
        JOB + "limits: {access_token: hush}\n",
        [f"4:10: limits: 'access_token': {NO_CREDENTIALS}"],
    ),
    "a duplicate key": (JOB + "operation: pause\n", ["4:1: operation: the same key as on line 2: keep one"]),
    "a duplicate key in a section": (
        JOB + "retry:\n  attempts: 2\n  attempts: 3\n",
        ["6:3: retry.attempts: the same key as on line 5: keep one"],
    ),
    "no version": (
        "operation: pause\nconnectors: [a/b]\n",
        ["1:1: version is missing: add `version: 1`"],
    ),
    "no operation": ("version: 1\nconnectors: [a/b]\n", ["1:1: operation is missing: add `operation: pause`"]),
    "nothing selected": (
        HEAD,
        ["1:1: nothing is selected: add `connectors:` with a list of pairs, or `select:`"],
    ),
}

PAIRS: dict[str, Case] = {
    **{
        f"{written} as an id": (
            HEAD + f"connectors:\n  - app_id: {written}\n    connector_id: b\n",
            [f'4:13: connectors.app_id: {NOT_TEXT} "{written}"'],
        )
        for written in ["0123", "no", "On", "1:30", "1e3", "1_000", "2026-11-23", "0x1F", "0o17", ".inf", "y"]
    },
    "a number as an id": (
        HEAD + "connectors: [{app_id: 123, connector_id: 1.50}]\n",
        [
            '3:23: connectors.app_id: expected text: quote it: "123"',
            '3:42: connectors.connector_id: expected text: quote it: "1.50"',
        ],
    ),
    "true as an id": (
        HEAD + "connectors: [{app_id: true, connector_id: b}]\n",
        ['3:23: connectors.app_id: expected text: quote it: "true"'],
    ),
    "null as an id": (
        HEAD + "connectors: [{app_id: ~, connector_id: null}]\n",
        [f"3:23: connectors.app_id: {EMPTY}", f"3:40: connectors.connector_id: {EMPTY}"],
    ),
    **{
        f"{text!r} as an id": (
            HEAD + f'connectors: [{{app_id: "{written}", connector_id: b}}]\n',
            [f"3:23: connectors.app_id: {AN_ID} {shown}"],
        )
        for text, written, shown in [
            ("a/b", "a/b", "'a/b'"),
            ("..", "..", "'..'"),
            ("%2e", "%2e", "'%2e'"),
            ("a b", "a b", "'a b'"),
            ("empty", "", "''"),
            ("NUL", "a\\0", r"'a\x00'"),
            ("bidi", "a\\u202e", r"'a\u202e'"),
            ("newline", "a\\n", r"'a\n'"),
            ("non-ASCII", "é", "'é'"),
            ("long", "a" * 65, repr("a" * 57 + "...")),
        ]
    },
    "a connector without its app": (
        HEAD + "connectors: [{connector_id: b}]\n",
        ["3:14: connectors: app_id is missing: add `app_id: 2aXkP`"],
    ),
    "a typing slip in a pair": (
        HEAD + "connectors: [{app: a, connector_id: b}]\n",
        [
            "3:14: connectors: app_id is missing: add `app_id: 2aXkP`",
            "3:15: connectors: unknown key 'app': did you mean 'app_id'?",
        ],
    ),
    "half a short form": (HEAD + "connectors: [abc]\n", [f"3:14: connectors: {A_PAIR} 'abc'"]),
    "a short form of three": (HEAD + "connectors: [a/b/c]\n", [f"3:14: connectors: {A_PAIR} 'a/b/c'"]),
    "a number for a pair": (HEAD + "connectors: [12]\n", ['3:14: connectors: expected text: quote it: "12"']),
    "an empty entry": (HEAD + "connectors:\n  -\n", [f"4:4: connectors: {EMPTY}"]),
    "a list in the list": (
        HEAD + "connectors: [[a, b]]\n",
        ["3:14: connectors: expected `key: value` lines, not a list"],
    ),
    "a mapping instead of the list": (
        HEAD + "connectors: {a: b}\n",
        ["3:13: connectors: expected a list, not `key: value` lines"],
    ),
    "no list": (HEAD + "connectors:\n", ["3:12: connectors: expected a list, not nothing"]),
    "an empty list": (HEAD + "connectors: []\n", ["3:13: connectors: the list is empty"]),
    "a pair twice": (
        HEAD + "connectors:\n- a/b\n- a/c\n- {app_id: a, connector_id: b, name: again}\n",
        ["6:3: connectors: the same as on line 4: keep one"],
    ),
    "a label of two lines": (
        HEAD + 'connectors: [{app_id: a, connector_id: b, name: "x\\ny"}]\n',
        ["3:49: connectors.name: must be one line without control characters, found U+000A"],
    ),
}

ANY_PARSER = {**FILES, **KEYS, **PAIRS}


def refusal(text: str | bytes) -> list[str]:
    with pytest.raises(JobFileError) as caught:
        jobfile.loads(text if isinstance(text, bytes) else text.encode(), "job.yaml")
    assert caught.value.exit_code is ExitCode.USAGE
    return [line.removeprefix("job.yaml:") for line in str(caught.value).splitlines()]


@pytest.mark.parametrize(("text", "expected"), (ANY_PARSER | SYNTAX).values(), ids=(ANY_PARSER | SYNTAX).keys())
def test_what_a_job_file_may_not_say(text: str | bytes, expected: list[str]) -> None:
    assert refusal(text) == expected


@pytest.mark.parametrize(("text", "expected"), ANY_PARSER.values(), ids=ANY_PARSER.keys())
def test_the_refusals_do_not_depend_on_libyaml(
    text: str | bytes, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "_Parser", yaml.SafeLoader)
    assert refusal(text) == expected


@pytest.mark.parametrize("text", [case[0] for case in SYNTAX.values()], ids=SYNTAX.keys())
def test_without_libyaml_broken_syntax_has_its_line_too(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "_Parser", yaml.SafeLoader)
    assert any("YAML" in line for line in refusal(text))


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
@pytest.mark.parametrize("parser", [yaml.CSafeLoader, yaml.SafeLoader])
def test_deep_nesting_is_refused_without_recursion(
    opening: str, parser: type[yaml.SafeLoader], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "_Parser", parser)
    assert any("nested more than 32 levels deep" in line for line in refusal(opening * 2000))


def test_an_alias_bomb_does_not_go_off() -> None:
    bomb = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 40))
    lines = refusal(JOB + bomb)
    assert len(lines) == source.MAX_PROBLEMS + 1
    assert lines[-1].endswith("too many problems: reading ended here")


def test_a_secret_is_not_repeated_in_the_message() -> None:
    assert "hush" not in "".join(refusal(JOB + "client_secret: hush\nlimits: {token: hush}\n"))


def test_everything_wrong_is_said_at_once_and_in_order() -> None:
    text = (
        "version: 1\n"
        "operation: stop\n"
        "connectors:\n"
        "  - {app_id: 0123, connector_id: b}\n"
        "  - a/b\n"
        "  - a/b\n"
        "limits: {rate: fast, concurrency: 0}\n"
        "reprot: x.json\n"
    )
    assert [line.split(" ")[0] for line in refusal(text)] == ["2:12:", "4:14:", "6:5:", "7:16:", "7:35:", "8:1:"]
