"""The HTML report: one self-contained page, the verdict first."""

from runner.report.html.page import write_html

__all__ = ["write_html"]
