"""The HTML report in a real browser: it opens quietly, shows failures first, sorts, filters, pages and prints."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from runner.base.model import Outcome, Result
from runner.report import write
from tests.unit.report.samples import HOSTILE, PAUSED, START, entry, of_every_outcome, recorded

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed")

DESKTOP = ViewportSize(width=1280, height=900)
PHONE = ViewportSize(width=360, height=780)


@dataclass
class Visit:
    """A report that a browser shows, and what it complained of or fetched meanwhile."""

    browser: Browser
    path: Path
    script: bool = True
    viewport: ViewportSize = field(default_factory=lambda: DESKTOP)
    noises: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def open(self) -> Page:
        """The page, loaded."""
        page = self.browser.new_page(java_script_enabled=self.script, viewport=self.viewport)
        page.on("console", lambda message: self.noises.append(message.text))
        page.on("pageerror", lambda error: self.noises.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))
        page.goto(self.path.as_uri())
        return page


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One target of every outcome."""
    directory = tmp_path_factory.mktemp("small")
    with recorded(directory / "state", of_every_outcome()) as sample:
        write(directory / "report.html", sample.run, sample.targets)
    return directory / "report.html"


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten thousand targets; the one in the middle failed, hostile names among them."""
    directory = tmp_path_factory.mktemp("large")
    results = (
        entry(
            seq,
            Result(
                Outcome.CHANGED, None, 200, None, f"req-{seq}", 1, 0, START + seq / 100, START + seq / 99 + 1, PAUSED
            ),
            app=f"App {seq // 2}",
            name=HOSTILE[seq % len(HOSTILE)] if seq % 50 == 0 else f"Connector {10_000 - seq}",
        )
        for seq in range(10_000)
    )
    failed = Result(Outcome.FAILED, None, 404, "HTTP 404: gone", "req-bad", 1, 0, START + 50, START + 52)
    entries = [(planned, failed if planned.seq == 5000 else result) for planned, result in results]
    with recorded(directory / "state", entries) as sample:
        write(directory / "report.html", sample.run, sample.targets)
    return directory / "report.html"


def cells(page: Page, column: int) -> list[str]:
    """The shown cells of a column, from 1."""
    return page.locator(f"#table tbody td:nth-child({column})").all_inner_texts()


def test_it_opens_without_a_complaint_and_without_the_network(browser: Browser, small: Path) -> None:
    visit = Visit(browser, small)
    page = visit.open()

    assert page.title() == "2 of 6 connectors are paused · hr-freeze"
    assert page.locator("h1").inner_text() == "2 of 6 connectors are paused."
    assert visit.noises == []
    assert visit.requests == [small.as_uri()]


def test_the_failure_comes_first_everywhere(browser: Browser, small: Path) -> None:
    page = Visit(browser, small).open()

    assert cells(page, 2)[:2] == ["failed", "unknown"]
    assert "failed" in page.locator("article").first.inner_text()
    top = page.locator("article").first.bounding_box()
    table = page.locator("#table").bounding_box()
    assert top is not None
    assert table is not None
    assert top["y"] < table["y"]


def test_ten_thousand_targets_are_paged(browser: Browser, large: Path) -> None:
    visit = Visit(browser, large)
    page = visit.open()

    assert page.locator("#table tbody tr").count() == 100
    assert page.locator("#shown").inner_text() == "1 to 100 of 10,000"
    page.get_by_role("button", name="Next").click()
    assert page.locator("#shown").inner_text() == "101 to 200 of 10,000"
    assert page.locator("#page").inner_text() == "Page 2 of 100"
    page.get_by_role("button", name="Previous").click()
    assert page.get_by_role("button", name="Previous").is_disabled()
    assert visit.noises == []


def test_a_search_finds_a_row_by_name_id_or_message(browser: Browser, large: Path) -> None:
    page = Visit(browser, large).open()

    for words, found in (("connector 8766", "con1234"), ("CON4321", "con4321"), ("404 gone", "con5000")):
        page.get_by_label("Search").fill(words)
        assert found in cells(page, 4)[0]
    page.get_by_label("Search").fill("no such thing")
    assert page.locator("#shown").inner_text() == "No connector matches"
    assert page.locator("#table tbody tr").count() == 0


def test_an_outcome_can_be_chosen(browser: Browser, large: Path) -> None:
    page = Visit(browser, large).open()
    page.locator("#outcome").select_option("failed")

    assert cells(page, 2) == ["failed"]
    assert page.locator("#pager").is_hidden()


def test_a_heading_sorts_both_ways_and_by_value(browser: Browser, large: Path) -> None:
    page = Visit(browser, large).open()
    heading = page.locator("th", has_text="No.")

    heading.get_by_role("button").click()
    assert cells(page, 1)[:3] == ["1", "2", "3"]
    assert heading.get_attribute("aria-sort") == "ascending"
    heading.get_by_role("button").click()
    assert cells(page, 1)[:3] == ["10000", "9999", "9998"]
    page.locator("th", has_text="Took").get_by_role("button").click()
    page.locator("th", has_text="Took").get_by_role("button").click()
    assert cells(page, 1)[0] == "10000"
    assert heading.get_attribute("aria-sort") is None
    page.locator("th", has_text="Outcome").get_by_role("button").click()
    assert cells(page, 2)[0] == "failed"


def test_it_can_be_used_from_the_keyboard(browser: Browser, small: Path) -> None:
    page = Visit(browser, small).open()
    page.keyboard.press("Tab")
    assert page.locator(":focus").inner_text() == "To the table of connectors"
    page.locator("th button").first.focus()
    page.keyboard.press("Enter")

    assert cells(page, 1) == ["1", "2", "3", "4", "5", "6"]


def test_without_a_script_every_row_is_there(browser: Browser, large: Path) -> None:
    page = Visit(browser, large, script=False).open()

    assert page.locator("#table tbody tr").count() == 10_000
    assert page.locator("#table tbody tr").first.is_visible()
    assert page.locator("#controls").is_hidden()


def test_a_phone_never_scrolls_sideways(browser: Browser, small: Path, large: Path) -> None:
    for path in (small, large):
        page = Visit(browser, path, viewport=PHONE).open()
        page.wait_for_selector("tbody.ready", state="attached")
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


def test_dark_and_light_have_grounds_of_their_own(browser: Browser, small: Path) -> None:
    page = Visit(browser, small).open()
    grounds = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        grounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))

    assert grounds == ["rgb(251, 250, 248)", "rgb(20, 21, 23)"]


def test_print_is_dark_on_white_and_leaves_the_controls_out(browser: Browser, small: Path) -> None:
    page = Visit(browser, small).open()
    page.emulate_media(media="print", color_scheme="dark")

    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator("#controls").is_hidden()
    assert page.pdf().startswith(b"%PDF")


def test_a_hostile_name_runs_nothing_and_is_shown(browser: Browser, large: Path) -> None:
    visit = Visit(browser, large)
    page = visit.open()
    page.get_by_label("Search").fill("<script>alert(1)")

    assert "<script>alert(1)</script>" in cells(page, 4)[0]
    assert page.evaluate("document.scripts.length") == 1
    assert visit.noises == []
