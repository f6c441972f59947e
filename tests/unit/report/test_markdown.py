"""Markdown: a summary that a ticket or a CI page shows as it was meant."""

import io
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from runner.base.model import Outcome, Result
from runner.report import Extras, render
from runner.report.markdown import LISTED, escaped
from runner.report.text import plain
from tests.unit.report.samples import HOSTILE, START, Sample, entry, recorded


class Text(HTMLParser):
    """The text of a page, and the tags in it."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def shown(markdown: str) -> Text:
    page = Text()
    page.feed(MarkdownIt("commonmark").enable("table").render(markdown))
    page.close()
    return page


def written(sample: Sample, extras: Extras | None = None) -> str:
    out = io.StringIO()
    render("markdown", sample.run, sample.targets, out, extras)
    return out.getvalue()


def test_it_begins_with_the_verdict_and_holds_the_facts(mixed: Sample) -> None:
    text = written(mixed)

    assert text.startswith("## ❌ 2 of 6 connectors are paused\n")
    assert "| Reason | CHG\\-1234 HR migration |" in text
    assert "| By | cron on ops\\-1 |" in text
    assert "Pauses end" not in text
    assert "| paused | already paused | failed | unknown | skipped | not attempted |" in text
    assert "| 1 | 1 | 1 | 1 | 1 | 1 |" in text


def test_the_end_of_its_pauses_is_a_fact(mixed: Sample) -> None:
    ending = Sample(mixed.store, mixed.run._replace(until=START + 3600))

    assert "| Pauses end | 2026-11-23 17:26:11 UTC |" in written(ending)


def test_what_needs_attention_comes_before_the_rest(mixed: Sample) -> None:
    text = written(mixed)

    places = [text.index(f"`con{seq}`") for seq in (2, 3, 0, 1, 4, 5)]
    assert places == sorted(places)
    assert text.index("### Needs attention") < places[0]
    assert places[1] < text.index("<details>") < places[2]


def test_every_row_of_a_table_has_all_its_cells(tmp_path: Path) -> None:
    entries = [entry(seq, Result(Outcome.FAILED, error=name), app=name, name=name) for seq, name in enumerate(HOSTILE)]
    with recorded(tmp_path, entries) as sample:
        text = written(sample)
    rows = [line for line in text.splitlines() if line.startswith("| failed | ") and "con" in line]

    assert len(rows) == len(HOSTILE)
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {7}


def test_long_lists_are_cut_and_the_rest_counted(tmp_path: Path) -> None:
    entries = [entry(seq, Result(Outcome.FAILED, error="no")) for seq in range(LISTED + 37)]
    with recorded(tmp_path, entries) as sample:
        text = written(sample)

    assert text.count("| failed | ") == LISTED + 1  # the table of counts has the word once
    assert "\nand 37 more\n" in text


def test_commands_are_shown_as_code(mixed: Sample) -> None:
    assert "\n    c1-runner undo X\n" in written(mixed, Extras(hints=("c1-runner undo X",)))
    assert "### Next" not in written(mixed, Extras(hints=()))


def test_a_clean_run_has_nothing_that_needs_attention(tmp_path: Path) -> None:
    with recorded(tmp_path, [entry(0, Result(Outcome.CHANGED))], finish=(START + 1, 0, None, (1, 0, 0))) as sample:
        text = written(sample)

    assert text.startswith("## ✅ The one connector is paused\n")
    assert "Needs attention" not in text


@pytest.mark.parametrize(
    "text", ["@octocat", "https://example.invalid", "![x](y)", "<img src=x>", "a | b", "# x", "&amp;"]
)
def test_markup_in_a_name_is_shown_and_does_nothing(text: str) -> None:
    page = shown(f"name: {escaped(text)}")

    assert page.text.strip() == f"name: {text}"
    assert page.tags == ["p"]


def test_a_mention_is_taken_apart() -> None:
    assert "@octocat" not in escaped("@octocat")


@given(st.one_of(st.sampled_from(HOSTILE), st.text()))
def test_any_text_is_shown_as_it_is(text: str) -> None:
    page = shown(f"name: {escaped(text)}.")

    assert page.text.split() == f"name: {plain(text)}.".split()
    assert page.tags == ["p"]
