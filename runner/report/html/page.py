"""The page as a whole: one file, complete without a network and readable without a script."""

import base64
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from typing import TextIO

from runner.base.version import __version__
from runner.report.document import SCHEMA
from runner.report.extras import Extras
from runner.report.html import summary
from runner.report.html.attention import attention
from runner.report.html.course import course
from runner.report.html.digest import Digest, gather
from runner.report.html.markup import Markup, element, escaped
from runner.report.html.rows import table
from runner.report.text import plain
from runner.report.verdict import conclusion, default_hints
from runner.store.records import RunRecord, TargetRecord


def write_html(run: RunRecord, targets: Iterable[TargetRecord], out: TextIO, extras: Extras) -> None:
    """Write the page; `targets` is read once, and bounded parts of it are kept meanwhile."""
    digest = gather(run, targets)
    out.writelines(f"{part}\n" for part in _page(run, digest, extras) if part)


def _page(run: RunRecord, digest: Digest, extras: Extras) -> Iterator[str]:
    hints = default_hints(run) if extras.hints is None else extras.hints
    yield '<!doctype html>\n<html lang="en">'
    yield _head(run)
    yield "<body>"
    yield '<a class="skip" href="#connectors">To the table of connectors</a>'
    yield "<main>"
    yield summary.header(run)
    yield summary.counts(run)
    yield attention(run, digest.groups)
    yield summary.commands(hints)
    yield summary.facts(run)
    yield course(run, digest.spans, extras)
    yield from table(run, digest.rows)
    yield "</main>"
    yield element("footer", escaped(f"c1-runner {__version__} · {SCHEMA} · all times in UTC"))
    yield "</body>\n</html>"


def _head(run: RunRecord) -> Markup:
    style, script = _asset("report.css"), _asset("report.js")
    policy = (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    title = f"{conclusion(run).headline} · {plain(run.job_name)}"
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", escaped(title)),
        element("link", rel="icon", href="data:,"),
        element("style", style),
        element("script", script),
    )


@cache
def _asset(name: str) -> Markup:
    return Markup(files("runner.report.html").joinpath(name).read_text(encoding="utf-8"))


def _digest(content: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}"
