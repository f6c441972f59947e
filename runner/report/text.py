"""Names and messages come from a tenant and are hostile text: how they are made harmless to show.

What can move a cursor, forge a line, reverse the reading order or hide is written as an escape that can be
seen (`\\x1b`, `\\n`, `\\u202e`); everything else stays as it is, whatever its script.
"""

import json
import re

_UNSAFE = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # controls: terminal escapes, line breaks
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # they turn the direction of reading
    "\u2028\u2029"  # line and paragraph separators
    "\xad\u180e\u200b\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb"  # invisible; U+200C and U+200D are not
    "\U0001d173-\U0001d17a\U000e0000-\U000e007f"  # invisible as well, the tags among them
    "\ud800-\udfff\ufffe\uffff"  # no characters at all; XML refuses them
    "]"
)


def plain(text: str) -> str:
    """`text` on one line, with everything that does not show as itself spelled out."""
    return _UNSAFE.sub(_spelled, text)


def shortened(text: str, length: int) -> str:
    """`text` made plain, with at most `length` characters."""
    text = plain(text)
    return text if len(text) <= length else text[: length - 1] + "…"


def json_safe(document: str) -> str:
    """JSON text that reads back the same, with what is unsafe to look at written as `\\uXXXX`.

    `document` is what the standard library writes: its only control characters are its own line breaks.
    """
    if document.isascii() and "\x7f" not in document:
        return document
    return _UNSAFE.sub(_json_escape, document)


def _spelled(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")


def _json_escape(match: re.Match[str]) -> str:
    return "\n" if match[0] == "\n" else json.dumps(match[0])[1:-1]
