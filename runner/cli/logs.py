"""Log lines on stderr, for people or for machines, with every secret taken out."""

import json
import logging
import re
import sys
from datetime import UTC, datetime

_SECRETS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?i)\b(bearer|dpop)(?:\s|%20|\+)+[A-Za-z0-9._~+/=%-]{8,}"), r"\1 [redacted]"),
    (re.compile(r"(?i)secret-token(?::|%3a)conductorone\.com(?::|%3a)v1(?::|%3a)[\w=%-]+"), "[redacted]"),
    (
        re.compile(
            r"(?i)((?:client_secret|client_assertion|access_token|subject_token)\\*[\"']?\s*[=:]\s*\\*[\"']?)[^&\"'\s\\]+"
        ),
        r"\1[redacted]",
    ),
    (re.compile(r"(://)[^\s/@\"']+@"), r"\1[redacted]@"),  # a proxy's user and password
)


def redact(text: str) -> str:
    """The text without tokens and secrets, wherever they got in."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        line |= {name: value for name in _FIELDS if (value := getattr(record, name, None)) is not None}
        if record.exc_info:
            line["traceback"] = redact(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)


_FIELDS = ("run_id", "target", "attempt")


def configure(*, verbose: int, quiet: bool, log_format: str) -> None:
    """Set up the root logger; repeated -v and --quiet choose the level."""
    handler = logging.StreamHandler(sys.stderr)
    text = "%(asctime)s %(levelname)-7s %(message)s"
    handler.setFormatter(_Json() if log_format == "json" else _Text(text, "%H:%M:%S"))
    level = logging.ERROR if quiet else (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)]
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for library in ("asyncio", "filelock"):
        logging.getLogger(library).setLevel(logging.WARNING)
