"""The HTML page: complete, self-contained, bounded, and safe with any name in it."""

import base64
import hashlib
import io
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.base.model import Outcome, Planned, Result, Target
from runner.report import Extras, render
from runner.report.html import digest, timeline
from runner.report.html.digest import Spans
from runner.report.html.markup import element
from runner.report.html.timeline import pack
from runner.report.text import plain
from runner.store import PaceSample, TargetRecord
from tests.unit.report.samples import HOSTILE, START, Sample, entry, hostile, of_every_outcome, recorded, start

VOID = {"meta", "link", "input"}


class Page(HTMLParser):
    """The parts of a page that the tests ask about; fails on tags that are not closed in order."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.cells: list[str] = []
        self.text: dict[str, list[str]] = {}
        self.feed(markup)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
            self.text.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in set(self.open):
            self.text[tag][-1] += data


def written(sample: Sample, extras: Extras | None = None) -> str:
    out = io.StringIO()
    render("html", sample.run, sample.targets, out, extras)
    return out.getvalue()


def many(
    count: int, outcome: Outcome = Outcome.CHANGED, throttled: int = 0, waited: float = 0.0
) -> list[tuple[Planned, Result]]:
    results = (
        Result(outcome, None, 200, None, f"req-{seq}", 1, throttled, START + seq, START + seq + 2.5, waited=waited)
        for seq in range(count)
    )
    return [entry(seq, result) for seq, result in enumerate(results)]


def test_the_verdict_comes_first_then_the_counts_then_what_needs_attention(mixed: Sample) -> None:
    page = Page(written(mixed))

    assert page.text["h1"] == ["2 of 6 connectors are paused."]
    assert page.text["h2"][:2] == ["What needs attention", "What was left"]
    assert page.text["h3"][0] == "failed C1 had a fault of its own each time it was asked."
    assert page.text["h3"][1] == "unknown No clear answer came back."


def test_every_target_has_a_row_and_failures_come_first(mixed: Sample) -> None:
    page = Page(written(mixed))
    outcomes = [attributes["data-o"] for tag, attributes in page.seen if tag == "tr" and "data-o" in attributes]

    assert outcomes == ["failed", "unknown", "changed", "unchanged", "skipped", "not_attempted"]


def test_reasons_request_ids_and_commands_are_there(mixed: Sample) -> None:
    text = written(mixed, Extras(hints=("c1-runner continue X",)))

    assert "HTTP 500: internal" in text
    assert "<code>req-3</code>" in text
    assert "c1-runner continue X</code></pre>" in text
    assert "c1-runner report 20261123-162611-ab12cd --report out.json" in written(mixed)


def test_the_end_of_its_pauses_is_a_fact(mixed: Sample) -> None:
    ending = Sample(mixed.store, mixed.run._replace(until=START + 3600))

    assert "<dt>Until</dt>" not in written(mixed)
    assert '<dt>Until</dt><dd><time datetime="2026-11-23T17:26:11.042Z">2026-11-23 17:26:11 UTC' in written(ending)


def test_nothing_is_loaded_from_anywhere(mixed: Sample) -> None:
    page = Page(written(mixed))
    links = [attributes.get(name) for _, attributes in page.seen for name in ("src", "href", "action")]

    assert {link for link in links if link} == {"data:,", "#connectors"}
    assert "url(" not in page.text["style"][0]
    assert not [attributes for _, attributes in page.seen if "style" in attributes]


def test_the_policy_allows_this_style_and_this_script_and_no_network(mixed: Sample) -> None:
    page = Page(written(mixed))
    [policy] = [a["content"] or "" for tag, a in page.seen if a.get("http-equiv") == "Content-Security-Policy"]

    assert policy.startswith("default-src 'none'; ")
    for kind in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(page.text[kind][0].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy


def test_a_run_from_the_command_line_has_no_job_file_and_a_caller_may_offer_no_command(tmp_path: Path) -> None:
    with recorded(tmp_path, many(1), start=start(job_path=None, job_sha256=None, reason=None)) as sample:
        page = Page(written(sample, Extras(hints=())))

    assert "jobs/hr-freeze.yaml" not in page.text["main"][0]
    assert "not given" in page.text["dd"]
    assert "What to type next" not in page.text["h2"]


def test_more_bars_than_a_picture_can_show_leave_the_pace_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(timeline, "PACKED_SPANS", 100)
    with recorded(tmp_path, many(101)) as sample:
        page = Page(written(sample))

    assert len(page.text["figcaption"]) == 1
    assert page.text["figcaption"][0].startswith("Pace ")


def test_a_clean_run_says_that_nothing_needs_attention(tmp_path: Path) -> None:
    with recorded(tmp_path, many(2), finish=(START + 5, 0, None, (2, 0, 0))) as sample:
        text = written(sample)

    assert "Nothing: no connector failed, and none is in doubt." in text
    assert '<header class="good">' in text


@pytest.mark.parametrize("finish", [None, (START, 0, None, (0, 0, 0))])
def test_runs_without_an_end_or_without_targets_have_a_page(
    tmp_path: Path, finish: tuple[float, int, str | None, tuple[int, int, int]] | None
) -> None:
    with recorded(tmp_path / "a", [], finish=finish) as empty, recorded(tmp_path / "b", many(3), finish=finish) as run:
        assert "Nothing was selected." in written(empty)
        assert "All 3 connectors are paused." in written(run)


def test_a_small_run_has_a_line_for_each_target_and_a_large_one_is_packed(tmp_path: Path) -> None:
    with (
        recorded(tmp_path / "a", many(60, throttled=1, waited=2.0)) as small,
        recorded(tmp_path / "b", many(61, throttled=1, waited=2.0)) as large,
    ):
        lines, packed = Page(written(small)), Page(written(large))

    assert sum(tag == "rect" and attributes.get("class") == "wait" for tag, attributes in lines.seen) == 60
    kinds = [attributes.get("class") for tag, attributes in packed.seen if tag == "path"]
    assert kinds[1:] == ["changed", "waited"]
    assert lines.text["i"][0].strip() == "· held back 2.0 s"


def test_the_time_that_the_limit_took_is_drawn_as_its_share_of_the_work(tmp_path: Path) -> None:
    with recorded(tmp_path, many(1, waited=1.25)) as sample:
        seen = Page(written(sample)).seen
    widths = {
        str(attributes["class"]): float(str(attributes["width"]).rstrip("%"))
        for tag, attributes in seen
        if tag == "rect" and attributes.get("rx")
    }

    assert widths["waited"] == pytest.approx(widths["changed"] / 2, abs=0.1)


def test_a_gentle_start_is_not_blamed_on_a_limit_that_nobody_met(tmp_path: Path) -> None:
    end = (START + 41.5, 0, None, (12, 0, 0))
    with recorded(tmp_path, many(1, waited=2.0), finish=end) as sample:
        assert "held back" not in written(sample)


def test_a_moment_of_waiting_is_not_worth_a_word(tmp_path: Path) -> None:
    with recorded(tmp_path, many(1, waited=0.01)) as sample:
        assert "held back" not in written(sample)


def test_the_pace_and_refusals_are_drawn_when_they_are_known(tmp_path: Path) -> None:
    pace = tuple(
        PaceSample(START + at, rate, refused)
        for at, rate, refused in ((1, None, 0), (5, 4.0, 3), (9, None, 0), (30, 6.0, 1))
    )
    with recorded(tmp_path, many(60)) as sample:
        without, drawn = written(sample), written(sample, Extras(pace=pace))

    assert 'class="limit"' not in without
    assert 'class="limit"' in drawn
    assert drawn.count('class="waited"') == 2


def test_a_limit_that_limited_nothing_is_not_drawn(tmp_path: Path) -> None:
    with recorded(tmp_path, many(60)) as sample:
        drawn = written(sample, Extras(pace=(PaceSample(START + 1, 900.0, 0),)))

    assert 'class="limit"' not in drawn


def test_few_targets_have_a_pace_when_there_is_a_limit_to_compare_it_with(tmp_path: Path) -> None:
    with recorded(tmp_path, many(12)) as sample:
        without, drawn = written(sample), written(sample, Extras(pace=(PaceSample(START + 1, 1.0, 3),)))

    assert 'class="flow"' not in without
    assert 'class="flow"' in drawn
    assert 'class="limit"' in drawn


def test_common_reasons_are_said_once_for_a_group_and_its_count_is_exact(tmp_path: Path) -> None:
    entries = [
        entry(seq, Result(Outcome.FAILED, error="HTTP 404: gone", http_status=404, attempts=1)) for seq in range(150)
    ]
    with recorded(tmp_path, entries) as sample:
        text = written(sample)

    [group] = re.findall("<article.*?</article>", text, re.DOTALL)
    assert group.count("HTTP 404: gone") == 1
    assert "150 connectors. It may have been deleted" in group
    assert group.count("<li>") == digest.LISTED_CASES
    assert "145 more</summary>" in group
    assert "50 more are in the table below." in group


def test_failures_go_before_doubts_and_the_reason_of_many_before_that_of_one(tmp_path: Path) -> None:
    statuses = (None, 404, 500, 500)
    entries = [
        entry(seq, Result(Outcome.FAILED if status else Outcome.UNKNOWN, http_status=status, attempts=1))
        for seq, status in enumerate(statuses)
    ]
    with recorded(tmp_path, entries) as sample:
        page = Page(written(sample))

    assert [re.split(r"[ .]", text)[0] for text in page.text["h3"]] == ["failed", "failed", "unknown"]
    assert "fault of its own" in page.text["h3"][0]


def test_an_attribute_cannot_be_left() -> None:
    assert element("p", title="\" onload='x' <\n&") == '<p title="&quot; onload=&#x27;x&#x27; &lt;\\n&amp;"></p>'
    assert element("input", hidden=True, value=None, data_v=1.5) == '<input hidden data-v="1.5">'


def test_reasons_without_end_are_counted_together(tmp_path: Path) -> None:
    entries = [entry(seq, Result(Outcome.SKIPPED, f"reason {seq}")) for seq in range(digest.LISTED_GROUPS + 5)]
    with recorded(tmp_path, entries) as sample:
        text = written(sample)

    assert text.count("<article") == digest.LISTED_GROUPS + 1
    assert "Other reasons.</h3>" in text


def test_the_table_is_bounded_and_says_what_it_leaves_out(mixed: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digest, "LISTED_ROWS", 3)
    page = Page(written(mixed))

    assert sum("data-o" in attributes for _, attributes in page.seen) == 3
    assert any("3 more connectors without trouble" in text for text in page.text["p"])


def test_lanes_are_as_many_as_were_busy_at_once_and_never_hold_two() -> None:
    spans = Spans()
    for place, (begin, end) in enumerate(((0, 5), (1, 2), (2, 3), (0.5, 9), (5, 6))):
        spans.add(_timed(place, begin, end))
    lanes: dict[int, list[tuple[float, float]]] = {}
    for place, lane in pack(spans):
        lanes.setdefault(lane, []).append((spans.starts[place], spans.ends[place]))

    assert sorted(lanes) == [0, 1, 2]
    assert all(one[1] <= other[0] for busy in lanes.values() for one, other in pairwise(sorted(busy)))


def _timed(seq: int, begin: float, end: float) -> TargetRecord:
    return TargetRecord(
        seq, Target("a", "b"), None, None, Outcome.CHANGED, None, None, None, None, 1, 0, begin, end, None, None
    )


@pytest.mark.parametrize("seconds", [0.0, 0.02, 0.7, 4, 75, 3000, 40_000, 3_000_000])
def test_a_run_of_any_length_has_few_round_marks(tmp_path: Path, seconds: float) -> None:
    entries = [entry(0, Result(Outcome.CHANGED, started_at=START, finished_at=START + seconds))]
    with recorded(tmp_path, entries, finish=(START + seconds, 0, None, (1, 0, 0))) as sample:
        page = Page(written(sample))

    assert 1 <= len(page.text["text"]) <= 11


@given(name=st.one_of(st.sampled_from(HOSTILE), st.text(min_size=1, max_size=30)))
def test_any_name_is_shown_and_adds_no_markup(name: str) -> None:
    page, expected = (Page(_page(text)) for text in (name, "calm"))

    assert [tag for tag, _ in page.seen] == [tag for tag, _ in expected.seen]
    assert plain(name) in page.text["bdi"]
    assert all(plain(line) == line for text in page.text["main"] for line in text.split("\n"))


def _page(name: str) -> str:
    run, target = hostile(name)
    out = io.StringIO()
    render("html", run, [target], out)
    return out.getvalue()


def test_text_stands_out_from_its_ground_in_light_in_the_dark_and_in_print() -> None:
    style = Path(digest.__file__).with_name("report.css").read_text()
    blocks = re.findall(r":root {(.*?)}", style, re.DOTALL)

    assert len(blocks) == 3
    for colours in (dict(re.findall(r"--([a-z_-]+): (#\w{6})", block)) for block in blocks):
        for text in ("ink", "muted", "changed-text", "failed-text", "unknown-text", "waited-text"):
            for ground in ("paper", "card", "faint"):
                assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground, colours[ground])


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2.2, section 1.4.3."""
    darker, lighter = sorted(map(luminance, (one, other)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    parts = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_every_outcome_has_its_colour() -> None:
    style = Path(digest.__file__).with_name("report.css").read_text()

    for outcome in Outcome:
        assert f"rect.{outcome}, path.{outcome}" in style
        assert f".chip.{outcome} " in style
        assert f"li.{outcome} " in style


def test_ten_thousand_targets_stay_below_ten_megabytes() -> None:
    run, target = hostile("a name of some length, as people give them")
    out = io.StringIO()
    render("html", run, (target._replace(seq=seq) for seq in range(10_000)), out)

    assert len(out.getvalue().encode()) < 10_000_000


def test_the_sample_has_every_outcome() -> None:
    assert [result.outcome for _, result in of_every_outcome()] == list(Outcome)
