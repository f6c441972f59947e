"""Make the pictures of the documents from a real run against the sandbox.

    apt-get install chromium fonts-dejavu-core
    pip install -e '.[dev]'
    python .github/pictures/make.py

`freeze.yaml` beside this file is run in a pseudo-terminal against the sandbox, an unreliable API behind a rate limit.
`terminal.svg` is what the terminal shows afterwards, `report-*.png` and `course-*.png` are what a browser shows of the
HTML report: its verdict, and the course of the run. Which request meets which fault follows from the seed; run id, port
and times differ from run to run.
"""

import contextlib
import fcntl
import io
import os
import pty
import re
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

from playwright.sync_api import FloatRect, Page, ViewportSize, sync_playwright
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

HERE = Path(__file__).parent
PICTURES = HERE.parent
COMMAND = Path(sys.executable).with_name("c1-runner")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

FAULTS = "latency=150ms,jitter=0.5,limit=6/s,burst=6,error=35%,drop=8%,seed=5"
TYPED = f"c1-runner run freeze.yaml --report freeze.html \\\n    --sandbox --faults {FAULTS}"

COLUMNS, ROWS = 132, 40
VIEWPORT = ViewportSize(width=1180, height=900)

# Readable on a light and on a dark page, since the picture brings its own background.
THEME = TerminalTheme(
    background=(22, 27, 34),
    foreground=(214, 221, 229),
    normal=[(22, 27, 34), (255, 123, 114), (86, 211, 100), (227, 179, 65), (121, 192, 255), (210, 168, 255),
            (86, 212, 221), (214, 221, 229)],
    bright=[(139, 148, 158), (255, 161, 152), (126, 231, 135), (242, 204, 96), (165, 214, 255), (226, 197, 255),
            (130, 230, 237), (240, 246, 252)],
)  # fmt: skip

MARGIN = 18
ABOVE = 28  # pixels between the end of a picture and the heading behind it

# The frame of the picture. It names fonts of the reader's machine: a picture in a README may fetch nothing.
SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 WIDTH HEIGHT" role="img" aria-label="A run in a terminal">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
  font-size: {char_height}px; line-height: {line_height}px; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
<rect width="WIDTH" height="HEIGHT" rx="8" fill="#161b22"/>
<g transform="translate(MARGIN, MARGIN)" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def main() -> None:
    """Run the job once, and make all pictures of that run."""
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        shutil.copy(HERE / "freeze.yaml", directory)
        draw_terminal(in_terminal(directory))
        draw_report(directory / "freeze.html")


def in_terminal(directory: Path) -> str:
    """Run the command in a pseudo-terminal; returns its recap, colours included."""
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(directory),
        "TERM": "xterm-256color",
        "LOGNAME": "ops",
        "C1_RUNNER_PROGRESS": "none",
    }
    words = shlex.split(TYPED.replace("\\\n", ""))[1:]
    process = subprocess.Popen([COMMAND, *words], cwd=directory, env=environment, stdout=terminal)
    os.close(terminal)
    chunks = []
    with contextlib.suppress(OSError):  # the other end is closed
        while chunk := os.read(controller, 65536):
            chunks.append(chunk)
    process.wait()
    os.close(controller)
    return b"".join(chunks).decode().replace("\r\n", "\n")


def draw_terminal(output: str) -> None:
    """Draw what a terminal shows of the run."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text("$ ", style="bright_black"), Text(TYPED, style="bold"), sep="")
    console.print(Text.from_ansi(output.rstrip("\n")))
    picture = console.export_svg(title="", theme=THEME, code_format=SVG, unique_id="c1")
    size = re.search(r'width="([0-9.]+)" height="([0-9.]+)"', picture)
    assert size is not None
    for name, value in (("WIDTH", float(size[1])), ("HEIGHT", float(size[2]))):
        picture = picture.replace(name, f"{value + 2 * MARGIN:.0f}")
    (PICTURES / "terminal.svg").write_text(picture.replace("MARGIN", str(MARGIN)), encoding="utf-8")


def draw_report(report: Path) -> None:
    """Photograph the verdict and the course of the run in the HTML report, light and dark."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        for scheme in ("light", "dark"):
            page = browser.new_page(viewport=VIEWPORT, color_scheme=scheme)
            page.goto(report.as_uri())
            photograph(page, None, "What was asked", PICTURES / f"report-{scheme}.png")
            photograph(page, "How it went", "Every connector", PICTURES / f"course-{scheme}.png")
        browser.close()


def photograph(page: Page, first: str | None, behind: str, path: Path) -> None:
    """Photograph a page from one heading (None: from its top) to just above another one."""
    top, bottom = (0.0 if text is None else top_of(page, text) - ABOVE for text in (first, behind))
    clip = FloatRect(x=0, y=top, width=VIEWPORT["width"], height=bottom - top)
    page.screenshot(path=path, clip=clip, full_page=True)


def top_of(page: Page, heading: str) -> float:
    """Where a heading begins, in pixels from the top of the page."""
    box = page.get_by_role("heading", name=heading, exact=True).bounding_box()
    assert box is not None
    return box["y"]


if __name__ == "__main__":
    main()
