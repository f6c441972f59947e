"""CSV: one row per target, and nothing in it that a spreadsheet would run."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.jobfile import pairlist
from runner.report import FORMATS, render, write
from runner.report.csv_table import COLUMNS, guarded
from runner.report.text import plain
from tests.unit.report.samples import HOSTILE, Sample


def rows(sample: Sample) -> list[dict[str, str]]:
    out = io.StringIO(newline="")
    render("csv", sample.run, sample.targets, out)
    return list(csv.DictReader(io.StringIO(out.getvalue(), newline="")))


def test_the_header_row_names_the_fields_and_the_flattened_states(mixed: Sample) -> None:
    assert tuple(rows(mixed)[0]) == COLUMNS
    assert COLUMNS[:5] == ("app_id", "connector_id", "app_name", "connector_name", "outcome")
    assert {"before_state", "after_state", "after_paused_at", "after_last_error"} < set(COLUMNS)


def test_there_is_one_row_per_target_in_plan_order(mixed: Sample) -> None:
    table = rows(mixed)

    assert [row["connector_id"] for row in table] == [f"con{seq}" for seq in range(6)]
    assert (table[0]["before_state"], table[0]["after_state"]) == ("active", "paused")
    assert (table[2]["http_status"], table[2]["attempts"], table[2]["duration_s"]) == ("500", "5", "8.5")


def test_what_is_not_known_is_an_empty_cell(mixed: Sample) -> None:
    last = rows(mixed)[-1]

    assert last["started_at"] == last["http_status"] == last["after_state"] == ""


def test_line_ends_are_those_of_rfc_4180(mixed: Sample) -> None:
    out = io.StringIO(newline="")
    render("csv", mixed.run, mixed.targets, out)

    assert out.getvalue().count("\r\n") == out.getvalue().count("\n") == 7


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff20"])
def test_a_cell_that_begins_like_a_formula_gets_an_apostrophe(first: str) -> None:
    assert guarded(f"{first}1+1") == f"'{plain(first)}1+1"


def test_a_file_begins_with_a_byte_order_mark_and_a_stream_does_not(mixed: Sample, tmp_path: Path) -> None:
    out = io.StringIO(newline="")
    render("csv", mixed.run, mixed.targets, out)
    for format in FORMATS:
        write(tmp_path / f"out{format}", mixed.run, mixed.targets)

    written = {path.suffix: path.read_bytes() for path in tmp_path.glob("out.*")}
    assert [suffix for suffix, content in written.items() if content.startswith(b"\xef\xbb\xbf")] == [".csv"]
    assert written[".csv"].decode("utf-8-sig") == out.getvalue()
    assert out.getvalue().startswith("app_id,")


def test_a_file_is_a_list_of_pairs_for_another_command(mixed: Sample, tmp_path: Path) -> None:
    write(tmp_path / "out.csv", mixed.run, mixed.targets)

    pairs = pairlist.parse((tmp_path / "out.csv").read_bytes(), "out.csv")
    assert [target.connector_id for target in pairs] == [f"con{seq}" for seq in range(6)]


def test_numbers_are_left_alone() -> None:
    assert guarded(-1) == -1
    assert guarded(None) is None


@given(st.one_of(st.sampled_from(HOSTILE), st.text()))
def test_any_text_comes_back_from_a_csv_reader_on_one_line_and_is_no_formula(text: str) -> None:
    cell = guarded(text)
    out = io.StringIO(newline="")
    csv.writer(out).writerow([cell, "end"])
    [row] = csv.reader(io.StringIO(out.getvalue(), newline=""))

    assert row == [cell, "end"]
    assert row[0].removeprefix("'") == plain(text).removeprefix("'")
    assert not row[0].startswith(("=", "+", "-", "@", "\t", "\r"))
    assert out.getvalue().count("\n") == 1
