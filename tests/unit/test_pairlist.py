"""Pairs from other programs: lines, CSV and NDJSON say the same, and every bad line is named."""

import csv
import io
import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.base.errors import JobFileError
from runner.base.model import Target, is_id
from runner.jobfile.pairlist import pair, parse

IDS = st.text(string.ascii_letters + string.digits + "_-", min_size=1, max_size=64)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40).filter(lambda name: name.strip())
PAIRS = st.lists(st.tuples(IDS, IDS), max_size=20)
TRICKY = st.text("\"',; \tab", min_size=1, max_size=12).filter(lambda name: name.strip())  # what CSV readers trip over
NAMED = st.lists(st.tuples(IDS, IDS, NAMES | TRICKY), min_size=1, max_size=20)
ANY_LINE = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def parsed(text: str) -> list[tuple[str, str]]:
    return [target[:2] for target in parse(text.encode(), "list")]


def once(rows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return list(dict.fromkeys(rows))


def as_csv(header: list[str], rows: list[tuple[str, ...]], delimiter: str = ",") -> str:
    written = io.StringIO()
    csv.writer(written, delimiter=delimiter).writerows([header, *rows])
    return written.getvalue()


def problems(text: str | bytes) -> list[tuple[int, str]]:
    with pytest.raises(JobFileError) as caught:
        parse(text if isinstance(text, bytes) else text.encode(), "list")
    assert all(line.startswith("list:") for line in str(caught.value).splitlines())
    return [(problem.line, problem.message) for problem in caught.value.problems]


# One pair


@pytest.mark.parametrize("text", ["a/b", " a/b\n", "2aXkP/2bYmQ", "-a/_b", "a" * 64 + "/" + "b" * 64])
def test_a_pair_is_two_ids_and_a_slash(text: str) -> None:
    assert str(pair(text)) == text.strip()


@pytest.mark.parametrize("text", ["", "/", "a", "a/", "/b", "a/b/c", "a b/c", "ä/b", "a/..", "a" * 65 + "/b", "a\n/b"])
def test_anything_else_is_refused_in_words_for_people(text: str) -> None:
    with pytest.raises(ValueError, match="is no APP/CONNECTOR pair of ids"):
        pair(text)


@given(ANY_LINE)
def test_whatever_is_taken_for_a_pair_is_made_of_ids(text: str) -> None:
    try:
        target = pair(text)
    except ValueError:
        return
    assert is_id(target.app_id)
    assert is_id(target.connector_id)


# A list, whatever its form


@given(PAIRS)
def test_lines_give_the_pairs_in_order_each_once(rows: list[tuple[str, str]]) -> None:
    text = "".join(f"{app}/{connector}\n" for app, connector in [*rows, *rows])

    assert parsed(text) == once(rows)


@given(PAIRS.filter(bool))
def test_csv_gives_the_pairs_in_order_each_once(rows: list[tuple[str, str]]) -> None:
    assert parsed(as_csv(["app_id", "connector_id"], [*rows, *rows])) == once(rows)


@given(PAIRS)
def test_ndjson_gives_the_pairs_in_order_each_once(rows: list[tuple[str, str]]) -> None:
    text = "".join(json.dumps({"app_id": app, "connector_id": connector}) + "\n" for app, connector in rows)

    assert parsed(text) == once(rows)


@given(NAMED, st.sampled_from(",;\t"), st.permutations(["app_id", "connector_id", "name"]))
def test_names_in_a_spreadsheet_never_shift_the_ids(
    rows: list[tuple[str, str, str]], delimiter: str, order: list[str]
) -> None:
    values = [dict(zip(("app_id", "connector_id", "name"), row, strict=True)) for row in rows]
    text = as_csv(order, [tuple(value[column] for column in order) for value in values], delimiter)

    assert parsed(text) == once([row[:2] for row in rows])


@pytest.mark.parametrize("name", ['say "hi, there"', "'q', 'r'", "a;b;c;d", "two\nlines"])
@pytest.mark.parametrize("order", [["name", "app_id", "connector_id"], ["app_id", "name", "connector_id"]])
def test_an_odd_name_far_down_in_a_spreadsheet_shifts_no_ids(name: str, order: list[str]) -> None:
    rows = [{"name": "plain", "app_id": f"a{number}", "connector_id": "b"} for number in range(1000)]
    rows.append({"name": name, "app_id": "last", "connector_id": "one"})

    assert parsed(as_csv(order, [tuple(row[column] for column in order) for row in rows]))[-1] == ("last", "one")


@given(NAMED, st.booleans())
def test_names_in_json_never_break_a_line(rows: list[tuple[str, str, str]], ascii_only: bool) -> None:
    text = "".join(
        json.dumps({"name": name, "app_id": app, "connector_id": connector}, ensure_ascii=ascii_only) + "\n"
        for app, connector, name in rows
    )

    assert parsed(text) == once([row[:2] for row in rows])


@given(st.one_of(st.binary(max_size=200), ANY_LINE.map(str.encode), st.lists(ANY_LINE).map("\n".join).map(str.encode)))
def test_any_bytes_are_pairs_or_a_list_of_problems(data: bytes) -> None:
    try:
        targets = parse(data, "list")
    except JobFileError:
        return
    assert all(is_id(target.app_id) and is_id(target.connector_id) for target in targets)


def test_nothing_is_an_empty_list() -> None:
    assert parse(b"", "list") == []
    assert parse(b"\n \n# none today\n", "list") == []


# Lines


def test_blank_lines_and_comments_do_not_count_but_keep_their_number() -> None:
    assert parsed("# hr\n\n  a/b  \n#c/d\ne/f") == [("a", "b"), ("e", "f")]
    assert problems("# hr\n\na/b\nwrong\n")[0][0] == 4


def test_every_bad_line_is_named_up_to_a_hundred() -> None:
    assert [line for line, _ in problems("a/b\nx\nc/d\ny\n")] == [2, 4]
    assert len(problems("x\n" * 5000)) == 100


def test_line_ends_of_other_systems_are_line_ends() -> None:
    assert parsed("a/b\r\nc/d\r\n") == [("a", "b"), ("c", "d")]


def test_a_byte_order_mark_is_no_part_of_an_id() -> None:
    assert [str(target) for target in parse(b"\xef\xbb\xbfa/b\n", "list")] == ["a/b"]
    assert [str(target) for target in parse(b"\xef\xbb\xbfapp_id,connector_id\na,b\n", "list")] == ["a/b"]


@pytest.mark.parametrize("data", [b"\xff\xfea\x00/", b"a/b\n\xe4/b\n"], ids=["half of utf-16", "latin-1"])
def test_text_in_another_encoding_is_refused_with_the_way_out(data: bytes) -> None:
    assert problems(data) == [(1, "not UTF-8 text: save it as UTF-8, which spreadsheets call CSV UTF-8")]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("text", ["a/b|c/d|", "app_id;connector_id|a;b|c;d|", "sep=,|app_id,connector_id|a,b|c,d|"])
def test_what_spreadsheets_save_can_be_read_whatever_they_begin_and_end_lines_with(
    encoding: str, end: str, text: str
) -> None:
    targets = parse(text.replace("|", end).encode(encoding), "list")

    assert [str(target) for target in targets] == ["a/b", "c/d"]


def test_a_comment_may_stand_behind_a_pair() -> None:
    assert parsed('{"app_id": "a", "connector_id": "b"} # Okta\n"c/d" # "e/f"\n') == [("a", "b"), ("c", "d")]
    assert parsed("a/b  # Okta\nc/d\t#x\n") == [("a", "b"), ("c", "d")]


COMMENTS = ["# a/b", "#", "  # x/y, and z", "\t# x,y", '# he said "never', "#{", '# "a/b"', "# app_id,connector_id"]
FORMS = {
    "lines": ["a/b", "c/d"],
    "a spreadsheet": ["app_id,connector_id,name", 'a,b,"Okta"', "c,d,"],
    "a spreadsheet with a separator": ["sep=;", "app_id;connector_id", "a;b", "c;d"],
    "JSON lines": ['{"app_id": "a", "connector_id": "b"}', '"c/d"'],
    "a list over several lines": ["[", '{"app_id": "a",', '"connector_id": "b"},', '"c/d"', "]"],
}


@pytest.mark.parametrize("lines", FORMS.values(), ids=FORMS.keys())
@pytest.mark.parametrize("comment", COMMENTS)
def test_a_line_that_is_a_comment_counts_nowhere(lines: list[str], comment: str) -> None:
    for place in range(len(lines) + 1):
        assert parsed("\n".join([*lines[:place], comment, *lines[place:]]) + "\n") == [("a", "b"), ("c", "d")]


@pytest.mark.parametrize("comment", ["# Okta, EU", "# x;y", '# "', "\t# {"])
def test_a_comment_behind_the_first_pair_does_not_make_it_a_spreadsheet(comment: str) -> None:
    assert parsed(f"a/b {comment}\nc/d\n") == [("a", "b"), ("c", "d")]


def test_what_looks_like_a_comment_within_a_quoted_cell_is_a_part_of_it() -> None:
    assert parse(b'app_id,connector_id,name\na,b,"x\n# y"\n', "list") == [Target("a", "b", "x\n# y")]


def test_comments_do_not_shift_the_lines_of_what_is_wrong() -> None:
    assert [line for line, _ in problems('# "x\napp_id,connector_id\n  # y\na\n')] == [4]
    assert [line for line, _ in problems('# x\n{\n # y\n"app_id": "a"}\n# z\n{nope\n')] == [2, 6]


# CSV


@pytest.mark.parametrize(
    "header",
    [
        *("app_id,connector_id", "appId,connectorId", "app,connector", "appId,id", " app_id , connector_id "),
        *("App ID,Connector ID", "APP_ID,CONNECTOR-ID", '"App","Connector"'),
    ],
)
def test_the_columns_go_by_the_names_that_others_use(header: str) -> None:
    assert parsed(f"{header}\na,b\n") == [("a", "b")]


def test_the_name_of_a_spreadsheet_becomes_the_label() -> None:
    assert parse(b"app_id,connector_id,connector_name\na,b,Okta\nc,d,\n", "list") == [
        Target("a", "b", "Okta"),
        Target("c", "d"),
    ]


def test_columns_that_mean_nothing_are_ignored() -> None:
    assert parsed("state,connector_id,app_name,app_id,\nactive,b,HR,a,x,y\n") == [("a", "b")]


def test_a_spreadsheet_without_the_columns_is_refused_by_its_header() -> None:
    [(line, message)] = problems("name,owner\na,b\n")
    assert line == 1
    assert "app_id" in message
    assert "connector_id" in message


def test_a_row_that_lacks_an_id_is_named_by_its_line() -> None:
    assert [line for line, _ in problems("app_id,connector_id\na,b\nc\n,d\n")] == [3, 4]


def test_comments_and_blank_lines_are_allowed_above_and_between_the_rows_of_a_spreadsheet() -> None:
    assert parsed("# from the inventory\napp_id,connector_id\na,b\n\n# later\nc,d\n") == [("a", "b"), ("c", "d")]


def test_a_quote_that_never_ends_is_a_problem_of_the_list() -> None:
    text = 'app_id,connector_id,name\na,b,"' + "x,y\n" * 50_000
    assert len(problems(text)) == 1


def test_no_later_row_is_lost_in_a_quote_that_is_never_closed() -> None:
    assert problems('app_id,connector_id,name\na,b,"x\nc,d,y\n') == [(3, "not CSV: unexpected end of data")]


def test_rows_that_spreadsheets_leave_blank_do_not_count() -> None:
    assert parsed("app_id,connector_id,name\na,b,x\n,,\n , ,\nc,d,y\n,,\n") == [("a", "b"), ("c", "d")]


@pytest.mark.parametrize("header", ["app_id,connector_id,connector,id,app", "id,app,connector,connector_id,app_id"])
def test_an_empty_cell_is_not_made_up_for_from_another_column(header: str) -> None:
    values = {"app_id": "a", "connector_id": "", "connector": "name", "id": "7", "app": "Okta"}
    row = ",".join(values[name] for name in header.split(","))

    assert problems(f"{header}\n{row}\n") == [(2, "no connector id in this row (letters, digits, _ and -, at most 64)")]
    assert problems(json.dumps(values)) == [(1, "no connector id in this row (letters, digits, _ and -, at most 64)")]


@pytest.mark.parametrize("header", ["app_id,App ID,connector_id", "connector_id,app,app,connector_id"])
def test_two_columns_that_mean_the_same_are_refused(header: str) -> None:
    assert "keep one" in problems(f"{header}\na,b,c,d\n")[0][1]


def test_one_column_is_no_spreadsheet() -> None:
    assert problems("app_id\na\n")[0][0] == 1


# JSON


ROWS = [{"app_id": "a", "connector_id": "b"}, {"app_id": "c", "connector_id": "d"}]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(ROWS),
        json.dumps(ROWS, indent=1),
        "\n".join(json.dumps(row, indent=2) for row in ROWS),
        " ".join(map(json.dumps, ROWS)),
        json.dumps({"list": [{"connector": {"appId": "a", "id": "b"}}, ROWS[1]], "nextPageToken": ""}),
        json.dumps({"schema": "c1-runner/report/1", "results": ROWS}),
        '{"type": "run", "schema": "c1-runner/report/1"}\n' + "\n".join(map(json.dumps, ROWS)),
        '"a/b"\n"c/d"\n',
        '["a/b", "c/d"]',
        "# from jq\n\n" + json.dumps(ROWS),
    ],
    ids=["array", "pretty array", "pretty objects", "one line", "page", "report", "report lines", "strings",
         "array of strings", "comment above"],
)  # fmt: skip
def test_json_may_be_laid_out_as_programs_do(text: str) -> None:
    assert parsed(text) == [("a", "b"), ("c", "d")]


@pytest.mark.parametrize("value", [7, True, 1.5, ["a"], {"a": 1}])
def test_an_id_in_json_is_text_and_nothing_that_could_be_taken_for_it(value: object) -> None:
    [(line, message)] = problems("\n" + json.dumps({"app_id": value, "connector_id": "b"}))
    assert line == 2
    assert "an id must be text in quotes" in message


def test_a_bad_row_in_an_array_is_named_by_its_place() -> None:
    assert problems("\n" + json.dumps([ROWS[0], {"app_id": "c"}, 3])) == [
        (2, "item 2: no connector id in this object"),
        (2, "item 3: neither a JSON object nor an APP/CONNECTOR pair"),
    ]


def test_what_the_api_lists_can_be_fed_as_it_is() -> None:
    view = {"connector": {"id": "b", "appId": "a", "displayName": "Okta"}, "appPath": None}
    assert parse(json.dumps(view).encode(), "list") == [Target("a", "b", "Okta")]


@pytest.mark.parametrize(
    "line",
    [
        '{"app_id": "a"}',
        "{}",
        '{"app_id": "a", "connector_id": null}',
        '{"app_id": ["a"], "connector_id": "b"}',
        '{"app_id": "a", "connector_id": "b"',
        "[1]",
        "null",
        "{" * 5000,
        '{"app_id": "a/b", "connector_id": ".."}',
    ],
    ids=lambda line: line[:30],
)
def test_a_row_that_is_no_pair_is_named_by_its_line(line: str) -> None:
    good = '{"app_id": "a", "connector_id": "b"}'
    assert [number for number, _ in problems(f"{good}\n\n{line}\n{good}\n")] == [3]


def test_messages_hold_nothing_that_moves_a_cursor_and_have_a_bounded_length() -> None:
    row = json.dumps({"app_id": "\x1b[2J\u202e" * 1000, "connector_id": "b"})
    for text in (row, "\x1b[2J" * 1000, "app_id,connector_id\n\x1b[2J,b\n"):
        for _, message in problems(text):
            assert message.isprintable()
            assert len(message) < 400
