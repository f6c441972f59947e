"""Log lines on stderr, for people or for machines, with every secret taken out."""

import json
import logging
import re
from datetime import UTC, datetime

from runner.base import trace
from runner.cli.screen import say
from runner.report.text import json_safe, plain

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
        """The line, and a traceback below it, without secrets."""
        return redact(super().format(record))

    def formatMessage(self, record: logging.LogRecord) -> str:
        """One line, whatever stands in it; a traceback keeps its own."""
        return plain(super().formatMessage(record))


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """An object on one line, without secrets; times are RFC 3339 in UTC."""
        target = trace.target.get()
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "run_id": trace.run_id.get(),
            "target": target and "/".join(target),
            "attempt": trace.attempt.get(),
            "message": redact(record.getMessage()),
        }
        if record.exc_info:
            line["traceback"] = redact(self.formatException(record.exc_info))
        return json_safe(json.dumps(line, ensure_ascii=False))


class _Above(logging.Handler):
    """Puts each line on stderr, above what progress has drawn there."""

    def emit(self, record: logging.LogRecord) -> None:
        """Format and say it; a log that cannot be written ends no run."""
        try:
            say(self.format(record))
        except Exception:
            self.handleError(record)


_for_machines = False


def notice(message: str, *, level: int = logging.WARNING, prefix: str = "c1-runner: ") -> None:
    """Say on stderr what is wanted whatever the level of the log: as a JSON line, if the log consists of these."""
    if _for_machines:
        record = logging.LogRecord("c1-runner", level, "", 0, message, None, None)
        say(_Json().format(record))
    else:
        say(prefix + message)


def configure(*, verbose: int, quiet: bool, log_format: str) -> None:
    """Set up the root logger; repeated -v and --quiet choose the level."""
    global _for_machines
    _for_machines = log_format == "json"
    handler = _Above()
    text = "%(asctime)s %(levelname)-7s %(message)s"
    handler.setFormatter(_Json() if _for_machines else _Text(text, "%H:%M:%S"))
    level = logging.ERROR if quiet else (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)]
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("asyncio").setLevel(logging.WARNING)
