"""Make the pictures of the README from a real run against the sandbox.

    apt-get install chromium fonts-dejavu-core
    pip install -e '.[dev]'
    python .github/pictures/make.py

A tenant is served on a loopback port, with an unreliable API behind a rate limit; `freeze.yaml` beside this file is
run against it in a pseudo-terminal. `terminal.svg` is what the terminal shows afterwards, `report-light.png` and
`report-dark.png` what a browser shows of the HTML report. Which request meets which fault follows from the seed.
"""

import contextlib
import fcntl
import os
import pty
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import ViewportSize, sync_playwright
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

HERE = Path(__file__).parent
PICTURES = HERE.parent
COMMAND = Path(sys.executable).with_name("c1-runner")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

TENANT = ("--apps", "16", "--connectors", "72")
FAULTS = "latency=120ms,jitter=0.5,limit=12/s,burst=8,error=22%,drop=6%,error_after=6%,seed=11"
SHOWN = "c1-runner run freeze.yaml --report freeze.html"

COLUMNS, ROWS = 104, 40
VIEWPORT = ViewportSize(width=1180, height=1330)

# Readable on a light and on a dark page, since the picture brings its own background.
THEME = TerminalTheme(
    background=(22, 27, 34),
    foreground=(214, 221, 229),
    normal=[(22, 27, 34), (255, 123, 114), (86, 211, 100), (227, 179, 65), (121, 192, 255), (210, 168, 255),
            (86, 212, 221), (214, 221, 229)],
    bright=[(139, 148, 158), (255, 161, 152), (126, 231, 135), (242, 204, 96), (165, 214, 255), (226, 197, 255),
            (130, 230, 237), (240, 246, 252)],
)  # fmt: skip

# The frame of the picture. It names fonts of the reader's machine: a picture in a README may fetch nothing.
SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="A run in a terminal">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
  font-size: {char_height}px; line-height: {line_height}px; font-variant-east-asian: full-width; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}
</defs>
<rect width="{width}" height="{height}" rx="8" fill="#161b22"/>
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def main() -> None:
    """Run the job once, and draw both pictures from that run."""
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        shutil.copy(HERE / "freeze.yaml", directory)
        with sandbox() as variables:
            output = in_terminal(directory, variables)
        draw_terminal(output)
        draw_report(directory / "freeze.html")


@contextlib.contextmanager
def sandbox() -> Iterator[dict[str, str]]:
    """A simulated tenant on a loopback port; yields the variables that lead to it."""
    process = subprocess.Popen(
        [COMMAND, "sandbox", *TENANT, "--faults", FAULTS], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(3)]
    pairs = (line.removeprefix("export ").strip().partition("=") for line in lines)
    try:
        yield {name: value.strip("'") for name, _, value in pairs}
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def in_terminal(directory: Path, variables: dict[str, str]) -> str:
    """Run the command in a pseudo-terminal; returns its recap, colours included (the bar on stderr is left out)."""
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    environment = {"PATH": os.environ["PATH"], "HOME": str(directory), "TERM": "xterm-256color", **variables}
    process = subprocess.Popen(
        [COMMAND, *SHOWN.split()[1:]], cwd=directory, env=environment, stdout=terminal, stderr=subprocess.PIPE
    )
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
    console = Console(record=True, width=COLUMNS, file=open(os.devnull, "w"), force_terminal=True)  # noqa: SIM115, PTH123
    console.print(Text("$ ", style="bright_black"), Text(SHOWN, style="bold"), sep="")
    console.print(Text.from_ansi(output.rstrip("\n")))
    picture = console.export_svg(title="", theme=THEME, code_format=SVG, unique_id="c1")
    (PICTURES / "terminal.svg").write_text(picture, encoding="utf-8")


def draw_report(report: Path) -> None:
    """Photograph the upper part of the HTML report, light and dark."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        for scheme in ("light", "dark"):
            page = browser.new_page(viewport=VIEWPORT, color_scheme=scheme)
            page.goto(report.as_uri())
            page.screenshot(path=PICTURES / f"report-{scheme}.png")
        browser.close()


if __name__ == "__main__":
    main()
