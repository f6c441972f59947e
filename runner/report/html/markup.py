"""Making HTML: text becomes markup here, and nowhere else."""

import html
from collections.abc import Iterable
from typing import NewType

from runner.report.text import plain

Markup = NewType("Markup", str)
"""Text that is HTML already. The type checker lets no other text in."""

NOTHING = Markup("")

_VOID = frozenset({"meta", "link", "input"})


def escaped(text: str) -> Markup:
    """Any text as HTML that shows it, on one line, with nothing hidden in it."""
    return Markup(html.escape(plain(text)))


def element(name: str, /, *children: Markup, **attributes: str | float | bool | None) -> Markup:
    """An element. Attributes: `class_` is class, `_` is `-`; None and False leave one out, True is bare."""
    written = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{_attribute(value)}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in _VOID:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{''.join(children)}</{name}>")


def joined(parts: Iterable[Markup], separator: str = "") -> Markup:
    """Several pieces of markup as one."""
    return Markup(separator.join(parts))


def _attribute(value: str | float) -> str:
    return f"{value:g}" if isinstance(value, float) else html.escape(plain(str(value)))
